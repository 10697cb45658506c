// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/locked_call.hpp>
#include <trine/type_text.hpp>
#include <trine/until.hpp>

namespace trine {

/// The value that a Value has: two copies, of which `current` says the valid one, so that a change of it is one store: who dies
/// before that has changed nothing. Used with the lock held. That is recursive: what a function does with the value that it was
/// called with is part of the call.
template <class T, class B, bool Copied = std::is_trivially_copyable_v<T>>
class ValueSlots {
 public:
  explicit ValueSlots(const T& initial) : slots_{Slot(initial), Slot(initial)} {}

  T read() const {
    const InUse* const outer = InUse::of(*this);
    return outer != nullptr ? outer->value : slots_[now()].read();
  }

  template <class F>
  decltype(auto) use(F& function) {
    if (const InUse* const outer = InUse::of(*this)) return std::invoke(function, outer->value);
    const InUse in_use(*this, slots_[now()].write());
    return std::invoke(function, in_use.value);
  }

  template <class F>
  decltype(auto) change(F& function) {
    if (const InUse* const outer = InUse::of(*this)) return change_within(outer->value, function);
    const Publish publish{*this, 1 - now()};
    T& copy = slots_[publish.slot].write();
    copy = slots_[now()].read();
    const InUse in_use(*this, copy);
    return std::invoke(function, copy);
  }

 private:
  // What a function of the calling thread was called with, for as long as it runs.
  struct InUse {
    InUse(const ValueSlots& slots, T& given) noexcept : value(given), of_(&slots), outer_(std::exchange(innermost_, this)) {}
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    ~InUse() { innermost_ = outer_; }

    static const InUse* of(const ValueSlots& slots) noexcept {
      const InUse* each = innermost_;
      while (each != nullptr && each->of_ != &slots) each = each->outer_;
      return each;
    }

    T& value;

   private:
    const ValueSlots* of_;
    const InUse* outer_;
    static inline thread_local const InUse* innermost_ = nullptr;
  };

  template <class F>
  static decltype(auto) change_within(T& value, F& function) {
    const T before = value;
    try {
      return std::invoke(function, value);
    } catch (...) {
      value = before;
      throw;
    }
  }

  // Only if the function has not thrown.
  struct Publish {
    ValueSlots& slots;
    std::uint32_t slot;
    int thrown = std::uncaught_exceptions();
    ~Publish() {
      // Release: what the slot holds is there before it counts, also for one who takes the lock after a death.
      if (std::uncaught_exceptions() == thrown) slots.current_.store(slot, std::memory_order_release);
    }
  };

  [[nodiscard]] std::uint32_t now() const noexcept { return current_.load(std::memory_order_acquire) & 1; }

  using Slot = typename B::template Cell<T>;

  Slot slots_[2];
  typename B::template Atomic<std::uint32_t> current_{0};
};

/// What can't be copied byte by byte is changed in its place.
template <class T, class B>
class ValueSlots<T, B, false> {
 public:
  explicit ValueSlots(const T& initial) : value_(initial) {}

  T read() const { return value_; }

  template <class F>
  decltype(auto) use(F& function) {
    return std::invoke(function, value_);
  }
  template <class F>
  decltype(auto) change(F& function) {
    return std::invoke(function, value_);
  }

 private:
  T value_;
};

/// A shared value with a lock of its own.
///
///     trine::Value<int, trine::processes> sum(0);
///     sum.update([](int& s) { s += 5; });  // co_await it in a Task
///     std::cout << sum.load();
///
/// Every member waits for the lock, as long as others hold it, and throws OwnerDied if one died with it, until somebody calls
/// get_lock().recover(). The lock is recursive: who holds it may use the members. A function that update() or with_lock() calls
/// may use them too, and sees and changes what it was called with. Changes are visible to whoever has the lock later.
/// Deaths: a process killed in store() or update() leaves the old value or the new one, never a part; one killed in with_lock()
/// leaves what it had written.
/// Lifetime: it may be destroyed when no call is in progress. Not copyable, not movable. On backends whose parties are processes
/// T is trivially copyable and holds no pointers.
template <class T, class B = threads>
class Value {
  struct State {
    static constexpr bool shareable = std::is_trivially_copyable_v<T>;
    static std::string type_text() { return "Value<" + trine::type_text<T>() + ">"; }

    explicit State(const T& initial = T()) : value(initial) {}

    OwnLock<B> lock;
    ValueSlots<T, InPlace<B>> value;
  };

 public:
  using value_type = T;
  using Lock = OwnLock<B>;

  explicit Value(const T& initial = T()) : state_(initial) {}
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create. Whoever opens it finds the
  /// value that it has.
  template <NameTagOf<B> Tag>
  Value(Tag tag, std::string_view name, const T& initial = T()) : state_(tag, name, initial) {}
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;

  /// A copy of the value.
  [[nodiscard]] auto load() const { return run(load_op()); }

  /// True.
  auto store(const T& value) { return run(store_op(value)); }

  /// Calls `function(T&)` on a copy, which then becomes the value: what the function returned, or true if nothing. If it throws
  /// the value stays as it was (but for types that are not trivially copyable, which it changes in their place).
  template <std::invocable<T&> F>
  auto update(F function) {
    return run(update_op(std::move(function)));
  }

  /// Calls `function(T&)` on the value itself: what the function returned, or true if nothing.
  template <std::invocable<T&> F>
  auto with_lock(F function) {
    return run(with_lock_op(std::move(function)));
  }

  /// The lock, to be held over several calls, or with a limit.
  [[nodiscard]] Lock& get_lock() const noexcept { return state_->lock; }

  [[nodiscard]] auto load_op() const {
    return locked_call_op(get_lock(), [state = &*state_] { return state->value.read(); });
  }
  [[nodiscard]] auto store_op(const T& value) {
    return update_op([value](T& to) { to = value; });
  }
  template <std::invocable<T&> F>
  [[nodiscard]] auto update_op(F function) {
    return locked_call_op(get_lock(), [state = &*state_, function = std::move(function)]() mutable -> decltype(auto) {
      return state->value.change(function);
    });
  }
  template <std::invocable<T&> F>
  [[nodiscard]] auto with_lock_op(F function) {
    return locked_call_op(get_lock(), [state = &*state_, function = std::move(function)]() mutable -> decltype(auto) {
      return state->value.use(function);
    });
  }

  /// Removes a name; those who have the value keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  template <class O>
  static auto run(O operation) {
    return O::Backend::run(std::move(operation), Until::forever());
  }

  mutable typename B::template Storage<State> state_;  // whoever looks takes the lock
};

}  // namespace trine
