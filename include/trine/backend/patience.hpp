// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace trine {

/// How long one who needs what the other end of a queue does looks away before it looks at that end's index again: learnt by the
/// end, and made of pauses of `Os`.
///
/// Each look takes a cache line from the other end's party, who needs it for the next item. Where both are fast, looking at every
/// chance brings one item for each look, and both are as slow as the line travels; one that looks away finds several, and both are
/// as fast as the slower of them. Where the other party answers to what it gets, as in a round trip, looking away is time
/// lost. So a waiter looks away while that brings several, stops when it brought one, and tries again with every sixteenth wait.
///
/// Ends that are equally fast find one item with each look and never wait. So one whose last look found a single item lingers
/// before the next, whether it would have to wait or not. If that brings several it goes on so, but for each 64th time: then it
/// looks at once, and if that brings several too, lingering is given up for as long as it does. Where lingering brings no
/// more, it tries the less often the more often it was in vain: where one thread puts and gets in turn, each look brings one
/// item, and costs nothing.
/// All this decides nothing but time.
template <class Os>
class Patience {
 public:
  /// The waiter's pauses between two looks.
  [[nodiscard]] std::uint32_t pauses() const noexcept { return pauses_.load(std::memory_order_relaxed); }

  /// Before an operation that may wait, without the gate: looks away if the operation is the first to need another look, and
  /// if that pays.
  [[gnu::always_inline]] void linger() noexcept {
    if (state_.load(std::memory_order_relaxed) == due) [[unlikely]]
      look_away();
  }

  /// Whether the last look found nothing, so that another that has no time to wait may spare itself the gate. Without it.
  [[nodiscard]] bool found_nothing() const noexcept { return state_.load(std::memory_order_relaxed) == waiting; }

  /// What the caller is about to read, or to write, lies here: to have it brought from another core meanwhile.
  [[gnu::always_inline]] static void fetch(const void* line) noexcept { Os::fetch(line); }
  [[gnu::always_inline]] static void fetch_to_write(const void* line) noexcept { Os::fetch_to_write(line); }

  // The rest: with the end's gate held.

  /// A look found so many items, or places; 0: one has to wait. `busy`: the other end seems to be, so the two should keep out of
  /// each other's way. `turn`: differs from look to look.
  [[gnu::always_inline]] void found(std::uint32_t count, bool busy, std::uint32_t turn) noexcept {
    const bool tries = busy && turn % (1U << in_vain_ % 16) == 0;
    // Where one thread puts and gets in turn: no stores, which the locked instruction that follows would have to wait for.
    if (count == 1 && !tries && state_.load(std::memory_order_relaxed) == idle) [[likely]]
      return;
    learn(count, busy, tries);
  }

  /// What the last look found is used up: the next operation needs another look.
  [[gnu::always_inline]] void used_up() noexcept {
    if (state_.load(std::memory_order_relaxed) == pays) [[unlikely]]
      state_.store(due, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint8_t away = 16;
  static constexpr std::uint8_t longer = 32;
  static constexpr std::uint32_t many = 64;
  static constexpr std::uint8_t unproven = 4;
  static constexpr std::uint8_t rarest = 12;
  // The last look found nothing; it pays to linger before the next; that is the next thing to do; it was done; it is left out
  // for once. No enum: this may lie in memory that somebody damaged, and be any number.
  static constexpr std::uint8_t idle = 0, waiting = 1, pays = 2, due = 3, done = 4, probing = 5;

  [[gnu::noinline]] void learn(std::uint32_t count, bool busy, bool tries) noexcept {
    const std::uint8_t state = state_.load(std::memory_order_relaxed);
    if (count != 0) ++turn_;
    if (state == done) {
      in_vain_ = count > 1 ? std::uint8_t{0} : static_cast<std::uint8_t>(std::min<unsigned>(in_vain_ + 1U, rarest));
    } else if (state == probing && count > 1) {
      in_vain_ = unproven;
    } else if (state == waiting && count != 0) {
      pauses_.store(count > 1 || turn_ % 16 == 0 ? away : std::uint8_t{1}, std::memory_order_relaxed);
    }
    const bool lingers = busy && (count == 1 ? tries && state != waiting : count < many && in_vain_ == 0);
    const std::uint8_t next = lingers ? turn_ % 64 == 0 ? probing : pays : idle;
    state_.store(count == 0 ? waiting : next, std::memory_order_relaxed);
  }

  [[gnu::noinline, gnu::cold]] void look_away() noexcept {
    for (std::uint8_t i = 0; i < longer; ++i) Os::pause();
    // Another may have looked meanwhile, and what the end learns from a wrong answer here costs time alone.
    if (state_.load(std::memory_order_relaxed) == due) state_.store(done, std::memory_order_relaxed);
  }

  std::atomic<std::uint8_t> pauses_{1};
  std::atomic<std::uint8_t> state_{idle};
  std::uint8_t turn_ = 0;
  std::uint8_t in_vain_ = unproven;  // how often in a row lingering brought nothing: so rarely, each time half, is it tried
};

/// For those who do not look on before they sleep: there is nothing to learn.
struct NoPatience {
  [[nodiscard]] static constexpr std::uint32_t pauses() noexcept { return 1; }
  [[nodiscard]] static constexpr bool found_nothing() noexcept { return false; }
  static constexpr void fetch(const void*) noexcept {}
  static constexpr void fetch_to_write(const void*) noexcept {}
  static constexpr void linger() noexcept {}
  static constexpr void found(std::uint32_t, bool, std::uint32_t) noexcept {}
  static constexpr void used_up() noexcept {}
};

}  // namespace trine
