// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include <trine/backend/blocking.hpp>
#include <trine/os/futex.hpp>
#include <trine/os/parking_lot.hpp>

namespace trine {

/// The calling thread waits, given how it sleeps.
template <class Os>
struct ThreadsOver : Blocking<Os> {
  /// What carries out a task of a TaskGroup: started by its constructor, with join().
  using Worker = std::thread;

  /// The calling thread, as a number that is never zero, fits in 30 bits and belongs to no other living thread. A child
  /// made by fork() keeps that of the thread that forked.
  static std::uint32_t self() noexcept {
    static constinit thread_local std::uint32_t id = 0;
    if (id == 0) [[unlikely]] id = next_id();
    return id;
  }

 private:
  // Relaxed: only uniqueness matters. After 2^30 threads the numbers begin again.
  [[gnu::noinline]] static std::uint32_t next_id() noexcept {
    static constinit std::atomic<std::uint32_t> last{0};
    for (;;) {
      const std::uint32_t id = (last.fetch_add(1, std::memory_order_relaxed) + 1) & ((1U << 30) - 1);
      if (id != 0) return id;
    }
  }
};

/// The calling thread blocks; objects live anywhere in this process. Sleeps by futex on Linux.
struct threads : ThreadsOver<os::PrivateFutex> {
  /// For select(): the backends of which operations can be waited for together, and how.
  using Together = Blocking<os::AnyFutex>;
};

/// As threads, from the standard library alone: a table of waiters with mutexes and condition variables. It is what
/// `threads` is where the system has no futex, and it is here by name so that it can be tested and compared everywhere.
struct portable_threads : ThreadsOver<os::ParkingLot<>> {};

}  // namespace trine
