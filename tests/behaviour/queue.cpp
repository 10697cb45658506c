// SPDX-License-Identifier: BSL-1.0
//
// What Queue, LifoQueue and PriorityQueue promise alike, on every backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/bodies.hpp"
#include "support/queues.hpp"

namespace {

using namespace trine_test;

template <class C>
class QueueTest : public ::testing::Test {};
TYPED_TEST_SUITE(QueueTest, EveryQueue, CaseName);

TYPED_TEST(QueueTest, is_neither_copied_nor_moved) {
  using Q = QueueOf<TypeParam>;
  static_assert(!std::is_copy_constructible_v<Q> && !std::is_move_constructible_v<Q>);
  static_assert(!std::is_copy_assignable_v<Q> && !std::is_move_assignable_v<Q>);
}

TYPED_TEST(QueueTest, refuses_a_capacity_that_is_too_large_by_name) {
  using Q = QueueOf<TypeParam>;
  EXPECT_TRUE(names_argument("capacity", [] { Q queue(std::size_t{1} << 30); }));
  EXPECT_TRUE(names_argument("capacity", [] { Q queue(std::numeric_limits<std::size_t>::max()); }));
}

TYPED_TEST(QueueTest, says_how_much_is_in_it) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q bounded(2);
    EXPECT_EQ(bounded.capacity(), 2U);
    EXPECT_EQ(bounded.size(), 0U);
    EXPECT_TRUE(bounded.empty());
    EXPECT_FALSE(bounded.full());
    co_await bounded.put(1);
    EXPECT_EQ(bounded.size(), 1U);
    EXPECT_FALSE(bounded.empty());
    EXPECT_FALSE(bounded.full());
    co_await bounded.put(2);
    EXPECT_EQ(bounded.size(), 2U);
    EXPECT_TRUE(bounded.full());
    co_await bounded.get();
    EXPECT_EQ(bounded.size(), 1U);
    EXPECT_FALSE(bounded.full());
    EXPECT_FALSE(bounded.is_shutdown());

    Q unbounded;
    EXPECT_EQ(unbounded.capacity(), 0U);
    EXPECT_TRUE(unbounded.empty());
    for (int i = 0; i < 1000; ++i) co_await unbounded.put(i);
    EXPECT_EQ(unbounded.size(), 1000U);
    EXPECT_EQ(unbounded.capacity(), 0U);
    EXPECT_FALSE(unbounded.full());
  }());
}

TYPED_TEST(QueueTest, items_come_out_in_the_order_of_its_kind) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{5}}) {
      Q queue(capacity);
      std::vector<int> items;
      for (const int n : {3, 1, 4, 5, 2}) items.push_back(n);
      for (const int n : items) {
        const bool put = co_await queue.put(n);
        EXPECT_TRUE(put);
      }
      std::vector<int> got;
      for (std::size_t i = 0; i < items.size(); ++i) {
        const int n = co_await queue.get();
        got.push_back(n);
      }
      EXPECT_EQ(got, TypeParam::Kind::order(items));
    }
  }());
}

TYPED_TEST(QueueTest, what_was_put_can_be_got_at_once) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    for (int i = 0; i < 300; ++i) {
      co_await queue.put(i);
      EXPECT_EQ(queue.size(), 1U);
      const std::optional<int> got = queue.try_get();
      EXPECT_EQ(got, i);
    }
  }());
}

TYPED_TEST(QueueTest, try_put_and_try_get_never_wait) {
  using Q = QueueOf<TypeParam>;
  Q queue(2);
  EXPECT_EQ(queue.try_get(), std::nullopt);
  EXPECT_TRUE(queue.try_put(1));
  EXPECT_TRUE(queue.try_put(2));
  EXPECT_FALSE(queue.try_put(3));
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(drained(queue), TypeParam::Kind::order(std::vector<int>({1, 2})));
  EXPECT_EQ(queue.try_get(), std::nullopt);
}

// Who has found nothing several times looks at less.
TYPED_TEST(QueueTest, try_get_sees_what_comes_after_tries_in_vain) {
  using Q = QueueOf<TypeParam>;
  Q queue(2);
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.try_get(), std::nullopt);
    EXPECT_TRUE(queue.try_put(round));
    EXPECT_EQ(queue.try_get(), round);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.try_get(), std::nullopt);
  queue.shutdown();
  EXPECT_THROW(queue.try_get(), trine::QueueShutdown);
}

TYPED_TEST(QueueTest, an_item_put_by_value_is_moved_and_one_by_reference_copied) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, std::string>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    const std::string text(100, 'x');  // too long to be stored in the string itself, so that a move empties it
    std::string copied = text;
    std::string moved = text;
    co_await queue.put(copied);
    co_await queue.put(std::move(moved));
    EXPECT_TRUE(queue.try_put(copied));
    EXPECT_EQ(copied, text);
    EXPECT_TRUE(moved.empty());
    EXPECT_TRUE(queue.try_put(std::move(copied)));
    EXPECT_TRUE(copied.empty());
    for (int i = 0; i < 4; ++i) {
      const std::string got = co_await queue.get();
      EXPECT_EQ(got, text);
    }
  }());
}

TYPED_TEST(QueueTest, a_refused_item_is_left_unmoved) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, std::string>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(1);
    const std::string text(100, 'x');
    std::string item = text;
    co_await queue.put(text);
    EXPECT_FALSE(queue.try_put(std::move(item)));
    EXPECT_EQ(item, text);
    const bool put = co_await queue.put(std::move(item), moment);
    EXPECT_FALSE(put);
    EXPECT_EQ(item, text);
    queue.shutdown();
    const bool refused = co_await throws<trine::QueueShutdown, B>([&] { return queue.put(std::move(item)); });
    EXPECT_TRUE(refused);
    EXPECT_EQ(item, text);
    EXPECT_THROW(queue.try_put(std::move(item)), trine::QueueShutdown);
    EXPECT_EQ(item, text);
  }());
}

TYPED_TEST(QueueTest, put_gives_up_at_each_limit_and_puts_nothing) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(2);
    co_await queue.put(1);
    co_await queue.put(2);
    const int item = 3;
    int movable = 4;
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return queue.put(item, until); });
    co_await gives_up_at_each_limit<B>(
        [&](const trine::Until& until) { return queue.put(std::move(movable), until); });
    EXPECT_EQ(drained(queue), TypeParam::Kind::order(std::vector<int>({1, 2})));
    queue.task_done();
    queue.task_done();
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
  }());
}

TYPED_TEST(QueueTest, get_gives_up_at_each_limit_and_takes_nothing) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(2);
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return queue.get(until); });
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return queue.get_many(2, until); });
    EXPECT_TRUE(queue.empty());
    co_await queue.put(1);
    co_await queue.put(2);
    EXPECT_TRUE(queue.full());
    EXPECT_EQ(drained(queue), TypeParam::Kind::order(std::vector<int>({1, 2})));
  }());
}

TYPED_TEST(QueueTest, operations_succeed_whatever_the_limit_if_they_can) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(3);
    const int item = 1;
    int movable = 2;
    const auto emptied = [&] {
      (void)drained(queue);
      return std::ref(queue);
    };
    co_await succeeds_whatever_the_limit<B>(
        [&](const trine::Until& until) { return emptied().get().put(item, until); });
    co_await succeeds_whatever_the_limit<B>(
        [&](const trine::Until& until) { return emptied().get().put(std::move(movable), until); });
    std::vector<int> three(3, 7);
    co_await succeeds_whatever_the_limit<B>(
        [&](const trine::Until& until) { return emptied().get().put_many(three, until); });
    const auto filled = [&] {
      while (queue.try_put(1)) {
      }
      return std::ref(queue);
    };
    co_await succeeds_whatever_the_limit<B>([&](const trine::Until& until) { return filled().get().get(until); });
    co_await succeeds_whatever_the_limit<B>(
        [&](const trine::Until& until) { return filled().get().get_many(2, until); });
    Q finished;
    co_await succeeds_whatever_the_limit<B>([&](const trine::Until& until) { return finished.join(until); });
  }());
}

TYPED_TEST(QueueTest, operations_wait_under_limits_that_do_not_come) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  struct Shared {
    Q queue{1};
    trine::Event<B> full;
    trine::Event<B> put;
  };
  trine::run([]() -> trine::Task<void, B> {
    for (const Limit& limit : limits_that_never_come()) {
      Shared shared;
      trine::TaskGroup<B> group;
      group.spawn(
          [](Shared& s) -> trine::Task<void, B> {
            co_await loiter<B>();
            co_await s.queue.put(1);
            co_await s.full.wait();
            co_await loiter<B>();
            co_await s.queue.get();
            co_await s.put.wait();
            co_await loiter<B>();
            for (int i = 0; i < 3; ++i) s.queue.task_done();
          },
          std::ref(shared));
      const trine::Until until = limit.make();
      const std::optional<int> got = co_await shared.queue.get(until);
      EXPECT_EQ(got, 1) << limit.name;
      EXPECT_TRUE(shared.queue.try_put(2));
      shared.full.set();
      const bool put = co_await shared.queue.put(3, until);
      EXPECT_TRUE(put) << limit.name;
      shared.put.set();
      const bool joined = co_await shared.queue.join(until);
      EXPECT_TRUE(joined) << limit.name;
      co_await group.join();
    }
  }());
}

// put_many and get_many

TYPED_TEST(QueueTest, put_many_puts_what_fits_before_it_gives_up) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(3);
    std::vector<int> five(5);
    std::iota(five.begin(), five.end(), 1);
    const std::size_t count = co_await queue.put_many(five, moment);
    EXPECT_EQ(count, 3U);
    EXPECT_TRUE(queue.full());
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return queue.put_many(five, until); });
    EXPECT_EQ(drained(queue), TypeParam::Kind::order(std::vector<int>({1, 2, 3})));
    for (int i = 0; i < 3; ++i) queue.task_done();
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
  }());
}

TYPED_TEST(QueueTest, put_many_takes_any_input_range) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    const std::vector<int> none;
    const std::size_t of_none = co_await queue.put_many(none);
    EXPECT_EQ(of_none, 0U);
    EXPECT_TRUE(queue.empty());
    const std::size_t of_view = co_await queue.put_many(std::views::iota(0, 100));
    EXPECT_EQ(of_view, 100U);
    EXPECT_EQ(queue.size(), 100U);
    const std::array<int, 2> two{100, 101};
    const std::size_t of_array = co_await queue.put_many(two);
    EXPECT_EQ(of_array, 2U);
    std::vector<int> all(102);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(drained(queue), TypeParam::Kind::order(all));
  }());
}

TYPED_TEST(QueueTest, put_many_of_more_than_the_capacity_goes_through) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(7);
    std::atomic<std::int64_t> sum{0};
    trine::TaskGroup<B> group;
    group.spawn(
        [](Q& q, std::atomic<std::int64_t>& total) -> trine::Task<void, B> {
          for (int i = 0; i < 1000; ++i) {
            const int n = co_await q.get();
            total += n;
          }
        },
        std::ref(queue), std::ref(sum));
    const std::size_t count = co_await queue.put_many(std::views::iota(0, 1000));
    EXPECT_EQ(count, 1000U);
    const bool joined = co_await group.join(plenty);
    EXPECT_TRUE(joined);
    EXPECT_EQ(sum, 499500);
    EXPECT_TRUE(queue.empty());
  }());
}

TYPED_TEST(QueueTest, get_many_takes_what_is_there_up_to_n) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    std::vector<int> items(5);
    std::iota(items.begin(), items.end(), 1);
    const std::vector<int> order = TypeParam::Kind::order(items);
    co_await queue.put_many(items);
    const std::vector<int> none = co_await queue.get_many(0);
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(queue.size(), 5U);
    const std::vector<int> two = co_await queue.get_many(2);
    EXPECT_EQ(two, std::vector<int>(order.begin(), order.begin() + 2));
    EXPECT_EQ(queue.size(), 3U);
    const std::vector<int> rest = co_await queue.get_many(100);
    EXPECT_EQ(rest, std::vector<int>(order.begin() + 2, order.end()));
    EXPECT_TRUE(queue.empty());
    const std::vector<int> of_empty = co_await queue.get_many(3, moment);
    EXPECT_TRUE(of_empty.empty());
  }());
}

TYPED_TEST(QueueTest, get_many_takes_all_that_is_there_though_less_was_there_before) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    co_await queue.put_many(std::views::iota(0, 2));
    co_await queue.get();
    co_await queue.put_many(std::views::iota(2, 4));
    const std::vector<int> three = co_await queue.get_many(3);
    EXPECT_EQ(three.size(), 3U);
    EXPECT_EQ(queue.size(), 3U - three.size());
  }());
}

TYPED_TEST(QueueTest, get_many_waits_for_one_alone) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    trine::TaskGroup<B> group;
    group.spawn(
        [](Q& q) -> trine::Task<void, B> {
          co_await loiter<B>();
          co_await q.put(1);
        },
        std::ref(queue));
    const std::vector<int> got = co_await queue.get_many(3);
    EXPECT_EQ(got, std::vector<int>(1, 1));
    co_await group.join();
  }());
}

template <class Q>
struct Served {
  explicit Served(std::size_t capacity) : queue(capacity) {}
  Q queue;
  std::atomic<int> arrived{0};
  std::atomic<int> served{0};
};

TYPED_TEST(QueueTest, put_many_serves_every_waiting_getter) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 30; ++round) {
      Served<Q> served(round % 2 == 0 ? 0 : 2);
      trine::TaskGroup<B> group;
      for (int i = 0; i < 4; ++i) {
        group.spawn(
            [](Served<Q>& s) -> trine::Task<void, B> {
              ++s.arrived;
              co_await s.queue.get();
              ++s.served;
            },
            std::ref(served));
      }
      co_await becomes<B>([&] { return served.arrived == 4; });
      const std::size_t count = co_await served.queue.put_many(std::views::iota(0, 4));
      EXPECT_EQ(count, 4U);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(served.served, 4);
      served.queue.shutdown();
    }
  }());
}

TYPED_TEST(QueueTest, get_many_serves_every_waiting_putter) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 30; ++round) {
      Served<Q> served(4);
      trine::TaskGroup<B> group;
      co_await served.queue.put_many(std::views::iota(0, 4));
      for (int i = 0; i < 4; ++i) {
        group.spawn(
            [](Served<Q>& s) -> trine::Task<void, B> {
              ++s.arrived;
              co_await s.queue.put(1);
              ++s.served;
            },
            std::ref(served));
      }
      co_await becomes<B>([&] { return served.arrived == 4; });
      EXPECT_EQ(served.served, 0);
      const std::vector<int> got = co_await served.queue.get_many(4);
      EXPECT_EQ(got.size(), 4U);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(served.served, 4);
      EXPECT_EQ(served.queue.size(), 4U);
      if (!joined) served.queue.shutdown();
    }
  }());
}

// task_done and join

TYPED_TEST(QueueTest, task_done_too_often_throws_and_changes_nothing) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
    EXPECT_THROW(queue.task_done(), trine::Error);
    bool joined = co_await queue.join(std::chrono::seconds{0});
    EXPECT_TRUE(joined);
    co_await queue.put(1);
    joined = co_await queue.join(std::chrono::seconds{0});
    EXPECT_FALSE(joined);
    queue.task_done();  // counts what was put, got or not
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
    joined = co_await queue.join(std::chrono::seconds{0});
    EXPECT_TRUE(joined);
    const int got = co_await queue.get();
    EXPECT_EQ(got, 1);
    co_await queue.put(2);
    joined = co_await queue.join(std::chrono::seconds{0});
    EXPECT_FALSE(joined);
    queue.task_done();
    joined = co_await queue.join();
    EXPECT_TRUE(joined);
  }());
}

TYPED_TEST(QueueTest, join_gives_up_at_each_limit) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    co_await queue.put(1);
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return queue.join(until); });
    EXPECT_EQ(queue.size(), 1U);
    co_await queue.get();
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return queue.join(until); });
    queue.task_done();
    const bool joined = co_await queue.join();
    EXPECT_TRUE(joined);
  }());
}

TYPED_TEST(QueueTest, join_waits_for_the_last_item_and_sees_what_was_done) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  struct Shared {
    Q queue;
    int results = 0;  // plain: join() orders it
    std::atomic<int> joined{0};
  };
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      Shared shared;
      for (int i = 1; i <= 3; ++i) co_await shared.queue.put(i);
      trine::TaskGroup<B> group;
      for (int i = 0; i < 2; ++i) {
        group.spawn(
            [](Shared& s) -> trine::Task<void, B> {
              const bool done = co_await s.queue.join();
              EXPECT_TRUE(done);
              EXPECT_EQ(s.results, 6);
              ++s.joined;
            },
            std::ref(shared));
      }
      for (int i = 0; i < 3; ++i) {
        const int n = co_await shared.queue.get();
        shared.results += n;
        EXPECT_EQ(shared.joined, 0);
        if (round % 2 == 0) co_await loiter<B>();
        shared.queue.task_done();
      }
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(shared.joined, 2);
    }
  }());
}

// Many at once

template <class Q>
struct Factory {
  explicit Factory(std::size_t capacity) : queue(capacity) {}
  Q queue;
  std::atomic<std::int64_t> sum{0};
  std::atomic<int> count{0};
  std::atomic<int> refused{0};
};

constexpr int per_producer = 1000;

template <class B, class Q>
trine::Task<void, B> produce(Factory<Q>& factory, int producer) {
  for (int i = 0; i < per_producer; ++i) co_await factory.queue.put(producer * per_producer + i);
}

template <class B, class Q>
trine::Task<void, B> consume(Factory<Q>& factory) {
  try {
    for (;;) {
      const int n = co_await factory.queue.get();
      factory.sum += n;
      ++factory.count;
      factory.queue.task_done();
    }
  } catch (const trine::QueueShutdown&) {
    // all have been got
  }
}

TYPED_TEST(QueueTest, every_item_of_many_producers_reaches_one_of_many_consumers) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{7}}) {
      Factory<Q> factory(capacity);
      trine::TaskGroup<B> producers;
      trine::TaskGroup<B> consumers;
      for (int i = 0; i < 3; ++i) consumers.spawn(consume<B, Q>, std::ref(factory));
      for (int i = 0; i < 4; ++i) producers.spawn(produce<B, Q>, std::ref(factory), i);
      const bool produced = co_await producers.join(plenty);
      EXPECT_TRUE(produced);
      const bool finished = co_await factory.queue.join(plenty);
      EXPECT_TRUE(finished);
      factory.queue.shutdown();
      const bool consumed = co_await consumers.join(plenty);
      EXPECT_TRUE(consumed);
      constexpr std::int64_t n = 4 * per_producer;
      EXPECT_EQ(factory.count, n);
      EXPECT_EQ(factory.sum, n * (n - 1) / 2);
      EXPECT_TRUE(factory.queue.empty());
    }
  }());
}

TYPED_TEST(QueueTest, no_item_is_lost_or_made_where_many_give_up) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Factory<Q> factory(2);
    trine::TaskGroup<B> producers;
    trine::TaskGroup<B> consumers;
    std::atomic<std::int64_t> put{0};
    for (int i = 0; i < 3; ++i) {
      producers.spawn(
          [](Factory<Q>& f, std::atomic<std::int64_t>& total) -> trine::Task<void, B> {
            for (int n = 1; n <= 1500; ++n) {
              const bool done = co_await f.queue.put(n, std::chrono::microseconds{n % 50});
              if (done) total += n;
            }
          },
          std::ref(factory), std::ref(put));
      consumers.spawn(
          [](Factory<Q>& f) -> trine::Task<void, B> {
            try {
              for (int n = 0;; ++n) {
                const std::optional<int> got = co_await f.queue.get(std::chrono::microseconds{n % 50});
                if (got) f.sum += *got;
              }
            } catch (const trine::QueueShutdown&) {
              // all have been got
            }
          },
          std::ref(factory));
    }
    const bool produced = co_await producers.join(plenty);
    EXPECT_TRUE(produced);
    factory.queue.shutdown();
    const bool consumed = co_await consumers.join(plenty);
    EXPECT_TRUE(consumed);
    EXPECT_EQ(factory.sum, put);
    EXPECT_GT(put, 0);
  }());
}

TYPED_TEST(QueueTest, an_item_put_while_a_getter_is_stopped_goes_to_the_other) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  struct Race {
    Q queue;
    std::stop_source stop;
    std::atomic<int> arrived{0};
    std::atomic<int> got{0};
  };
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 100; ++round) {
      Race race;
      trine::TaskGroup<B> group;
      group.spawn(
          [](Race& r) -> trine::Task<void, B> {
            ++r.arrived;
            const std::optional<int> item = co_await r.queue.get(r.stop.get_token());
            if (item) co_await r.queue.put(*item);
          },
          std::ref(race));
      group.spawn(
          [](Race& r) -> trine::Task<void, B> {
            ++r.arrived;
            const int item = co_await r.queue.get();
            r.got = item;
          },
          std::ref(race));
      co_await becomes<B>([&] { return race.arrived == 2; });
      group.spawn([](Race& r) { r.stop.request_stop(); }, std::ref(race));
      co_await race.queue.put(7);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(race.got, 7);
      EXPECT_TRUE(race.queue.empty());
      if (!joined) race.queue.shutdown();
    }
  }());
}

TYPED_TEST(QueueTest, room_made_while_a_putter_is_stopped_goes_to_the_other) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  struct Race {
    Q queue{1};
    std::stop_source stop;
    std::atomic<int> arrived{0};
    std::atomic<bool> put{false};
  };
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 100; ++round) {
      Race race;
      co_await race.queue.put(1);
      trine::TaskGroup<B> group;
      group.spawn(
          [](Race& r) -> trine::Task<void, B> {
            ++r.arrived;
            const bool done = co_await r.queue.put(2, r.stop.get_token());
            if (done) co_await r.queue.get();
          },
          std::ref(race));
      group.spawn(
          [](Race& r) -> trine::Task<void, B> {
            ++r.arrived;
            const bool done = co_await r.queue.put(2);
            r.put = done;
          },
          std::ref(race));
      co_await becomes<B>([&] { return race.arrived == 2; });
      group.spawn([](Race& r) { r.stop.request_stop(); }, std::ref(race));
      co_await race.queue.get();
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_TRUE(race.put);
      EXPECT_EQ(race.queue.size(), 1U);
      if (!joined) race.queue.shutdown();
    }
  }());
}

TYPED_TEST(QueueTest, what_was_done_before_put_is_visible_after_get) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, int*>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue(3);
    std::vector<int> data(1000, 0);
    trine::TaskGroup<B> group;
    group.spawn(
        [](Q& q, std::vector<int>& shared) -> trine::Task<void, B> {
          for (int& n : shared) {
            n = 1;
            co_await q.put(&n);
          }
        },
        std::ref(queue), std::ref(data));
    for (int i = 0; i < 1000; ++i) {
      int* const n = co_await queue.get();
      EXPECT_EQ(*n, 1);
      *n = 2;
    }
    co_await group.join();
    EXPECT_EQ(std::count(data.begin(), data.end(), 2), 1000);
  }());
}

// shutdown

/// A queue that is shut down, and how many of the calls on it returned and how many found it shut.
template <class Q>
struct Closing {
  explicit Closing(std::size_t capacity = 0) : queue(capacity) {}
  Q queue;
  std::atomic<int> arrived{0};
  std::atomic<int> back{0};
  std::atomic<int> shut{0};
};

/// A party that makes one call and notes what came of it.
template <class B, class Q, class Call>
trine::Task<void, B> call_once(Closing<Q>& closing, Call call) {
  ++closing.arrived;
  const bool shut = co_await throws<trine::QueueShutdown, B>([&] { return call(closing.queue); });
  ++(shut ? closing.shut : closing.back);
}

// An awaitable refers to its item, which must outlive the lambda that returns it.
constexpr int an_item = 9;
constexpr std::array<int, 5> five_items{10, 11, 12, 13, 14};

constexpr auto puts_one = [](auto& queue) { return queue.put(an_item); };
constexpr auto puts_five = [](auto& queue) { return queue.put_many(five_items); };
constexpr auto gets_one = [](auto& queue) { return queue.get(); };
constexpr auto gets_one_in_time = [](auto& queue) { return queue.get(plenty); };
constexpr auto gets_many = [](auto& queue) { return queue.get_many(2); };
constexpr auto joins = [](auto& queue) { return queue.join(); };

template <class B, class Q, class Call>
void spawn_call(trine::TaskGroup<B>& group, Closing<Q>& closing, Call call) {
  group.spawn(call_once<B, Q, Call>, std::ref(closing), call);
}

TYPED_TEST(QueueTest, shutdown_refuses_puts_and_lets_gets_drain) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    for (int i = 1; i <= 5; ++i) co_await queue.put(i);
    const std::vector<int> order = TypeParam::Kind::order(std::vector<int>({1, 2, 3, 4, 5}));
    queue.shutdown();
    EXPECT_TRUE(queue.is_shutdown());
    EXPECT_EQ(queue.size(), 5U);
    bool shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.put(an_item); });
    EXPECT_TRUE(shut);
    const std::vector<int> two(2, 6);
    shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.put_many(two); });
    EXPECT_TRUE(shut);
    EXPECT_THROW(queue.try_put(6), trine::QueueShutdown);
    std::vector<int> got;
    const int first = co_await queue.get();
    got.push_back(first);
    const std::optional<int> second = co_await queue.get(moment);
    got.push_back(second.value_or(0));
    got.push_back(queue.try_get().value_or(0));
    const std::vector<int> rest = co_await queue.get_many(9);
    got.insert(got.end(), rest.begin(), rest.end());
    EXPECT_EQ(got, order);
    shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.get(); });
    EXPECT_TRUE(shut);
    shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.get(moment); });
    EXPECT_TRUE(shut);
    shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.get_many(1); });
    EXPECT_TRUE(shut);
    EXPECT_THROW(queue.try_get(), trine::QueueShutdown);
    EXPECT_THROW(queue.try_get(), trine::Error);
  }());
}

TYPED_TEST(QueueTest, immediate_shutdown_drops_the_items_and_counts_them_as_done) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, Tracked>;
  trine::run([]() -> trine::Task<void, B> {
    const int before = Tracked::alive;
    Q queue(8);
    for (int i = 1; i <= 5; ++i) co_await queue.put(Tracked(i));
    EXPECT_EQ(Tracked::alive, before + 5);
    queue.shutdown(true);
    EXPECT_EQ(Tracked::alive, before);
    EXPECT_TRUE(queue.is_shutdown());
    EXPECT_TRUE(queue.empty());
    EXPECT_THROW(queue.try_get(), trine::QueueShutdown);
    EXPECT_THROW(queue.try_put(Tracked(6)), trine::QueueShutdown);
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
    const bool joined = co_await queue.join();
    EXPECT_TRUE(joined);
  }());
}

TYPED_TEST(QueueTest, immediate_shutdown_still_waits_for_items_that_were_got) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    Q queue;
    for (int i = 0; i < 3; ++i) co_await queue.put(i);
    co_await queue.get();
    queue.shutdown(true);
    bool joined = co_await queue.join(std::chrono::seconds{0});
    EXPECT_FALSE(joined);
    queue.task_done();
    joined = co_await queue.join();
    EXPECT_TRUE(joined);
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
  }());
}

TYPED_TEST(QueueTest, shutdown_may_be_repeated_in_any_order) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (const bool first : {false, true}) {
      for (const bool second : {false, true}) {
        Q queue(3);
        co_await queue.put(1);
        queue.shutdown(first);
        queue.shutdown(second);
        EXPECT_TRUE(queue.is_shutdown());
        EXPECT_EQ(queue.size(), first || second ? 0U : 1U);
        const bool joined = co_await queue.join(std::chrono::seconds{0});
        EXPECT_EQ(joined, first || second);
      }
    }
  }());
}

TYPED_TEST(QueueTest, shutdown_releases_every_blocked_putter) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      const bool immediate = round % 2 == 0;
      Closing<Q> closing(2);
      co_await closing.queue.put(1);
      co_await closing.queue.put(2);
      trine::TaskGroup<B> group;
      for (int i = 0; i < 3; ++i) spawn_call(group, closing, puts_one);
      co_await becomes<B>([&] { return closing.arrived == 3; });
      EXPECT_EQ(closing.back, 0);
      closing.queue.shutdown(immediate);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(closing.shut, 3);
      EXPECT_EQ(closing.queue.size(), immediate ? 0U : 2U);
    }
  }());
}

TYPED_TEST(QueueTest, shutdown_releases_a_put_many_that_has_put_a_part) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  struct Shared {
    Q queue{2};
    std::atomic<std::size_t> count{0};
  };
  trine::run([]() -> trine::Task<void, B> {
    Shared shared;
    trine::TaskGroup<B> group;
    group.spawn(
        [](Shared& s) -> trine::Task<void, B> {
          // It tells how many it put; the next one finds the queue shut.
          const std::size_t count = co_await puts_five(s.queue);
          s.count = count;
          const bool shut = co_await throws<trine::QueueShutdown, B>([&] { return puts_five(s.queue); });
          EXPECT_TRUE(shut);
        },
        std::ref(shared));
    const bool full = co_await becomes<B>([&] { return shared.queue.full(); });
    EXPECT_TRUE(full);
    shared.queue.shutdown();
    const bool joined = co_await group.join(plenty);
    EXPECT_TRUE(joined);
    EXPECT_EQ(shared.count, 2U);
    EXPECT_EQ(shared.queue.size(), 2U);
    const int first = co_await shared.queue.get();
    const int second = co_await shared.queue.get();
    EXPECT_EQ(first + second, 21);
  }());
}

TYPED_TEST(QueueTest, shutdown_releases_every_blocked_getter) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      Closing<Q> closing(round % 3 == 0 ? 2 : 0);
      trine::TaskGroup<B> group;
      spawn_call(group, closing, gets_one);
      spawn_call(group, closing, gets_one);
      spawn_call(group, closing, gets_one_in_time);
      spawn_call(group, closing, gets_many);
      co_await becomes<B>([&] { return closing.arrived == 4; });
      closing.queue.shutdown(round % 2 == 0);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(closing.shut, 4);
    }
  }());
}

TYPED_TEST(QueueTest, shutdown_leaves_joiners_to_wait_until_the_rest_is_done) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      const bool immediate = round % 2 == 0;
      Closing<Q> closing;
      co_await closing.queue.put(1);
      co_await closing.queue.put(2);
      trine::TaskGroup<B> group;
      spawn_call(group, closing, joins);
      spawn_call(group, closing, joins);
      co_await becomes<B>([&] { return closing.arrived == 2; });
      EXPECT_EQ(closing.back, 0);
      closing.queue.shutdown(immediate);
      if (!immediate) {
        EXPECT_EQ(closing.back, 0);
        const std::vector<int> rest = co_await closing.queue.get_many(2);
        EXPECT_EQ(rest.size(), 2U);
        closing.queue.task_done();
        EXPECT_EQ(closing.back, 0);
        closing.queue.task_done();
      }
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(closing.back, 2);
      EXPECT_EQ(closing.shut, 0);
    }
  }());
}

TYPED_TEST(QueueTest, shutdown_among_many_loses_nothing_that_was_put) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 10; ++round) {
      Factory<Q> factory(round % 2 == 0 ? 0 : 3);
      std::atomic<std::int64_t> put{0};
      std::atomic<int> puts{0};
      trine::TaskGroup<B> group;
      for (int i = 0; i < 2; ++i) {
        group.spawn(
            [](Factory<Q>& f, std::atomic<std::int64_t>& total, std::atomic<int>& count) -> trine::Task<void, B> {
              try {
                for (int n = 1;; ++n) {
                  co_await f.queue.put(n);
                  total += n;
                  ++count;
                }
              } catch (const trine::QueueShutdown&) {
                ++f.refused;
              }
            },
            std::ref(factory), std::ref(put), std::ref(puts));
        group.spawn(consume<B, Q>, std::ref(factory));
      }
      co_await becomes<B>([&] { return puts > 200; });
      factory.queue.shutdown();
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(factory.refused, 2);
      EXPECT_EQ(factory.sum, put);
      EXPECT_EQ(factory.count, puts);
      const bool finished = co_await factory.queue.join(std::chrono::seconds{0});
      EXPECT_TRUE(finished);
    }
  }());
}

// Iteration: where a wait blocks, range-for takes items until the queue is shut down and empty.

TYPED_TEST(QueueTest, range_for_ends_at_shutdown) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  if constexpr (blocking<B>) {
    Q queue;
    std::vector<int> got;
    trine::TaskGroup<B> group;
    group.spawn(
        [](Q& q, std::vector<int>& items) {
          for (const int n : q) items.push_back(n);
        },
        std::ref(queue), std::ref(got));
    for (int i = 0; i < 100; ++i) queue.put(i);
    queue.shutdown();
    EXPECT_TRUE(group.join(plenty));
    std::sort(got.begin(), got.end());
    std::vector<int> all(100);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(got, all);
  }
}

TYPED_TEST(QueueTest, range_for_of_a_queue_that_is_shut_and_empty_does_nothing) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  if constexpr (blocking<B>) {
    Q queue;
    queue.shutdown();
    int count = 0;
    for (const int n : queue) count += 1 + n;
    EXPECT_EQ(count, 0);
  }
}

TYPED_TEST(QueueTest, a_range_for_that_breaks_takes_no_more) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  if constexpr (blocking<B>) {
    Q queue;
    for (int i = 0; i < 5; ++i) queue.put(i);
    int count = 0;
    for (const int n : queue) {
      EXPECT_GE(n, 0);
      if (++count == 2) break;
    }
    EXPECT_EQ(queue.size(), 3U);
    queue.shutdown();
    for (const int n : queue) {
      EXPECT_GE(n, 0);
      ++count;
    }
    EXPECT_EQ(count, 5);
  }
}

TYPED_TEST(QueueTest, range_for_moves_the_items_out) {
  if (!any_item<typename TypeParam::Backend>) GTEST_SKIP() << "items are copied or encoded";
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam, MoveOnly>;
  if constexpr (blocking<B>) {
    Q queue;
    for (int i = 1; i <= 5; ++i) queue.put(MoveOnly(i));
    queue.shutdown();
    int sum = 0;
    for (MoveOnly item : queue) sum += item.value();
    EXPECT_EQ(sum, 15);
  }
}

// CPython's cases for queue.Queue, LifoQueue and PriorityQueue. Where CPython raises Full or Empty, the call gives up.

constexpr std::size_t queue_size = 5;

/// Does `call`, which blocks until `trigger` has been made by another party.
template <class B, class Q, class Call, class Trigger>
trine::Task<void, B> blocks_until(Q& queue, Call call, Trigger trigger) {
  struct Shared {
    Q& queue;
    Trigger trigger;
    std::atomic<bool> triggered{false};
  };
  Shared shared{queue, trigger};
  trine::TaskGroup<B> group;
  group.spawn(
      [](Shared& s) -> trine::Task<void, B> {
        co_await loiter<B>();
        s.triggered = true;
        co_await s.trigger(s.queue);
      },
      std::ref(shared));
  const auto result = co_await call(queue);
  EXPECT_TRUE(shared.triggered) << "the call did not wait";
  EXPECT_TRUE(result);
  co_await group.join();
}

template <class C>
trine::Task<void, typename C::Backend> basic_queue_test(QueueOf<C>& queue) {
  using B = typename C::Backend;
  using Q = QueueOf<C>;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.full());
  std::vector<int> items;
  for (const int n : {111, 333, 222}) items.push_back(n);
  for (const int n : items) co_await queue.put(n);
  std::vector<int> got;
  for (int i = 0; i < 3; ++i) {
    const int n = co_await queue.get();
    got.push_back(n);
  }
  EXPECT_EQ(got, C::Kind::order(items));
  for (int i = 1; i < static_cast<int>(queue_size); ++i) {
    co_await queue.put(i);
    EXPECT_FALSE(queue.empty());
  }
  EXPECT_FALSE(queue.full());
  co_await queue.put(10);
  EXPECT_TRUE(queue.full());
  EXPECT_FALSE(queue.empty());
  EXPECT_FALSE(queue.try_put(30));
  const bool put = co_await queue.put(30, moment);
  EXPECT_FALSE(put);
  const auto put_full = [](Q& q) { return q.put(an_item); };
  const auto put_full_in_time = [](Q& q) { return q.put(an_item, plenty); };
  const auto get = [](Q& q) { return q.get(); };
  const auto get_in_time = [](Q& q) { return q.get(plenty); };
  const auto put_one = [](Q& q) { return q.put(an_item); };
  co_await blocks_until<B>(queue, put_full, get);
  co_await blocks_until<B>(queue, put_full_in_time, get);
  for (std::size_t i = 0; i < queue_size; ++i) co_await queue.get();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.try_get(), std::nullopt);
  const std::optional<int> none = co_await queue.get(moment);
  EXPECT_EQ(none, std::nullopt);
  co_await blocks_until<B>(queue, get, put_one);
  co_await blocks_until<B>(queue, get_in_time, put_one);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_basic) {
  using B = typename TypeParam::Backend;
  trine::run([]() -> trine::Task<void, B> {
    QueueOf<TypeParam> queue(queue_size);
    co_await basic_queue_test<TypeParam>(queue);
    co_await basic_queue_test<TypeParam>(queue);
  }());
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_queue_task_done) {
  QueueOf<TypeParam> queue;
  EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_queue_join) {
  using B = typename TypeParam::Backend;
  using Q = QueueOf<TypeParam>;
  struct Shared {
    Q queue;
    std::atomic<int> sum{0};
  };
  trine::run([]() -> trine::Task<void, B> {
    Shared shared;
    for (int twice = 0; twice < 2; ++twice) {
      shared.sum = 0;
      trine::TaskGroup<B> group;
      for (int i = 0; i < 2; ++i) {
        group.spawn(
            [](Shared& s) -> trine::Task<void, B> {
              for (;;) {
                const int n = co_await s.queue.get();
                if (n >= 0) s.sum += n;
                s.queue.task_done();
                if (n < 0) break;
              }
            },
            std::ref(shared));
      }
      for (int i = 0; i < 100; ++i) co_await shared.queue.put(i);
      const bool first = co_await shared.queue.join(plenty);
      EXPECT_TRUE(first);
      EXPECT_EQ(shared.sum, 4950);
      for (int i = 0; i < 2; ++i) co_await shared.queue.put(-1);
      const bool second = co_await shared.queue.join(plenty);
      EXPECT_TRUE(second);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
    }
    EXPECT_THROW(shared.queue.task_done(), trine::TaskDoneTooOften);
  }());
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_nowait) {
  QueueOf<TypeParam> queue(queue_size);
  for (std::size_t i = 0; i < queue_size; ++i) EXPECT_TRUE(queue.try_put(1));
  EXPECT_FALSE(queue.try_put(1));
  for (std::size_t i = 0; i < queue_size; ++i) EXPECT_EQ(queue.try_get(), 1);
  EXPECT_EQ(queue.try_get(), std::nullopt);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_empty) {
  using B = typename TypeParam::Backend;
  trine::run([]() -> trine::Task<void, B> {
    QueueOf<TypeParam> queue;
    queue.shutdown();
    const bool put = co_await throws<trine::QueueShutdown, B>([&] { return queue.put(an_item); });
    const bool got = co_await throws<trine::QueueShutdown, B>([&] { return queue.get(); });
    EXPECT_TRUE(put);
    EXPECT_TRUE(got);
  }());
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_nonempty) {
  using B = typename TypeParam::Backend;
  trine::run([]() -> trine::Task<void, B> {
    QueueOf<TypeParam> queue;
    co_await queue.put(1);
    queue.shutdown();
    const int got = co_await queue.get();
    EXPECT_EQ(got, 1);
    const bool shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.get(); });
    EXPECT_TRUE(shut);
  }());
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_immediate) {
  using B = typename TypeParam::Backend;
  trine::run([]() -> trine::Task<void, B> {
    QueueOf<TypeParam> queue;
    co_await queue.put(1);
    queue.shutdown(true);
    const bool shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.get(); });
    EXPECT_TRUE(shut);
  }());
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_allowed_transitions) {
  QueueOf<TypeParam> queue;
  EXPECT_FALSE(queue.is_shutdown());
  queue.shutdown();
  EXPECT_TRUE(queue.is_shutdown());
  queue.shutdown(true);
  EXPECT_TRUE(queue.is_shutdown());
  queue.shutdown(false);
  EXPECT_TRUE(queue.is_shutdown());
}

template <class C>
trine::Task<void, typename C::Backend> shutdown_all_methods_in_one_thread(bool immediate) {
  using B = typename C::Backend;
  QueueOf<C> queue(2);
  co_await queue.put(1);
  EXPECT_TRUE(queue.try_put(2));
  queue.shutdown(immediate);
  bool shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.put(an_item); });
  EXPECT_TRUE(shut);
  EXPECT_THROW(queue.try_put(4), trine::QueueShutdown);
  if (immediate) {
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
  } else {
    const int first = co_await queue.get();
    queue.task_done();
    const int second = co_await queue.get();
    queue.task_done();
    EXPECT_EQ(first + second, 3);
  }
  shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.get(); });
  EXPECT_TRUE(shut);
  EXPECT_THROW(queue.try_get(), trine::QueueShutdown);
  shut = co_await throws<trine::QueueShutdown, B>([&] { return queue.get(plenty); });
  EXPECT_TRUE(shut);
  const bool joined = co_await queue.join();
  EXPECT_TRUE(joined);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_all_methods_in_one_thread) {
  trine::run(shutdown_all_methods_in_one_thread<TypeParam>(false));
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_immediate_all_methods_in_one_thread) {
  trine::run(shutdown_all_methods_in_one_thread<TypeParam>(true));
}

template <class C>
struct ManyThreads {
  static constexpr int writers = 4;
  static constexpr int readers = 6;
  static constexpr int joiners = 2;
  static constexpr int messages = 2048;  // of each writer; the queue is shut down about half-way
  explicit ManyThreads(bool at_once) : immediate(at_once), start(writers + readers + (at_once ? joiners : 0)) {}
  const bool immediate;
  QueueOf<C> queue;
  trine::Barrier<typename C::Backend> start;
  trine::Event<typename C::Backend> half_way;
  std::atomic<int> triggers{0};
  std::atomic<int> refused{0};
  std::atomic<int> readers_shut{0};
  std::atomic<int> joined{0};
  std::atomic<int> put{0};
  std::atomic<int> got{0};
};

template <class C>
trine::Task<void, typename C::Backend> write_messages(ManyThreads<C>& many) {
  constexpr int when = ManyThreads<C>::messages / 2;
  for (int i = 0; i < when / 2; ++i) {
    co_await many.queue.put(i);
    ++many.put;
  }
  co_await many.start.wait();
  try {
    for (int i = when / 2; i < ManyThreads<C>::messages; ++i) {
      co_await many.queue.put(i);
      ++many.put;
      if (i == when && many.triggers++ == 0) many.half_way.set();
    }
  } catch (const trine::QueueShutdown&) {
    ++many.refused;
  }
}

template <class C>
trine::Task<void, typename C::Backend> read_messages(ManyThreads<C>& many) {
  using B = typename C::Backend;
  co_await many.queue.get();
  ++many.got;
  many.queue.task_done();
  co_await many.start.wait();
  for (bool shut = false; !shut;) {
    bool empty = false;
    try {
      if (many.queue.try_get()) {
        ++many.got;
        many.queue.task_done();
      } else {
        empty = true;
      }
    } catch (const trine::QueueShutdown&) {
      shut = true;
    }
    if (empty) co_await loiter<B>();
  }
  ++many.readers_shut;
}

template <class C>
trine::Task<void, typename C::Backend> shutdown_all_methods_in_many_threads(bool immediate) {
  using B = typename C::Backend;
  using Many = ManyThreads<C>;
  Many many(immediate);
  trine::TaskGroup<B> group;
  for (int i = 0; i < Many::writers; ++i) group.spawn(write_messages<C>, std::ref(many));
  for (int i = 0; i < Many::readers; ++i) group.spawn(read_messages<C>, std::ref(many));
  for (int i = 0; immediate && i < Many::joiners; ++i) {
    group.spawn(
        [](Many& m) -> trine::Task<void, B> {
          co_await m.start.wait();
          const bool joined = co_await m.queue.join();
          m.joined += joined ? 1 : 0;
        },
        std::ref(many));
  }
  group.spawn(
      [](Many& m) -> trine::Task<void, B> {
        co_await m.half_way.wait();
        m.queue.shutdown(m.immediate);
        EXPECT_TRUE(m.queue.empty() || !m.immediate);
      },
      std::ref(many));
  const bool ended = co_await group.join(plenty);
  EXPECT_TRUE(ended);
  EXPECT_GE(many.triggers, 1);
  EXPECT_EQ(many.readers_shut, Many::readers);
  EXPECT_TRUE(many.queue.empty());
  const bool joined = co_await many.queue.join(std::chrono::seconds{0});
  EXPECT_TRUE(joined);
  if (immediate) {
    EXPECT_EQ(many.joined, Many::joiners);
    EXPECT_LE(many.got, many.put);
  } else {
    EXPECT_EQ(many.got, many.put);
  }
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_all_methods_in_many_threads) {
  trine::run(shutdown_all_methods_in_many_threads<TypeParam>(false));
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_immediate_all_methods_in_many_threads) {
  trine::run(shutdown_all_methods_in_many_threads<TypeParam>(true));
}

/// CPython's threads wait for an event before each call; these are told so by the first argument.
template <class C>
struct Waiting : Closing<QueueOf<C>> {
  Waiting() : Closing<QueueOf<C>>(2) {}
  trine::Event<typename C::Backend> go;
};

template <class C, class Call>
void spawn_after_go(trine::TaskGroup<typename C::Backend>& group, Waiting<C>& waiting, Call call) {
  using B = typename C::Backend;
  group.spawn(
      [](Waiting<C>& w, Call what) -> trine::Task<void, B> {
        co_await w.go.wait();
        co_await call_once<B, QueueOf<C>, Call>(w, what);
      },
      std::ref(waiting), call);
}

template <class C>
trine::Task<void, typename C::Backend> shutdown_get(bool immediate) {
  using B = typename C::Backend;
  Waiting<C> waiting;
  co_await waiting.queue.put(1);
  co_await waiting.queue.put(2);
  trine::TaskGroup<B> group;
  const int getters = immediate ? 2 : 3;
  for (int i = 0; i < getters; ++i) spawn_after_go<C>(group, waiting, gets_one);
  waiting.queue.shutdown(immediate);
  waiting.go.set();
  const bool joined = co_await group.join(plenty);
  EXPECT_TRUE(joined);
  EXPECT_EQ(waiting.shut, immediate ? 2 : 1);
  EXPECT_EQ(waiting.back, immediate ? 0 : 2);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_get) { trine::run(shutdown_get<TypeParam>(false)); }
TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_immediate_get) { trine::run(shutdown_get<TypeParam>(true)); }

template <class C>
trine::Task<void, typename C::Backend> shutdown_put(bool immediate) {
  using B = typename C::Backend;
  Waiting<C> waiting;
  co_await waiting.queue.put(1);
  co_await waiting.queue.put(2);
  trine::TaskGroup<B> group;
  for (int i = 0; i < 2; ++i) spawn_after_go<C>(group, waiting, puts_one);
  waiting.queue.shutdown(immediate);
  waiting.go.set();
  const bool joined = co_await group.join(plenty);
  EXPECT_TRUE(joined);
  EXPECT_EQ(waiting.shut, 2);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_put) { trine::run(shutdown_put<TypeParam>(false)); }
TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_immediate_put) { trine::run(shutdown_put<TypeParam>(true)); }

constexpr auto gets_and_marks_done = [](auto& queue) {
  auto item = queue.try_get();
  EXPECT_TRUE(item.has_value());
  queue.task_done();
  return true;
};

template <class C>
trine::Task<void, typename C::Backend> shutdown_join(bool immediate) {
  using B = typename C::Backend;
  Waiting<C> waiting;
  co_await waiting.queue.put(1);
  trine::TaskGroup<B> group;
  for (int i = 0; i < 2; ++i) spawn_call(group, static_cast<Closing<QueueOf<C>>&>(waiting), joins);
  if (!immediate) spawn_after_go<C>(group, waiting, gets_and_marks_done);
  waiting.queue.shutdown(immediate);
  waiting.go.set();
  const bool joined = co_await group.join(plenty);
  EXPECT_TRUE(joined);
  EXPECT_EQ(waiting.shut, 0);
  EXPECT_EQ(waiting.back, immediate ? 2 : 3);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_join) { trine::run(shutdown_join<TypeParam>(false)); }
TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_immediate_join) { trine::run(shutdown_join<TypeParam>(true)); }

template <class C>
trine::Task<void, typename C::Backend> shutdown_put_join(bool immediate) {
  using B = typename C::Backend;
  Waiting<C> waiting;
  co_await waiting.queue.put(1);
  trine::TaskGroup<B> group;
  spawn_after_go<C>(group, waiting, puts_one);
  spawn_call(group, static_cast<Closing<QueueOf<C>>&>(waiting), joins);
  waiting.queue.shutdown(immediate);
  waiting.go.set();
  if (immediate) {
    EXPECT_THROW(waiting.queue.try_get(), trine::QueueShutdown);
  } else {
    const int got = co_await waiting.queue.get();
    EXPECT_EQ(got, 1);
    waiting.queue.task_done();
  }
  const bool joined = co_await group.join(plenty);
  EXPECT_TRUE(joined);
  EXPECT_EQ(waiting.shut, 1);
  EXPECT_EQ(waiting.back, 1);
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_put_join) { trine::run(shutdown_put_join<TypeParam>(false)); }
TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_immediate_put_join) {
  trine::run(shutdown_put_join<TypeParam>(true));
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_get_task_done_join) {
  using B = typename TypeParam::Backend;
  trine::run([]() -> trine::Task<void, B> {
    Waiting<TypeParam> waiting;
    co_await waiting.queue.put(1);
    co_await waiting.queue.put(2);
    trine::TaskGroup<B> group;
    for (int i = 0; i < 2; ++i) {
      spawn_after_go<TypeParam>(group, waiting, gets_and_marks_done);
      spawn_call(group, static_cast<Closing<QueueOf<TypeParam>>&>(waiting), joins);
    }
    waiting.go.set();
    waiting.queue.shutdown(false);
    const bool joined = co_await group.join(plenty);
    EXPECT_TRUE(joined);
    EXPECT_EQ(waiting.back, 4);
    EXPECT_EQ(waiting.shut, 0);
  }());
}

TYPED_TEST(QueueTest, CPython_QueueTest_test_shutdown_pending_get) {
  using B = typename TypeParam::Backend;
  trine::run([]() -> trine::Task<void, B> {
    Waiting<TypeParam> waiting;
    trine::TaskGroup<B> group;
    spawn_call(group, static_cast<Closing<QueueOf<TypeParam>>&>(waiting), gets_one);
    waiting.queue.shutdown(false);
    const bool joined = co_await group.join(plenty);
    EXPECT_TRUE(joined);
    EXPECT_EQ(waiting.shut, 1);
  }());
}

// Of CPython's BaseQueueTestMixin these are left out:
//   test_negative_timeout_raises_exception: a negative limit means to try once, which is checked for every operation.
//   test_shrinking_queue: the capacity can't be changed.
// FailingQueueTest and the cases of SimpleQueue are in queue_order.cpp.

}  // namespace
