// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <list>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/task.hpp>
#include <trine/until.hpp>

namespace trine {

/// What a child of a group tells its parent.
template <class B>
struct ChildReport {
  static constexpr std::size_t most_text = 2000;

  typename B::Owned alive;  // owned by the child while it runs, so that its end is noticed
  typename B::template Atomic<std::uint32_t> failed{0};
  char type[200] = {};
  char text[most_text] = {};

  void fail(const char* what_type, const char* what) noexcept {
    std::snprintf(type, sizeof type, "%s", what_type);
    std::snprintf(text, sizeof text, "%s", what);
    // Release: pairs with the acquire of the parent, which reads the text.
    failed.store(1, std::memory_order_release);
  }
};

template <class B = threads>
class TaskGroup;

/// TaskGroup on a backend whose workers are processes: each function runs in a child of the caller, made by fork(), and sees a
/// copy of all that is not in shared memory. What leaves a function as an exception comes out of join() as a RemoteError with
/// its type and text; a child that was killed as WorkerDied. Either asks the others to stop. In a child, stop_token() starts a
/// thread that watches for that. A function may spawn others, which its process waits for. One thread spawns and joins.
template <class B>
  requires requires { typename B::Child; }
class TaskGroup<B> {
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
    }
  }

  /// Starts `function(arguments...)` in a child. Throws std::system_error, and starts nothing, if the system has no more to give.
  template <class F, class... A>
  void spawn(F&& function, A&&... arguments) {
    std::tuple<std::unwrap_ref_decay_t<A>...> with(std::forward<A>(arguments)...);
    Children started;
    Member& member = started.emplace_back();
    std::cout.flush();
    member.child = B::Child::start([&] { return run_as_child(*member.report, function, with); });
    children_.splice(children_.end(), started);
  }

  /// Waits until no function runs: true, or false when it gave up. Throws the first failure, once.
  typename B::template Result<bool> join(const Until& until = Until::forever()) { return B::run(join_op(), until); }

  [[nodiscard]] JoinOperation join_op() noexcept { return JoinOperation(*this); }

  /// Stopped when a function has failed, or by request_stop().
  [[nodiscard]] std::stop_token stop_token() {
    if (in_child_ && !std::exchange(watching_, true)) {
      std::thread([this, source = stop_] () mutable {
        stopping_.wait();
        source.request_stop();
      }).detach();  // it ends with the process
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
  struct Member {
    typename B::template Storage<ChildReport<B>> report;
    typename B::Child child;
  };
  using Children = std::list<Member>;

  // In the child: the parent's children are not its own.
  template <class F, class Arguments>
  int run_as_child(ChildReport<B>& report, F& function, Arguments& arguments) noexcept {
    in_child_ = true;
    (void)std::exchange(children_, {}).size();
    std::uint32_t nobody = 0;
    B::claim(report.alive, nobody, B::holder(), std::memory_order_acquire);
    B::wake(report.alive.word, everyone);  // who waits for its end looks at the word anew
    try {
      perform(function, arguments);
      join();
      std::cout.flush();
      return EXIT_SUCCESS;
    } catch (const RemoteError& e) {
      report.fail(e.type().c_str(), e.what() + e.type().size() + 2);  // what comes after the type
    } catch (const std::exception& e) {
      report.fail(typeid(e).name(), e.what());
    } catch (...) {
      report.fail("", "something that is not a std::exception was thrown");
    }
    std::cout.flush();
    return EXIT_FAILURE;
  }

  template <class F, class Arguments>
  static void perform(F& function, Arguments& arguments) {
    using R = decltype(std::apply(function, std::move(arguments)));
    if constexpr (task::Lazy<R>) {
      trine::run(std::apply(function, std::move(arguments)));
    } else {
      std::apply(function, std::move(arguments));
    }
  }

  // Lets go of the children that have ended.
  void reap() {
    children_.remove_if([this](Member& member) {
      const std::optional<int> code = member.child.ended();
      if (code) note(*member.report, *code);
      return code.has_value();
    });
  }

  void note(ChildReport<B>& report, int code) {
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
  Event<B> stopping_;
  std::stop_source stop_;
  std::exception_ptr failure_;
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
    constexpr std::uint32_t sleepers = 1U << 31;
    while (!attempt()) {
      auto& alive = group_->children_.front().report->alive;
      B::look_after(alive);
      std::uint32_t seen = alive.word.load(std::memory_order_acquire);
      if ((seen & owner_word::died) != 0) {
        group_->children_.front().child.wait();  // it is on its way out
        continue;
      }
      if (seen == 0 || (seen & sleepers) != 0 ||
          alive.word.compare_exchange_strong(seen, seen | sleepers, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return {&alive.word, seen == 0 ? 0 : seen | sleepers};
      }
    }
    return {};
  }

  bool result() {
    const bool done = group_->children_.empty();
    if (done && group_->failure_) std::rethrow_exception(std::exchange(group_->failure_, nullptr));
    return done;
  }

 private:
  TaskGroup* group_;
};

}  // namespace trine
