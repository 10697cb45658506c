// SPDX-License-Identifier: BSL-1.0
//
// How a wait begins, is handed over, goes on and is taken back; included by waiting.hpp.
#pragma once

#include <atomic>
#include <coroutine>
#include <thread>
#include <utility>

#include <trine/coroutine/here.hpp>
#include <trine/coroutine/waiting.hpp>

namespace trine::coroutine {

template <class W>
[[gnu::always_inline]] inline bool Waiting::start_as(W& self, std::coroutine_handle<> coroutine) {
  Waiting& wait = self;
  const Here& at = here();
  wait.coroutine_ = coroutine.address();
  wait.root_ = at.root;
  if (wait.is(tidies) || (at.root != nullptr && at.root->cancel().stop_possible())) [[unlikely]]
    return start_tidily(self, nullptr);
  wait.by_ = at.scheduler;
  wait.becomes(suspended);
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
  if (waiting.by_ != here().alone) [[unlikely]]
    return false;
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
  if (limit_ != nullptr) drop_limit();
  is_no_more(suspended);
  over_ ? tidy() : give_all_up();
}

}  // namespace trine::coroutine
