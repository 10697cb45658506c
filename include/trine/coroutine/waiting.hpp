// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>

#include <trine/coroutine/here.hpp>
#include <trine/coroutine/timers.hpp>
#include <trine/until.hpp>

namespace trine::coroutine {

class Limit;
class Waiting;

/// Who resumes coroutines that no Scheduler runs: an executor that the user names.
class Resumer {
 public:
  /// Sees to it that the coroutine is resumed, soon and not in this call; says hand_over() when it has what it needs and
  /// before the coroutine can be resumed: from then on that may be destroyed, with this.
  virtual void resume(std::coroutine_handle<> coroutine, Waiting& waiting) = 0;

 protected:
  ~Resumer() = default;
};

// What a wait needs of the scheduler; scheduler.hpp has them.
void post_to(Scheduler& scheduler, Ready& item) noexcept;
/// The same where the calling thread is the only one that the scheduler has.
void post_to_own(Scheduler& scheduler, Ready& item) noexcept;
bool take_back_from(Scheduler& scheduler, Ready& item) noexcept;
void add_timer(Scheduler& scheduler, Timer& timer, Timer::TimePoint at);
void remove_timer(Scheduler& scheduler, Timer& timer) noexcept;
/// A scheduler with a thread of its own, for the limits of coroutines that have none.
Scheduler& timekeeper();

/// What a wait remembers in the bytes that the sleeper has to spare: in each, one party writes at a time.
class Remembering : public Table::Sleeper {
 protected:
  ~Remembering() = default;

  // Who owns the sleeper:
  bool over_ : 1 = false;   // done, given up, or failed
  bool left_ : 1 = false;   // because of the limit
  bool taken_ : 1 = false;  // the result was fetched
  // Written as well, so that no bit is left for which the processor would have to read what was there.
  std::uint8_t unused_ : 5 = 0;
  // The coroutine; and who destroys it reads:
  static constexpr std::uint8_t suspended = 1;
  static constexpr std::uint8_t not_cancelled = 2;  // by the cancelling of the task
  static constexpr std::uint8_t tries_once = 4;
  static constexpr std::uint8_t by_resumer = 8;  // which of the two resumes it
  static constexpr std::uint8_t tidies = 16;     // has a limit, or is in several lists: more is to be done than to resume it
  std::uint8_t how_ = 0;

  [[nodiscard]] bool is(std::uint8_t how) const noexcept { return (how_ & how) != 0; }
  void becomes(std::uint8_t how) noexcept { how_ = static_cast<std::uint8_t>(how_ | how); }
  void is_no_more(std::uint8_t how) noexcept { how_ = static_cast<std::uint8_t>(how_ & ~how); }
};

/// One wait of one coroutine, from its first attempt in vain on. It lies in the coroutine's frame. A limit, a stop or the
/// cancelling of the task takes it out of the table; then the scheduler lets it leave, which is not necessarily the end.
class Waiting : public Remembering, private Ready {
 public:
  /// Puts the coroutine to sleep: false if the wait was over before that. Where it was true, this may be gone. `root`: the
  /// task that it is, or nullptr.
  bool start(std::coroutine_handle<> coroutine, Root* root, Resumer* resumer) {
    coroutine_ = coroutine.address();
    root_ = root;
    return start_tidily(*this, resumer);
  }

  /// For those who have a limit: it has come.
  virtual void call_off() noexcept = 0;

  [[gnu::always_inline]] void set_limit(const Until& until) {
    if (!until.never()) [[unlikely]]
      limit_by(until);
  }

  /// The last touch of who gives the coroutine to an executor. Release: pairs with the acquire of who destroys it.
  void hand_over() noexcept { this->state_.fetch_or(this->handed_over, std::memory_order_release); }

 protected:
  /// start() for a W that this is: the compiler sees which functions it calls.
  template <class W>
  static bool start_as(W& self, std::coroutine_handle<> coroutine);
  template <class W>
  static bool start_tidily(W& self, Resumer* resumer);
  template <class W>
  static bool go_on_starting(W& self);
  template <class W>
  static void arm_or_give_up(W& self);

  Waiting() noexcept;
  ~Waiting();

  // With the sleeper owned, in the coroutine's own context:
  /// The limit has come: tries for the last time, gives up, or finds that it can't yet and sleeps on; then false.
  virtual bool leave() noexcept = 0;
  /// It is over: takes the rest out of the table. Called if it may be in several lists.
  virtual void tidy() noexcept {}
  /// Becomes the owner, if the sleeper is in the table.
  virtual bool seize() noexcept = 0;
  /// Gives everything up: the coroutine is destroyed while it waits.
  virtual void give_all_up() noexcept = 0;
  /// In a handler: what it would need is not there, and it gives up. false: it can't yet, and fails with that when it can.
  virtual bool refuse_to_begin() noexcept {
    give_all_up();
    return true;
  }

  void deliver() noexcept final;
  void deliver_without_scheduler() noexcept;

  // For the destructors of the kinds: takes the wait out of wherever it is.
  void abandon() noexcept {
    if (is(suspended)) [[unlikely]]
      leave_where_it_is();
  }
  void leave_where_it_is() noexcept;

  std::unique_ptr<Limit> limit_;
  std::exception_ptr failure_;

  void disarm() noexcept;
  /// The coroutine fetches the result.
  void awake() noexcept { is_no_more(suspended); }

 private:
  friend class Limit;
  friend Everywhere;
  void limit_by(const Until& until);
  void arm();
  void drop_limit() noexcept;
  static void go_on(Ready& item);
  static void step(Ready& item);
  bool give_way();
  bool over_at_once();
  bool take_back_from_this_thread() noexcept;
  void tidy_and_resume();
  // The one on which it suspended, if that is to resume it.
  [[nodiscard]] Scheduler* scheduler() const noexcept { return is(by_resumer) ? nullptr : static_cast<Scheduler*>(by_); }

  void* coroutine_;  // its address
  void* by_;         // who resumes it: a Scheduler, or a Resumer
  Root* root_;       // this and the two before it: once it has begun
};

}  // namespace trine::coroutine

#include <trine/coroutine/limit.hpp>
#include <trine/coroutine/wait_steps.hpp>
