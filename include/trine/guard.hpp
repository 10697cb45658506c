// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

namespace trine {

/// How a guard holds its lock: alone, or with other readers.
enum class Hold { exclusive, shared };

/// Holds a lock until the end of the scope. Movable; true when it holds one. Made by guard(), shared_guard() and recover().
/// Somebody else who unlocks the lock meanwhile (a hand-off) takes it from the guard's holder, who must release() it: a guard
/// that finds its lock unlocked when the scope ends terminates the program.
template <class L, Hold H = Hold::exclusive>
class Guard {
 public:
  /// Holds nothing.
  Guard() noexcept = default;

  /// Takes over a lock that the caller has locked.
  explicit Guard(L& locked) noexcept : lock_(&locked) {}

  Guard(Guard&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  Guard& operator=(Guard&& other) noexcept {
    Guard(std::move(other)).swap(*this);
    return *this;
  }
  ~Guard() {
    if (lock_ != nullptr) unlock();
  }

  [[nodiscard]] explicit operator bool() const noexcept { return lock_ != nullptr; }

  /// The lock that is held, or nullptr.
  [[nodiscard]] L* lock() const noexcept { return lock_; }

  /// Unlocks before the end of the scope. Does nothing if nothing is held.
  void unlock() {
    L* const lock = release();
    if (lock == nullptr) return;
    if constexpr (H == Hold::exclusive) {
      lock->unlock();
    } else {
      lock->unlock_shared();
    }
  }

  /// Leaves the lock locked, for the caller to unlock.
  L* release() noexcept { return std::exchange(lock_, nullptr); }

  void swap(Guard& other) noexcept { std::swap(lock_, other.lock_); }

 private:
  L* lock_ = nullptr;
};

/// Holds a SharedLock for reading.
template <class L>
using SharedGuard = Guard<L, Hold::shared>;

}  // namespace trine
