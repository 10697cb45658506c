// SPDX-License-Identifier: BSL-1.0
//
// Others' queues whose put() and get() block.
#pragma once

#include <cstddef>
#include <optional>

#include "list.hpp"

#ifdef TRINE_HAVE_MOODYCAMEL
#include <blockingconcurrentqueue.h>
#endif

#ifdef TRINE_HAVE_TBB
#include <tbb/concurrent_queue.h>
#endif

#ifdef TRINE_HAVE_FIBER
#include <boost/fiber/buffered_channel.hpp>
#endif

#if __has_include(<readerwritercircularbuffer.h>)
#define TRINE_HAVE_CIRCULAR_BUFFER
#include <readerwritercircularbuffer.h>
#endif

namespace bench {

#ifdef TRINE_HAVE_MOODYCAMEL
/// Without capacity, whatever is asked for; and in order for each producer alone.
struct MoodycamelQueue {
  static constexpr const char* name = "moodycamel";

  template <class T>
  struct Of {
    explicit Of(std::size_t) {}

    void put(const T& item) { queue.enqueue(item); }
    T get() {
      return filled<T>([this](T& item) { queue.wait_dequeue(item); });
    }
    std::optional<T> try_get() {
      return filled_if<T>([this](T& item) { return queue.try_dequeue(item); });
    }

    moodycamel::BlockingConcurrentQueue<T> queue;
  };
};
inline constexpr List<MoodycamelQueue> moodycamel_queues;
#else
inline constexpr List<> moodycamel_queues;
#endif

#ifdef TRINE_HAVE_CIRCULAR_BUFFER
/// From one thread to one other.
struct MoodycamelCircularBuffer {
  static constexpr const char* name = "moodycamel_circular_buffer";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : queue(capacity) {}

    void put(const T& item) { queue.wait_enqueue(item); }
    T get() {
      return filled<T>([this](T& item) { queue.wait_dequeue(item); });
    }

    moodycamel::BlockingReaderWriterCircularBuffer<T> queue;
  };
};
inline constexpr List<MoodycamelCircularBuffer> circular_buffers;
#else
inline constexpr List<> circular_buffers;
#endif

#ifdef TRINE_HAVE_TBB
struct TbbQueue {
  static constexpr const char* name = "tbb_bounded_queue";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) {
      if (capacity != 0) queue.set_capacity(static_cast<std::ptrdiff_t>(capacity));
    }

    void put(const T& item) { queue.push(item); }
    T get() {
      return filled<T>([this](T& item) { queue.pop(item); });
    }
    std::optional<T> try_get() {
      return filled_if<T>([this](T& item) { return queue.try_pop(item); });
    }

    tbb::concurrent_bounded_queue<T> queue;
  };
};
inline constexpr List<TbbQueue> tbb_queues;
#else
inline constexpr List<> tbb_queues;
#endif

#ifdef TRINE_HAVE_FIBER
/// Between fibers; each thread is one.
struct FiberChannel {
  static constexpr const char* name = "fiber_buffered_channel";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : channel(capacity) {}

    void put(const T& item) { channel.push(item); }
    T get() { return channel.value_pop(); }

    boost::fibers::buffered_channel<T> channel;
  };
};
inline constexpr List<FiberChannel> fiber_queues;
#else
inline constexpr List<> fiber_queues;
#endif

}  // namespace bench
