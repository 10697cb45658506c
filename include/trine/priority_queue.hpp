// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <trine/backend/threads.hpp>
#include <trine/basic_queue.hpp>

namespace trine {

/// The smallest item first: a heap.
template <class T, class B, class Compare>
class PriorityItems : public PlainItems<T> {
 public:
  static constexpr bool one_gate = true;
  struct Cursor {};

  PriorityItems(std::size_t capacity, Cursor&, Cursor&, Compare less = Compare()) : larger_{std::move(less)} {
    heap_.write().reserve(capacity);
  }

  template <class Item>
  bool put(QueuePlace<Cursor>&, Item&& item) {
    auto& heap = heap_.write();
    heap.push_back(std::forward<Item>(item));
    try {
      std::push_heap(heap.begin(), heap.end(), larger_);
    } catch (...) {
      heap.pop_back();
      throw;
    }
    return true;
  }

  template <class Sink>
  void take(QueuePlace<Cursor>&, Sink&& sink) {
    auto& heap = heap_.write();
    std::pop_heap(heap.begin(), heap.end(), larger_);
    try {
      sink(std::move(heap.back()));
    } catch (...) {
      std::push_heap(heap.begin(), heap.end(), larger_);
      throw;
    }
    heap.pop_back();
  }

  void free(Cursor&, std::size_t) noexcept {}

 private:
  // The standard's heaps have the largest in front.
  struct Larger {
    bool operator()(const T& left, const T& right) const { return less(right, left); }
    [[no_unique_address]] Compare less;
  };

  typename B::template Cell<std::vector<T>> heap_;
  [[no_unique_address]] Larger larger_;
};

/// As QueueItems.
template <class T, class B, class Compare, std::size_t N>
struct PriorityQueueItems {
  static_assert(N == 0, "the capacity of a queue is an argument of its constructor on this backend");
  using Priority = PriorityItems<T, B, Compare>;
};
template <class T, class B, class Compare, std::size_t N>
requires requires { typename B::template PriorityItems<T, Compare, N>; }
struct PriorityQueueItems<T, B, Compare, N> {
  using Priority = typename B::template PriorityItems<T, Compare, N>;
};

/// The smallest first, by `Compare`; among equals in any order. What it promises is said at BasicQueue, but comparisons and
/// moves of T must not throw: a heap that is half put in order can't be mended. Putting and getting take O(log size).
template <class T, class B = threads, class Compare = std::less<T>, std::size_t N = 0>
class PriorityQueue : public BasicQueue<T, typename PriorityQueueItems<T, B, Compare, N>::Priority, B> {
 public:
  using BasicQueue<T, typename PriorityQueueItems<T, B, Compare, N>::Priority, B>::BasicQueue;
};

}  // namespace trine
