// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/event.hpp>
#include <trine/task.hpp>
#include <trine/until.hpp>

namespace trine {

/// Runs functions at the same time, and waits for them all.
///
///     trine::TaskGroup group;
///     for (int i = 0; i < 4; ++i) group.spawn(work, std::ref(jobs), i);
///     group.join();
///
/// A function may return a Task, which is run, or anything else, which is ignored. Its arguments are copied or moved into
/// it; those given by std::ref stay references. The first exception that leaves one asks the others to stop (stop_token()
/// is there for them to look at or to wait with) and comes out of join(). A group destroyed while functions run waits for
/// them; an exception that no join() has seen is then printed. Functions may spawn others. Any thread may spawn; one joins.
/// Visibility: what was done before spawn() is visible to the function, what the function did to who joins.
template <class B = threads>
class TaskGroup {
 public:
  class JoinOperation;

  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  ~TaskGroup() {
    try {
      join();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "trine: TaskGroup: a task failed, and nobody joined: %s\n", e.what());
    } catch (...) {
      std::fprintf(stderr, "trine: TaskGroup: a task failed, and nobody joined\n");
    }
  }

  /// Starts `function(arguments...)`. Throws std::system_error, and starts nothing, if the system has no more to give.
  template <class F, class... A>
  void spawn(F&& function, A&&... arguments) {
    auto call = [this, fn = std::decay_t<F>(std::forward<F>(function)),
                 with = std::tuple<std::unwrap_ref_decay_t<A>...>(std::forward<A>(arguments)...)]() mutable {
      std::exception_ptr failure;
      try {
        perform(fn, with);
      } catch (...) {
        failure = std::current_exception();
      }
      finish(std::move(failure));
    };
    gate_.lock();
    try {
      workers_.emplace_back(std::move(call));
      ++running_;
      idle_.clear();
    } catch (...) {
      gate_.unlock(0);
      throw;
    }
    gate_.unlock(0);
  }

  /// Waits until no function runs: true, or false when it gave up. Throws the first exception that left one, once.
  typename B::template Result<bool> join(const Until& until = Until::forever()) { return B::run(join_op(), until); }

  [[nodiscard]] JoinOperation join_op() noexcept { return JoinOperation(*this); }

  /// Stopped when a function has failed, or by request_stop().
  [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_.get_token(); }

  /// Asks the functions to stop.
  void request_stop() noexcept { stop_.request_stop(); }

  /// How many functions run at this moment.
  [[nodiscard]] std::size_t running() {
    gate_.lock();
    const std::size_t running = running_;
    gate_.unlock(0);
    return running;
  }

 private:
  using Workers = std::vector<typename B::Worker>;

  template <class F, class Arguments>
  static void perform(F& function, Arguments& arguments) {
    using R = decltype(std::apply(function, std::move(arguments)));
    if constexpr (requires(R r) { run(std::move(r)); }) {
      run(std::apply(function, std::move(arguments)));
    } else {
      std::apply(function, std::move(arguments));
    }
  }

  // The gate is held to the end: who joins takes it too, and so finds this function out of the group.
  void finish(std::exception_ptr failure) {
    if (failure) stop_.request_stop();
    gate_.lock();
    if (failure && !failure_) failure_ = std::move(failure);
    if (--running_ == 0) idle_.set();
    gate_.unlock(0);
  }

  void collect() {
    gate_.lock();
    Workers workers = running_ == 0 ? std::exchange(workers_, Workers()) : Workers();
    std::exception_ptr failure = std::exchange(failure_, nullptr);
    gate_.unlock(0);
    for (auto& worker : workers) worker.join();
    if (failure) std::rethrow_exception(failure);
  }

  typename B::ShortLock gate_;
  Event<B> idle_{true};
  std::stop_source stop_;
  std::size_t running_ = 0;          // these three: with the gate held
  std::exception_ptr failure_;
  Workers workers_;
};

template <class B>
class TaskGroup<B>::JoinOperation : public Event<B>::WaitOperation {
 public:
  explicit JoinOperation(TaskGroup& group) noexcept : Event<B>::WaitOperation(group.idle_.wait_op()), group_(&group) {}

  bool result() {
    const bool idle = Event<B>::WaitOperation::result();
    if (idle) group_->collect();
    return idle;
  }

 private:
  TaskGroup* group_;
};

}  // namespace trine
