// SPDX-License-Identifier: BSL-1.0
//
// References for hand-overs: who waits does nothing but sleep, or nothing but look on. A good wait is near the better of the
// two in each placement.
#pragma once

#include <atomic>
#include <cstdint>

#include <trine/os/pause.hpp>

#include "list.hpp"

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bench {

/// Whoever waits keeps its core: not for more parties than there are cores.
struct Spinning {
  static constexpr const char* name = "limit_spin";
  static constexpr bool needs_cores = true;

  static void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
    while (word.load(std::memory_order_acquire) == value) trine::os::pause();
  }
  static void wake_all(std::atomic<std::uint32_t>&) {}
};

#ifdef __linux__
struct Parking {
  static constexpr const char* name = "limit_park";
  static constexpr bool needs_cores = false;

  static void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
    while (word.load(std::memory_order_acquire) == value) ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr);
  }
  static void wake_all(std::atomic<std::uint32_t>& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX); }
};
#endif

template <class Waiting>
struct LimitEvent : Waiting {
  bool wait() const {
    Waiting::wait_while(word, 0);
    return true;
  }
  void set() {
    word.store(1, std::memory_order_release);
    Waiting::wake_all(word);
  }
  void clear() { word.store(0, std::memory_order_relaxed); }

  std::atomic<std::uint32_t> word{0};
};

template <class Waiting>
struct LimitBarrier : Waiting {
  explicit LimitBarrier(std::uint32_t count) : parties(count) {}

  void wait() {
    const std::uint32_t now = generation.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == parties) {
      arrived.store(0, std::memory_order_relaxed);
      generation.store(now + 1, std::memory_order_release);
      Waiting::wake_all(generation);
    } else {
      Waiting::wait_while(generation, now);
    }
  }

  const std::uint32_t parties;
  alignas(64) std::atomic<std::uint32_t> arrived{0};
  alignas(64) std::atomic<std::uint32_t> generation{0};
};

#ifdef __linux__
inline constexpr List<LimitEvent<Parking>, LimitEvent<Spinning>> limit_events;
inline constexpr List<LimitBarrier<Parking>, LimitBarrier<Spinning>> limit_barriers;
#else
inline constexpr List<LimitEvent<Spinning>> limit_events;
inline constexpr List<LimitBarrier<Spinning>> limit_barriers;
#endif

}  // namespace bench
