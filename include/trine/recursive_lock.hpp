// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/guard.hpp>
#include <trine/lock_operation.hpp>
#include <trine/lock_word.hpp>
#include <trine/until.hpp>

namespace trine {

/// A Lock that its owner may lock again; it is free when it was unlocked as often.
///
///     trine::RecursiveLock lock;
///     auto outer = lock.guard();
///     auto inner = lock.guard();  // depth() == 2
///
/// Visibility, lifetime, fairness and owner's death are as with Lock. The owner is the calling thread, the thread of a
/// process, or the coroutine task (see Awaiting for coroutines that are not tasks); unlocking by another throws NotOwner, of a
/// free one NotLocked. Locking again costs one load and no atomic read-modify-write. An operation made by lock_op() locks for
/// the one who made it.
template <class B = threads>
class RecursiveLock {
  using Word = LockWord<B>;
  struct State;

 public:
  class LockOperation;
  using GuardOperation = GuardOf<LockOperation, Guard<RecursiveLock>, RecursiveLock>;

  RecursiveLock() = default;
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create.
  template <NameTagOf<B> Tag>
  RecursiveLock(Tag tag, std::string_view name) : state_(tag, name) {}
  RecursiveLock(const RecursiveLock&) = delete;
  RecursiveLock& operator=(const RecursiveLock&) = delete;

  /// Waits until the lock is the caller's, or goes one deeper: true, or false when it gave up.
  typename B::template Result<bool> lock(const Until& until = Until::forever()) { return B::run(lock_op(), until); }

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

  /// Goes one level up, and frees the lock at the last. Throws NotLocked or NotOwner; the lock is unchanged then.
  void unlock() {
    require_owner();
    std::uint32_t& depth = state_->depth.write();
    if (--depth == 0) state_->word.vacate(B::self());
  }

  /// Whether anyone holds it at this moment.
  [[nodiscard]] bool locked() const noexcept { return state_->word.owner() != 0; }

  /// How often the caller has locked it; 0 if it is not the owner.
  [[nodiscard]] std::uint32_t depth() const noexcept {
    return state_->word.owned_by(B::self()) ? state_->depth.read() : 0;
  }

  [[nodiscard]] typename B::template Result<Guard<RecursiveLock>> guard(const Until& until = Until::forever()) {
    return B::run(guard_op(), until);
  }

  /// guard(), which takes the lock after its owner's death as well.
  [[nodiscard]] typename B::template Result<Guard<RecursiveLock>> recover(const Until& until = Until::forever()) {
    return B::run(recover_op(), until);
  }

  [[nodiscard]] LockOperation lock_op() noexcept { return {*state_, Word::Mode::ordinary}; }
  [[nodiscard]] GuardOperation guard_op() noexcept { return {*this, lock_op()}; }
  [[nodiscard]] GuardOperation recover_op() noexcept {
    return {*this, LockOperation(*state_, Word::Mode::recovering)};
  }

  /// For Condition: unlocks every level and says how many there were; and the operation that restores them.
  std::uint32_t unlock_fully() {
    require_owner();
    const std::uint32_t depth = std::exchange(state_->depth.write(), 0);
    state_->word.vacate(B::self());
    return depth;
  }
  [[nodiscard]] LockOperation relock_op(std::uint32_t depth) noexcept {
    return {*state_, Word::Mode::ordinary, depth};
  }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  struct State {
    static constexpr std::string_view type_name = "RecursiveLock";

    Word word;
    typename B::template Cell<std::uint32_t> depth;  // of the owner, who alone touches it
  };

  void require_owner() const {
    if (!state_->word.owned_by(B::self())) [[unlikely]]
      Word::refuse(state_->word.owner());
  }

  typename B::template Storage<State> state_;
};

template <class B>
class RecursiveLock<B>::LockOperation : public LockWordOperation<B> {
  using Base = LockWordOperation<B>;

 public:
  static constexpr bool owned_by_thread = true;

  LockOperation(State& state, typename Word::Mode mode, std::uint32_t levels = 1) noexcept
      : Base(state.word, B::self(), mode), depth_(&state.depth), levels_(levels) {}

  // Another level needs no atomic read-modify-write: only the caller can have put its own number there.
  bool attempt() {
    if (this->word_->owned_by(this->me_)) {
      this->outcome_ = Word::Outcome::taken;
      ++depth_->write();
      return true;
    }
    return begin(Base::attempt());
  }

  Sleep<typename B::Word> announce() {
    const auto sleep = Base::announce();
    begin(sleep.needless());
    return sleep;
  }

 private:
  bool begin(bool done) noexcept {
    if (this->outcome_ == Word::Outcome::taken) depth_->write() = levels_;
    return done;
  }

  typename B::template Cell<std::uint32_t>* depth_;
  std::uint32_t levels_;
};

}  // namespace trine
