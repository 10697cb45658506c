// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include <trine/backend.hpp>
#include <trine/error.hpp>

namespace trine {

/// Who owns a lock: the word that Lock, RecursiveLock and the writing side of SharedLock have in common.
///
/// | value | meaning |
/// | 0 | free |
/// | owner (bits 0-29) | owned, and nobody sleeps |
/// | owner + sleepers | owned, and somebody may sleep; one who was woken sets the mark again, by its own taking or sleeping |
/// | sleepers | free, where the backend keeps the mark until it knows that nobody sleeps |
/// | died [+ sleepers] | the owner died; only a recovering taker may have it |
///
/// Invariant: where the mark is missing although somebody sleeps, one who was woken, or whose mark was lost, is on its way.
///
/// Order: taking acquires, freeing releases, so that what one owner did is visible to the next.
/// The states are those of the futex mutex in U. Drepper, "Futexes Are Tricky", with the owner's number for the 1.
template <class B>
class LockWord {
 public:
  using Word = typename B::Word;

  static constexpr std::uint32_t sleepers = 1U << 31;
  static constexpr std::uint32_t died = owner_word::died;

  static constexpr std::string_view type_name = "Lock";

  enum class Outcome : std::uint8_t { busy, taken, owner_died };
  enum class Mode : std::uint8_t { ordinary, recovering };

  [[nodiscard]] static constexpr std::uint32_t owner_of(std::uint32_t word) noexcept { return owner_word::owner_of(word); }

  [[nodiscard]] std::uint32_t owner() const noexcept { return owner_of(owned_.word.load(std::memory_order_relaxed)); }

  /// Whether `me`, the caller, owns it. Relaxed is enough: nobody else writes the caller's number.
  [[nodiscard]] bool owned_by(std::uint32_t me) const {
    if constexpr (requires { B::owns(owned_, me); }) {
      return B::owns(owned_, me);
    } else {
      return owner() == me;
    }
  }

  /// Takes the word for `me` if it is free. Acquire: pairs with the release in B::vacate.
  Outcome attempt(std::uint32_t me, Mode mode, std::memory_order order = std::memory_order_acquire) {
    std::uint32_t seen = 0;
    if (B::claim(owned_, seen, me, order)) [[likely]]
      return Outcome::taken;
    while (owner_of(seen) == 0) {
      if ((seen & died) != 0 && mode == Mode::ordinary) return Outcome::owner_died;
      if (B::claim(owned_, seen, me | (seen & sleepers), order)) return Outcome::taken;
    }
    return Outcome::busy;
  }

  /// The same for one who has slept or is going to: it takes the word with the mark, for there may be others.
  Sleep<Word> announce(std::uint32_t me, Mode mode, Outcome& outcome, std::memory_order order = std::memory_order_acquire) {
    std::uint32_t seen = owned_.word.load(std::memory_order_relaxed);
    for (;;) {
      if (owner_of(seen) != 0) {
        outcome = Outcome::busy;
        if (const auto sleep = mark(seen, 0); !sleep.needless()) return sleep;
        seen = owned_.word.load(std::memory_order_relaxed);
      } else if ((seen & died) != 0 && mode == Mode::ordinary) {
        outcome = Outcome::owner_died;
        B::wake(owned_.word, everyone);  // one was woken by the death; all are to hear of it
        return {};
      } else if (B::claim(owned_, seen, me | sleepers, order)) {
        outcome = Outcome::taken;
        return {};
      }
    }
  }

  /// Sleeps on the word without wanting it: until its owner has freed it. `seen`: what it held, with an owner. Needless: it
  /// is to be looked at again.
  Sleep<Word> watch(std::uint32_t seen) { return mark(seen, everyone); }

  [[nodiscard]] std::uint32_t load(std::memory_order order) const noexcept { return owned_.word.load(order); }

  /// Frees the word, which `me` owns, and wakes up to `count` sleepers. Throws NotLocked if nobody owns it, and NotOwner if
  /// another does where the backend watches owners; it is unchanged then.
  void vacate(std::uint32_t me, std::uint32_t count = 1) {
    if (const std::uint32_t held = owner_of(B::vacate(owned_, me, sleepers, count)); held != me) [[unlikely]]
      refuse(held);
  }

  [[noreturn]] static void refuse(std::uint32_t owner) {
    if (owner == 0) fail<NotLocked>();
    fail<NotOwner>();
  }

 private:
  Sleep<Word> mark(std::uint32_t seen, std::uint32_t woken) {
    B::look_after(owned_);
    return B::mark(owned_.word, seen, sleepers, std::memory_order_relaxed, woken);
  }

  typename B::Owned owned_;
};

}  // namespace trine
