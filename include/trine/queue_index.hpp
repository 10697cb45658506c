// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

namespace trine {

/// The indices of the two ends of a queue.
///
/// | bits of an index | meaning |
/// | 0    | closed: the queue was shut down; written with the end's gate held |
/// | 1-31 | how many items were put (putting end) or got (getting end), modulo 2^31 |
/// The indices are at most 2^30 apart, so their difference tells how many items there are.
struct QueueIndex {
  static constexpr std::uint32_t closed = 1;
  static constexpr std::uint32_t one = 2;
  static constexpr std::uint32_t most = std::uint32_t{1} << 30;
  static constexpr std::uint32_t positions = std::uint32_t{1} << 31;  // as many numbers an item can have

  static std::uint32_t distance(std::uint32_t behind, std::uint32_t ahead) noexcept {
    return (ahead / one - behind / one) % positions;
  }

  /// For one who waits: whether a try with the gate held could bring nothing new, as there is nothing to get. So those who look
  /// on leave the gate to others, and its cache line to the other end's party.
  template <class Index>
  static bool still_empty(const Index& put_index, const Index& get_index) noexcept {
    return inside(put_index, get_index, 1) == 0;
  }

  /// The same where there is no room to put.
  template <class Index>
  static bool still_full(const Index& put_index, const Index& get_index, std::uint32_t limit) noexcept {
    return inside(put_index, get_index, limit - 1) >= limit;
  }

 private:
  // How many there are, or what is said if the queue was shut down: then there is something to hear of. Acquire: the index of
  // the puts is read after that of the gets, so if they are equal the queue was empty at that moment. Relaxed else: the same is
  // read again with the gate held before anything is done. A wrong answer costs one who looks on a moment. One who is about to
  // sleep has raised a flag before: what was published before a look at the flag that missed that, is seen here; whoever
  // publishes later wakes.
  template <class Index>
  static std::uint32_t inside(const Index& put_index, const Index& get_index, std::uint32_t if_closed) noexcept {
    const std::uint32_t got = get_index.load(std::memory_order_acquire);
    const std::uint32_t put = put_index.load(std::memory_order_relaxed);
    return (put & closed) != 0 ? if_closed : distance(got, put);
  }
};

}  // namespace trine
