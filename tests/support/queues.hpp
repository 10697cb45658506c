// SPDX-License-Identifier: BSL-1.0
//
// The kinds of queue, and items that tell what is done with them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/bodies.hpp"

namespace trine_test {

// Each kind: its type, its name, whether it bears items whose moves throw (a heap that is half put in order can't be
// mended), and the order in which items that were all put before come out.

struct Fifo {
  template <class T, class B>
  using Type = trine::Queue<T, B>;
  static constexpr const char* name = "Queue";
  static constexpr bool moves_may_throw = true;
  template <class T>
  static std::vector<T> order(std::vector<T> items) {
    return items;
  }
};

struct Lifo {
  template <class T, class B>
  using Type = trine::LifoQueue<T, B>;
  static constexpr const char* name = "LifoQueue";
  static constexpr bool moves_may_throw = true;
  template <class T>
  static std::vector<T> order(std::vector<T> items) {
    std::reverse(items.begin(), items.end());
    return items;
  }
};

struct Smallest {
  template <class T, class B>
  using Type = trine::PriorityQueue<T, B>;
  static constexpr const char* name = "PriorityQueue";
  static constexpr bool moves_may_throw = false;
  template <class T>
  static std::vector<T> order(std::vector<T> items) {
    std::sort(items.begin(), items.end());
    return items;
  }
};

using EveryQueue = CasesOver<Fifo, Lifo, Smallest>;

/// Stands in for a queue that a backend does not have, so that a test which skips itself there need not be hidden from the
/// compiler.
template <class Q>
class Missing : public Q {
 public:
  explicit Missing(std::size_t capacity = 0) : Q(capacity) { ADD_FAILURE() << "the backend has no such queue"; }
};

template <class C, class T = int>
using QueueOf = std::conditional_t<any_item<typename C::Backend> || std::is_trivially_copyable_v<T>,
                                   typename C::Kind::template Type<T, typename C::Backend>,
                                   Missing<typename C::Kind::template Type<T, trine::threads>>>;

/// All that is in the queue, in the order in which it comes out.
template <class Q>
std::vector<typename Q::value_type> drained(Q& queue) {
  std::vector<typename Q::value_type> items;
  while (auto item = queue.try_get()) items.push_back(std::move(*item));
  return items;
}

/// An item that moves only. Empty when moved from.
class MoveOnly {
 public:
  explicit MoveOnly(int value) : value_(std::make_unique<int>(value)) {}
  [[nodiscard]] int value() const { return value_ ? *value_ : moved_from; }
  friend bool operator<(const MoveOnly& left, const MoveOnly& right) { return left.value() < right.value(); }
  static constexpr int moved_from = -1;

 private:
  std::unique_ptr<int> value_;
};

/// Counts those that live, and checks that each is destroyed once.
class Tracked {
 public:
  explicit Tracked(int value) : value_(value) { begin(); }
  Tracked(const Tracked& other) : value_(other.checked()) {
    begin();
    ++copies;
  }
  Tracked(Tracked&& other) noexcept : value_(other.checked()) { begin(); }
  Tracked& operator=(const Tracked& other) {
    value_ = other.checked();
    ++copies;
    return *this;
  }
  Tracked& operator=(Tracked&& other) noexcept {
    value_ = other.checked();
    return *this;
  }
  ~Tracked() {
    checked();
    mark_ = 0;
    --alive;
  }

  [[nodiscard]] int value() const { return checked(); }
  friend bool operator<(const Tracked& left, const Tracked& right) { return left.value() < right.value(); }

  static inline std::atomic<int> alive{0};
  static inline std::atomic<int> copies{0};

 private:
  static constexpr std::uint32_t living = 0x5eed1e55;

  void begin() {
    mark_ = living;
    ++alive;
  }
  int checked() const {
    EXPECT_EQ(mark_, living) << "an object was used that does not live";
    return value_;
  }

  int value_;
  std::uint32_t mark_ = 0;
};

/// An item whose copy or move throws when its turn comes.
class Fragile {
 public:
  /// The value of one whose copy always throws.
  static constexpr int doomed = 666;

  struct Broke : std::runtime_error {
    Broke() : std::runtime_error("on purpose") {}
  };

  explicit Fragile(int value) : value_(value) { ++alive; }
  Fragile(const Fragile& other) : value_(other.value_) {
    if (value_ == doomed) throw Broke();
    step();
    ++alive;
  }
  Fragile(Fragile&& other) : value_(other.value_) {
    step();
    ++alive;
  }
  Fragile& operator=(const Fragile& other) {
    step();
    value_ = other.value_;
    return *this;
  }
  Fragile& operator=(Fragile&& other) {
    step();
    value_ = other.value_;
    return *this;
  }
  ~Fragile() { --alive; }

  [[nodiscard]] int value() const { return value_; }
  friend bool operator<(const Fragile& left, const Fragile& right) { return left.value_ < right.value_; }

  /// The n-th copy or move from now on throws, and none thereafter. 0: none does.
  static void break_at(int n) { steps_left = n; }

  /// How many copies and moves there have been.
  static inline std::atomic<int> steps{0};

  static inline std::atomic<int> alive{0};

 private:
  static void step() {
    ++steps;
    if (steps_left.load() == 0) return;
    if (--steps_left == 0) throw Broke();
  }
  static inline std::atomic<int> steps_left{0};

  int value_;
};

}  // namespace trine_test
