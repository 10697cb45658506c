// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

#include <trine/backend/blocking.hpp>

namespace trine::coroutine {

/// What the backend of coroutines has of words: those that `Wakes` wakes, with short locks whose callers sleep by `Short`.
template <class Wakes, class Short>
struct CoroutineWords {
  using Words = Blocking<Wakes>;

  using Word = typename Words::Word;
  template <class T>
  using Atomic = typename Words::template Atomic<T>;
  template <class T>
  using Cell = typename Words::template Cell<T>;
  template <class S>
  using Storage = typename Words::template Storage<S>;
  template <class T>
  using Attached = typename Words::template Attached<T>;

  using Owned = typename Words::Owned;
  using Tally = typename Words::Tally;
  using Escrow = typename Words::Escrow;
  using Flag = typename Words::Flag;
  using Patience = NoPatience;
  /// Blocks the thread, for a few instructions.
  using ShortLock = typename Blocking<Short>::ShortLock;

  static bool claim(Owned& owned, std::uint32_t& expected, std::uint32_t desired, std::memory_order order) {
    return Words::claim(owned, expected, desired, order);
  }
  static std::uint32_t vacate(Owned& owned, std::uint32_t me, std::uint32_t sleepers, std::uint32_t count) {
    return Words::vacate(owned, me, sleepers, count);
  }
  static void abandon(Owned& owned) { Words::abandon(owned); }
  static Sleep<Word> mark(Word& word, std::uint32_t seen, std::uint32_t sleepers, std::memory_order order,
                          std::uint32_t woken) {
    return Words::mark(word, seen, sleepers, order, woken);
  }
  /// Whoever dies takes all others along.
  static constexpr bool mortal = false;

  static void look_after(Owned& owned) noexcept { Words::look_after(owned); }
  static void wake(Word& word, std::uint32_t count) noexcept { Wakes::wake(word, count); }

  /// Anyone may unlock what another locked, so all are one.
  static constexpr std::uint32_t holder() noexcept { return 1; }
};

}  // namespace trine::coroutine
