// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include <trine/backend.hpp>

namespace trine {

/// What the parties of a Barrier share.
template <class B>
struct BarrierState {
  using Word = typename B::Word;

  static constexpr std::string_view type_name = "Barrier";

  // | bits | meaning |
  // | 0    | sleepers: somebody may sleep on the phase (may be stale-set, never stale-clear) |
  // | 1    | broken: nobody may arrive, those inside leave with BrokenBarrier |
  // | 2    | leaving: reset() was called; those inside leave with BrokenBarrier, and nobody may arrive until they have |
  // | 3-31 | generation |
  // All but the first bit are written with the gate held. A generation comes again after 2^29 others; a party that slept
  // through exactly so many waits for the next.
  static constexpr std::uint32_t sleepers = 1;
  static constexpr std::uint32_t broken_bit = 2;
  static constexpr std::uint32_t leaving = 4;
  static constexpr std::uint32_t generation = 8;

  static constexpr std::ptrdiff_t most_parties = B::Tally::most;

  explicit BarrierState(std::ptrdiff_t count, std::chrono::nanoseconds each = std::chrono::nanoseconds::max())
      : parties(static_cast<std::uint32_t>(count)), limit(each.count()) {
    if (count < 1) throw std::invalid_argument("trine: Barrier: parties must be positive");
    if (count > most_parties) throw std::invalid_argument("trine: Barrier: too many parties");
  }

  [[nodiscard]] std::uint32_t look() const noexcept { return phase.load(std::memory_order_relaxed); }

  // How many have arrived, and not left, in the present generation.
  [[nodiscard]] std::uint32_t inside() const { return arrived.count(look() / generation); }

  // Whether a party of this generation has died, be it as it came or left, for which it holds the gate.
  [[nodiscard]] bool lost(std::uint32_t tag) { return arrived.lost(tag) || gate.lost(); }

  [[nodiscard]] bool whole() const noexcept { return (look() & (broken_bit | leaving)) == 0; }

  // The following are called with the gate held, and return the phase before, whose mark says whom to wake.
  // Release: pairs with the acquire of those who look at the phase.
  std::uint32_t begin_next() {
    arrived.clear();
    return phase.exchange((look() / generation + 1) * generation, std::memory_order_release);
  }

  std::uint32_t leave() {
    arrived.leave();
    return (look() & leaving) != 0 && inside() == 0 ? begin_next() : 0;
  }

  std::uint32_t become(std::uint32_t flag) noexcept {
    return phase.exchange(look() / generation * generation | flag, std::memory_order_release);
  }

  // One who dies with the gate held was a party: it breaks the barrier, whatever it was about to do.
  void close_gate() {
    if (gate.lock()) [[likely]]
      return;
    become(broken_bit);
    B::wake(phase, everyone);
  }

  void open_gate_and_wake(std::uint32_t before) {
    gate.unlock();
    if ((before & sleepers) != 0) B::wake(phase, everyone);
  }

  void break_now(bool leave_too) {
    close_gate();
    const std::uint32_t before = become(broken_bit);
    open_gate_and_wake(leave_too ? before | leave() : before);
  }

  void reset() {
    close_gate();
    open_gate_and_wake(inside() == 0 ? begin_next() : become(leaving));
  }

  typename B::ShortLock gate;
  Word phase{0};
  typename B::Tally arrived;  // those of this generation, and those who have not left a broken one
  const std::uint32_t parties;
  const std::int64_t limit;  // of each wait, in nanoseconds; the largest: none
};

}  // namespace trine
