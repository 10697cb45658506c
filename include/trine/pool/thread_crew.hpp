// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <trine/backend.hpp>
#include <trine/error.hpp>
#include <trine/pool/options.hpp>
#include <trine/pool/result.hpp>
#include <trine/pool/waiting.hpp>
#include <trine/queue.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>
#include <trine/until.hpp>

namespace trine {

/// What a worker of a ThreadCrew does.
template <class B>
class PoolTask {
 public:
  virtual ~PoolTask() = default;
  /// Does it, or begins with it: what is to be awaited then. That ends early when the token is stopped, where B can do so.
  virtual std::optional<Task<void, B>> perform(std::stop_token stop) = 0;
  virtual void fail(std::exception_ptr failure) = 0;
};

/// A call of a function without arguments, which returns an R or a Task of it.
template <class R, class Function, class B>
class PoolCall final : public PoolTask<B> {
 public:
  PoolCall(Function function, std::shared_ptr<PoolResult<R>> result)
      : function_(std::move(function)), result_(std::move(result)) {}

  std::optional<Task<void, B>> perform([[maybe_unused]] std::stop_token stop) override {
    try {
      if constexpr (task::Lazy<std::invoke_result_t<Function&>>) {
        return carry_out(*this, std::move(stop));
      } else if constexpr (std::is_void_v<R>) {
        function_();
        result_->succeed({});
      } else {
        result_->succeed(function_());
      }
    } catch (...) {
      fail(remote());
    }
    return std::nullopt;
  }

  void fail(std::exception_ptr failure) override { result_->fail(std::move(failure)); }

  /// The exception that is being handled as it would come from another process, with itself inside.
  static std::exception_ptr remote() {
    const ExceptionText text = ExceptionText::current();
    try {
      std::throw_with_nested(RemoteError(text.type, text.text));
    } catch (...) {
      return std::current_exception();
    }
  }

 private:
  using Value = typename PoolResult<R>::Value;

  static Task<void, B> carry_out(PoolCall& self, std::stop_token stop) {
    std::exception_ptr failure;
    try {
      std::optional<Value> value = co_await stoppably(self.function_(), std::move(stop));
      if (value) {
        self.result_->succeed(std::move(*value));
      } else {
        failure = std::make_exception_ptr(WorkerDied("the pool was terminated"));
      }
    } catch (...) {
      failure = remote();
    }
    if (failure) self.fail(std::move(failure));
  }

  template <class T>
  static auto stoppably(T task, std::stop_token stop) {
    if constexpr (requires { B::run_stoppably(std::move(task), std::move(stop)); }) {
      return B::run_stoppably(std::move(task), std::move(stop));
    } else {
      return to_its_end(std::move(task));
    }
  }

  template <class T>
  static Task<std::optional<Value>, B> to_its_end(T task) {
    if constexpr (std::is_void_v<R>) {
      co_await std::move(task);
      co_return Value();
    } else {
      co_return co_await std::move(task);
    }
  }

  Function function_;
  std::shared_ptr<PoolResult<R>> result_;
};

/// The workers of a pool where they share the caller's memory: a TaskGroup of those who take tasks out of a queue.
template <class B>
class ThreadCrew {
 public:
  template <class T>
  using Sent = std::decay_t<T>;
  static constexpr bool blocks = Blocks<B>;

  ThreadCrew(std::size_t workers, PoolOptions options) : options_(std::move(options)), count_(workers) {
    try {
      for (std::size_t i = 0; i < workers; ++i) workers_.spawn(serve, std::ref(*this));
    } catch (...) {
      terminate();
      throw;
    }
  }
  ThreadCrew(const ThreadCrew&) = delete;
  ThreadCrew& operator=(const ThreadCrew&) = delete;
  ~ThreadCrew() { terminate(); }

  [[nodiscard]] std::size_t workers() const noexcept { return count_; }

  template <class R, class F, class... A>
  std::shared_ptr<PoolResult<R>> call(bool /*alone*/, const F& function, std::tuple<A...>&& arguments) {
    return add<R>([function = F(function), with = std::move(arguments)]() mutable {
      return std::apply(function, std::move(with));
    });
  }

  template <class R, class F, class T>
  std::shared_ptr<PoolResult<std::vector<R>>> call_each(const F& function, std::vector<T>&& items) {
    using Returned = std::invoke_result_t<F&, T>;
    if constexpr (task::Lazy<Returned>) {
      return add<std::vector<R>>([function = F(function), with = std::move(items)]() mutable {
        return await_each<R>(function, with);
      });
    } else {
      return add<std::vector<R>>([function = F(function), with = std::move(items)]() mutable {
        std::vector<R> results;
        results.reserve(with.size());
        for (auto&& each : with) {
          if constexpr (std::is_void_v<Returned>) {
            function(static_cast<T&&>(each));
            results.emplace_back();
          } else {
            results.push_back(function(static_cast<T&&>(each)));
          }
        }
        return results;
      });
    }
  }

  /// Waits until `ready()`, which changes when a result is settled: what `finish(ready)` returned.
  template <std::predicate Ready, class Finish>
  auto wait(Ready ready, const Until& until, Finish finish) {
    return B::run(PoolWait<B, ThreadCrew, Ready, Finish>(*this, std::move(ready), std::move(finish)), until);
  }

  /// Where to sleep until a worker has settled a result.
  auto raise() { return news_.raise(); }
  void see_to_all(bool /*closely*/) noexcept {}
  void attend() noexcept {}

  void close() {
    pending_.shutdown();
    closed_.store(true, std::memory_order_relaxed);
  }

  typename B::template Result<bool> join(const Until& until) {
    if (!closed_.load(std::memory_order_relaxed)) throw Error("trine: Pool::join: close() or terminate() it first");
    return workers_.join(until);
  }

  /// Returns when the workers have ended.
  void terminate() {
    workers_.request_stop();
    close();
    try {
      while (const auto each = pending_.try_get()) (*each)->fail(terminated());
    } catch (const QueueShutdown&) {
      // nothing is left
    }
    news_.wake_all();
    B::block(workers_.join_op());
  }

 private:
  using AnyTask = std::unique_ptr<PoolTask<B>>;

  static std::exception_ptr terminated() { return std::make_exception_ptr(WorkerDied("the pool was terminated")); }

  template <class R, class Function>
  std::shared_ptr<PoolResult<R>> add(Function&& function) {
    auto result = std::make_shared<PoolResult<R>>();
    AnyTask task = std::make_unique<PoolCall<R, std::decay_t<Function>, B>>(std::move(function), result);
    try {
      pending_.try_put(std::move(task));  // there is always room
    } catch (const QueueShutdown&) {
      throw Error("trine: Pool: it is closed");
    }
    return result;
  }

  template <class R, class F, class T>
  static Task<std::vector<R>, B> await_each(F& function, std::vector<T>& items) {
    std::vector<R> results;
    results.reserve(items.size());
    for (auto&& each : items) {
      if constexpr (std::is_void_v<task::Returned<std::invoke_result_t<F&, T>>>) {
        co_await function(static_cast<T&&>(each));
        results.emplace_back();
      } else {
        results.push_back(co_await function(static_cast<T&&>(each)));
      }
    }
    co_return results;
  }

  static Task<void, B> serve(ThreadCrew& crew) {
    const std::exception_ptr broken = crew.initialize();
    const std::size_t most = crew.options_.max_tasks_per_worker;
    for (std::size_t count = 0; most == 0 || count < most || !crew.replace(); ++count) {
      AnyTask task;
      try {
        task = co_await crew.pending_.get();
      } catch (const QueueShutdown&) {
        co_return;
      }
      if (broken || crew.workers_.stop_token().stop_requested()) {
        task->fail(broken ? broken : terminated());
      } else if (auto begun = task->perform(crew.workers_.stop_token())) {
        co_await std::move(*begun);
      }
      task.reset();
      crew.news_.wake(everyone);
    }
  }

  std::exception_ptr initialize() const {
    try {
      if (options_.initializer) options_.initializer();
    } catch (...) {
      return PoolCall<void, void (*)(), B>::remote();
    }
    return nullptr;
  }

  // Lets another take the place of the caller. false: the caller goes on, for there can be no other.
  bool replace() {
    if (pending_.is_shutdown()) return false;
    try {
      workers_.spawn(serve, std::ref(*this));
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  const PoolOptions options_;
  const std::size_t count_;
  Queue<AnyTask, B> pending_;
  typename B::Flag news_;
  std::atomic<bool> closed_{false};
  TaskGroup<B> workers_;
};

}  // namespace trine
