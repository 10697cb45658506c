// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include <trine/backend.hpp>
#include <trine/recursive_lock.hpp>

namespace trine {

/// The backend for what lies inside the state of an object of B: B itself, unless it says which.
template <class B>
struct InPlaceOf {
  using type = B;
};
template <class B>
  requires requires { typename B::InPlace; }
struct InPlaceOf<B> {
  using type = typename B::InPlace;
};
template <class B>
using InPlace = typename InPlaceOf<B>::type;

/// Calls a function with a lock held: an operation whose result is the function's, or true if it returns nothing. `G` makes a
/// guard. If the lock throws, the function is not called.
template <class G, class F>
class LockedCall : public G {
  using Returned = std::invoke_result_t<F&>;

 public:
  using Result = std::conditional_t<std::is_void_v<Returned>, bool, std::remove_cvref_t<Returned>>;

  LockedCall(const G& guard, F function) : G(guard), function_(std::move(function)) {}

  Result result() {
    [[maybe_unused]] const auto held = G::result();
    if constexpr (std::is_void_v<Returned>) {
      function_();
      return true;
    } else {
      return function_();
    }
  }

 private:
  F function_;
};

/// What Value, Array and others that have a lock of their own have in common: how that is taken for a call.
template <class B>
using OwnLock = RecursiveLock<InPlace<B>>;

/// Waits for the lock and calls the function: what that returned, or true.
template <class F, class L>
[[nodiscard]] auto locked_call_op(L& lock, F function) {
  return LockedCall<typename L::GuardOperation, F>(lock.guard_op(), std::move(function));
}

}  // namespace trine
