// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

namespace trine {

/// How long an end of a queue looks away before it looks at the other end's index: learnt by the end that looks.
///
/// Each look takes a cache line from the other end's party, who needs it for the next item. Where both are fast, looking at every
/// chance brings one item for each look, and both are as slow as the line travels; one that looks away finds several, and both are
/// as fast as the slower of them. Where the other party answers to what it gets, as in a round trip, looking away is time
/// lost. So a waiter looks away while that brings several, stops when it brought one, and tries again with every sixteenth wait;
/// and one that need not wait, but found a single item with each of some looks, does the same.
///
/// All but pauses() is called with the end's gate held. It decides nothing but time.
template <class Os>
class Patience {
 public:
  /// The waiter's pauses between two looks.
  [[nodiscard]] std::uint32_t pauses() const noexcept { return pauses_.load(std::memory_order_relaxed); }

  /// One who need not wait so far is about to look.
  void before_look() noexcept {
    if (steps_ != many_steps) return;
    for (std::uint32_t i = 0; i < away; ++i) Os::pause();
  }

  /// A look found so many items, or places; 0: one has to wait.
  void found(std::uint32_t count) noexcept {
    if (count == 0) {
      waiting_ = true;
      steps_ = 0;
    } else if (waiting_) {
      waiting_ = false;
      const bool tries = turn_++ % 16 == 15;
      pauses_.store(count > 1 || tries ? away : std::uint8_t{1}, std::memory_order_relaxed);
    } else if (count == 1) {
      steps_ = steps_ == many_steps ? std::uint8_t{0} : static_cast<std::uint8_t>(steps_ + 1);
    } else if (steps_ != many_steps) {
      steps_ = 0;
    }
  }

 private:
  static constexpr std::uint8_t away = 16;
  static constexpr std::uint8_t many_steps = 4;

  std::atomic<std::uint8_t> pauses_{1};
  std::uint8_t turn_ = 0;
  std::uint8_t steps_ = 0;  // how many looks in a row found one item each; many_steps: looking away pays
  bool waiting_ = false;
};

/// For those who do not look on before they sleep: there is nothing to learn.
struct NoPatience {
  [[nodiscard]] static constexpr std::uint32_t pauses() noexcept { return 1; }
  static constexpr void before_look() noexcept {}
  static constexpr void found(std::uint32_t) noexcept {}
};

}  // namespace trine
