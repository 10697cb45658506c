// SPDX-License-Identifier: BSL-1.0
//
// Conditions: notify(); and with their lock, turn(ready, act), which waits until ready() is true, acts, and notifies one.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <mutex>

#include <trine/condition.hpp>
#include <trine/lock.hpp>

#include "list.hpp"

#ifdef TRINE_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#endif

#ifdef TRINE_HAVE_NSYNC
#include <nsync.h>
#endif

namespace bench {

template <class B>
struct TrineCondition {
  static constexpr const char* name = name_of<B>;

  void notify() { changed.notify(); }

  template <class Ready, class Act>
  void turn(Ready ready, Act act) {
    {
      auto held = lock.guard();
      changed.wait(held, ready);
      act();
    }
    changed.notify();
  }

  trine::Lock<B> lock;
  trine::Condition<B> changed;
};

struct StdCondition {
  static constexpr const char* name = "std_condition";

  void notify() { changed.notify_one(); }

  template <class Ready, class Act>
  void turn(Ready ready, Act act) {
    {
      std::unique_lock held(mutex);
      changed.wait(held, ready);
      act();
    }
    changed.notify_one();
  }

  std::mutex mutex;
  std::condition_variable changed;
};

struct PosixCondition {
  static constexpr const char* name = "pthread_cond";

  PosixCondition() = default;
  PosixCondition(const PosixCondition&) = delete;
  PosixCondition& operator=(const PosixCondition&) = delete;
  ~PosixCondition() {
    pthread_cond_destroy(&changed);
    pthread_mutex_destroy(&mutex);
  }

  void notify() { pthread_cond_signal(&changed); }

  template <class Ready, class Act>
  void turn(Ready ready, Act act) {
    pthread_mutex_lock(&mutex);
    while (!ready()) pthread_cond_wait(&changed, &mutex);
    act();
    pthread_mutex_unlock(&mutex);
    pthread_cond_signal(&changed);
  }

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
};

#ifdef TRINE_HAVE_ABSL
struct AbslCondition {
  static constexpr const char* name = "absl_condition";

  void notify() { changed.Signal(); }

  template <class Ready, class Act>
  void turn(Ready ready, Act act) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    while (!ready()) changed.Wait(&mutex);
    act();
    mutex.Unlock();
    changed.Signal();
  }

  absl::Mutex mutex;
  absl::CondVar changed;
};
inline constexpr List<AbslCondition> absl_conditions;
#else
inline constexpr List<> absl_conditions;
#endif

#ifdef TRINE_HAVE_NSYNC
struct NsyncCondition {
  static constexpr const char* name = "nsync_cv";

  void notify() { nsync::nsync_cv_signal(&changed); }

  template <class Ready, class Act>
  void turn(Ready ready, Act act) {
    nsync::nsync_mu_lock(&mutex);
    while (!ready()) nsync::nsync_cv_wait(&changed, &mutex);
    act();
    nsync::nsync_mu_unlock(&mutex);
    nsync::nsync_cv_signal(&changed);
  }

  nsync::nsync_mu mutex = NSYNC_MU_INIT;
  nsync::nsync_cv changed = NSYNC_CV_INIT;
};
inline constexpr List<NsyncCondition> nsync_conditions;
#else
inline constexpr List<> nsync_conditions;
#endif

inline constexpr auto conditions =
    List<TrineCondition<trine::threads>, TrineCondition<trine::portable_threads>, StdCondition, PosixCondition>() +
    absl_conditions + nsync_conditions;

}  // namespace bench
