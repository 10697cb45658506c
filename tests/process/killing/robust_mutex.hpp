// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <pthread.h>

namespace trine_test {

/// A robust mutex of the C library, between processes.
struct RobustMutex {
  pthread_mutex_t mutex;

  RobustMutex() {
    pthread_mutexattr_t kind;
    ::pthread_mutexattr_init(&kind);
    ::pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    ::pthread_mutex_init(&mutex, &kind);
    ::pthread_mutexattr_destroy(&kind);
  }
  RobustMutex(const RobustMutex&) = delete;
  RobustMutex& operator=(const RobustMutex&) = delete;
};

}  // namespace trine_test
