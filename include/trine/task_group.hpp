// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <list>
#include <optional>
#include <stop_token>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/child_group.hpp>
#include <trine/event.hpp>
#include <trine/task.hpp>
#include <trine/until.hpp>

namespace trine {

/// Where the functions of a group run, where the backend lets one say.
struct AnyWorkplace {
  template <class W, class Carried>
  void begin(std::optional<W>& worker, Carried&& carried) const {
    worker.emplace(std::forward<Carried>(carried));
  }
};
template <class B>
struct WorkplaceOf {
  using type = AnyWorkplace;
};
template <class B>
  requires requires { typename B::Workplace; }
struct WorkplaceOf<B> {
  using type = typename B::Workplace;
};

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
/// A group that has failed may go on, but its token stays stopped.
/// On coroutines the functions run on the scheduler of whoever spawns, or on the one that the group was made with, which
/// somebody must run: `TaskGroup<coroutines> group(scheduler)`. Then threads that run no scheduler may spawn too.
/// Visibility: what was done before spawn() is visible to the function, what the function did to who joins.
template <class B>
class TaskGroup {
 public:
  class JoinOperation;

  TaskGroup() = default;
  template <class Where>
    requires std::constructible_from<typename WorkplaceOf<B>::type, Where&>
  explicit TaskGroup(Where& where) : where_(where) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  ~TaskGroup() {
    try {
      B::block(join_op());
    } catch (const std::exception& e) {
      std::fprintf(stderr, "trine: TaskGroup: a task failed, and nobody joined: %s\n", e.what());
    } catch (...) {
      std::fprintf(stderr, "trine: TaskGroup: a task failed, and nobody joined\n");
    }
  }

  /// Starts `function(arguments...)`. Throws std::system_error, and starts nothing, if the system has no more to give.
  template <class F, class... A>
  void spawn(F&& function, A&&... arguments) {
    Workers started(1);
    using Arguments = std::tuple<std::unwrap_ref_decay_t<A>...>;
    Task<void, B> work = perform(std::decay_t<F>(std::forward<F>(function)), Arguments(std::forward<A>(arguments)...));
    Carried carried{carry_out(Place(*this, started.begin()), std::move(work))};
    join_all(start(std::move(started), std::move(carried)));
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
    gate_.unlock();
    return running;
  }

 private:
  struct Started {
    std::optional<typename B::Worker> worker;  // which need not be movable
    bool started = false;
  };
  using Workers = std::list<Started>;

  /// A function on its way, for a worker to carry out: it is called, or, where workers are tasks, the task is begun.
  struct Carried {
    Task<void, B> task;
    void operator()() { std::move(task).run(); }
  };

  // A function and its arguments live until it has ended, and no longer.
  template <class F, class Arguments>
  static Task<void, B> perform(F function, Arguments arguments) {
    if constexpr (task::Lazy<decltype(std::apply(function, std::move(arguments)))>) {
      co_await std::apply(function, std::move(arguments));
    } else {
      std::apply(function, std::move(arguments));
      co_return;
    }
  }

  /// Where a worker stands among those that run. It leaves at its end, or when its task is destroyed before that.
  class Place {
   public:
    Place(TaskGroup& group, typename Workers::iterator self) noexcept : group_(&group), self_(self) {}
    Place(Place&& other) noexcept : group_(std::exchange(other.group_, nullptr)), self_(other.self_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (group_ != nullptr && self_->started) leave(nullptr);
    }

    void leave(std::exception_ptr failure) { std::exchange(group_, nullptr)->finish(self_, std::move(failure)); }

   private:
    TaskGroup* group_;
    typename Workers::iterator self_;
  };

  static Task<void, B> carry_out(Place place, Task<void, B> work) {
    std::exception_ptr failure;
    try {
      co_await std::move(work);
    } catch (...) {
      failure = std::current_exception();
    }
    place.leave(std::move(failure));
  }

  /// Starts a worker, and returns those that have finished.
  Workers start(Workers started, Carried carried) {
    Workers finished;
    gate_.lock();
    try {
      where_.begin(started.front().worker, std::move(carried));
    } catch (const std::system_error& e) {
      gate_.unlock();
      throw std::system_error(e.code(), "trine: TaskGroup::spawn: a worker could not be started");
    } catch (...) {
      gate_.unlock();
      throw;
    }
    started.front().started = true;
    workers_.splice(workers_.end(), started);
    finished.swap(finished_);
    if (running_++ == 0) idle_.clear();
    gate_.unlock();
    return finished;
  }

  // The gate is held to the end: who joins takes it too, and so finds this function out of the group. A worker can't join
  // itself: the next spawn() or join() does.
  void finish(typename Workers::iterator self, std::exception_ptr failure) {
    if (failure) fail_with(std::move(failure));
    gate_.lock();
    finished_.splice(finished_.end(), workers_, self);
    if (--running_ == 0) idle_.set();
    gate_.unlock();
  }

  // The failure is kept before the others hear of it, so that what they throw because of it does not come first.
  void fail_with(std::exception_ptr failure) {
    gate_.lock();
    if (!failure_) failure_ = std::move(failure);
    gate_.unlock();
    stop_.request_stop();
  }

  static void join_all(Workers workers) {
    for (Started& each : workers) each.worker->join();
  }

  void collect() {
    Workers finished;
    gate_.lock();
    finished.swap(finished_);
    std::exception_ptr failure = std::exchange(failure_, nullptr);
    gate_.unlock();
    join_all(std::move(finished));
    if (failure) std::rethrow_exception(failure);
  }

  [[no_unique_address]] typename WorkplaceOf<B>::type where_;
  typename B::ShortLock gate_;
  Event<B> idle_{true};
  std::stop_source stop_;
  // The following with the gate held alone.
  std::size_t running_ = 0;
  std::exception_ptr failure_;
  Workers workers_;   // that run
  Workers finished_;  // that are to be joined
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
