// SPDX-License-Identifier: BSL-1.0
//
// Data under a lock, which show whether somebody was in there alone, and whether a death was told.
#pragma once

#include <atomic>
#include <chrono>

#include <trine/error.hpp>

#include "process/killing/children.hpp"

namespace trine_test {

/// The two numbers are equal whenever nobody holds the lock.
template <class L>
struct Guarded {
  L lock;
  volatile long x = 0;
  volatile long y = 0;
  std::atomic<int> deaths{0};

  void change() {
    x = x + 1;
    y = y + 1;
  }

  void change_and_unlock() {
    require(x == y, "the data under the lock are half changed, and nobody was told of a death");
    change();
    lock.unlock();
  }

  /// With the lock as its owner left it when it died: true if that was told, and the caller has the lock now, all repaired.
  bool repair_after(const trine::OwnerDied&) {
    ++deaths;
    auto held = lock.recover();
    y = x;
    held.release();
    return true;
  }

  /// Locks, repairs what a dead owner left, changes the data, unlocks.
  void use() {
    try {
      lock.lock();
    } catch (const trine::OwnerDied& e) {
      repair_after(e);
    }
    change_and_unlock();
  }

  /// The same, and then it must be a lock as any other.
  void use_after_all() {
    use();
    try {
      require(lock.lock(hang), "the lock is not free in the end");
    } catch (const trine::OwnerDied&) {
      require(false, "a death that was recovered from is told again");
    }
    change_and_unlock();
    require(lock.try_lock(), "locked in the end");
    change_and_unlock();
  }

  /// Locks if nobody died: whether somebody did.
  bool finds_dead_owner() {
    try {
      lock.lock();
    } catch (const trine::OwnerDied&) {
      ++deaths;
      return true;
    }
    change_and_unlock();
    return false;
  }
};

}  // namespace trine_test
