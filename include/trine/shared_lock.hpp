// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/guard.hpp>
#include <trine/lock_operation.hpp>
#include <trine/lock_word.hpp>
#include <trine/until.hpp>

namespace trine {

/// A lock for many readers or one writer.
///
///     trine::SharedLock lock;
///     { auto reading = lock.shared_guard(); use(table); }
///     { auto writing = lock.guard(); change(table); }
///
/// Visibility: what a writer did is visible to every later reader and writer, what a reader did to every later writer.
/// Fairness: a waiting writer lets the readers inside finish and keeps new ones out, so readers can't starve it; therefore a
/// reader must not lock for reading again, for a writer may stand between. Writers and readers who wait for a writer compete.
/// Owners, lifetime and errors are as with Lock; unlock_shared() of a lock that nobody reads throws NotLocked. A reader who
/// finds that a writer died gets OwnerDied, as a writer does, until somebody calls recover().
/// It is Lockable, SharedLockable and both with limits, by the standard's names. Constant time; entering and leaving are one
/// atomic read-modify-write each.
template <class B = threads>
class SharedLock {
  using Writer = LockWord<B>;
  struct State;

 public:
  class LockOperation;
  class SharedOperation;
  using GuardOperation = GuardOf<LockOperation, Guard<SharedLock>, SharedLock>;
  using SharedGuardOperation = GuardOf<SharedOperation, SharedGuard<SharedLock>, SharedLock>;

  SharedLock() = default;
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create.
  template <NameTagOf<B> Tag>
  SharedLock(Tag tag, std::string_view name) : state_(tag, name) {}
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

  /// Waits until the caller alone is inside: true, or false when it gave up.
  typename B::template Result<bool> lock(const Until& until = Until::forever()) { return B::run(lock_op(), until); }

  /// Waits until no writer is inside or waits: true, or false when it gave up.
  typename B::template Result<bool> lock_shared(const Until& until = Until::forever()) { return B::run(lock_shared_op(), until); }

  bool try_lock() {
    auto operation = lock_op();
    if (operation.attempt()) return operation.result();
    operation.give_up();
    return false;
  }
  bool try_lock_shared() {
    auto operation = lock_shared_op();
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
  template <class Duration>
  typename B::template Result<bool> try_lock_shared_for(const Duration& after) {
    return lock_shared(Until(after));
  }
  template <class TimePoint>
  typename B::template Result<bool> try_lock_shared_until(const TimePoint& at) {
    return lock_shared(Until(at));
  }

  /// The writer leaves. Throws NotLocked or NotOwner; the lock is unchanged then. Called by a reader it frees the lock of a
  /// writer that waits for the readers, where the backend does not watch owners.
  void unlock() { state_->writer.vacate(B::holder(), everyone); }

  /// A reader leaves. Throws NotLocked if nobody reads.
  void unlock_shared() {
    if (!state_->readers.leave()) fail<NotLocked>();
  }

  [[nodiscard]] typename B::template Result<Guard<SharedLock>> guard(const Until& until = Until::forever()) {
    return B::run(guard_op(), until);
  }
  [[nodiscard]] typename B::template Result<SharedGuard<SharedLock>> shared_guard(const Until& until = Until::forever()) {
    return B::run(shared_guard_op(), until);
  }

  /// guard(), which takes the lock after a writer's death as well.
  [[nodiscard]] typename B::template Result<Guard<SharedLock>> recover(const Until& until = Until::forever()) {
    return B::run(recover_op(), until);
  }

  [[nodiscard]] LockOperation lock_op() noexcept { return {*state_, Writer::Mode::ordinary}; }
  [[nodiscard]] GuardOperation guard_op() noexcept { return {*this, lock_op()}; }
  [[nodiscard]] GuardOperation recover_op() noexcept {
    return {*this, LockOperation(*state_, Writer::Mode::recovering)};
  }
  [[nodiscard]] SharedOperation lock_shared_op() noexcept { return SharedOperation(*state_); }
  [[nodiscard]] SharedGuardOperation shared_guard_op() noexcept { return {*this, lock_shared_op()}; }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  // A writer owns the word, and then waits until no reader is inside. A reader enters, and then looks whether there is a
  // writer: if so it leaves again. All four accesses are sequentially consistent, so at least one of the two sees the other.
  struct State {
    static constexpr std::string_view type_name = "SharedLock";

    Writer writer;
    typename B::Tally readers;
  };

  typename B::template Storage<State> state_;
};

/// Takes the word of the writer, and then waits for the readers to leave. Giving up frees the word.
template <class B>
class SharedLock<B>::LockOperation : public OperationOf<bool, B> {
  using Outcome = typename Writer::Outcome;

 public:
  static constexpr bool owned_by_thread = LockWordOperation<B>::owned_by_thread;

  LockOperation(State& state, typename Writer::Mode mode) noexcept : state_(&state), mode_(mode) {}

  bool attempt() {
    if (outcome_ != Outcome::taken) outcome_ = state_->writer.attempt(me_, mode_, std::memory_order_seq_cst);
    return finished();
  }

  Sleep<typename B::Word> announce() {
    if (outcome_ != Outcome::taken) {
      const auto sleep = state_->writer.announce(me_, mode_, outcome_, std::memory_order_seq_cst);
      if (!sleep.needless() || finished()) return sleep;
    }
    const auto sleep = state_->readers.watch();
    if (!sleep.needless() && !finished()) return sleep;
    state_->readers.unwatch();
    return {};
  }

  bool give_up() {
    if (outcome_ == Outcome::taken) {
      outcome_ = Outcome::busy;
      state_->readers.unwatch();
      state_->writer.vacate(me_, everyone);
    }
    return true;
  }

  bool result() const {
    if (outcome_ == Outcome::owner_died) fail<OwnerDied>();
    return outcome_ == Outcome::taken;
  }

 private:
  bool finished() const noexcept {
    return outcome_ == Outcome::owner_died || (outcome_ == Outcome::taken && state_->readers.count() == 0);
  }

  State* state_;
  std::uint32_t me_ = B::holder();
  typename Writer::Mode mode_;
  Outcome outcome_ = Outcome::busy;
};

/// Enters as a reader when no writer is inside or waits for the readers to leave.
template <class B>
class SharedLock<B>::SharedOperation : public OperationOf<bool, B> {
  using Outcome = typename Writer::Outcome;

 public:
  static constexpr bool owned_by_thread = B::mortal;  // a reader that may die has a place of its own

  explicit SharedOperation(State& state) noexcept : state_(&state) {}

  // It looks before it enters: a reader that enters in vain keeps the writer waiting.
  bool attempt() {
    outcome_ = without_writer(state_->writer.load(std::memory_order_relaxed));
    if (outcome_ != Outcome::taken) return outcome_ == Outcome::owner_died;
    state_->readers.enter();
    outcome_ = without_writer(state_->writer.load(std::memory_order_seq_cst));
    if (outcome_ == Outcome::taken) [[likely]] return true;
    state_->readers.leave();
    return outcome_ == Outcome::owner_died;
  }

  Sleep<typename B::Word> announce() {
    for (;;) {
      if (attempt()) return {};
      const std::uint32_t seen = state_->writer.load(std::memory_order_relaxed);
      if (Writer::owner_of(seen) == 0) continue;
      if (const auto sleep = state_->writer.watch(seen); !sleep.needless()) return sleep;
    }
  }

  bool result() const {
    if (outcome_ == Outcome::owner_died) fail<OwnerDied>();
    return outcome_ == Outcome::taken;
  }

 private:
  static Outcome without_writer(std::uint32_t writer) noexcept {
    if (Writer::owner_of(writer) != 0) return Outcome::busy;
    return (writer & Writer::died) != 0 ? Outcome::owner_died : Outcome::taken;
  }

  State* state_;
  Outcome outcome_ = Outcome::busy;
};

}  // namespace trine
