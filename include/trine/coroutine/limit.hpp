// SPDX-License-Identifier: BSL-1.0
//
// What may end a wait early; included by waiting.hpp.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include <trine/coroutine/timers.hpp>
#include <trine/coroutine/waiting.hpp>
#include <trine/until.hpp>

namespace trine::coroutine {

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

// Before it is in the table. Without memory for what may end it early, or a thread to keep the time, it does not begin; one that
// can't leave at once goes on without.
template <class W>
[[gnu::noinline, gnu::cold]] void Waiting::arm_or_give_up(W& self) {
  Waiting& wait = self;
  try {
    wait.arm();
  } catch (...) {
    wait.disarm();
    if (!self.refuse_to_begin()) return;
    wait.is_no_more(suspended);
    throw;
  }
}

}  // namespace trine::coroutine
