// SPDX-License-Identifier: BSL-1.0
//
// Locks: lock(), unlock(); recursive and shared ones: also lock_shared(), unlock_shared().
#pragma once

#include <pthread.h>

#include <mutex>
#include <shared_mutex>

#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/shared_lock.hpp>

#include "folly.hpp"
#include "list.hpp"

#ifdef TRINE_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#endif

#ifdef TRINE_HAVE_NSYNC
#include <nsync.h>
#endif

#ifdef TRINE_HAVE_TBB
#include <oneapi/tbb/mutex.h>
#include <oneapi/tbb/rw_mutex.h>
#include <oneapi/tbb/spin_mutex.h>
#endif

namespace bench {

/// Spins a while before it sleeps.
class AdaptiveMutex {
 public:
  static constexpr const char* name = "pthread_adaptive";

  AdaptiveMutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&mutex_, &attributes);
    pthread_mutexattr_destroy(&attributes);
  }
  AdaptiveMutex(const AdaptiveMutex&) = delete;
  AdaptiveMutex& operator=(const AdaptiveMutex&) = delete;
  ~AdaptiveMutex() { pthread_mutex_destroy(&mutex_); }

  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_;
};

#ifdef TRINE_HAVE_ABSL
struct AbslMutex {
  static constexpr const char* name = "absl_mutex";

  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
  void lock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderLock(); }
  void unlock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderUnlock(); }

  absl::Mutex mutex;
};
inline constexpr List<AbslMutex> absl_locks;
#else
inline constexpr List<> absl_locks;
#endif

#ifdef TRINE_HAVE_NSYNC
struct NsyncMutex {
  static constexpr const char* name = "nsync_mu";

  void lock() { nsync::nsync_mu_lock(&mutex); }
  void unlock() { nsync::nsync_mu_unlock(&mutex); }
  void lock_shared() { nsync::nsync_mu_rlock(&mutex); }
  void unlock_shared() { nsync::nsync_mu_runlock(&mutex); }

  nsync::nsync_mu mutex = NSYNC_MU_INIT;
};
inline constexpr List<NsyncMutex> nsync_locks;
#else
inline constexpr List<> nsync_locks;
#endif

#ifdef TRINE_HAVE_TBB
inline constexpr List<Named<"tbb_mutex", tbb::mutex>, Named<"tbb_spin_mutex", tbb::spin_mutex>> tbb_locks;
inline constexpr List<Named<"tbb_rw_mutex", tbb::rw_mutex>> tbb_shared_locks;
#else
inline constexpr List<> tbb_locks;
inline constexpr List<> tbb_shared_locks;
#endif

inline constexpr auto locks =
    List<Named<"trine", trine::Lock<>>, Named<"trine_portable", trine::Lock<trine::portable_threads>>,
         Named<"std_mutex", std::mutex>, AdaptiveMutex>() +
    absl_locks + nsync_locks + tbb_locks + folly_locks;
inline constexpr List<Named<"trine", trine::RecursiveLock<>>,
                      Named<"trine_portable", trine::RecursiveLock<trine::portable_threads>>,
                      Named<"std_recursive_mutex", std::recursive_mutex>>
    recursive_locks;
inline constexpr auto shared_locks =
    List<Named<"trine", trine::SharedLock<>>, Named<"trine_portable", trine::SharedLock<trine::portable_threads>>,
         Named<"std_shared_mutex", std::shared_mutex>>() +
    absl_locks + nsync_locks + tbb_shared_locks + folly_shared_locks;

}  // namespace bench
