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
class LifoItems {
 public:
  using value_type = T;
  static constexpr bool one_gate = true;
  struct Cursor {};

  LifoItems(std::size_t capacity, Cursor&, Cursor&) { stack_.write().reserve(capacity); }

  template <class Item>
  void put(Cursor&, Item&& item) {
    stack_.write().push_back(std::forward<Item>(item));
  }

  template <class Sink>
  void take(Cursor&, Sink&& sink) {
    auto& stack = stack_.write();
    sink(std::move(stack.back()));
    stack.pop_back();
  }

  void free(Cursor&, std::size_t) noexcept {}

 private:
  typename B::template Cell<std::vector<T>> stack_;
};

/// Last in, first out. What it promises is said at BasicQueue.
template <class T, class B = threads>
class LifoQueue : public BasicQueue<T, LifoItems<T, B>, B> {
 public:
  using BasicQueue<T, LifoItems<T, B>, B>::BasicQueue;
};

}  // namespace trine
