// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <trine/backend/threads.hpp>
#include <trine/basic_queue.hpp>

namespace trine {

/// Items in the order in which they came. The places lie in chunks: one that is a ring for a queue with capacity, a list of
/// them for one without, of which the last emptied one is kept for the next.
template <class T, class B>
class FifoItems : public PlainItems<T> {
  struct Slot;
  struct Chunk;
  using Place = typename B::template Cell<Slot>;
  static constexpr bool near = lies_with_indices<T>;

 public:
  static constexpr bool one_gate = false;

  /// How far an end has come: the next place, the end of its chunk, and the chunk.
  struct Cursor {
    Place* next = nullptr;
    Place* end = nullptr;
    Chunk* chunk = nullptr;
  };

  FifoItems(std::size_t capacity, Cursor& put, Cursor& get) : ring_(capacity != 0) {
    if constexpr (near) {
      Place* const only = capacity == 1 ? ::new (static_cast<void*>(near_)) Place() : nullptr;
      put = get = first_of(only != nullptr ? *new Chunk(*only) : *new Chunk(ring_ ? capacity : chunk_size));
    } else {
      far_ = (put = get = first_of(*new Chunk(ring_ ? capacity : chunk_size))).next;
    }
  }
  FifoItems(const FifoItems&) = delete;
  FifoItems& operator=(const FifoItems&) = delete;

  [[nodiscard]] const void* only_place() const noexcept requires(!near) { return far_; }

  /// Puts an item in at the cursor. If this throws, nothing has happened.
  template <class Item>
  bool put(QueuePlace<Cursor>& at, Item&& item) {
    Cursor& cursor = at.cursor;
    if (cursor.next == cursor.end) [[unlikely]]
      cursor = first_of(ring_ ? *cursor.chunk : append(*cursor.chunk));
    std::construct_at(cursor.next->write().place(), std::forward<Item>(item));
    ++cursor.next;
    return true;
  }

  /// Hands the item at the cursor to `sink`, and destroys it.
  template <class Sink>
  void take(QueuePlace<Cursor>& at, Sink&& sink) {
    take_at(at.cursor, sink);
  }

  /// Destroys the `count` items that are left, from the getting end's cursor on, and frees everything.
  void free(Cursor& get, std::size_t count) noexcept {
    for (; count > 0; --count) take_at(get, [](T&&) {});
    delete spare_.load(std::memory_order_relaxed);
    for (Chunk* chunk = get.chunk; chunk != nullptr;) {
      if constexpr (near) {
        if (chunk->own == nullptr) std::destroy_at(chunk->places);
      }
      delete std::exchange(chunk, chunk->next.read());
    }
  }

 private:
  static constexpr std::size_t chunk_size = 64;

  struct Slot {
    T* place() noexcept { return reinterpret_cast<T*>(bytes); }
    T* item() noexcept { return std::launder(place()); }
    alignas(T) std::byte bytes[sizeof(T)];
  };

  // A place is guarded by the index that publishes it; `next` by that of the first item in the next chunk.
  struct Chunk {
    explicit Chunk(std::size_t count) : size(count), own(new Place[count]), places(own.get()) {}
    explicit Chunk(Place& only) noexcept : size(1), places(&only) {}
    const std::size_t size;
    const std::unique_ptr<Place[]> own;
    Place* const places;
    typename B::template Cell<Chunk*> next;
  };

  static Cursor first_of(Chunk& chunk) noexcept { return {chunk.places, chunk.places + chunk.size, &chunk}; }

  template <class Sink>
  void take_at(Cursor& cursor, Sink&& sink) {
    if (cursor.next == cursor.end) [[unlikely]]
      cursor = first_of(ring_ ? *cursor.chunk : leave(*cursor.chunk));
    T* const item = cursor.next->write().item();
    sink(std::move(*item));
    std::destroy_at(item);
    ++cursor.next;
  }

  [[gnu::noinline]] Chunk& append(Chunk& full) {
    // Acquire: pairs with the release in leave(); the chunk is no longer read.
    Chunk* chunk = spare_.exchange(nullptr, std::memory_order_acquire);
    if (chunk == nullptr) chunk = new Chunk(chunk_size);
    chunk->next.write() = nullptr;
    full.next.write() = chunk;
    return *chunk;
  }

  [[gnu::noinline]] Chunk& leave(Chunk& empty) noexcept {
    Chunk& next = *empty.next.read();
    delete spare_.exchange(&empty, std::memory_order_acq_rel);
    return next;
  }

  // The place of a queue with room for one: here, or where it lies. T may be incomplete where the class is used.
  alignas(8) std::byte near_[sizeof(typename B::template Cell<std::array<std::byte, most_near>>)];
  const Place* far_ = nullptr;
  const bool ring_;
  typename B::template Atomic<Chunk*> spare_{nullptr};
};

/// Where the items of a Queue<T, B> are: where the backend says, if it does. `N` is the capacity where it must be known when the
/// program is compiled, and 0 elsewhere.
template <class T, class B, std::size_t N>
struct QueueItems {
  static_assert(N == 0, "the capacity of a queue is an argument of its constructor on this backend");
  using Fifo = FifoItems<T, B>;
};
template <class T, class B, std::size_t N>
requires requires { typename B::template FifoItems<T, N>; }
struct QueueItems<T, B, N> {
  using Fifo = typename B::template FifoItems<T, N>;
};

/// First in, first out. What it promises is said at BasicQueue.
///
///     trine::Queue<std::string> jobs(100);
///     producer: jobs.put(name); ... jobs.shutdown();
///     consumer: for (std::string name : jobs) work(name);
template <class T, class B = threads, std::size_t N = 0>
class Queue : public BasicQueue<T, typename QueueItems<T, B, N>::Fifo, B> {
 public:
  using BasicQueue<T, typename QueueItems<T, B, N>::Fifo, B>::BasicQueue;
};

}  // namespace trine
