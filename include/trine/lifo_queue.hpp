// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <trine/backend/threads.hpp>
#include <trine/basic_queue.hpp>

namespace trine {

/// Items in the reverse order: a stack.
template <class T, class B>
class LifoItems : public PlainItems<T> {
 public:
  static constexpr bool one_gate = true;
  struct Cursor {};

  LifoItems(std::size_t capacity, Cursor&, Cursor&) { stack_.write().reserve(capacity); }

  template <class Item>
  bool put(QueuePlace<Cursor>&, Item&& item) {
    stack_.write().push_back(std::forward<Item>(item));
    return true;
  }

  template <class Sink>
  void take(QueuePlace<Cursor>&, Sink&& sink) {
    auto& stack = stack_.write();
    sink(std::move(stack.back()));
    stack.pop_back();
  }

  void free(Cursor&, std::size_t) noexcept {}

 private:
  typename B::template Cell<std::vector<T>> stack_;
};

/// As QueueItems.
template <class T, class B, std::size_t N>
struct LifoQueueItems {
  static_assert(N == 0, "the capacity of a queue is an argument of its constructor on this backend");
  using Lifo = LifoItems<T, B>;
};
template <class T, class B, std::size_t N>
requires requires { typename B::template LifoItems<T, N>; }
struct LifoQueueItems<T, B, N> {
  using Lifo = typename B::template LifoItems<T, N>;
};

/// Last in, first out. What it promises is said at BasicQueue.
template <class T, class B = threads, std::size_t N = 0>
class LifoQueue : public BasicQueue<T, typename LifoQueueItems<T, B, N>::Lifo, B> {
 public:
  using BasicQueue<T, typename LifoQueueItems<T, B, N>::Lifo, B>::BasicQueue;
};

}  // namespace trine
