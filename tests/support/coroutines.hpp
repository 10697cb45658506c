// SPDX-License-Identifier: BSL-1.0
//
// What the tests of coroutines share.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <coroutine>
#include <exception>
#include <utility>

#include <trine/trine.hpp>

#include "support/backends.hpp"
#include "support/coroutines_on_two.hpp"

namespace trine_test {

using CoroutineBackends = ::testing::Types<trine::coroutines, coroutines_on_two>;

/// How many scopes were entered, and how many left.
struct Visits {
  std::atomic<int> entered{0};
  std::atomic<int> left{0};

  class Scope {
   public:
    explicit Scope(Visits& visits) : visits_(visits) { ++visits_.entered; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { ++visits_.left; }

   private:
    Visits& visits_;
  };
};

/// A coroutine that knows nothing of trine: it begins at once, and its frame belongs to this object.
class Foreign {
 public:
  struct promise_type;
  /// Says that it is suspended for good, to whichever thread asks.
  struct Final {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<promise_type> self) const noexcept {
      self.promise().done.store(true, std::memory_order_release);
    }
    void await_resume() const noexcept {}
  };
  struct promise_type {
    Foreign get_return_object() { return Foreign(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    Final final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }

    std::atomic<bool> done{false};
  };

  Foreign(Foreign&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Foreign& operator=(Foreign&&) = delete;
  ~Foreign() {
    if (handle_) handle_.destroy();
  }

  /// May be asked while another thread runs it, which handles can't.
  [[nodiscard]] bool done() const noexcept { return handle_.promise().done.load(std::memory_order_acquire); }

 private:
  explicit Foreign(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace trine_test
