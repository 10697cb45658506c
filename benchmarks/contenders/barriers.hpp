// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <pthread.h>

#include <barrier>
#include <latch>

#include <trine/barrier.hpp>
#include <trine/latch.hpp>

#include "list.hpp"

namespace bench {

// Latches: constructed with a count; count_down(), try_wait() -> bool.

inline constexpr List<Named<"trine", trine::Latch<>>, Named<"trine_portable", trine::Latch<trine::portable_threads>>,
                      Named<"std_latch", std::latch>>
    latches;

// Barriers: constructed with a number of parties; wait().

struct StdBarrier {
  static constexpr const char* name = "std_barrier";

  explicit StdBarrier(int parties) : barrier(parties) {}

  void wait() { barrier.arrive_and_wait(); }

  std::barrier<> barrier;
};

struct PosixBarrier {
  static constexpr const char* name = "pthread_barrier";

  explicit PosixBarrier(int parties) { pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(parties)); }
  PosixBarrier(const PosixBarrier&) = delete;
  PosixBarrier& operator=(const PosixBarrier&) = delete;
  ~PosixBarrier() { pthread_barrier_destroy(&barrier); }

  void wait() { pthread_barrier_wait(&barrier); }

  pthread_barrier_t barrier;
};

inline constexpr List<Named<"trine", trine::Barrier<>>, Named<"trine_portable", trine::Barrier<trine::portable_threads>>,
                      StdBarrier, PosixBarrier>
    barriers;

}  // namespace bench
