// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <trine/error.hpp>
#include <trine/pool/result.hpp>
#include <trine/until.hpp>

namespace trine {

/// How the result of a pool's task is waited for, whatever the pool's backend.
class PoolWaiting {
 public:
  /// Until it is ready: true, or false when it gave up.
  virtual bool wait_for(const PoolOutcome& outcome, const Until& until) = 0;
  /// Whether it is ready, after a look at the workers.
  virtual bool look(const PoolOutcome& outcome) = 0;
  /// From now on somebody sees to results while nobody waits for them.
  virtual void attend() = 0;

 protected:
  ~PoolWaiting() = default;
};

/// The result of a task that was submitted to a pool. Copies are the same result.
///
///     trine::Future<int> sum = pool.submit(add, 1, 2);
///     sum.on_success([](int n) { std::cout << n; });
///     if (sum.wait(1s)) use(sum.get());
///
/// A task that failed throws from get(): RemoteError, with the type and the text of the exception that left it, or WorkerDied.
template <class R>
class Future {
 public:
  using Result = PoolResult<R>;

  Future(std::shared_ptr<PoolWaiting> pool, std::shared_ptr<Result> result) noexcept
      : pool_(std::move(pool)), result_(std::move(result)) {}

  /// Waits until the task is done: true, or false when it gave up.
  bool wait(const Until& until = Until::forever()) const { return result_->ready() || pool_->wait_for(*result_, until); }

  /// Waits for the result. Throws what the task failed with, or TimedOut when it gave up: the task goes on then. A copy, so that it
  /// may be called again; the result itself where the Future is about to go (`pool.submit(...).get()`) or a copy is impossible.
  R get(const Until& until = Until::forever()) & {
    auto& value = wait_for_value(until);
    if constexpr (std::is_copy_constructible_v<R>) {
      return value;
    } else if constexpr (!std::is_void_v<R>) {
      return std::move(value);
    }
  }
  R get(const Until& until = Until::forever()) && {
    auto& value = wait_for_value(until);
    if constexpr (!std::is_void_v<R>) return std::move(value);
  }

  /// Whether the task is done, well or not. Never waits.
  [[nodiscard]] bool ready() const { return result_->ready() || pool_->look(*result_); }

  /// Whether the task is done and has not failed. Throws Error if it is not done.
  [[nodiscard]] bool successful() const {
    if (!ready()) throw Error("trine: Future::successful: the task is not done");
    return !result_->failure();
  }

  /// Calls `callback(result)`, or `callback()` for a void task, when the task is done and has not failed; at once, if it is already.
  /// It is called by a thread of the pool's, or by one that waits for any of its results, before get() returns this one: it must not
  /// wait for the pool. An exception of it is printed, and otherwise ignored.
  template <class Callback>
  Future& on_success(Callback callback) {
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
  Future& on_error(Callback callback) {
    return add([callback = std::move(callback), result = result_.get()] {
      if (result->failure()) callback(result->failure());
    });
  }

 private:
  auto& wait_for_value(const Until& until) {
    if (!wait(until)) fail<TimedOut>();
    return result_->value();
  }

  // The callback refers to the result, which keeps it: not by a share of its own.
  Future& add(std::function<void()> callback) {
    result_->when_settled(std::move(callback));
    pool_->attend();
    return *this;
  }

  std::shared_ptr<PoolWaiting> pool_;
  std::shared_ptr<Result> result_;
};

}  // namespace trine
