// SPDX-License-Identifier: BSL-1.0
//
// folly's primitives, where it is in the folder of further peers: what each kind's header adds to its lists.
#pragma once

#include "list.hpp"

#ifdef TRINE_HAVE_FOLLY
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <folly/MPMCQueue.h>
#include <folly/SharedMutex.h>
#include <folly/concurrency/DynamicBoundedQueue.h>
#include <folly/concurrency/UnboundedQueue.h>
#include <folly/synchronization/Baton.h>
#include <folly/synchronization/DistributedMutex.h>
#include <folly/synchronization/LifoSem.h>
#include <folly/synchronization/SaturatingSemaphore.h>
#endif

namespace bench {

#ifdef TRINE_HAVE_FOLLY

/// What lock() says is needed to unlock: it lies beside the mutex, for its owner alone.
struct FollyDistributedMutex {
  static constexpr const char* name = "folly_distributed_mutex";

  void lock() { state = mutex.lock(); }
  void unlock() { mutex.unlock(std::move(state)); }

  folly::DistributedMutex mutex;
  decltype(mutex.lock()) state;
};

/// As an event `Primitive` has another vocabulary.
template <Text Name, class Primitive>
struct FollyEvent {
  static constexpr const char* name = Name.text;

  bool wait() {
    primitive.wait();
    return true;
  }
  void set() { primitive.post(); }
  void clear() { primitive.reset(); }

  Primitive primitive;
};

struct FollyLifoSem {
  static constexpr const char* name = "folly_lifo_sem";

  explicit FollyLifoSem(int permits) : semaphore(static_cast<std::uint32_t>(permits)) {}

  void acquire() { semaphore.wait(); }
  void release() { semaphore.post(); }

  folly::LifoSem semaphore;
};

struct FollyQueue {
  static constexpr const char* name = "folly_mpmc";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : queue(capacity) {}

    void put(const T& item) { queue.blockingWrite(item); }
    T get() {
      return filled<T>([this](T& item) { queue.blockingRead(item); });
    }

    folly::MPMCQueue<T> queue;
  };
};

template <class Queue, class T>
struct FollySegmentsOf : Queue {
  using Queue::Queue;

  void put(const T& item) { Queue::enqueue(item); }
  T get() {
    return filled<T>([this](T& item) { Queue::dequeue(item); });
  }
  std::optional<T> try_get() {
    return filled_if<T>([this](T& item) { return Queue::try_dequeue(item); });
  }
};

/// Without capacity, whatever is asked for.
struct FollyUnboundedQueue {
  static constexpr const char* name = "folly_umpmc";
  template <class T>
  struct Of : FollySegmentsOf<folly::UMPMCQueue<T, true>, T> {
    explicit Of(std::size_t) {}
  };
};

struct FollyBoundedQueue {
  static constexpr const char* name = "folly_dmpmc";
  template <class T>
  using Of = FollySegmentsOf<folly::DMPMCQueue<T, true>, T>;
};

/// From one thread to one other.
struct FollyRing {
  static constexpr const char* name = "folly_dspsc";
  template <class T>
  using Of = FollySegmentsOf<folly::DSPSCQueue<T, true>, T>;
};

inline constexpr List<Named<"folly_shared_mutex", folly::SharedMutex>, FollyDistributedMutex> folly_locks;
inline constexpr List<Named<"folly_shared_mutex", folly::SharedMutex>> folly_shared_locks;
inline constexpr List<FollyEvent<"folly_saturating_semaphore", folly::SaturatingSemaphore<true>>> folly_events;
inline constexpr List<FollyEvent<"folly_baton", folly::Baton<>>> folly_batons;
inline constexpr List<FollyLifoSem> folly_semaphores;
inline constexpr List<FollyQueue> folly_queues_of_one;
inline constexpr List<FollyQueue, FollyBoundedQueue> folly_bounded_queues;
inline constexpr List<FollyUnboundedQueue> folly_queues;
inline constexpr List<FollyRing> folly_rings;
#else
inline constexpr List<> folly_locks;
inline constexpr List<> folly_shared_locks;
inline constexpr List<> folly_events;
inline constexpr List<> folly_batons;
inline constexpr List<> folly_semaphores;
inline constexpr List<> folly_queues_of_one;
inline constexpr List<> folly_bounded_queues;
inline constexpr List<> folly_queues;
inline constexpr List<> folly_rings;
#endif

}  // namespace bench
