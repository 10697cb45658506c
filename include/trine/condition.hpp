// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/guard.hpp>
#include <trine/until.hpp>

namespace trine {

/// Lets the holder of a Lock or RecursiveLock wait until another says that something has changed.
///
///     auto held = lock.guard();
///     changed.wait(held, [&] { return !jobs.empty(); });
///     ...
///     { auto held = lock.guard(); jobs.push_back(job); }
///     changed.notify();
///
/// wait() unlocks the lock (every level of a RecursiveLock), sleeps, and holds the lock again, as deep as before, on every
/// return, by exception too; only if the lock's owner died meanwhile does it throw OwnerDied and leave the guard empty.
/// notify() needs no lock held. It wakes at least n of those that had begun to wait (all, if they are fewer); more may wake,
/// and a wait may return true for no reason, as in the standard: use a predicate. A notification is not lost to a waiter that
/// gives up: it reports success, or another has it. Sleepers are woken in the order in which they began, where the system
/// wakes in order (Linux: among threads of one priority).
/// Any number of conditions may go with one lock; all waits of one condition must use the same lock.
/// Visibility comes from the lock. Lifetime: it may be destroyed when no call is in progress; a waiter that was woken may
/// destroy it, though the notify() that woke it has not returned. notify() without waiters is one load.
template <class B = threads>
class Condition {
  struct State;
  using Word = typename B::Word;

 public:
  template <class L>
  class WaitOperation;

  Condition() = default;
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create.
  template <NameTagOf<B> Tag>
  Condition(Tag tag, std::string_view name) : state_(tag, name) {}
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  /// Waits for a notification: true, or false when it gave up. Throws NotLocked if the guard holds nothing.
  template <class L>
  typename B::template Result<bool> wait(Guard<L>& held, const Until& until = Until::forever()) {
    return B::run(wait_op(held), until);
  }

  /// Waits until `predicate()` is true, which is called with the lock held; returns what it said last. The limit is one
  /// for the whole. Where participants may die it is called now and then without a notification: one who has changed the
  /// data may have died before it could notify.
  template <class L, class Predicate>
    requires requires(Predicate& predicate) { predicate() ? 1 : 0; }
  auto wait(Guard<L>& held, Predicate predicate, const Until& until = Until::forever()) {
    if (!held) fail<NotLocked>();
    const auto step = [this, &held, limit = until.started()] {
      return B::run(WaitOperation<L>(*state_, held, B::mortal), limit);
    };
    return B::repeat(step, std::move(predicate));
  }

  /// Wakes n of those who wait. Throws std::invalid_argument if n is negative.
  void notify(std::ptrdiff_t n = 1) {
    if (n < 0) throw std::invalid_argument("trine: notify: n is negative");
    wake(n < everyone ? static_cast<std::uint32_t>(n) : everyone);
  }

  /// Wakes all who wait.
  void notify_all() { wake(everyone); }

  /// Not for select(): giving up has to lock again.
  template <class L>
  [[nodiscard]] WaitOperation<L> wait_op(Guard<L>& held) {
    if (!held) fail<NotLocked>();
    return WaitOperation<L>(*state_, held);
  }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  // Every access is relaxed: the lock orders them. A waiter counts itself and reads the sequence before it unlocks; who
  // changes the data locks after that, and so sees the count and makes a later sequence. A waiter misses a notification
  // only if exactly 2^32 of them come between its unlocking and its sleeping.
  struct State {
    static constexpr std::string_view type_name = "Condition";

    Word sequence{0};                                     // counts the notifications that found somebody waiting
    typename B::template Atomic<std::uint32_t> waiting{0};  // how many have begun and not seen a notification yet
  };

  void wake(std::uint32_t count) {
    if (count == 0 || state_->waiting.load(std::memory_order_relaxed) == 0) return;
    state_->sequence.fetch_add(1, std::memory_order_relaxed);
    B::wake(state_->sequence, count);
  }

  typename B::template Storage<State> state_;
};

/// Two phases: sleep until the sequence changes or the limit comes, then lock again without a limit.
template <class B>
template <class L>
class Condition<B>::WaitOperation : public OperationOf<bool, B> {
 public:
  static constexpr bool selectable = false;
  static constexpr bool gives_up_late = true;
  static constexpr bool owned_by_thread = L::LockOperation::owned_by_thread;

  /// `once`: after one sleep it goes on as if it had been notified.
  WaitOperation(State& state, Guard<L>& held, bool once = false) noexcept : state_(&state), held_(&held), once_(once) {}

  bool attempt() {
    switch (phase_) {
      case Phase::fresh:
        begin();
        return false;
      case Phase::waiting:
        return notified() && (relock(true), locked(relocking_->attempt()));
      case Phase::relocking:
        return locked(relocking_->attempt());
    }
    return false;
  }

  Sleep<Word> announce() {
    if (phase_ == Phase::fresh) begin();
    if (phase_ == Phase::waiting) {
      if (!notified() && !(once_ && announced_)) {
        announced_ = true;
        return {&state_->sequence, seen_};
      }
      relock(true);
    }
    const auto sleep = relocking_->announce();
    locked(sleep.needless());
    return sleep;
  }

  bool give_up() {
    if (phase_ == Phase::fresh) return true;
    if (phase_ == Phase::waiting) relock(notified());
    return locked(relocking_->attempt());
  }

  bool result() {
    if (!*held_) relocking_->result();  // throws OwnerDied
    return notified_;
  }

 private:
  enum class Phase : std::uint8_t { fresh, waiting, relocking };

  void begin() {
    lock_ = held_->lock();
    state_->waiting.fetch_add(1, std::memory_order_relaxed);
    seen_ = state_->sequence.load(std::memory_order_relaxed);
    try {
      depth_ = lock_->unlock_fully();
    } catch (...) {
      state_->waiting.fetch_sub(1, std::memory_order_relaxed);
      throw;
    }
    held_->release();
    // Made here, by the one who waits: an attempt may be made on its behalf by another, who is not the lock's next owner.
    relocking_.emplace(lock_->relock_op(depth_));
    phase_ = Phase::waiting;
  }

  [[nodiscard]] bool notified() const noexcept { return state_->sequence.load(std::memory_order_relaxed) != seen_; }

  void relock(bool notified) {
    notified_ = notified;
    state_->waiting.fetch_sub(1, std::memory_order_relaxed);
    phase_ = Phase::relocking;
  }

  // From here on the guard holds the lock again, whoever looks at it: also if the wait ends by an exception.
  bool locked(bool done) {
    if (done && relocking_->taken()) *held_ = Guard<L>(*lock_);
    return done;
  }

  State* state_;
  Guard<L>* held_;
  L* lock_ = nullptr;
  std::uint32_t seen_ = 0;
  std::uint32_t depth_ = 0;
  Phase phase_ = Phase::fresh;
  bool notified_ = false;
  bool once_;
  bool announced_ = false;
  std::optional<typename L::LockOperation> relocking_;
};

}  // namespace trine
