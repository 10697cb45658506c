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
