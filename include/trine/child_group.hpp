// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <list>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/child.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/until.hpp>

namespace trine {

template <class B = threads>
class TaskGroup;

/// TaskGroup on a backend whose workers are processes: each function runs in a child of the caller, made by fork(), and sees a
/// copy of all that is not in shared memory. What leaves a function as an exception comes out of join() as a RemoteError with
/// its type and text; a child that was killed as WorkerDied. Either asks the others to stop. In a child, stop_token() starts a
/// thread that watches for that. A function may spawn others, which its process waits for. One thread spawns and joins.
/// In a process that was forked otherwise, the group of its parent throws std::logic_error, and its destructor does nothing.
template <class B>
  requires requires { typename B::Child; }
class TaskGroup<B> {
 public:
  class JoinOperation;

  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  ~TaskGroup() {
    if (!is_mine()) return;
    try {
      join();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "trine: TaskGroup: a task failed, and nobody joined: %s\n", e.what());
    }
  }

  /// Starts `function(arguments...)` in a child. Throws std::system_error, and starts nothing, if the system has no more to give.
  template <class F, class... A>
  void spawn(F&& function, A&&... arguments) {
    require_mine();
    ended_.clear();
    std::tuple<std::unwrap_ref_decay_t<A>...> with(std::forward<A>(arguments)...);
    Children started;
    started.emplace_back().fork([&](auto& report) { return run_as_child(report, function, with); });
    children_.splice(children_.end(), started);
  }

  /// Waits until no function runs: true, or false when it gave up. Throws the first failure, once.
  typename B::template Result<bool> join(const Until& until = Until::forever()) { return B::run(join_op(), until); }

  [[nodiscard]] JoinOperation join_op() noexcept { return JoinOperation(*this); }

  /// Stopped when a function has failed, or by request_stop().
  [[nodiscard]] std::stop_token stop_token() {
    if (in_child_ && !std::exchange(watching_, true)) {
      B::Child::run_beside([this, source = stop_]() mutable {
        stopping_.wait();
        source.request_stop();
      });
    }
    return stop_.get_token();
  }

  /// Asks the functions to stop.
  void request_stop() {
    stop_.request_stop();
    stopping_.set();
  }

  /// How many functions run at this moment.
  [[nodiscard]] std::size_t running() {
    reap();
    return children_.size();
  }

 private:
  using Children = std::list<ReportingChild<B>>;

  // In the child: the parent's children are not its own.
  template <class F, class Arguments>
  int run_as_child(ChildReport<B>& report, F& function, Arguments& arguments) noexcept {
    in_child_ = true;
    maker_ = B::Child::this_process();
    failure_ = nullptr;
    (void)std::exchange(children_, {}).size();
    return report.guard([&] {
      perform(function, std::move(arguments));
      join();
      return EXIT_SUCCESS;
    });
  }

  [[nodiscard]] bool is_mine() const noexcept { return maker_ == B::Child::this_process(); }
  void require_mine() const {
    if (!is_mine()) throw std::logic_error("trine: TaskGroup: it is of the process from which the calling one was forked");
  }

  // Puts the children that have ended aside. Their memory has to stay: one who waits may be looking at a word in it.
  void reap() {
    require_mine();
    for (auto next = children_.begin(); next != children_.end();) {
      const auto child = next++;
      const std::optional<int> code = child->ended();
      if (!code) continue;
      ended_.splice(ended_.end(), children_, child);
      note(child->report(), *code);
    }
  }

  void note(const ChildReport<B>& report, int code) {
    if (code == EXIT_SUCCESS) return;
    if (!failure_) failure_ = failure(report, code);
    request_stop();
  }

  static std::exception_ptr failure(const ChildReport<B>& report, int code) {
    if (report.failed.load(std::memory_order_acquire) != 0) {
      return std::make_exception_ptr(RemoteError(report.type, report.text));
    }
    const std::string how = code < 0 ? "by signal " + std::to_string(-code) : "with exit code " + std::to_string(code);
    return std::make_exception_ptr(WorkerDied(how));
  }

  Children children_;
  Children ended_;  // until nobody waits any more
  Event<B> stopping_;
  std::stop_source stop_;
  std::exception_ptr failure_;
  int maker_ = B::Child::this_process();  // whose children they are
  bool in_child_ = false;
  bool watching_ = false;
};

/// Sleeps on the word that says whether a child is alive, and which its end changes.
template <class B>
  requires requires { typename B::Child; }
class TaskGroup<B>::JoinOperation : public OperationOf<bool, B> {
 public:
  explicit JoinOperation(TaskGroup& group) noexcept : group_(&group) {}

  bool attempt() {
    group_->reap();
    return group_->children_.empty();
  }

  Sleep<typename B::Word> announce() {
    if (attempt()) return {};
    return group_->children_.front().sleep();
  }
  Sleep<typename B::Word> announce_at_once() {
    if (attempt()) return {};
    return group_->children_.front().watch();
  }

  bool result() {
    group_->ended_.clear();
    const bool done = group_->children_.empty();
    if (done && group_->failure_) std::rethrow_exception(std::exchange(group_->failure_, nullptr));
    return done;
  }

  // A failure is left for the next who joins, or for the destructor of the group.
  void forgo() noexcept {}

 private:
  TaskGroup* group_;
};

}  // namespace trine
