// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <stop_token>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/child_group.hpp>
#include <trine/joined_workers.hpp>
#include <trine/task_count.hpp>
#include <trine/until.hpp>

namespace trine {

/// Where the functions of a group run: where the backend says, or each by a worker of its own.
template <class B>
struct WorkplaceOf {
  using type = JoinedWorkers<B>;
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
/// somebody must run: `TaskGroup<coroutines> group(scheduler)`. Then threads that run no scheduler may spawn too. Let such a group
/// be destroyed when its functions have ended or after the scheduler: it waits for them, and once that is stopped nobody runs them.
/// A task that is cancelled (by with_timeout() and so on) while it joins goes on until the functions have ended, or its own limit
/// comes, and ends at its next wait: the functions are not cancelled with it. Cancelled at another wait it is destroyed, and the
/// group with it, whose destructor waits for the functions on that thread, which runs others on top of it meanwhile: so join a
/// group before waiting for anything else.
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
    while (!is_over()) std::this_thread::yield();
  }

  /// Starts `function(arguments...)`. Throws std::system_error, and starts nothing, if the system has no more to give.
  template <class F, class... A>
  void spawn(F&& function, A&&... arguments) {
    using Arguments = std::tuple<std::unwrap_ref_decay_t<A>...>;
    Call<std::decay_t<F>, Arguments> call{std::forward<F>(function), Arguments(std::forward<A>(arguments)...)};
    running_.begin();
    try {
      where_.begin(std::move(call), Teller(*this));
    } catch (...) {
      running_.end();
      throw;
    }
  }

  /// Waits until no function runs: true, or false when it gave up. Throws the first exception that left one, once.
  typename B::template Result<bool> join(const Until& until = Until::forever()) { return B::run(join_op(), until); }

  [[nodiscard]] JoinOperation join_op() noexcept { return JoinOperation(*this); }

  /// Stopped when a function has failed, or by request_stop().
  [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_.get_token(); }

  /// Asks the functions to stop.
  void request_stop() noexcept { stop_.request_stop(); }

  /// How many functions run at this moment.
  [[nodiscard]] std::size_t running() const noexcept { return running_.count(); }

 private:
  /// A function and its arguments, which live until it has ended, and no longer.
  template <class F, class Arguments>
  struct Call {
    F function;
    Arguments arguments;
    decltype(auto) operator()() { return std::apply(function, std::move(arguments)); }
  };

  /// What the worker of a function tells the group.
  class Teller {
   public:
    explicit Teller(TaskGroup& group) noexcept : group_(&group) {}

    void failed(std::exception_ptr failure) { group_->fail_with(std::move(failure)); }
    /// That it has ended, or was destroyed before that. The group may be gone at once, unless a worker is to be joined.
    void ended() noexcept { group_->running_.end(); }

   private:
    TaskGroup* group_;
  };

  // Whether all have ended; false if there was no memory to wait for them with.
  bool is_over() noexcept {
    try {
      B::block(join_op());
    } catch (const std::exception& e) {
      if (running() != 0) return false;
      std::fprintf(stderr, "trine: TaskGroup: a task failed, and nobody joined: %s\n", e.what());
    } catch (...) {
      if (running() != 0) return false;
      std::fprintf(stderr, "trine: TaskGroup: a task failed, and nobody joined\n");
    }
    return true;
  }

  // The failure is kept before the others hear of it, so that what they throw because of it does not come first.
  void fail_with(std::exception_ptr failure) {
    gate_.lock();
    if (!failure_) failure_ = std::move(failure);
    gate_.unlock();
    stop_.request_stop();
  }

  void collect() {
    where_.join();
    gate_.lock();
    std::exception_ptr failure = std::exchange(failure_, nullptr);
    gate_.unlock();
    if (failure) std::rethrow_exception(failure);
  }

  [[no_unique_address]] typename WorkplaceOf<B>::type where_;
  TaskCount<B> running_;
  typename B::ShortLock gate_;
  std::stop_source stop_;
  std::exception_ptr failure_;  // with the gate held alone
};

template <class B>
class TaskGroup<B>::JoinOperation : public TaskCount<B>::NoneOperation {
  using None = typename TaskCount<B>::NoneOperation;

 public:
  /// On coroutines the cancelling of the task does not cut it off: the functions may refer to the frame that would be destroyed.
  using Shielded = void;

  explicit JoinOperation(TaskGroup& group) noexcept : None(group.running_.none_op()), group_(&group) {}

  bool result() {
    const bool none = None::result();
    if (none) group_->collect();
    return none;
  }

  // A failure is left for the next who joins, or for the destructor of the group.
  void forgo() noexcept {}

 private:
  TaskGroup* group_;
};

}  // namespace trine
