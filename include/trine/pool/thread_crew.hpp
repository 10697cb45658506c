// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>
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
  std::shared_ptr<PoolResult<R>> call(bool /*alone*/, F function, std::tuple<A...>&& arguments) {
    check_open();
    return add<R>([function = std::move(function), with = std::move(arguments)]() mutable {
      return std::apply(function, std::move(with));
    });
  }

  /// `being_read`: they are of a range for which begin_reading() was called.
  template <class R, class F, class T>
  std::shared_ptr<PoolResult<std::vector<R>>> call_each(const F& function, std::vector<T>&& items, bool being_read) {
    if (!being_read) check_open();
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
            std::invoke(function, static_cast<T&&>(each));
            results.emplace_back();
          } else {
            results.push_back(std::invoke(function, static_cast<T&&>(each)));
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

  /// A range is to be read, which may go on after close(). Throws Error after close().
  void begin_reading() {
    // Relaxed, as all steps of this word: it says nothing of other data.
    if ((readers_.fetch_add(1, std::memory_order_relaxed) & closed) == 0) return;
    end_reading();
    check_open();
  }
  void end_reading() {
    if (readers_.fetch_sub(1, std::memory_order_relaxed) == (closed | 1)) pending_.shutdown();
  }
  /// Whether tasks of such a range are taken.
  [[nodiscard]] bool reads() const { return !pending_.is_shutdown(); }

  void close() {
    if ((readers_.fetch_or(closed, std::memory_order_relaxed) & ~closed) == 0) pending_.shutdown();
  }

  typename B::template Result<bool> join(const Until& until) {
    check_not_at_work("join");
    if (!is_closed()) throw Error("trine: Pool::join: close() or terminate() it first");
    pending_.shutdown();
    return workers_.join(until);
  }

  /// Returns when the workers have ended.
  void terminate() {
    check_not_at_work("terminate");
    workers_.request_stop();
    close();
    pending_.shutdown();
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

  /// A worker, for as long as it works, in the list of them.
  class AtWork {
   public:
    explicit AtWork(ThreadCrew& crew) : crew_(crew) {
      const auto held = crew_.gate_.guard();
      next_ = std::exchange(crew_.at_work_, this);
    }
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;
    ~AtWork() {
      const auto held = crew_.gate_.guard();
      AtWork** at = &crew_.at_work_;
      while (*at != this) at = &(*at)->next_;
      *at = next_;
    }

    [[nodiscard]] std::uint32_t who() const noexcept { return who_; }
    [[nodiscard]] const AtWork* next() const noexcept { return next_; }

   private:
    ThreadCrew& crew_;
    const std::uint32_t who_ = B::self();
    AtWork* next_ = nullptr;
  };

  // Who waits for the workers must not be one of them.
  void check_not_at_work(const char* what) {
    bool found = false;
    if constexpr (requires { B::runs_stoppably(workers_.stop_token()); }) found = B::runs_stoppably(workers_.stop_token());
    {
      const auto held = gate_.guard();
      const std::uint32_t me = B::self();
      for (const AtWork* each = at_work_; each != nullptr; each = each->next()) found = found || each->who() == me;
    }
    if (!found) return;
    throw std::logic_error(std::string("trine: Pool::") + what + ": called by one of its workers, for which it would wait");
  }

  [[nodiscard]] bool is_closed() const noexcept { return (readers_.load(std::memory_order_relaxed) & closed) != 0; }
  void check_open() const {
    if (is_closed()) throw Error("trine: Pool: it is closed");
  }

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
        co_await std::invoke(function, static_cast<T&&>(each));
        results.emplace_back();
      } else {
        results.push_back(co_await std::invoke(function, static_cast<T&&>(each)));
      }
    }
    co_return results;
  }

  static Task<void, B> serve(ThreadCrew& crew) {
    const AtWork at_work(crew);
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
  // Bit 31: closed. The others: how many ranges are being read, after the last of which the closed queue is shut down.
  static constexpr std::uint32_t closed = 1U << 31;
  std::atomic<std::uint32_t> readers_{0};
  Lock<threads> gate_;
  AtWork* at_work_ = nullptr;  // with the gate
  TaskGroup<B> workers_;
};

}  // namespace trine
