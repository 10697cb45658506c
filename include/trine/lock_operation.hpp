// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include <trine/backend.hpp>
#include <trine/error.hpp>
#include <trine/lock_word.hpp>

namespace trine {

/// Takes a LockWord for the owner `me`: the waiting operation of Lock, and one half of RecursiveLock's.
template <class L, class B>
class LockWordOperation : public OperationOf<bool, B> {
  using Word = LockWord<B>;

 public:
  LockWordOperation(L& lock, Word& word, std::uint32_t me, typename Word::Mode mode) noexcept
      : lock_(&lock), word_(&word), me_(me), mode_(mode) {}

  bool attempt() noexcept {
    outcome_ = word_->attempt(me_, mode_);
    return outcome_ != Word::Outcome::busy;
  }

  Sleep<typename B::Word> announce() { return word_->announce(me_, mode_, outcome_); }

  bool result() const {
    if (outcome_ == Word::Outcome::owner_died) throw OwnerDied();
    return outcome_ == Word::Outcome::taken;
  }

 protected:
  [[nodiscard]] L& lock() const noexcept { return *lock_; }

  L* lock_;
  Word* word_;
  std::uint32_t me_;
  typename Word::Mode mode_;
  typename Word::Outcome outcome_ = Word::Outcome::busy;
};

/// The same operation, with a guard for its result.
template <class O, class G>
class GuardOf : public O {
 public:
  using Result = G;
  using O::O;

  G result() { return O::result() ? G(O::lock()) : G(); }
};

}  // namespace trine
