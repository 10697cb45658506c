// SPDX-License-Identifier: BSL-1.0
//
// What differs between the queues, and what depends on the items: those that move only, are counted, or throw.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/bodies.hpp"
#include "support/queues.hpp"

namespace {

using namespace trine_test;

// Order

template <class B>
class QueueOrderTest : public ::testing::Test {};
TYPED_TEST_SUITE(QueueOrderTest, Backends, BackendName);

TYPED_TEST(QueueOrderTest, fifo_gives_the_oldest) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Queue<int, B> queue(4);
    // Goes round the ring many times, with one to four inside.
    int next_put = 0;
    int next_got = 0;
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i <= round % 4; ++i) co_await queue.put(next_put++);
      while (!queue.empty()) {
        const int got = co_await queue.get();
        EXPECT_EQ(got, next_got++);
      }
    }
    EXPECT_EQ(next_got, next_put);
  }());
}

TYPED_TEST(QueueOrderTest, lifo_gives_the_newest) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::LifoQueue<int, B> queue;
    co_await queue.put(1);
    co_await queue.put(2);
    int got = co_await queue.get();
    EXPECT_EQ(got, 2);
    co_await queue.put(3);
    got = co_await queue.get();
    EXPECT_EQ(got, 3);
    got = co_await queue.get();
    EXPECT_EQ(got, 1);
  }());
}

TYPED_TEST(QueueOrderTest, priority_gives_the_smallest) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::PriorityQueue<int, B> queue;
    unsigned random = 1;
    std::vector<int> items;
    for (int i = 0; i < 500; ++i) {
      random = random * 1664525U + 1013904223U;
      items.push_back(static_cast<int>(random >> 24));
    }
    co_await queue.put_many(items);
    std::sort(items.begin(), items.end());
    EXPECT_EQ(drained(queue), items);
    co_await queue.put(5);
    co_await queue.put(3);
    int got = co_await queue.get();
    EXPECT_EQ(got, 3);
    co_await queue.put(1);
    co_await queue.put(7);
    got = co_await queue.get();
    EXPECT_EQ(got, 1);
    got = co_await queue.get();
    EXPECT_EQ(got, 5);
  }());
}

struct ByLength {
  bool operator()(const std::string& left, const std::string& right) const { return left.size() < right.size(); }
};

TYPED_TEST(QueueOrderTest, priority_by_another_comparison) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::PriorityQueue<int, B, std::greater<int>> largest_first(5);
    for (const int n : {2, 9, 4}) co_await largest_first.put(n);
    EXPECT_EQ(drained(largest_first), std::vector<int>({9, 4, 2}));

    if constexpr (any_item<B>) {
      trine::PriorityQueue<std::string, B, ByLength> shortest_first;
      for (const char* text : {"ccc", "a", "bb"}) co_await shortest_first.put(std::string(text));
      EXPECT_EQ(drained(shortest_first), std::vector<std::string>({"a", "bb", "ccc"}));
    }
  }());
}

TYPED_TEST(QueueOrderTest, priority_with_a_comparison_that_has_state) {
  using B = TypeParam;
  struct ByDistance {
    int from;
    bool operator()(int left, int right) const { return std::abs(left - from) < std::abs(right - from); }
  };
  if constexpr (!any_item<B>) {
    GTEST_SKIP() << "a comparison between processes has no state";
  } else {
    trine::run([]() -> trine::Task<void, B> {
      trine::PriorityQueue<int, B, ByDistance> queue(5, ByDistance{10});
      EXPECT_EQ(queue.capacity(), 5U);
      for (const int n : {2, 11, 7}) co_await queue.put(n);
      EXPECT_EQ(drained(queue), std::vector<int>({11, 7, 2}));
    }());
  }
}

/// Which item of which producer.
struct Numbered {
  int producer;
  int number;
};

template <class B>
struct Streams {
  explicit Streams(std::size_t capacity) : queue(capacity) {}
  trine::Queue<Numbered, B> queue;
};

TYPED_TEST(QueueOrderTest, fifo_keeps_the_order_of_each_producer) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{3}}) {
      Streams<B> streams(capacity);
      trine::TaskGroup<B> producers;
      trine::TaskGroup<B> consumers;
      for (int producer = 0; producer < 3; ++producer) {
        producers.spawn(
            [](Streams<B>& s, int self) -> trine::Task<void, B> {
              for (int i = 0; i < 1500; ++i) co_await s.queue.put(Numbered{self, i});
            },
            std::ref(streams), producer);
      }
      std::atomic<int> total{0};
      for (int consumer = 0; consumer < 2; ++consumer) {
        consumers.spawn(
            [](Streams<B>& s, std::atomic<int>& count) -> trine::Task<void, B> {
              std::array<int, 3> last{-1, -1, -1};
              bool in_order = true;
              try {
                for (;;) {
                  const Numbered item = co_await s.queue.get();
                  int& before = last[static_cast<std::size_t>(item.producer)];
                  in_order = in_order && item.number > before;
                  before = item.number;
                  ++count;
                }
              } catch (const trine::QueueShutdown&) {
                // all have been got
              }
              EXPECT_TRUE(in_order);
            },
            std::ref(streams), std::ref(total));
      }
      const bool produced = co_await producers.join(plenty);
      EXPECT_TRUE(produced);
      streams.queue.shutdown();
      const bool consumed = co_await consumers.join(plenty);
      EXPECT_TRUE(consumed);
      EXPECT_EQ(total, 4500);
    }
  }());
}

TYPED_TEST(QueueOrderTest, fifo_to_one_consumer_is_exactly_what_was_put) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
      trine::Queue<int, B> queue(capacity);
      trine::TaskGroup<B> group;
      group.spawn(
          [](trine::Queue<int, B>& q) -> trine::Task<void, B> {
            for (int i = 0; i < 1000; i += 10) {
              for (int j = 0; j < 5; ++j) co_await q.put(i + j);
              co_await q.put_many(std::views::iota(i + 5, i + 10));
            }
            q.shutdown();
          },
          std::ref(queue));
      std::vector<int> got;
      bool shut = false;
      while (!shut) {
        try {
          const std::vector<int> some = co_await queue.get_many(4);
          EXPECT_FALSE(some.empty());
          got.insert(got.end(), some.begin(), some.end());
        } catch (const trine::QueueShutdown&) {
          shut = true;
        }
      }
      std::vector<int> all(1000);
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(got, all);
      co_await group.join();
    }
  }());
}

// Items

template <class C>
class QueueItemsTest : public ::testing::Test {};
TYPED_TEST_SUITE(QueueItemsTest, EveryQueue, CaseName);

TYPED_TEST(QueueItemsTest, of_any_number_go_in_and_out) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    // Without capacity, Queue keeps them in chunks of 64.
    for (const int count : {1, 63, 64, 65, 127, 128, 129, 1000}) {
      for (const std::size_t capacity : {std::size_t{0}, static_cast<std::size_t>(count)}) {
        Q queue(capacity);
        std::vector<int> items(static_cast<std::size_t>(count));
        std::iota(items.begin(), items.end(), 0);
        for (int twice = 0; twice < 2; ++twice) {
          for (const int n : items) co_await queue.put(n);
          EXPECT_EQ(queue.size(), items.size());
          EXPECT_EQ(queue.full(), capacity != 0);
          EXPECT_EQ(drained(queue), TypeParam::Kind::order(items));
          EXPECT_TRUE(queue.empty());
        }
      }
    }
  }());
}

TYPED_TEST(QueueItemsTest, that_move_only) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, MoveOnly>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(4);
    MoveOnly first(1);
    co_await queue.put(std::move(first));
    EXPECT_EQ(first.value(), MoveOnly::moved_from);
    EXPECT_TRUE(queue.try_put(MoveOnly(2)));
    std::vector<MoveOnly> more;
    for (int i = 3; i <= 4; ++i) more.emplace_back(i);
    auto moving = std::ranges::subrange(std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    const std::size_t count = co_await queue.put_many(moving);
    EXPECT_EQ(count, 2U);
    MoveOnly refused(5);
    EXPECT_FALSE(queue.try_put(std::move(refused)));
    EXPECT_EQ(refused.value(), 5);
    const bool put = co_await queue.put(std::move(refused), moment);
    EXPECT_FALSE(put);
    EXPECT_EQ(refused.value(), 5);
    const std::vector<int> order = TypeParam::Kind::order(std::vector<int>({1, 2, 3, 4}));
    const MoveOnly got = co_await queue.get();
    EXPECT_EQ(got.value(), order[0]);
    const std::optional<MoveOnly> in_time = co_await queue.get(moment);
    EXPECT_EQ(in_time->value(), order[1]);
    const std::optional<MoveOnly> tried = queue.try_get();
    EXPECT_EQ(tried->value(), order[2]);
    const std::vector<MoveOnly> rest = co_await queue.get_many(5);
    EXPECT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest.front().value(), order[3]);
  }());
}

TYPED_TEST(QueueItemsTest, are_each_destroyed_once) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Tracked>;
  const int before = Tracked::alive;
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{200}}) {
    trine::run([](std::size_t of) -> trine::Task<void, B> {
      const int outside = Tracked::alive;
      Q queue(of);
      for (int i = 0; i < 200; ++i) co_await queue.put(Tracked(i));
      EXPECT_EQ(Tracked::alive, outside + 200);
      for (int i = 0; i < 50; ++i) co_await queue.get();
      EXPECT_EQ(Tracked::alive, outside + 150);
      const std::vector<Tracked> some = co_await queue.get_many(30);
      EXPECT_EQ(Tracked::alive, outside + 150);
      EXPECT_EQ(queue.size() + some.size(), 150U);
      queue.try_get();
      EXPECT_EQ(Tracked::alive, outside + 149);
      for (int i = 0; i < 10; ++i) co_await queue.put(Tracked(i));
      EXPECT_EQ(Tracked::alive, outside + 159);
    }(capacity));
    // The rest went with the queue.
    EXPECT_EQ(Tracked::alive, before);
  }
}

TYPED_TEST(QueueItemsTest, are_not_copied_where_they_can_be_moved) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Tracked>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    const int before = Tracked::copies;
    for (int i = 0; i < 100; ++i) co_await queue.put(Tracked(i));
    for (int i = 0; i < 50; ++i) co_await queue.get();
    co_await queue.get_many(50);
    EXPECT_EQ(Tracked::copies, before);
    const Tracked item(1);
    co_await queue.put(item);
    EXPECT_EQ(Tracked::copies, before + 1);
  }());
}

TYPED_TEST(QueueItemsTest, inside_are_destroyed_with_the_queue) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Tracked>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Tracked::alive;
    for (const int count : {0, 1, 64, 65, 130}) {
      for (const int taken : {0, 1, 64}) {
        auto queue = std::make_unique<Q>(count % 2 == 0 ? 0 : 200);
        for (int i = 0; i < count; ++i) co_await queue->put(Tracked(i));
        for (int i = 0; i < std::min(taken, count); ++i) co_await queue->get();
        queue.reset();
        EXPECT_EQ(Tracked::alive, before);
      }
    }
  }());
}

TYPED_TEST(QueueItemsTest, are_none_lost_or_destroyed_twice_among_many) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Tracked>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Tracked::alive;
    {
      Q queue(5);
      trine::TaskGroup<B> producers;
      trine::TaskGroup<B> consumers;
      for (int i = 0; i < 3; ++i) {
        producers.spawn(
            [](Q& q) -> trine::Task<void, B> {
              for (int n = 0; n < 500; ++n) co_await q.put(Tracked(n), std::chrono::microseconds{n % 100});
            },
            std::ref(queue));
        consumers.spawn(
            [](Q& q) -> trine::Task<void, B> {
              bool shut = false;
              for (int n = 0; !shut; ++n) {
                try {
                  if (n % 3 == 0) {
                    co_await q.get_many(3);
                  } else {
                    co_await q.get(std::chrono::microseconds{n % 100});
                  }
                } catch (const trine::QueueShutdown&) {
                  shut = true;
                }
              }
            },
            std::ref(queue));
      }
      const bool produced = co_await producers.join(plenty);
      EXPECT_TRUE(produced);
      queue.shutdown(true);
      const bool consumed = co_await consumers.join(plenty);
      EXPECT_TRUE(consumed);
    }
    EXPECT_EQ(Tracked::alive, before);
  }());
}

// Items that throw: the operation did nothing, and the queue works on. An item that is out, and throws on its way to the
// caller, is lost.

/// How often an item is copied or moved by a put into an empty queue.
template <class Q>
int steps_of_a_put() {
  Q queue;
  const Fragile item(1);
  const int before = Fragile::steps;
  EXPECT_TRUE(queue.try_put(item));
  return Fragile::steps - before;
}

template <class Q>
std::vector<int> values(Q& queue) {
  std::vector<int> all;
  while (const auto item = queue.try_get()) all.push_back(item->value());
  return all;
}

/// Fills a queue with capacity 20 and 12 items in no particular order.
template <class Q>
std::vector<int> fill(Q& queue) {
  std::vector<int> items;
  for (int i = 0; i < 12; ++i) {
    items.push_back(i * 7 % 12);
    EXPECT_TRUE(queue.try_put(Fragile(items.back())));
  }
  return items;
}

TYPED_TEST(QueueItemsTest, whose_copy_throws_are_not_put) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Fragile>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Fragile::alive;
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{20}}) {
      Q queue(capacity);
      const std::vector<int> items = fill(queue);
      const Fragile item(3);
      Fragile::break_at(1);
      const bool broke = co_await throws<Fragile::Broke, B>([&] { return queue.put(item); });
      EXPECT_TRUE(broke);
      Fragile::break_at(1);
      EXPECT_THROW(queue.try_put(item), Fragile::Broke);
      EXPECT_EQ(queue.size(), items.size());
      EXPECT_EQ(values(queue), TypeParam::Kind::order(items));
      for (std::size_t i = 0; i < items.size(); ++i) queue.task_done();
      EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
    }
    EXPECT_EQ(Fragile::alive, before);
  }());
}

TYPED_TEST(QueueItemsTest, whose_move_throws_are_not_put_at_whichever_step) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  if (!TypeParam::Kind::moves_may_throw) GTEST_SKIP() << "moves must not throw";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Fragile>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Fragile::alive;
    for (int step = 1; step <= 20; ++step) {
      Q queue(20);
      std::vector<int> items = fill(queue);
      Fragile item(-1);
      Fragile::break_at(step);
      const bool broke = co_await throws<Fragile::Broke, B>([&] { return queue.put(std::move(item)); });
      Fragile::break_at(0);
      if (!broke) items.push_back(-1);
      EXPECT_EQ(queue.size(), items.size()) << "step " << step;
      EXPECT_EQ(values(queue), TypeParam::Kind::order(items)) << "step " << step;
      if (!broke) break;
    }
    EXPECT_EQ(Fragile::alive, before);
  }());
}

TYPED_TEST(QueueItemsTest, whose_move_throws_are_not_got) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  if (!TypeParam::Kind::moves_may_throw) GTEST_SKIP() << "moves must not throw";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Fragile>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Fragile::alive;
    {
      Q queue(20);
      const std::vector<int> items = fill(queue);
      Fragile::break_at(1);
      bool broke = co_await throws<Fragile::Broke, B>([&] { return queue.get(); });
      EXPECT_TRUE(broke);
      Fragile::break_at(1);
      broke = co_await throws<Fragile::Broke, B>([&] { return queue.get(plenty); });
      EXPECT_TRUE(broke);
      Fragile::break_at(1);
      broke = co_await throws<Fragile::Broke, B>([&] { return queue.get_many(5); });
      EXPECT_TRUE(broke);
      Fragile::break_at(1);
      EXPECT_THROW(queue.try_get(), Fragile::Broke);
      EXPECT_EQ(queue.size(), items.size());
      EXPECT_EQ(values(queue), TypeParam::Kind::order(items));
    }
    EXPECT_EQ(Fragile::alive, before);
  }());
}

TYPED_TEST(QueueItemsTest, whose_move_throws_later_are_lost_alone) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  if (!TypeParam::Kind::moves_may_throw) GTEST_SKIP() << "moves must not throw";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Fragile>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Fragile::alive;
    for (int step = 1; step <= 40; ++step) {
      Q queue(20);
      const std::vector<int> order = TypeParam::Kind::order(fill(queue));
      Fragile::break_at(step);
      const bool broke = co_await throws<Fragile::Broke, B>([&] { return queue.get(); });
      Fragile::break_at(0);
      // The first step is the move out of the queue.
      const std::vector<int> left(order.begin() + (step == 1 ? 0 : 1), order.end());
      EXPECT_TRUE(broke || step > 1);
      EXPECT_EQ(queue.size(), left.size()) << "step " << step;
      EXPECT_EQ(values(queue), left) << "step " << step;
      if (!broke) break;
    }
    EXPECT_EQ(Fragile::alive, before);
  }());
}

TYPED_TEST(QueueItemsTest, of_a_put_many_before_the_one_that_throws_are_put) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Fragile>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Fragile::alive;
    {
      Q queue(20);
      std::vector<Fragile> items;
      items.reserve(4);
      for (int i = 1; i <= 4; ++i) items.emplace_back(i);
      Fragile::break_at(1);
      const bool broke = co_await throws<Fragile::Broke, B>([&] { return queue.put_many(items); });
      EXPECT_TRUE(broke);
      EXPECT_TRUE(queue.empty());
      const std::size_t count = co_await queue.put_many(items);
      EXPECT_EQ(count, 4U);
      EXPECT_EQ(values(queue), TypeParam::Kind::order(std::vector<int>({1, 2, 3, 4})));

      items.at(2) = Fragile(Fragile::doomed);
      const bool broke_later = co_await throws<Fragile::Broke, B>([&] { return queue.put_many(items); });
      EXPECT_TRUE(broke_later);
      EXPECT_EQ(queue.size(), 2U);
      EXPECT_EQ(values(queue), TypeParam::Kind::order(std::vector<int>({1, 2})));
    }
    EXPECT_EQ(Fragile::alive, before);
  }());
}

TYPED_TEST(QueueItemsTest, that_threw_keep_nobody_waiting) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  if (!TypeParam::Kind::moves_may_throw) GTEST_SKIP() << "moves must not throw";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Fragile>;
  struct Shared {
    Q queue{1};
    std::atomic<int> arrived{0};
    std::atomic<int> got{0};
    std::atomic<int> broke{0};
  };
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      Shared shared;
      trine::TaskGroup<B> group;
      Fragile::break_at(steps_of_a_put<Q>() + 1);
      for (int i = 0; i < 2; ++i) {
        group.spawn(
            [](Shared& s) -> trine::Task<void, B> {
              ++s.arrived;
              const bool broke = co_await throws<Fragile::Broke, B>([&] { return s.queue.get(); });
              ++(broke ? s.broke : s.got);
            },
            std::ref(shared));
      }
      co_await becomes<B>([&] { return shared.arrived == 2; });
      const Fragile item(1);
      co_await shared.queue.put(item);
      // Whoever failed left the item to the other.
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      Fragile::break_at(0);
      if (!joined) shared.queue.shutdown();
      EXPECT_EQ(shared.broke, 1);
      EXPECT_EQ(shared.got, 1);
      EXPECT_TRUE(shared.queue.empty());
    }
  }());
}

// CPython's FailingQueueTest, whose queue fails where here the item does.

/// A put that waits for room, and whose item then can't be copied.
template <class B, class Q>
trine::Task<void, B> put_fails_when_it_has_waited(Q& queue, bool with_limit) {
  struct Shared {
    Q& queue;
    const trine::Until until;
    std::atomic<bool> began{false};
    std::atomic<bool> failed{false};
  };
  Shared shared{queue, with_limit ? trine::Until(plenty) : trine::Until()};
  trine::TaskGroup<B> group;
  group.spawn(
      [](Shared& s) -> trine::Task<void, B> {
        const Fragile doomed(Fragile::doomed);
        s.began = true;
        s.failed = co_await throws<Fragile::Broke, B>([&] { return s.queue.put(doomed, s.until); });
      },
      std::ref(shared));
  co_await becomes<B>([&] { return shared.began.load(); });
  EXPECT_FALSE(shared.failed);
  co_await queue.get();
  const bool joined = co_await group.join(plenty);
  EXPECT_TRUE(joined);
  EXPECT_TRUE(shared.failed);
}

/// A get that waits, and whose item then can't be moved out.
template <class B, class Q>
trine::Task<void, B> get_fails_when_it_has_waited(Q& queue) {
  struct Shared {
    Q& queue;
    std::atomic<bool> began{false};
    std::atomic<bool> failed{false};
  };
  Shared shared{queue};
  trine::TaskGroup<B> group;
  group.spawn(
      [](Shared& s) -> trine::Task<void, B> {
        s.began = true;
        s.failed = co_await throws<Fragile::Broke, B>([&] { return s.queue.get(); });
      },
      std::ref(shared));
  co_await becomes<B>([&] { return shared.began.load(); });
  EXPECT_FALSE(shared.failed);
  const Fragile item(1);
  Fragile::break_at(steps_of_a_put<Q>() + 1);
  co_await queue.put(item);
  const bool joined = co_await group.join(plenty);
  EXPECT_TRUE(joined);
  EXPECT_TRUE(shared.failed);
}

template <class B, class Q>
trine::Task<void, B> failing_queue_test(Q& queue) {
  constexpr int size = 5;
  const Fragile item(1);
  EXPECT_TRUE(queue.empty());
  for (int i = 1; i < size; ++i) co_await queue.put(item);
  Fragile::break_at(1);
  EXPECT_THROW(queue.try_put(item), Fragile::Broke);
  Fragile::break_at(1);
  bool broke = co_await throws<Fragile::Broke, B>([&] { return queue.put(item, plenty); });
  EXPECT_TRUE(broke);
  co_await queue.put(item);
  EXPECT_TRUE(queue.full());
  for (const bool in_time : {false, true}) {
    co_await put_fails_when_it_has_waited<B>(queue, in_time);
    EXPECT_FALSE(queue.full());
    co_await queue.put(item);
    EXPECT_TRUE(queue.full());
  }
  co_await queue.get();
  EXPECT_FALSE(queue.full());
  co_await queue.put(item);
  EXPECT_TRUE(queue.full());
  for (int i = 0; i < size; ++i) co_await queue.get();
  EXPECT_TRUE(queue.empty());
  co_await queue.put(item);
  Fragile::break_at(1);
  broke = co_await throws<Fragile::Broke, B>([&] { return queue.get(); });
  EXPECT_TRUE(broke);
  EXPECT_FALSE(queue.empty());
  Fragile::break_at(1);
  broke = co_await throws<Fragile::Broke, B>([&] { return queue.get(plenty); });
  EXPECT_TRUE(broke);
  EXPECT_FALSE(queue.empty());
  co_await queue.get();
  EXPECT_TRUE(queue.empty());
  co_await get_fails_when_it_has_waited<B>(queue);
  EXPECT_FALSE(queue.empty());
  co_await queue.get();
  EXPECT_TRUE(queue.empty());
  Fragile::break_at(0);
}

TYPED_TEST(QueueItemsTest, CPython_FailingQueueTest_test_failing_queue) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  if (!TypeParam::Kind::moves_may_throw) GTEST_SKIP() << "moves must not throw";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Fragile>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(5);
    co_await failing_queue_test<B, Q>(queue);
    co_await failing_queue_test<B, Q>(queue);
  }());
}

// CPython's cases for SimpleQueue, which is a Queue without capacity here.

template <class B>
struct Simple {
  trine::Queue<int, B> queue;
  std::atomic<int> left{0};  // items to be put: the next is left - 1
  std::array<std::atomic<int>, 10000> got{};
  static constexpr int sentinel = -1;
};

enum class How { waiting, trying, in_time };

template <class B>
trine::Task<void, B> feed(Simple<B>& simple) {
  for (int n = --simple.left; n >= 0; n = --simple.left) co_await simple.queue.put(n);
  co_await simple.queue.put(Simple<B>::sentinel);
}

template <class B>
trine::Task<void, B> consume_simple(Simple<B>& simple, How how) {
  for (;;) {
    std::optional<int> n;
    if (how == How::waiting) n = co_await simple.queue.get();
    if (how == How::trying) n = simple.queue.try_get();
    if (how == How::in_time) n = co_await simple.queue.get(std::chrono::microseconds{100});
    if (n == Simple<B>::sentinel) co_return;
    if (n) ++simple.got[static_cast<std::size_t>(*n)];
    if (!n) co_await loiter<B>();
  }
}

template <class B>
trine::Task<void, B> run_many(How how) {
  constexpr int parties = 8;
  Simple<B> simple;
  simple.left = static_cast<int>(simple.got.size());
  trine::TaskGroup<B> group;
  for (int i = 0; i < parties; ++i) {
    group.spawn(feed<B>, std::ref(simple));
    group.spawn(consume_simple<B>, std::ref(simple), how);
  }
  const bool joined = co_await group.join(plenty);
  EXPECT_TRUE(joined);
  EXPECT_TRUE(simple.queue.empty());
  EXPECT_TRUE(std::all_of(simple.got.begin(), simple.got.end(), [](const auto& count) { return count == 1; }));
}

TYPED_TEST(QueueOrderTest, CPython_SimpleQueueTest_test_basic) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Queue<int, B> queue;
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.size(), 0U);
    co_await queue.put(1);
    EXPECT_FALSE(queue.empty());
    EXPECT_EQ(queue.size(), 1U);
    co_await queue.put(2);
    EXPECT_TRUE(queue.try_put(3));
    co_await queue.put(4);
    EXPECT_EQ(queue.size(), 4U);
    EXPECT_EQ(drained(queue), std::vector<int>({1, 2, 3, 4}));
    EXPECT_EQ(queue.size(), 0U);
    EXPECT_EQ(queue.try_get(), std::nullopt);
    const std::optional<int> got = co_await queue.get(moment);
    EXPECT_EQ(got, std::nullopt);
  }());
}

TYPED_TEST(QueueOrderTest, CPython_SimpleQueueTest_test_order) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Queue<int, B> queue;
    trine::TaskGroup<B> group;
    group.spawn(
        [](trine::Queue<int, B>& q) -> trine::Task<void, B> {
          for (int i = 0; i < 1000; ++i) co_await q.put(i);
        },
        std::ref(queue));
    for (int i = 0; i < 1000; ++i) {
      const int got = co_await queue.get();
      EXPECT_EQ(got, i);
    }
    co_await group.join();
  }());
}

TYPED_TEST(QueueOrderTest, CPython_SimpleQueueTest_test_many_threads) { trine::run(run_many<TypeParam>(How::waiting)); }
TYPED_TEST(QueueOrderTest, CPython_SimpleQueueTest_test_many_threads_nonblock) {
  trine::run(run_many<TypeParam>(How::trying));
}
TYPED_TEST(QueueOrderTest, CPython_SimpleQueueTest_test_many_threads_timeout) {
  trine::run(run_many<TypeParam>(How::in_time));
}

TYPED_TEST(QueueOrderTest, CPython_SimpleQueueTest_test_references) {
  if (!any_item<TypeParam>) GTEST_SKIP() << "items are copied or encoded";
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    QueueOf<Case<B, Fifo>, std::shared_ptr<int>> queue;
    for (int i = 0; i < 200; ++i) {
      const auto item = std::make_shared<int>(i);
      co_await queue.put(item);
      EXPECT_EQ(item.use_count(), 2);
    }
    for (int i = 0; i < 200; ++i) {
      const std::shared_ptr<int> item = co_await queue.get();
      EXPECT_EQ(*item, i);
      EXPECT_EQ(item.use_count(), 1);
    }
  }());
}

// Of CPython's cases for SimpleQueue these are left out:
//   test_negative_timeout_raises_exception: a negative limit means to try once here.
//   test_is_default, test_reentrancy: which of its two implementations is used, and a put from the garbage collector.

}  // namespace
