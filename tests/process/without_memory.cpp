// SPDX-License-Identifier: BSL-1.0
//
// The queues between processes when memory runs out, at each allocation in turn: an operation that throws has changed nothing, but
// that an item may be lost that was out and on its way to the caller.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>

#include "support/failing_memory.hpp"

#if __has_include(<cereal/cereal.hpp>)
#include <trine/codec.hpp>

namespace trine_test {
namespace {

using B = trine::processes;
using Items = std::vector<std::string>;

constexpr std::size_t places = 8;
constexpr std::size_t length = 400;  // more than fits where an item lies that was just taken
constexpr std::size_t bytes_of_one = 448;  // in whole blocks

std::string item(int n) { return std::string(length, static_cast<char>('a' + n)); }

/// A queue with room for eight items and no more, and five in it.
template <class Q>
struct Stock {
  Stock() : queue(places, places * bytes_of_one) {
    for (const int n : {3, 1, 4, 0, 2}) put(n);
  }

  void put(int n) {
    queue.put(item(n));
    inside.push_back(item(n));
  }

  /// All that is to be inside comes out, and then there is room for as many as ever.
  void is_whole() {
    ASSERT_EQ(queue.size(), inside.size());
    Items out;
    while (auto one = queue.try_get()) out.push_back(*one);
    EXPECT_TRUE(!sorted || std::is_sorted(out.begin(), out.end()));
    std::sort(out.begin(), out.end());
    std::sort(inside.begin(), inside.end());
    EXPECT_EQ(out, inside);
    for (std::size_t i = 0; i < places; ++i) EXPECT_TRUE(queue.try_put(item(static_cast<int>(i)))) << "a place is lost";
    for (std::size_t i = 0; i < places; ++i) EXPECT_TRUE(queue.try_get());
  }

  void came_out(const std::string& out) {
    const auto at = std::find(inside.begin(), inside.end(), out);
    ASSERT_NE(at, inside.end());
    inside.erase(at);
  }

  static constexpr bool sorted = std::is_same_v<Q, trine::PriorityQueue<std::string, B>>;

  Q queue;
  Items inside;
};

template <class Q>
class WithoutMemory : public ::testing::Test {
 protected:
  using S = Stock<Q>;

  /// Calls the operation on a new stock with 0, 1, 2... allocations, until it has enough. `fails`: what may have changed when it
  /// had not.
  static void at_each_allocation(const std::function<void(S&)>& operation, const std::function<void(S&)>& fails = nullptr) {
    std::size_t allocations = 0;
    for (bool done = false; !done; ++allocations) {
      SCOPED_TRACE(std::to_string(allocations) + " allocations");
      S stock;
      done = enough_for(allocations, [&] { operation(stock); });
      if (!done && fails) fails(stock);
      stock.is_whole();
      ASSERT_FALSE(::testing::Test::HasFailure());
    }
    EXPECT_GT(allocations, 1U) << "it needs no memory, so nothing was tried";
  }
};

using Queues = ::testing::Types<trine::Queue<std::string, B>, trine::LifoQueue<std::string, B>,
                                trine::PriorityQueue<std::string, B>>;
TYPED_TEST_SUITE(WithoutMemory, Queues);

TYPED_TEST(WithoutMemory, PutChangesNothing) {
  for (const int n : {0, 5}) {
    const std::string one = item(n);
    this->at_each_allocation([&](auto& stock) {
      stock.queue.put(one);
      allocations_left = 100;  // what follows is the test's
      stock.inside.push_back(one);
    });
  }
}

TYPED_TEST(WithoutMemory, GetChangesNothingBeforeTheItemIsOut) {
  int lost = 0;
  this->at_each_allocation(
      [](auto& stock) {
        const std::string out = stock.queue.get();
        stock.came_out(out);
      },
      [&lost](auto& stock) {
        if (stock.queue.size() == stock.inside.size()) return;
        ++lost;  // made a string of it and had no memory for that: the last of its allocations
        ASSERT_EQ(stock.queue.size() + 1, stock.inside.size());
        while (auto one = stock.queue.try_get()) {
          stock.came_out(*one);
        }
        ASSERT_EQ(stock.inside.size(), 1U);
        stock.inside.clear();
      });
  EXPECT_LE(lost, 1);
}

TYPED_TEST(WithoutMemory, ShutdownChangesNothingOrAll) {
  for (std::size_t allocations = 0;; ++allocations) {
    Stock<TypeParam> stock;
    const bool done = enough_for(allocations, [&] { stock.queue.shutdown(true); });
    EXPECT_TRUE(stock.queue.is_shutdown());
    if (!done) continue;
    EXPECT_TRUE(stock.queue.empty());
    break;
  }
}

}  // namespace
}  // namespace trine_test

#endif
