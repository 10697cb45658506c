// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>

#include <trine/backend.hpp>
#include <trine/coroutine/waiting.hpp>

namespace trine::coroutine {

/// Destroys an object at the end of the scope.
template <class P>
class Finished {
 public:
  explicit Finished(P& object) noexcept : object_(object) {}
  Finished(const Finished&) = delete;
  Finished& operator=(const Finished&) = delete;
  ~Finished() { std::destroy_at(&object_); }

 private:
  P& object_;
};

/// What an awaitable of an R holds when it was not done at once: a wait, so that what is virtual of both is in one table.
template <class R>
class Pending : public Waiting {
 public:
  Pending() = default;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  virtual ~Pending() = default;

  /// false: it is done. The coroutine is one of trine's own.
  virtual bool suspend(std::coroutine_handle<> coroutine) = 0;
  /// The same for one that is not, which `resumer` is to resume if there is one.
  virtual bool suspend_for(Resumer* resumer, std::coroutine_handle<> coroutine) = 0;
  virtual R take() = 0;
  /// The same, and destroys this.
  virtual R finish() {
    const Finished<Pending> at_the_end(*this);
    return take();
  }
};

/// Whether the wait for an operation goes on though its task was cancelled.
template <class O>
inline constexpr bool shielded = requires {
  typename O::Shielded;
};

/// Whether attempt() may stand for announce() where it is true.
template <class O>
inline constexpr bool only_looks = requires {
  requires O::only_looks;
};

/// Whether give_up() may be false though nothing is done, because something is to be taken again first.
template <class O>
inline constexpr bool gives_up_late = requires {
  requires O::gives_up_late;
};

/// Whether what an operation takes belongs to the task that made it.
template <class O>
inline constexpr bool owned_by_task = requires {
  requires O::owned_by_thread;
};

/// Where a task has called a coroutine that is not its own, which will go on outside of it.
[[noreturn]] inline void refuse_ownership() {
  throw std::logic_error("trine: a coroutine that is no Task can't wait, within a task, for a lock that has an owner");
}

/// For an operation that is over, and whose waiter was destroyed before it went on: what was taken goes back. An error is
/// dropped with the operation, unless that says how to leave it to others (`forgo()`).
template <class O>
void forgo_result(O& operation) noexcept {
  if constexpr (requires { operation.forgo(); }) {
    operation.forgo();
  } else {
    try {
      (void)operation.result();
    } catch (...) {
      // An error of the operation, which nobody asked for.
    }
  }
}

/// The wait for one operation. Only who took its node out of the table touches it.
template <class O>
class One final : public Pending<typename O::Result> {
 public:
  using R = typename O::Result;

  explicit One(O&& operation) : operation_(std::move(operation)) {
    node_.sleeper = this;
    this->how_ = shielded<O> ? Waiting::not_cancelled : 0;
  }
  One(O&& operation, const Until& until) : One(std::move(operation)) {
    try {
      this->set_limit(until);
    } catch (...) {
      give_all_up();
      throw;
    }
  }
  ~One() override {
    this->abandon();
    if (over_ && !taken_ && !failure_) forgo_result(operation_);
  }

  [[gnu::flatten]] bool suspend(std::coroutine_handle<> coroutine) override { return this->start_as(*this, coroutine); }
  bool suspend_for(Resumer* resumer, std::coroutine_handle<> coroutine) override {
    if (owned_by_task<O> && here().root != nullptr) {
      give_all_up();
      refuse_ownership();
    }
    return this->start(coroutine, nullptr, resumer);
  }

  /// Where there is no memory for one of these: an operation that was tried leaves.
  template <class... Limit>
  [[noreturn, gnu::cold, gnu::noinline]] static void refuse(O& operation, const Limit&... /*limit*/) {
    operation.give_up();
    throw std::bad_alloc();
  }

  /// The first attempt, where none was made before. Where it is done, or throws, nobody awaits this.
  bool begin() { return operation_.attempt(); }
  O& operation() noexcept { return operation_; }

  R take() override {
    this->awake();
    taken_ = true;
    if (failure_) std::rethrow_exception(std::move(failure_));
    return operation_.result();
  }

  // The limit has gone before the coroutine went on. But for a failure only the operation is left to be destroyed.
  R finish() override {
    if (failure_) [[unlikely]]
      return finish_failed();
    const Finished<O> at_the_end(operation_);
    return operation_.result();
  }

 private:
  friend Waiting;
  using Placed = Table::Placed;
  using Waiting::failure_;
  using Waiting::left_;
  using Waiting::over_;
  using Waiting::taken_;

  // By who wakes it: where it has only to look, it is over, mostly, and nothing need be announced.
  [[gnu::flatten]] bool rouse() noexcept override {
    if constexpr (only_looks<O>) {
      if (operation_.attempt()) [[likely]] {
        over_ = true;
        return true;
      }
      return announce_again();
    } else {
      return announce();
    }
  }
  [[gnu::noinline]] bool announce_again() noexcept { return announce(); }

  [[gnu::always_inline]] bool announce() noexcept {
    try {
      const auto sleep = operation_.announce();
      if (sleep.needless()) {
        over_ = true;
        return true;
      }
      node_.sleep_on(sleep);
      return false;
    } catch (...) {
      fail();
      pass_on();
      return true;
    }
  }

  [[gnu::noinline, gnu::cold]] R finish_failed() { return Pending<R>::finish(); }

  /// settle() at first, without a limit; false: nothing was done.
  [[gnu::always_inline]] bool settle_alone(Table& in) noexcept { return in.enqueue_alone(node_); }

  Placed settle(Table& in, bool front) noexcept override {
    return in.enqueue(node_, front, this->may_be_called_off_, *this);
  }

  void call_off() noexcept override {
    // Sequentially consistent: see Table::enqueue.
    this->state_.fetch_or(this->calling_off, std::memory_order_seq_cst);
    while (node_.word.load(std::memory_order_seq_cst) != nullptr) {
      if (table().remove(node_)) return this->deliver();
    }
  }

  bool leave() noexcept override {
    left_ = true;
    try {
      if (operation_.attempt()) {
        left_ = false;
        over_ = true;
      } else {
        over_ = operation_.give_up();
      }
    } catch (...) {
      fail();
    }
    if (left_) pass_on();
    if (!over_) this->disarm();
    while (!over_ && !rouse()) {
      if (settle(table(), true) == Placed::asleep) return false;
    }
    return true;
  }

  bool seize() noexcept override { return table().remove(node_); }

  void give_all_up() noexcept override {
    try {
      // One that can't leave yet will not: nobody is there any more for whom it could go on.
      operation_.give_up();
    } catch (...) {
    }
    taken_ = true;
    pass_on();
  }

  bool refuse_to_begin() noexcept override {
    bool gone = true;
    try {
      gone = operation_.give_up();
    } catch (...) {
    }
    if (!gone) {
      failure_ = std::current_exception();
      return false;
    }
    taken_ = true;
    pass_on();
    return true;
  }

  // The wake that came to this one, if any did, was somebody's.
  void pass_on() noexcept {
    if (node_.where != nullptr) table().wake(*node_.where, 1);
  }

  void fail() noexcept {
    failure_ = std::current_exception();
    over_ = true;
  }

  Table::Node node_;
  O operation_;
};

}  // namespace trine::coroutine
