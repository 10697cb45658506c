// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <trine/backend.hpp>
#include <trine/error.hpp>
#include <trine/lock_word.hpp>

namespace trine {

/// Takes a LockWord for the owner `me`: the waiting operation of Lock, and one half of RecursiveLock's.
/// Small enough to travel in registers, which keeps it out of memory where the lock is free.
template <class B>
class LockWordOperation : public OperationOf<bool, B> {
  using Word = LockWord<B>;

 public:
  /// Whether the lock belongs to the caller who takes it: only then does holder() have to find out who that is.
  static constexpr bool owned_by_thread = !requires { typename std::integral_constant<std::uint32_t, B::holder()>; };

  LockWordOperation(Word& word, std::uint32_t me, typename Word::Mode mode) noexcept
      : word_(&word), me_(me), mode_(mode) {}

  bool attempt() {
    outcome_ = word_->attempt(me_, mode_);
    return outcome_ != Word::Outcome::busy;
  }

  Sleep<typename B::Word> announce() { return word_->announce(me_, mode_, outcome_); }

  [[nodiscard]] bool taken() const noexcept { return outcome_ == Word::Outcome::taken; }

  /// For one who looks on before it sleeps, how many pauses to make between two looks: whoever frees a lock for which others compete
  /// soon takes it again, and each look takes the word's cache line away from him.
  static constexpr std::uint32_t patience() noexcept { return 32; }

  bool result() const {
    if (outcome_ == Word::Outcome::owner_died) fail<OwnerDied>();
    return taken();
  }

 protected:
  Word* word_;
  std::uint32_t me_;
  typename Word::Mode mode_;
  typename Word::Outcome outcome_ = Word::Outcome::busy;
};

/// The operation O, with a guard of the lock L for its result.
template <class O, class G, class L>
class GuardOf : public O {
 public:
  using Result = G;

  GuardOf(L& lock, const O& operation) noexcept : O(operation), lock_(&lock) {}

  G result() { return O::result() ? G(*lock_) : G(); }

 private:
  L* lock_;
};

}  // namespace trine
