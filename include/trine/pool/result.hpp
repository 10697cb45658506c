// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>

namespace trine {

/// What became of a task, or will: the part that does not depend on its type. Whoever learns of the result settles it, once; that
/// runs the callbacks, and then it is ready.
class PoolOutcome {
 public:
  PoolOutcome() = default;
  PoolOutcome(const PoolOutcome&) = delete;
  PoolOutcome& operator=(const PoolOutcome&) = delete;

  // Acquire: pairs with the release in settle(); what the task left is visible.
  [[nodiscard]] bool ready() const noexcept { return ready_.load(std::memory_order_acquire); }

  /// Once it is ready: what went wrong, or nothing.
  [[nodiscard]] const std::exception_ptr& failure() const noexcept { return failure_; }

  void fail(std::exception_ptr failure) {
    failure_ = std::move(failure);
    settle();
  }

  /// Calls it as soon as the result is known: at once, if it is.
  void when_settled(std::function<void()> callback) {
    {
      const auto held = gate_.guard();
      if (!settled_) {
        callbacks_.push_back(std::move(callback));
        return;
      }
    }
    run(callback);
  }

 protected:
  ~PoolOutcome() = default;

  void settle() {
    std::vector<std::function<void()>> callbacks;
    {
      const auto held = gate_.guard();
      settled_ = true;
      callbacks.swap(callbacks_);
    }
    for (const auto& each : callbacks) run(each);
    ready_.store(true, std::memory_order_release);
  }

 private:
  // Nobody is there whom an exception could reach.
  static void run(const std::function<void()>& callback) noexcept {
    try {
      callback();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "trine: Pool: a callback failed: %s\n", e.what());
    } catch (...) {
      std::fprintf(stderr, "trine: Pool: a callback failed\n");
    }
  }

  Lock<threads> gate_;
  bool settled_ = false;
  std::vector<std::function<void()>> callbacks_;
  std::exception_ptr failure_;
  std::atomic<bool> ready_{false};
};

/// The same with a result of type R.
template <class R>
class PoolResult final : public PoolOutcome {
 public:
  using Value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  void succeed(Value value) {
    value_.emplace(std::move(value));
    settle();
  }

  /// Once it is ready. Throws the failure.
  Value& value() {
    if (failure()) std::rethrow_exception(failure());
    return *value_;
  }

 private:
  std::optional<Value> value_;
};

/// What an exception says to another worker: its type and its text.
struct ExceptionText {
  std::string type;
  std::string text;

  /// Of the exception that is being handled.
  static ExceptionText current() {
    try {
      throw;
    } catch (const RemoteError& e) {
      return {e.type(), e.what() + e.type().size() + 2};  // what comes after the type
    } catch (const std::exception& e) {
      return {typeid(e).name(), e.what()};
    } catch (...) {
      return {"", "something that is not a std::exception was thrown"};
    }
  }
};

}  // namespace trine
