// SPDX-License-Identifier: BSL-1.0
//
// Queues that can't block: whoever finds one full or empty tries again, and lets others run after a while. They show how far a
// queue could go, and burn a core while they wait.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>

#include <trine/os/pause.hpp>

#include "list.hpp"

#ifdef TRINE_HAVE_ASIO
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#endif

#if __has_include(<rigtorp/MPMCQueue.h>)
#define TRINE_HAVE_RIGTORP_QUEUE
#include <rigtorp/MPMCQueue.h>
#endif

#if __has_include(<rigtorp/SPSCQueue.h>)
#define TRINE_HAVE_RIGTORP_RING
#include <rigtorp/SPSCQueue.h>
#endif

#if __has_include(<atomic_queue/atomic_queue.h>)
#define TRINE_HAVE_ATOMIC_QUEUE
#include <atomic_queue/atomic_queue.h>
#endif

namespace bench {

/// Tries until `attempt` says true. A few pauses between let the other end get ahead; a yield too soon costs a tenfold.
template <class Attempt>
void insist(Attempt attempt) {
  for (int tries = 1; !attempt(); ++tries) {
    if (tries % 128 == 0) {
      std::this_thread::yield();
    } else {
      for (int left = 8; left > 0; --left) trine::os::pause();
    }
  }
}

/// Makes put() and get() of try_push() and try_pop().
template <class Queue, class T>
struct Insisting {
  explicit Insisting(std::size_t capacity) : queue(capacity) {}

  void put(const T& item) {
    insist([&] { return queue.try_push(item); });
  }
  T get() {
    T item;
    to_be_filled(item);
    insist([&] { return queue.try_pop(item); });
    return item;
  }

  Queue queue;
};

/// The least that a queue from one thread to one other has to do: a ring, an index for each end in a cache line of its own,
/// and beside it the other end's index as last seen.
struct SpinningRing {
  static constexpr const char* name = "limit_ring";

  template <class T>
  struct Of {
    explicit Of(std::size_t) {}

    void put(const T& item) {
      const std::size_t at = put_.index.load(std::memory_order_relaxed);
      insist([&] {
        if (at - put_.seen == size) put_.seen = got_.index.load(std::memory_order_acquire);
        return at - put_.seen != size;
      });
      (*places_)[at % size] = item;
      put_.index.store(at + 1, std::memory_order_release);
    }

    T get() {
      const std::size_t at = got_.index.load(std::memory_order_relaxed);
      insist([&] {
        if (got_.seen == at) got_.seen = put_.index.load(std::memory_order_acquire);
        return got_.seen != at;
      });
      T item = (*places_)[at % size];
      got_.index.store(at + 1, std::memory_order_release);
      return item;
    }

   private:
    static constexpr std::size_t size = 1024;

    struct alignas(64) End {
      std::atomic<std::size_t> index{0};
      std::size_t seen = 0;
    };

    End put_;
    End got_;
    std::unique_ptr<std::array<T, size>> places_ = std::make_unique<std::array<T, size>>();
  };
};

#ifdef TRINE_HAVE_ASIO
template <class T>
struct LockfreeQueueOf {
  explicit LockfreeQueueOf(std::size_t capacity) : queue(capacity) {}
  bool try_push(const T& item) { return queue.bounded_push(item); }
  bool try_pop(T& item) { return queue.pop(item); }
  boost::lockfree::queue<T> queue;
};

struct LockfreeQueue {
  static constexpr const char* name = "boost_lockfree_queue";
  template <class T>
  using Of = Insisting<LockfreeQueueOf<T>, T>;
};

template <class T>
struct LockfreeRingOf {
  explicit LockfreeRingOf(std::size_t capacity) : queue(capacity) {}
  bool try_push(const T& item) { return queue.push(item); }
  bool try_pop(T& item) { return queue.pop(item); }
  boost::lockfree::spsc_queue<T> queue;
};

struct LockfreeRing {
  static constexpr const char* name = "boost_lockfree_spsc";
  template <class T>
  using Of = Insisting<LockfreeRingOf<T>, T>;
};
inline constexpr List<LockfreeQueue> lockfree_queues;
inline constexpr List<LockfreeRing> lockfree_rings;
#else
inline constexpr List<> lockfree_queues;
inline constexpr List<> lockfree_rings;
#endif

#ifdef TRINE_HAVE_RIGTORP_QUEUE
struct RigtorpQueue {
  static constexpr const char* name = "rigtorp_mpmc";
  template <class T>
  using Of = Insisting<rigtorp::MPMCQueue<T>, T>;
};
inline constexpr List<RigtorpQueue> rigtorp_queues;
#else
inline constexpr List<> rigtorp_queues;
#endif

#ifdef TRINE_HAVE_RIGTORP_RING
template <class T>
struct RigtorpRingOf {
  explicit RigtorpRingOf(std::size_t capacity) : queue(capacity) {}
  bool try_push(const T& item) { return queue.try_push(item); }
  bool try_pop(T& item) {
    const T* const front = queue.front();
    if (front == nullptr) return false;
    item = *front;
    queue.pop();
    return true;
  }
  rigtorp::SPSCQueue<T> queue;
};

struct RigtorpRing {
  static constexpr const char* name = "rigtorp_spsc";
  template <class T>
  using Of = Insisting<RigtorpRingOf<T>, T>;
};
inline constexpr List<RigtorpRing> rigtorp_rings;
#else
inline constexpr List<> rigtorp_rings;
#endif

#ifdef TRINE_HAVE_ATOMIC_QUEUE
template <class T>
struct AtomicQueueOf {
  explicit AtomicQueueOf(std::size_t capacity) : queue(static_cast<unsigned>(capacity)) {}
  bool try_push(const T& item) { return queue.try_push(item); }
  bool try_pop(T& item) { return queue.try_pop(item); }
  atomic_queue::AtomicQueueB2<T> queue;
};

struct AtomicQueue {
  static constexpr const char* name = "atomic_queue";
  template <class T>
  using Of = Insisting<AtomicQueueOf<T>, T>;
};
inline constexpr List<AtomicQueue> atomic_queues;
#else
inline constexpr List<> atomic_queues;
#endif

}  // namespace bench
