// SPDX-License-Identifier: BSL-1.0
//
// What select() promises, on every backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <trine/trine.hpp>

#include "support/bodies.hpp"
#include "support/queues.hpp"

namespace {

using namespace trine_test;

template <class B>
class SelectTest : public ::testing::Test {};
TYPED_TEST_SUITE(SelectTest, Backends, BackendName);

TYPED_TEST(SelectTest, refuses_operations_whose_giving_up_has_an_effect) {
  using B = TypeParam;
  using Range = std::vector<int>&;
  static_assert(trine::Selectable<decltype(std::declval<trine::Event<B>&>().wait_op())>);
  static_assert(trine::Selectable<decltype(std::declval<trine::Queue<int, B>&>().get_many_op(1))>);
  static_assert(!trine::Selectable<decltype(std::declval<trine::Barrier<B>&>().wait_op())>);
  static_assert(!trine::Selectable<decltype(std::declval<trine::Latch<B>&>().arrive_and_wait_op())>);
  static_assert(!trine::Selectable<decltype(std::declval<trine::Queue<int, B>&>().put_many_op(std::declval<Range>()))>);
}

TYPED_TEST(SelectTest, does_the_one_that_can_be_done) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event;
    trine::Queue<int, B> queue;
    trine::Semaphore<B> semaphore(0);
    co_await queue.put(7);
    auto done = co_await trine::select(event.wait_op(), queue.get_op(), semaphore.acquire_op());
    EXPECT_EQ(done.index(), 1U);
    EXPECT_EQ(done.template get<1>(), 7);
    EXPECT_THROW(static_cast<void>(done.template get<0>()), std::bad_variant_access);
    EXPECT_TRUE(queue.empty());
    semaphore.release();
    done = co_await trine::select(event.wait_op(), queue.get_op(), semaphore.acquire_op());
    EXPECT_EQ(done.index(), 2U);
    EXPECT_TRUE(done.template get<2>());
    EXPECT_EQ(semaphore.value(), 0);
    event.set();
    done = co_await trine::select(event.wait_op(), queue.get_op(), semaphore.acquire_op());
    EXPECT_EQ(done.index(), 0U);
    const auto& looked_at = done;
    EXPECT_TRUE(looked_at.template get<0>());
  }());
}

TYPED_TEST(SelectTest, one_operation_is_enough) {
  if (!any_item<TypeParam>) GTEST_SKIP() << "items are copied or encoded";
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    QueueOf<Case<B, Fifo>, std::unique_ptr<int>> queue;
    co_await queue.put(std::make_unique<int>(3));
    auto done = co_await trine::select(queue.get_op());
    EXPECT_EQ(done.index(), 0U);
    const std::unique_ptr<int> item = std::move(done).template get<0>();
    EXPECT_EQ(*item, 3);
    const auto none = co_await trine::select(queue.get_op(), moment);
    EXPECT_EQ(none.index(), none.none);
  }());
}

TYPED_TEST(SelectTest, gives_up_at_each_limit_and_takes_nothing) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event;
    trine::Queue<int, B> empty;
    trine::Queue<int, B> full(1);
    trine::Semaphore<B> semaphore(0);
    co_await full.put(1);
    const int item = 2;
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) {
      return trine::select(event.wait_op(), empty.get_op(), full.put_op(item), semaphore.acquire_op(),
                           semaphore.permit_op(), empty.get_many_op(2), until);
    });
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(full.size(), 1U);
    EXPECT_EQ(full.try_get(), 1);
    EXPECT_EQ(semaphore.value(), 0);
    semaphore.release();
    EXPECT_EQ(semaphore.value(), 1);
  }());
}

TYPED_TEST(SelectTest, the_limit_may_be_anything_that_is_one) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event;
    const auto by_duration = co_await trine::select(event.wait_op(), std::chrono::milliseconds{1});
    EXPECT_EQ(by_duration.index(), by_duration.none);
    const auto by_time = co_await trine::select(event.wait_op(), std::chrono::steady_clock::now() + moment);
    EXPECT_EQ(by_time.index(), by_time.none);
    const auto by_wall_clock = co_await trine::select(event.wait_op(), std::chrono::system_clock::now());
    EXPECT_EQ(by_wall_clock.index(), by_wall_clock.none);
    const auto by_token = co_await trine::select(event.wait_op(), stopped_token());
    EXPECT_EQ(by_token.index(), by_token.none);
    event.set();
    const auto in_time = co_await trine::select(event.wait_op(), plenty);
    EXPECT_EQ(in_time.index(), 0U);
  }());
}

TYPED_TEST(SelectTest, succeeds_whatever_the_limit_if_one_can_be_done) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event;
    trine::Semaphore<B> semaphore(0);
    co_await succeeds_whatever_the_limit<B>([&](const trine::Until& until) {
      semaphore.release();
      return trine::select(event.wait_op(), semaphore.acquire_op(), until);
    });
    EXPECT_EQ(semaphore.value(), 0);
  }());
}

/// One of each kind of object, none of whose operations can be done at first.
template <class B>
struct Everything {
  static constexpr std::size_t kinds = 11;
  trine::Event<B> event;
  trine::Queue<int, B> empty;
  trine::Queue<int, B> full{1};
  trine::Semaphore<B> semaphore{0};
  trine::Semaphore<B> permits{0};
  trine::Lock<B> lock;
  trine::SharedLock<B> written;
  trine::SharedLock<B> read;
  trine::Latch<B> latch{1};
  trine::Queue<int, B> unfinished;
  trine::Event<B> group_may_end;
  trine::TaskGroup<B> group;
  int item = 5;

  trine::Task<void, B> occupy() {
    EXPECT_TRUE(full.try_put(1));
    co_await lock.lock();
    co_await written.lock();
    co_await read.lock_shared();
    EXPECT_TRUE(unfinished.try_put(1));
    group.spawn([](trine::Event<B>& end) -> trine::Task<void, B> { co_await end.wait(); }, std::ref(group_may_end));
  }

  void allow(std::size_t kind) {
    switch (kind) {
      case 0: return event.set();
      case 1: return static_cast<void>(empty.try_put(7));
      case 2: return static_cast<void>(full.try_get());
      case 3: return semaphore.release();
      case 4: return permits.release();
      case 5: return lock.unlock();
      case 6: return written.unlock();
      case 7: return read.unlock_shared();
      case 8: return latch.count_down();
      case 9: return unfinished.task_done();
      default: return group_may_end.set();
    }
  }

  /// Whether only the party that occupied can allow it.
  static bool is_owned(std::size_t kind) { return !hands_over<B> && kind >= 5 && kind <= 7; }

  trine::Task<std::size_t, B> choose(trine::Until until) {
    auto done = co_await trine::select(event.wait_op(), empty.get_op(), full.put_op(item), semaphore.acquire_op(),
                                       permits.permit_op(), lock.guard_op(), written.shared_guard_op(), read.guard_op(),
                                       latch.wait_op(), unfinished.join_op(), group.join_op(), until);
    switch (done.index()) {
      case 0: EXPECT_TRUE(done.template get<0>()); break;
      case 1: EXPECT_EQ(done.template get<1>(), 7); break;
      case 2: EXPECT_TRUE(done.template get<2>()); break;
      case 3: EXPECT_TRUE(done.template get<3>()); break;
      case 4: EXPECT_TRUE(static_cast<bool>(done.template get<4>())); break;
      case 5: EXPECT_TRUE(static_cast<bool>(done.template get<5>())); break;
      case 6: EXPECT_TRUE(static_cast<bool>(done.template get<6>())); break;
      case 7: EXPECT_TRUE(static_cast<bool>(done.template get<7>())); break;
      case 8: EXPECT_TRUE(done.template get<8>()); break;
      case 9: EXPECT_TRUE(done.template get<9>()); break;
      case 10: EXPECT_TRUE(done.template get<10>()); break;
      default: break;
    }
    // What is held is given back here, at the end of the scope.
    co_return done.index();
  }

  /// What is left is what there was, but for what the chosen one took. Gives back what is locked then.
  void check_the_others(std::size_t chosen) {
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(full.size(), 1U);
    EXPECT_EQ(full.try_get(), chosen == 2 ? item : 1);
    EXPECT_EQ(semaphore.value(), 0);
    EXPECT_EQ(permits.value(), chosen == 4 ? 1 : 0);
    EXPECT_EQ(lock.try_lock(), chosen == 5);
    lock.unlock();
    EXPECT_EQ(written.try_lock_shared(), chosen == 6);
    if (chosen == 6) {
      written.unlock_shared();
    } else {
      written.unlock();
    }
    EXPECT_EQ(read.try_lock(), chosen == 7);
    // A writer that did not get in keeps nobody out.
    if (chosen == 7) {
      read.unlock();
    } else {
      EXPECT_TRUE(read.try_lock_shared());
      read.unlock_shared();
      read.unlock_shared();
    }
    EXPECT_EQ(latch.try_wait(), chosen == 8);
    EXPECT_EQ(unfinished.size(), 1U);
  }
};

TYPED_TEST(SelectTest, of_every_kind_does_the_one_that_becomes_possible) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (std::size_t kind = 0; kind < Everything<B>::kinds; ++kind) {
      for (const bool before : {true, false}) {
        if (!before && Everything<B>::is_owned(kind)) continue;
        Everything<B> all;
        co_await all.occupy();
        trine::TaskGroup<B> others;
        if (before) {
          all.allow(kind);
        } else {
          others.spawn(
              [](Everything<B>& a, std::size_t which) -> trine::Task<void, B> {
                co_await loiter<B>();
                a.allow(which);
              },
              std::ref(all), kind);
        }
        const std::size_t chosen = co_await all.choose(plenty);
        EXPECT_EQ(chosen, kind);
        co_await others.join();
        all.check_the_others(chosen);
        all.group_may_end.set();
      }
    }
  }());
}

TYPED_TEST(SelectTest, of_every_kind_takes_nothing_when_it_gives_up) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (const trine::Until& until : {trine::Until(std::chrono::seconds{0}), trine::Until(moment)}) {
      Everything<B> all;
      co_await all.occupy();
      const std::size_t chosen = co_await all.choose(until);
      EXPECT_EQ(chosen, trine::Selected<bool>::none);
      all.check_the_others(chosen);
      all.group_may_end.set();
    }
  }());
}

TYPED_TEST(SelectTest, the_losers_have_taken_nothing) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Queue<int, B> left;
    trine::LifoQueue<int, B> middle;
    trine::PriorityQueue<int, B> right;
    trine::Semaphore<B> semaphore(100);
    constexpr std::size_t each = 100;
    for (std::size_t i = 0; i < each; ++i) {
      co_await left.put(1);
      co_await middle.put(2);
      co_await right.put(3);
    }
    for (std::size_t round = 1; round <= 300; ++round) {
      const auto done = co_await trine::select(left.get_op(), middle.get_op(), right.get_op(), semaphore.acquire_op());
      EXPECT_NE(done.index(), done.none);
      const std::size_t inside =
          left.size() + middle.size() + right.size() + static_cast<std::size_t>(semaphore.value());
      EXPECT_EQ(inside, 4 * each - round);
    }
  }());
}

TYPED_TEST(SelectTest, the_same_object_twice_gives_one) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Queue<int, B> queue;
    co_await queue.put(1);
    co_await queue.put(2);
    const auto done = co_await trine::select(queue.get_op(), queue.get_op());
    EXPECT_LT(done.index(), 2U);
    EXPECT_EQ(queue.size(), 1U);
    co_await queue.get();
    trine::TaskGroup<B> group;
    group.spawn(
        [](trine::Queue<int, B>& q) -> trine::Task<void, B> {
          co_await loiter<B>();
          co_await q.put(3);
        },
        std::ref(queue));
    const auto waited = co_await trine::select(queue.get_op(), queue.get_op());
    EXPECT_LT(waited.index(), 2U);
    EXPECT_TRUE(queue.empty());
    co_await group.join();
  }());
}

TYPED_TEST(SelectTest, is_fair_among_those_that_can_be_done) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event(true);
    trine::Latch<B> latch(0);
    trine::Event<B> never;
    trine::Semaphore<B> semaphore(1200);
    trine::Queue<int, B> queue;
    for (int i = 0; i < 1200; ++i) co_await queue.put(i);
    std::array<int, 5> chosen{};
    for (int round = 0; round < 1200; ++round) {
      const auto done = co_await trine::select(event.wait_op(), latch.wait_op(), never.wait_op(),
                                               semaphore.acquire_op(), queue.get_op());
      ++chosen[done.index()];
    }
    EXPECT_EQ(chosen[2], 0);
    for (const std::size_t possible : {0U, 1U, 3U, 4U}) EXPECT_GE(chosen[possible], 100) << possible;
  }());
}

TYPED_TEST(SelectTest, throws_the_error_of_the_one_that_was_done) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event;
    trine::Queue<int, B> queue;
    trine::Queue<int, B> full(1);
    trine::Semaphore<B> semaphore(0);
    const int item = 1;
    co_await full.put(item);
    full.shutdown();
    bool shut = co_await throws<trine::QueueShutdown, B>(
        [&] { return trine::select(event.wait_op(), full.put_op(item), semaphore.acquire_op()); });
    EXPECT_TRUE(shut);
    EXPECT_EQ(full.size(), 1U);
    const auto rest = co_await trine::select(event.wait_op(), full.get_op());
    EXPECT_EQ(rest.index(), 1U);
    trine::TaskGroup<B> group;
    group.spawn(
        [](trine::Queue<int, B>& q) -> trine::Task<void, B> {
          co_await loiter<B>();
          q.shutdown();
        },
        std::ref(queue));
    shut = co_await throws<trine::QueueShutdown, B>(
        [&] { return trine::select(event.wait_op(), queue.get_op(), semaphore.acquire_op(), plenty); });
    EXPECT_TRUE(shut);
    co_await group.join();
    EXPECT_EQ(semaphore.value(), 0);
  }());
}

TYPED_TEST(SelectTest, throws_what_a_joined_task_threw) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event;
    trine::TaskGroup<B> group;
    group.spawn([] { throw std::out_of_range("on purpose"); });
    const bool threw =
        co_await throws<std::out_of_range, B>([&] { return trine::select(event.wait_op(), group.join_op(), plenty); });
    EXPECT_TRUE(threw);
    const auto done = co_await trine::select(event.wait_op(), group.join_op(), plenty);
    EXPECT_EQ(done.index(), 1U);
  }());
}

TYPED_TEST(SelectTest, a_shut_queue_and_an_event_are_both_possible) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> event(true);
    trine::Queue<int, B> queue;
    queue.shutdown();
    int shut = 0;
    for (int round = 0; round < 100; ++round) {
      const bool threw =
          co_await throws<trine::QueueShutdown, B>([&] { return trine::select(queue.get_op(), event.wait_op()); });
      shut += threw ? 1 : 0;
    }
    EXPECT_GE(shut, 10);
    EXPECT_LE(shut, 90);
  }());
}

TYPED_TEST(SelectTest, put_moves_from_the_item_only_on_success) {
  if constexpr (!any_item<TypeParam>) {
    GTEST_SKIP() << "items are copied or encoded";
  } else {
    using B = TypeParam;
    trine::run([]() -> trine::Task<void, B> {
      const std::string text(100, 'x');
      std::string item = text;
      trine::Queue<std::string, B> queue(1);
      trine::Event<B> event;
      co_await queue.put(text);
      auto done = co_await trine::select(queue.put_op(std::move(item)), event.wait_op(), moment);
      EXPECT_EQ(done.index(), done.none);
      EXPECT_EQ(item, text);
      event.set();
      done = co_await trine::select(queue.put_op(std::move(item)), event.wait_op());
      EXPECT_EQ(done.index(), 1U);
      EXPECT_EQ(item, text);
      event.clear();
      co_await queue.get();
      done = co_await trine::select(queue.put_op(std::move(item)), event.wait_op());
      EXPECT_EQ(done.index(), 0U);
      EXPECT_TRUE(item.empty());
      const std::string got = co_await queue.get();
      EXPECT_EQ(got, text);
    }());
  }
}

TYPED_TEST(SelectTest, put_of_a_constant_copies) {
  if constexpr (!any_item<TypeParam>) {
    GTEST_SKIP() << "items are copied or encoded";
  } else {
    using B = TypeParam;
    trine::run([]() -> trine::Task<void, B> {
      const std::string text(100, 'x');
      trine::Queue<std::string, B> queue(1);
      trine::Event<B> event;
      const auto done = co_await trine::select(event.wait_op(), queue.put_op(text));
      EXPECT_EQ(done.index(), 1U);
      EXPECT_EQ(text, std::string(100, 'x'));
      const std::string got = co_await queue.get();
      EXPECT_EQ(got, text);
    }());
  }
}

template <class B>
struct Market {
  trine::Queue<int, B> left{4};
  trine::Queue<int, B> right;
  trine::Event<B> closed;
  std::atomic<std::int64_t> sum{0};
  std::atomic<int> count{0};
};

TYPED_TEST(SelectTest, many_on_the_same_queues_lose_no_item) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    Market<B> market;
    trine::TaskGroup<B> consumers;
    trine::TaskGroup<B> producers;
    for (int i = 0; i < 4; ++i) {
      consumers.spawn(
          [](Market<B>& m, bool swapped) -> trine::Task<void, B> {
            for (bool open = true; open;) {
              trine::Queue<int, B>& first = swapped ? m.right : m.left;
              trine::Queue<int, B>& second = swapped ? m.left : m.right;
              auto done = co_await trine::select(first.get_op(), second.get_op(), m.closed.wait_op());
              if (done.index() == 0) m.sum += done.template get<0>();
              if (done.index() == 1) m.sum += done.template get<1>();
              open = done.index() < 2;
              m.count += open ? 1 : 0;
            }
          },
          std::ref(market), i % 2 == 0);
    }
    for (int i = 0; i < 4; ++i) {
      producers.spawn(
          [](trine::Queue<int, B>& queue) -> trine::Task<void, B> {
            for (int n = 1; n <= 500; ++n) co_await queue.put(n);
          },
          std::ref(i % 2 == 0 ? market.left : market.right));
    }
    const bool produced = co_await producers.join(plenty);
    EXPECT_TRUE(produced) << market.left.size() << " and " << market.right.size() << " inside";
    const bool all = co_await becomes<B>([&] { return market.count == 2000; });
    EXPECT_TRUE(all);
    market.closed.set();
    if (!produced) market.left.shutdown();  // let the lost ones go
    const bool consumed = co_await consumers.join(plenty);
    EXPECT_TRUE(consumed);
    EXPECT_EQ(market.sum, 4 * 500 * 501 / 2);
    EXPECT_TRUE(market.left.empty());
    EXPECT_TRUE(market.right.empty());
  }());
}

TYPED_TEST(SelectTest, many_that_put_into_the_same_queues_lose_no_item) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Queue<int, B> left(2);
    trine::Queue<int, B> right(3);
    trine::TaskGroup<B> producers;
    for (int i = 0; i < 3; ++i) {
      producers.spawn(
          [](trine::Queue<int, B>& one, trine::Queue<int, B>& two) -> trine::Task<void, B> {
            for (int n = 1; n <= 500; ++n) {
              const auto done = co_await trine::select(one.put_op(n), two.put_op(n));
              EXPECT_LT(done.index(), 2U);
            }
          },
          std::ref(left), std::ref(right));
    }
    std::int64_t sum = 0;
    for (int i = 0; i < 1500; ++i) {
      auto done = co_await trine::select(left.get_op(), right.get_op(), plenty);
      if (done.index() == 0) sum += done.template get<0>();
      if (done.index() == 1) sum += done.template get<1>();
    }
    EXPECT_EQ(sum, 3 * 500 * 501 / 2);
    const bool produced = co_await producers.join(plenty);
    EXPECT_TRUE(produced);
    EXPECT_TRUE(left.empty());
    EXPECT_TRUE(right.empty());
    left.shutdown();
    right.shutdown();
  }());
}

TYPED_TEST(SelectTest, a_wake_up_that_came_to_a_loser_is_passed_on) {
  using B = TypeParam;
  struct Race {
    trine::Queue<int, B> queue;
    trine::Event<B> event;
    std::atomic<int> arrived{0};
    std::atomic<int> got{0};
  };
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 150; ++round) {
      Race race;
      trine::TaskGroup<B> group;
      group.spawn(
          [](Race& r) -> trine::Task<void, B> {
            ++r.arrived;
            auto done = co_await trine::select(r.queue.get_op(), r.event.wait_op());
            // If it took the item, the other needs another one.
            if (done.index() == 0) co_await r.queue.put(done.template get<0>());
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
      group.spawn([](Race& r) { r.event.set(); }, std::ref(race));
      co_await race.queue.put(7);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(race.got, 7);
      EXPECT_TRUE(race.queue.empty());
      if (!joined) race.queue.shutdown();
    }
  }());
}

TYPED_TEST(SelectTest, a_permit_that_came_to_a_loser_is_passed_on) {
  using B = TypeParam;
  struct Race {
    trine::Semaphore<B> left{0};
    trine::Semaphore<B> right{0};
    std::atomic<int> arrived{0};
    std::atomic<int> both{0};
  };
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 150; ++round) {
      Race race;
      trine::TaskGroup<B> group;
      // Two parties choose between the same two, in both orders; there is one permit of each.
      for (const bool swapped : {false, true}) {
        group.spawn(
            [](Race& r, bool swap) -> trine::Task<void, B> {
              ++r.arrived;
              trine::Semaphore<B>& first = swap ? r.right : r.left;
              trine::Semaphore<B>& second = swap ? r.left : r.right;
              const auto done = co_await trine::select(first.acquire_op(), second.acquire_op());
              EXPECT_NE(done.index(), done.none);
              ++r.both;
            },
            std::ref(race), swapped);
      }
      co_await becomes<B>([&] { return race.arrived == 2; });
      group.spawn([](Race& r) { r.left.release(); }, std::ref(race));
      race.right.release();
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(race.both, 2);
      EXPECT_EQ(race.left.value() + race.right.value(), 0);
      if (!joined) race.left.release(2);
    }
  }());
}

TYPED_TEST(SelectTest, a_guard_that_was_chosen_holds_the_lock) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Lock<B> lock;
    trine::Event<B> event;
    {
      auto done = co_await trine::select(lock.guard_op(), event.wait_op());
      EXPECT_EQ(done.index(), 0U);
      EXPECT_TRUE(lock.locked());
      const auto other = co_await trine::select(lock.guard_op(), event.wait_op(), moment);
      EXPECT_EQ(other.index(), other.none);
      auto guard = std::move(done).template get<0>();
      EXPECT_TRUE(static_cast<bool>(guard));
    }
    EXPECT_FALSE(lock.locked());
  }());
}

TYPED_TEST(SelectTest, a_writer_that_was_not_chosen_lets_readers_in) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::SharedLock<B> lock;
    trine::Event<B> event;
    const auto reading = co_await lock.shared_guard();
    const auto gave_up_waiting = co_await trine::select(lock.guard_op(), event.wait_op(), moment);
    EXPECT_EQ(gave_up_waiting.index(), gave_up_waiting.none);
    const bool in_time = co_await lock.lock_shared(std::chrono::seconds{0});
    EXPECT_TRUE(in_time);
    lock.unlock_shared();
    event.set();
    for (int round = 0; round < 10; ++round) {
      const auto done = co_await trine::select(lock.guard_op(), event.wait_op());
      EXPECT_EQ(done.index(), 1U);
      EXPECT_TRUE(lock.try_lock_shared());
      lock.unlock_shared();
    }
  }());
}

// CPython has no select over these objects.

}  // namespace
