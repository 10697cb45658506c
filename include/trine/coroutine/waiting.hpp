// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include <trine/coroutine/here.hpp>
#include <trine/coroutine/timers.hpp>
#include <trine/until.hpp>

namespace trine::coroutine {

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

class Limit;

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

/// What may end a wait early: its own limit, and the end that somebody wants its task to come to.
class Limit final : private Timer {
 public:
  Limit(Waiting& waiting, const Until& until) : waiting_(waiting), until_(until.started()) {}
  ~Limit() {
    if (scheduler_ != nullptr) remove_timer(*scheduler_, *this);
  }

  void arm(Scheduler* scheduler, const std::stop_token& cancel) {
    if (until_.stop_token().stop_possible()) on_stop_.emplace(until_.stop_token(), CallOff{waiting_});
    if (cancel.stop_possible()) on_cancel_.emplace(cancel, CallOff{waiting_});
    if (until_.never_but_for_stop()) return;
    scheduler_ = scheduler != nullptr ? scheduler : &timekeeper();
    add_timer(*scheduler_, *this, until_.sleep_until());
  }

 private:
  struct CallOff {
    Waiting& waiting;
    void operator()() const noexcept { waiting.call_off(); }
  };

  // The wall clock may have been set meanwhile, so it may be too early.
  TimePoint fire() noexcept override {
    if (!until_.passed()) return until_.sleep_until();
    waiting_.call_off();
    return TimePoint::max();
  }

  Waiting& waiting_;
  Until until_;
  Scheduler* scheduler_ = nullptr;
  // Their destructors wait for a call that another thread is in.
  std::optional<std::stop_callback<CallOff>> on_stop_;
  std::optional<std::stop_callback<CallOff>> on_cancel_;
};

inline Waiting::Waiting() noexcept : Ready(go_on) {}
// It has no limit any more, but where the coroutine was destroyed before it began to wait.
[[gnu::always_inline]] inline Waiting::~Waiting() {
  if (limit_ != nullptr) [[unlikely]]
    drop_limit();
}

[[gnu::noinline, gnu::cold]] inline void Waiting::limit_by(const Until& until) {
  becomes(tidies);
  if (until.passed()) return becomes(tries_once);
  limit_ = std::make_unique<Limit>(*this, until);
}

[[gnu::noinline, gnu::cold]] inline void Waiting::drop_limit() noexcept { limit_.reset(); }

[[gnu::always_inline]] inline void Waiting::disarm() noexcept {
  if (limit_ != nullptr) [[unlikely]]
    drop_limit();
  this->may_be_called_off_ = false;
}

// What may end it early. It may be called off from here on.
[[gnu::noinline, gnu::cold]] inline void Waiting::arm() {
  const bool cancellable = !is(not_cancelled) && root_ != nullptr && root_->cancel().stop_possible();
  if (limit_ == nullptr && !cancellable) return;
  if (limit_ == nullptr) limit_ = std::make_unique<Limit>(*this, Until());
  becomes(tidies);
  this->may_be_called_off_ = true;
  limit_->arm(scheduler(), cancellable ? root_->cancel() : std::stop_token());
}

// Before it is in the table. Without memory for what may end it early, or a thread to keep the time, it does not begin.
template <class W>
[[gnu::noinline, gnu::cold]] void Waiting::arm_or_give_up(W& self) {
  Waiting& wait = self;
  try {
    wait.arm();
  } catch (...) {
    wait.limit_.reset();
    wait.is_no_more(suspended);
    self.give_all_up();
    throw;
  }
}

template <class W>
[[gnu::always_inline]] inline bool Waiting::start_as(W& self, std::coroutine_handle<> coroutine) {
  Waiting& wait = self;
  const Here& at = here();
  wait.coroutine_ = coroutine.address();
  wait.root_ = at.root;
  if (wait.is(tidies) || (at.root != nullptr && at.root->cancel().stop_possible())) [[unlikely]]
    return start_tidily(self, nullptr);
  wait.by_ = at.scheduler;
  wait.how_ = W::how_it_begins;  // known here, so it need not be read
  if (self.announce()) [[unlikely]] {
    wait.is_no_more(suspended);
    return false;
  }
  if (self.settle_alone(table())) [[likely]]
    return true;
  return go_on_starting(self);
}

// With a limit, in several lists, or for an executor.
template <class W>
[[gnu::noinline]] bool Waiting::start_tidily(W& self, Resumer* resumer) {
  Waiting& wait = self;
  wait.run = step;
  wait.becomes(suspended);
  if (resumer == nullptr) {
    wait.by_ = here().scheduler;
  } else {
    wait.by_ = resumer;
    wait.becomes(by_resumer);
  }
  arm_or_give_up(self);
  if (wait.is(tries_once)) return wait.give_way();
  return self.rouse() ? wait.over_at_once() : go_on_starting(self);
}

// After a rouse() in vain.
template <class W>
[[gnu::noinline]] bool Waiting::go_on_starting(W& self) {
  do {
    switch (self.settle(table(), false)) {
      case Table::Placed::asleep:
        return true;
      case Table::Placed::called_off:
        self.deliver();
        return true;
      case Table::Placed::changed:
        break;
    }
  } while (!self.rouse());
  return static_cast<Waiting&>(self).over_at_once();
}

inline bool Waiting::over_at_once() {
  is_no_more(suspended);
  disarm();
  tidy();
  return false;
}

// The limit has come already: the others run before the last try, so that one who tries again and again lets them.
[[gnu::noinline, gnu::cold]] inline bool Waiting::give_way() {
  if (scheduler() != nullptr) {
    deliver();
    return true;
  }
  return !leave() || over_at_once();
}

// After the item was posted, or the coroutine resumed, this may be gone.
[[gnu::always_inline]] inline void Waiting::deliver() noexcept {
  if (Scheduler* const posted = scheduler()) [[likely]]
    return post_to(*posted, *this);
  deliver_without_scheduler();
}

[[gnu::noinline]] inline void Waiting::deliver_without_scheduler() noexcept {
  if (!over_) {
    post_to(timekeeper(), *this);
  } else if (is(by_resumer)) {
    step(*this);
  } else {
    Here& at = here();
    (at.orphans != nullptr ? at.last_orphan->next : at.orphans) = this;
    at.last_orphan = this;
  }
}

[[gnu::always_inline]] inline void Everywhere::deliver(Table::Sleeper& sleeper) noexcept { static_cast<Waiting&>(sleeper).Waiting::deliver(); }

[[gnu::always_inline]] inline bool Everywhere::deliver_to_this_thread(Table::Sleeper& sleeper) noexcept {
  Waiting& waiting = static_cast<Waiting&>(sleeper);
  if (waiting.by_ != here().alone) return false;
  post_to_own(*static_cast<Scheduler*>(waiting.by_), waiting);
  return true;
}

// One that is over, with nothing to be tidied. The coroutine says itself that it is awake, and who called this drives.
inline void Waiting::go_on(Ready& item) {
  Waiting& self = static_cast<Waiting&>(item);
  here().root = self.root_;
  std::coroutine_handle<>::from_address(self.coroutine_).resume();
}

inline void Waiting::step(Ready& item) {
  Waiting& self = static_cast<Waiting&>(item);
  Here& at = here();
  Root* const outer = std::exchange(at.root, self.root_);
  self.tidy_and_resume();
  at.root = outer;
}

// Within the task's root.
[[gnu::noinline]] inline void Waiting::tidy_and_resume() {
  if (!over_ && !leave()) return;
  if (limit_ != nullptr) drop_limit();
  if (several_) tidy();
  if (is(by_resumer)) return static_cast<Resumer*>(by_)->resume(std::coroutine_handle<>::from_address(coroutine_), *this);
  is_no_more(suspended);
  if (left_ && !is(not_cancelled) && root_ != nullptr && root_->cancel().stop_requested()) return root_->cancelled();
  drive(std::coroutine_handle<>::from_address(coroutine_));
}

// One that nobody else resumes, by another that the same call woke.
inline bool Waiting::take_back_from_this_thread() noexcept {
  Here& at = here();
  Ready* before = nullptr;
  for (Ready* orphan = at.orphans; orphan != nullptr; before = std::exchange(orphan, orphan->next)) {
    if (orphan != this) continue;
    (before != nullptr ? before->next : at.orphans) = orphan->next;
    if (at.last_orphan == this) at.last_orphan = before;
    return true;
  }
  return false;
}

[[gnu::noinline]] inline void Waiting::leave_where_it_is() noexcept {
  for (;;) {
    if (seize()) break;
    // Somebody tries for it at this moment, or it was handed to the scheduler.
    if (scheduler() != nullptr ? take_back_from(*scheduler(), *this) : take_back_from_this_thread()) break;
    if ((this->state_.load(std::memory_order_acquire) & this->handed_over) != 0) return;
    std::this_thread::yield();
  }
  limit_.reset();
  is_no_more(suspended);
  over_ ? tidy() : give_all_up();
}

/// Whether coroutines with the promise P are trine's own: drive() resumes them, and they are part of a task. Others may outlive
/// the task by which they were called, so they go on outside of it.
template <class P>
concept Driven = requires {
  typename P::DrivenByTrine;
};

/// The task that a coroutine with the promise P is part of, which is running.
template <class P>
[[nodiscard, gnu::always_inline]] inline Root* root_of() noexcept {
  return Driven<P> ? here().root : nullptr;
}

/// Puts a coroutine at the end of a scheduler's line.
class Hop : private Ready {
 public:
  using GoesOnInItsTask = void;

  explicit Hop(Scheduler& to) noexcept : Ready(resume), to_(to) {}
  Hop(const Hop&) = delete;
  Hop& operator=(const Hop&) = delete;
  ~Hop() {
    if (coroutine_) take_back_from(to_, *this);
  }

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> coroutine) noexcept {
    begin(coroutine, root_of<P>());
  }
  void begin(std::coroutine_handle<> coroutine, Root* root) noexcept {
    coroutine_ = coroutine;
    root_ = root;
    post_to(to_, *this);
  }
  void await_resume() const noexcept {}

 private:
  static void resume(Ready& item) {
    Hop& self = static_cast<Hop&>(item);
    const std::coroutine_handle<> coroutine = std::exchange(self.coroutine_, {});
    Here& at = here();
    at.root = self.root_;
    if (at.root != nullptr && at.root->cancel().stop_requested()) {
      at.root->cancelled();
    } else {
      drive(coroutine);
    }
  }

  Scheduler& to_;
  std::coroutine_handle<> coroutine_;
  Root* root_ = nullptr;
};

}  // namespace trine::coroutine
