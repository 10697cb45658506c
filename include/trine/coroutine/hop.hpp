// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coroutine>
#include <utility>

#include <trine/coroutine/here.hpp>
#include <trine/coroutine/waiting.hpp>

namespace trine::coroutine {

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
  /// One that the cancelling of the task does not end: what its coroutine has is to get to it.
  struct Shielded {};
  Hop(Scheduler& to, Shielded) noexcept : Ready(go_on), to_(to) {}
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
    if (self.root_ == nullptr || !self.root_->cancel().stop_requested()) return go_on(item);
    self.coroutine_ = {};
    here().root = self.root_;
    self.root_->cancelled();
  }

  static void go_on(Ready& item) {
    Hop& self = static_cast<Hop&>(item);
    here().root = self.root_;
    drive(std::exchange(self.coroutine_, {}));
  }

  Scheduler& to_;
  std::coroutine_handle<> coroutine_;
  Root* root_ = nullptr;
};

}  // namespace trine::coroutine
