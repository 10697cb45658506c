// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/pool/result.hpp>
#include <trine/pool/waiting.hpp>
#include <trine/until.hpp>

namespace trine {

/// The result of a task that was submitted to a pool. Copies are the same result.
///
///     trine::Future<int> sum = pool.submit(add, 1, 2);
///     sum.on_success([](int n) { std::cout << n; });
///     if (sum.wait(1s)) use(sum.get());
///
/// A task that failed throws from get(): RemoteError, with the type and the text of the exception that left it, or WorkerDied.
/// Future<R> is the same type for all backends that block; on coroutines it is Future<R, coroutines>, and wait() and get() are
/// awaited. The `Waiting` of the class below is how that is done.
template <class R, class Waiting>
class PoolFuture {
 public:
  using Result = PoolResult<R>;
  /// What get() returns: true where the task returns nothing.
  using Value = std::conditional_t<std::is_void_v<R>, bool, R>;

  PoolFuture(std::shared_ptr<Waiting> pool, std::shared_ptr<Result> result) noexcept
      : pool_(std::move(pool)), result_(std::move(result)) {}

  /// Waits until the task is done: true, or false when it gave up.
  auto wait(const Until& until = Until::forever()) const {
    return pool_->when_ready(*result_, until, [pool = pool_, result = result_](bool ready) { return ready; });
  }

  /// Waits for the result. Throws what the task failed with, or TimedOut when it gave up: the task goes on then. A copy, so that it
  /// may be called again; the result itself where the Future is about to go (`pool.submit(...).get()`) or a copy is impossible.
  auto get(const Until& until = Until::forever()) & {
    return when_ready(until, [](Result& result) -> Value {
      if constexpr (std::is_void_v<R>) {
        return result.value(), true;
      } else if constexpr (std::is_copy_constructible_v<R>) {
        return result.value();
      } else {
        return std::move(result.value());
      }
    });
  }
  auto get(const Until& until = Until::forever()) && {
    return when_ready(until, [](Result& result) -> Value {
      if constexpr (std::is_void_v<R>) {
        return result.value(), true;
      } else {
        return std::move(result.value());
      }
    });
  }

  /// Whether the task is done, well or not. Never waits.
  [[nodiscard]] bool ready() const { return result_->ready() || pool_->look(*result_); }

  /// Whether the task is done and has not failed. Throws Error if it is not done.
  [[nodiscard]] bool successful() const {
    if (!ready()) throw Error("trine: Future::successful: the task is not done");
    return !result_->failure();
  }

  /// Calls `callback(result)`, or `callback()` for a void task, when the task is done and has not failed; at once, if it is already.
  /// It is called by a worker or another thread of the pool's, or by a thread that waits for any of its results, before get()
  /// returns this one: it must not wait for the pool. (It may terminate() a pool of processes.) An exception of it is printed,
  /// and otherwise ignored. Throws std::system_error if no thread is to be had that would call it; then nobody will.
  template <class Callback>
  PoolFuture& on_success(Callback callback) {
    return add([callback = std::move(callback), result = result_.get()] {
      if (result->failure()) return;
      if constexpr (std::is_void_v<R>) {
        callback();
      } else {
        callback(static_cast<const R&>(result->value()));
      }
    });
  }

  /// The same for a task that failed: calls `callback(std::exception_ptr)`.
  template <class Callback>
  PoolFuture& on_error(Callback callback) {
    return add([callback = std::move(callback), result = result_.get()] {
      if (result->failure()) callback(result->failure());
    });
  }

 private:
  // What is waited for lives as long as the wait: the Future may be gone before that is awaited.
  template <class Take>
  auto when_ready(const Until& until, Take take) {
    return pool_->when_ready(*result_, until, [pool = pool_, result = result_, take](bool ready) -> Value {
      if (!ready) fail<TimedOut>();
      return take(*result);
    });
  }

  // The callback refers to the result, which keeps it: not by a share of its own.
  PoolFuture& add(std::function<void()> callback) {
    if (!result_->ready()) pool_->attend();
    result_->when_settled(std::move(callback));
    return *this;
  }

  std::shared_ptr<Waiting> pool_;
  std::shared_ptr<Result> result_;
};

template <class R, class B = threads>
using Future = PoolFuture<R, typename PoolWaitingOf<B>::type>;

}  // namespace trine
