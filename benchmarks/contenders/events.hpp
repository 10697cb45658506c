// SPDX-License-Identifier: BSL-1.0
//
// Events: wait() -> bool, set(), clear().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include <trine/event.hpp>

#include "folly.hpp"
#include "list.hpp"

#ifdef TRINE_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#endif

#ifdef TRINE_HAVE_NSYNC
#include <nsync.h>
#endif

namespace bench {

struct ConditionEvent {
  static constexpr const char* name = "std_condition";

  bool wait() {
    std::unique_lock held(mutex);
    changed.wait(held, [this] { return is_set; });
    return true;
  }
  void set() {
    const std::lock_guard held(mutex);
    is_set = true;
    changed.notify_all();
  }
  void clear() {
    const std::lock_guard held(mutex);
    is_set = false;
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool is_set = false;
};

struct AtomicEvent {
  static constexpr const char* name = "std_atomic";

  bool wait() {
    word.wait(0, std::memory_order_acquire);
    return true;
  }
  void set() {
    word.store(1);  // in libstdc++ a notification may overtake a weaker one, and be lost
    word.notify_all();
  }
  void clear() { word.store(0, std::memory_order_relaxed); }

  std::atomic<int> word{0};
};

/// What a wait on a set event costs at the least.
struct AcquireLoad {
  static constexpr const char* name = "acquire_load";

  bool wait() const { return word.load(std::memory_order_acquire) != 0; }
  void set() { word.store(1, std::memory_order_release); }

  std::atomic<int> word{0};
};

#ifdef TRINE_HAVE_ABSL
struct AbslEvent {
  static constexpr const char* name = "absl_condition";

  bool wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    while (!is_set) changed.Wait(&mutex);
    mutex.Unlock();
    return true;
  }
  void set() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    is_set = true;
    mutex.Unlock();
    changed.SignalAll();
  }
  void clear() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    is_set = false;
    mutex.Unlock();
  }

  absl::Mutex mutex;
  absl::CondVar changed;
  bool is_set = false;
};

/// Can't be cleared.
struct AbslNotification {
  static constexpr const char* name = "absl_notification";

  bool wait() const {
    notification.WaitForNotification();
    return true;
  }
  void set() { notification.Notify(); }

  absl::Notification notification;
};
inline constexpr List<AbslEvent> absl_events;
inline constexpr List<AbslNotification> absl_notifications;
#else
inline constexpr List<> absl_events;
inline constexpr List<> absl_notifications;
#endif

#ifdef TRINE_HAVE_NSYNC
struct NsyncEvent {
  static constexpr const char* name = "nsync_cv";

  bool wait() {
    nsync::nsync_mu_lock(&mutex);
    while (!is_set) nsync::nsync_cv_wait(&changed, &mutex);
    nsync::nsync_mu_unlock(&mutex);
    return true;
  }
  void set() {
    nsync::nsync_mu_lock(&mutex);
    is_set = true;
    nsync::nsync_mu_unlock(&mutex);
    nsync::nsync_cv_broadcast(&changed);
  }
  void clear() {
    nsync::nsync_mu_lock(&mutex);
    is_set = false;
    nsync::nsync_mu_unlock(&mutex);
  }

  nsync::nsync_mu mutex = NSYNC_MU_INIT;
  nsync::nsync_cv changed = NSYNC_CV_INIT;
  bool is_set = false;
};
inline constexpr List<NsyncEvent> nsync_events;
#else
inline constexpr List<> nsync_events;
#endif

inline constexpr auto events =
    List<Named<"trine", trine::Event<>>, Named<"trine_portable", trine::Event<trine::portable_threads>>, ConditionEvent,
         AtomicEvent>() +
    absl_events + nsync_events + folly_events;
/// For one waiter, who clears what was set once.
inline constexpr auto events_of_two = events + folly_batons;
inline constexpr auto set_once_events = List<AcquireLoad>() + events + absl_notifications;

}  // namespace bench
