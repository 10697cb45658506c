// SPDX-License-Identifier: BSL-1.0
//
// Semaphores: constructed with a number of permits; acquire(), release().
#pragma once

#include <semaphore.h>

#include <semaphore>

#include <trine/semaphore.hpp>

#include "folly.hpp"
#include "list.hpp"

#ifdef TRINE_HAVE_MOODYCAMEL
#include <lightweightsemaphore.h>
#endif

namespace bench {

struct PosixSemaphore {
  static constexpr const char* name = "sem_t";

  explicit PosixSemaphore(int permits) { sem_init(&semaphore, 0, static_cast<unsigned>(permits)); }
  PosixSemaphore(const PosixSemaphore&) = delete;
  PosixSemaphore& operator=(const PosixSemaphore&) = delete;
  ~PosixSemaphore() { sem_destroy(&semaphore); }

  void acquire() { sem_wait(&semaphore); }
  void release() { sem_post(&semaphore); }

  sem_t semaphore;
};

#ifdef TRINE_HAVE_MOODYCAMEL
struct MoodycamelSemaphore {
  static constexpr const char* name = "moodycamel";

  explicit MoodycamelSemaphore(int permits) : semaphore(permits) {}

  void acquire() { semaphore.wait(); }
  void release() { semaphore.signal(); }

  moodycamel::LightweightSemaphore semaphore;
};
inline constexpr List<MoodycamelSemaphore> moodycamel_semaphores;
#else
inline constexpr List<> moodycamel_semaphores;
#endif

inline constexpr auto semaphores =
    List<Named<"trine", trine::Semaphore<>>, Named<"trine_portable", trine::Semaphore<trine::portable_threads>>,
         Named<"std_counting_semaphore", std::counting_semaphore<>>, Named<"std_binary_semaphore", std::binary_semaphore>,
         PosixSemaphore>() +
    moodycamel_semaphores + folly_semaphores;

}  // namespace bench
