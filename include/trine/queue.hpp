// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include <trine/backend/threads.hpp>
#include <trine/basic_queue.hpp>

namespace trine {

/// Items in the order in which they came. The places lie in chunks: one that is a ring for a queue with capacity, a list of
/// them for one without, of which the last emptied one is kept for the next.
template <class T, class B>
class FifoItems {
  struct Slot;
  struct Chunk;
  using Place = typename B::template Cell<Slot>;

 public:
  using value_type = T;
  static constexpr bool one_gate = false;

  /// How far an end has come: the next place, the end of its chunk, and the chunk.
  struct Cursor {
    Place* next = nullptr;
    Place* end = nullptr;
    Chunk* chunk = nullptr;
  };

  FifoItems(std::size_t capacity, Cursor& put, Cursor& get) : ring_(capacity != 0) {
    put = get = first_of(*new Chunk(ring_ ? capacity : chunk_size));
  }
  FifoItems(const FifoItems&) = delete;
  FifoItems& operator=(const FifoItems&) = delete;

  /// Puts an item in at the cursor. If this throws, nothing has happened.
  template <class Item>
  void put(Cursor& cursor, Item&& item) {
    if (cursor.next == cursor.end) [[unlikely]] cursor = first_of(ring_ ? *cursor.chunk : append(*cursor.chunk));
    std::construct_at(cursor.next->write().place(), std::forward<Item>(item));
    ++cursor.next;
  }

  /// Hands the item at the cursor to `sink`, and destroys it.
  template <class Sink>
  void take(Cursor& cursor, Sink&& sink) {
    if (cursor.next == cursor.end) [[unlikely]] cursor = first_of(ring_ ? *cursor.chunk : leave(*cursor.chunk));
    T* const item = cursor.next->write().item();
    sink(std::move(*item));
    std::destroy_at(item);
    ++cursor.next;
  }

  /// Destroys the `count` items that are left, from the getting end's cursor on, and frees everything.
  void free(Cursor& get, std::size_t count) noexcept {
    for (; count > 0; --count) take(get, [](T&&) {});
    delete spare_.load(std::memory_order_relaxed);
    for (Chunk* chunk = get.chunk; chunk != nullptr;) delete std::exchange(chunk, chunk->next.read());
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
    explicit Chunk(std::size_t count) : size(count), places(new Place[count]) {}
    const std::size_t size;
    std::unique_ptr<Place[]> places;
    typename B::template Cell<Chunk*> next;
  };

  static Cursor first_of(Chunk& chunk) noexcept {
    return {chunk.places.get(), chunk.places.get() + chunk.size, &chunk};
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

  const bool ring_;
  typename B::template Atomic<Chunk*> spare_{nullptr};
};

/// First in, first out. What it promises is said at BasicQueue.
///
///     trine::Queue<std::string> jobs(100);
///     producer: jobs.put(name); ... jobs.shutdown();
///     consumer: for (std::string name : jobs) work(name);
template <class T, class B = threads>
class Queue : public BasicQueue<T, FifoItems<T, B>, B> {
 public:
  using BasicQueue<T, FifoItems<T, B>, B>::BasicQueue;
};

}  // namespace trine
