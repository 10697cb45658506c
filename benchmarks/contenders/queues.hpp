// SPDX-License-Identifier: BSL-1.0
//
// Queues: `Of<T>` is constructed with a capacity (0: none); put(item), get() -> T, try_get() -> optional<T>.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <trine/queue.hpp>

#include "byte_queues.hpp"
#include "folly.hpp"
#include "list.hpp"
#include "peer_queues.hpp"
#include "spinning_queues.hpp"

namespace bench {

template <class B>
struct TrineQueue {
  static constexpr const char* name = name_of<B>;

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : queue(capacity) {}

    void put(const T& item) { queue.put(item); }
    T get() { return queue.get(); }
    std::optional<T> try_get() { return queue.try_get(); }

    trine::Queue<T, B> queue;
  };
};

/// A ring, and a deque where there is no capacity, with one mutex and two condition variables.
struct StdQueue {
  static constexpr const char* name = "std_mutex_2cv";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : ring(capacity) {}

    void put(const T& item) {
      {
        std::unique_lock held(mutex);
        if (ring.empty()) {
          list.push_back(item);
        } else {
          left.wait(held, [this] { return count < ring.size(); });
          ring[put_at] = item;
          if (++put_at == ring.size()) put_at = 0;
        }
        ++count;
      }
      came.notify_one();
    }

    T get() {
      std::unique_lock held(mutex);
      came.wait(held, [this] { return count != 0; });
      T item = take();
      held.unlock();
      left.notify_one();
      return item;
    }

    std::optional<T> try_get() {
      std::unique_lock held(mutex);
      if (count == 0) return std::nullopt;
      std::optional<T> item = take();
      held.unlock();
      left.notify_one();
      return item;
    }

   private:
    T take() {
      --count;
      if (ring.empty()) {
        T item = std::move(list.front());
        list.pop_front();
        return item;
      }
      T item = std::move(ring[get_at]);
      if (++get_at == ring.size()) get_at = 0;
      return item;
    }

    std::mutex mutex;
    std::condition_variable came;
    std::condition_variable left;
    std::size_t count = 0;
    std::size_t put_at = 0;
    std::size_t get_at = 0;
    std::vector<T> ring;
    std::deque<T> list;
  };
};

inline constexpr List<TrineQueue<trine::threads>, TrineQueue<trine::portable_threads>, StdQueue> own_queues;

/// Those that have a capacity; those that may have none; those that can have one of one item.
inline constexpr auto bounded_queues = own_queues + tbb_queues + folly_bounded_queues;
inline constexpr auto queues = own_queues + tbb_queues + moodycamel_queues + folly_queues;
inline constexpr auto queues_of_one = own_queues + tbb_queues + moodycamel_queues + folly_queues_of_one + byte_queues;

/// From many to many with a capacity of 1024, or none; and from one to one.
inline constexpr auto moving_queues =
    queues + folly_bounded_queues + fiber_queues + byte_queues + lockfree_queues + rigtorp_queues + atomic_queues;
inline constexpr auto one_to_one_queues =
    moving_queues + circular_buffers + folly_rings + List<SpinningRing>() + lockfree_rings + rigtorp_rings;

// Several at a time: put_many(items, count); get_many(items, most) -> how many.

template <class B>
struct TrineBatches {
  static constexpr const char* name = name_of<B>;

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : queue(capacity) {}

    void put_many(const T* items, std::size_t count) { queue.put_many(std::span(items, count)); }
    std::size_t get_many(T* items, std::size_t most) {
      const auto got = queue.get_many(most);
      std::copy(got.begin(), got.end(), items);
      return got.size();
    }

    trine::Queue<T, B> queue;
  };
};

#ifdef TRINE_HAVE_MOODYCAMEL
struct MoodycamelBatches {
  static constexpr const char* name = "moodycamel";

  template <class T>
  struct Of {
    explicit Of(std::size_t) {}

    void put_many(const T* items, std::size_t count) { queue.enqueue_bulk(items, count); }
    std::size_t get_many(T* items, std::size_t most) { return queue.wait_dequeue_bulk(items, most); }

    moodycamel::BlockingConcurrentQueue<T> queue;
  };
};
inline constexpr List<MoodycamelBatches> moodycamel_batches;
#else
inline constexpr List<> moodycamel_batches;
#endif

inline constexpr List<TrineBatches<trine::threads>, TrineBatches<trine::portable_threads>> trine_batches;
inline constexpr auto batch_queues = trine_batches + moodycamel_batches;

}  // namespace bench
