// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/guard.hpp>
#include <trine/lock_operation.hpp>
#include <trine/lock_word.hpp>
#include <trine/until.hpp>

namespace trine {

/// Mutual exclusion: at most one caller holds it.
///
///     trine::Lock lock;
///     { auto held = lock.guard(); ++shared; }
///     if (auto held = lock.guard(10ms)) ++shared; else busy();
///
/// Visibility: what an owner did before unlock() is visible to every later owner.
/// Lifetime: whoever gets the lock may destroy it after its own unlock(), though another's unlock() has not returned yet.
/// Owners: not recursive: a second lock() by the owner waits for ever (or until its limit). On threads and coroutines anyone
/// may unlock; on the process backends the owner alone, because the kernel watches it. Unlocking a free lock: NotLocked (if
/// another takes it just then, that one may lose it).
/// A lock() throws OwnerDied (and does not hold the lock) after an owner's death, until somebody calls recover().
/// Fairness: none is promised among threads; a running thread may pass a sleeping one. Coroutines are served in order.
/// It is a BasicLockable, Lockable and TimedLockable of the standard on the blocking backends. Constant time; uncontended
/// lock and unlock are one atomic read-modify-write each at most.
template <class B = threads>
class Lock {
  using Word = LockWord<B>;

 public:
  using LockOperation = LockWordOperation<B>;
  using GuardOperation = GuardOf<LockOperation, Guard<Lock>, Lock>;

  Lock() = default;
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create.
  template <NameTagOf<B> Tag>
  Lock(Tag tag, std::string_view name) : state_(tag, name) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// Waits until the lock is the caller's: true, or false when it gave up.
  typename B::template Result<bool> lock(const Until& until = Until::forever()) { return B::run(lock_op(), until); }

  /// Takes the lock if it is free.
  bool try_lock() {
    auto operation = lock_op();
    return operation.attempt() && operation.result();
  }

  template <class Duration>
  typename B::template Result<bool> try_lock_for(const Duration& after) {
    return lock(Until(after));
  }
  template <class TimePoint>
  typename B::template Result<bool> try_lock_until(const TimePoint& at) {
    return lock(Until(at));
  }

  /// Frees the lock. Throws NotLocked, or NotOwner where the backend knows owners; the lock is unchanged then.
  void unlock() { state_->vacate(B::holder()); }

  /// Whether anyone holds it at this moment.
  [[nodiscard]] bool locked() const noexcept { return state_->owner() != 0; }

  /// lock() for a scope: a guard that holds the lock, or none when it gave up.
  [[nodiscard]] typename B::template Result<Guard<Lock>> guard(const Until& until = Until::forever()) {
    return B::run(guard_op(), until);
  }

  /// guard(), which takes the lock after its owner's death as well: the caller repairs the data and unlocks.
  [[nodiscard]] typename B::template Result<Guard<Lock>> recover(const Until& until = Until::forever()) {
    return B::run(recover_op(), until);
  }

  [[nodiscard]] LockOperation lock_op() noexcept { return {*state_, B::holder(), Word::Mode::ordinary}; }
  [[nodiscard]] GuardOperation guard_op() noexcept { return {*this, lock_op()}; }
  [[nodiscard]] GuardOperation recover_op() noexcept {
    return {*this, LockOperation(*state_, B::holder(), Word::Mode::recovering)};
  }

  /// For Condition: unlocks, however deeply locked, and says how deep that was; and the operation that undoes it.
  std::uint32_t unlock_fully() {
    unlock();
    return 1;
  }
  [[nodiscard]] LockOperation relock_op(std::uint32_t /*depth*/) noexcept { return lock_op(); }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  typename B::template Storage<Word> state_;
};

}  // namespace trine
