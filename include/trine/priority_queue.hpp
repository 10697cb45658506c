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
class PriorityItems {
 public:
  using value_type = T;
  static constexpr bool one_gate = true;
  struct Cursor {};

  PriorityItems(std::size_t capacity, Cursor&, Cursor&, Compare less = Compare()) : larger_{std::move(less)} {
    heap_.write().reserve(capacity);
  }

  template <class Item>
  void put(Cursor&, Item&& item) {
    auto& heap = heap_.write();
    heap.push_back(std::forward<Item>(item));
    try {
      std::push_heap(heap.begin(), heap.end(), larger_);
    } catch (...) {
      heap.pop_back();
      throw;
    }
  }

  template <class Sink>
  void take(Cursor&, Sink&& sink) {
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

/// The smallest first, by `Compare`; among equals in any order. What it promises is said at BasicQueue, but comparisons and
/// moves of T must not throw: a heap that is half put in order can't be mended. Putting and getting take O(log size).
template <class T, class B = threads, class Compare = std::less<T>>
class PriorityQueue : public BasicQueue<T, PriorityItems<T, B, Compare>, B> {
 public:
  using BasicQueue<T, PriorityItems<T, B, Compare>, B>::BasicQueue;
};

}  // namespace trine
