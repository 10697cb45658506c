// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

namespace trine {

/// How long one who waits at an end of a queue looks away before it looks at the other end's index again: learnt by the end.
///
/// Each look takes a cache line from the other end's party, who needs it for the next item. Where both are fast, looking at every
/// chance brings one item for each look, and both are as slow as the line travels; one that looks away finds several, and both are
/// as fast as the slower of them. Where the other party answers to what it gets, as in a round trip, looking away is time
/// lost. So a waiter looks away while that brings several, stops when it brought one, and tries again with every sixteenth wait.
/// It decides nothing but time.
class Patience {
 public:
  /// The waiter's pauses between two looks.
  [[nodiscard]] std::uint32_t pauses() const noexcept { return pauses_.load(std::memory_order_relaxed); }

  /// A look found so many items, or places; 0: one has to wait. With the end's gate held.
  void found(std::uint32_t count) noexcept {
    if (count == 0) {
      waiting_ = 1;
    } else if (waiting_ != 0) {
      waiting_ = 0;
      const bool tries = turn_++ % 16 == 15;
      pauses_.store(count > 1 || tries ? away : std::uint8_t{1}, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr std::uint8_t away = 16;

  std::atomic<std::uint8_t> pauses_{1};
  std::uint8_t turn_ = 0;
  std::uint8_t waiting_ = 0;  // no bool: it may lie in memory that somebody damaged, and be any number
};

/// For those who do not look on before they sleep: there is nothing to learn.
struct NoPatience {
  [[nodiscard]] static constexpr std::uint32_t pauses() noexcept { return 1; }
  static constexpr void found(std::uint32_t) noexcept {}
};

}  // namespace trine
