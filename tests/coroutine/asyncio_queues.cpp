// SPDX-License-Identifier: BSL-1.0
//
// What asyncio's own tests of its queues (test_asyncio/test_queues.py) check, said with trine, for each kind of queue.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"
#include "support/queues.hpp"

namespace {

using namespace std::chrono_literals;
using B = trine::coroutines;
using trine::QueueShutdown;
using trine::Scheduler;
using trine::Task;
using trine::TaskGroup;

Task<void, B> settle() {
  for (int i = 0; i < 8; ++i) co_await Scheduler::current()->hop();
}

template <class K>
class AsyncioQueue : public ::testing::Test {};
using Kinds = ::testing::Types<trine_test::Fifo, trine_test::Lifo, trine_test::Smallest>;
TYPED_TEST_SUITE(AsyncioQueue, Kinds);

template <class K>
using Q = typename K::template Type<int, B>;

TYPED_TEST(AsyncioQueue, Order) {
  Q<TypeParam> queue;
  for (const int n : {1, 3, 2}) EXPECT_TRUE(queue.try_put(n));
  EXPECT_EQ(trine_test::drained(queue), TypeParam::order(std::vector{1, 3, 2}));
}

TYPED_TEST(AsyncioQueue, MaxSize) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue(2);
    std::vector<int> have_been_put;
    const auto putter = [&]() -> Task<void, B> {
      for (int n = 0; n < 3; ++n) {
        co_await queue.put(n);
        have_been_put.push_back(n);
      }
    };
    TaskGroup<B> group;
    group.spawn(std::ref(putter));
    co_await settle();
    EXPECT_TRUE(queue.full());
    EXPECT_EQ(have_been_put, (std::vector{0, 1}));
    co_await queue.get();
    co_await group.join();
    EXPECT_EQ(have_been_put, (std::vector{0, 1, 2}));
    EXPECT_EQ(queue.size(), 2U);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, BlockingGetIsServedByALaterPut) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    int got = 0;
    const auto getter = [&]() -> Task<void, B> { got = co_await queue.get(); };
    TaskGroup<B> group;
    group.spawn(std::ref(getter));
    co_await settle();
    EXPECT_EQ(got, 0);
    EXPECT_TRUE(queue.try_put(1));
    EXPECT_EQ(got, 0) << "nobody runs inside try_put()";
    co_await group.join();
    EXPECT_EQ(got, 1);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, GetWithPutters) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue(1);
    EXPECT_TRUE(queue.try_put(1));
    const auto putter = [&]() -> Task<void, B> { co_await queue.put(2); };
    TaskGroup<B> group;
    group.spawn(std::ref(putter));
    co_await settle();
    const int first = co_await queue.get();
    EXPECT_EQ(first, 1);
    co_await group.join();
    EXPECT_EQ(queue.size(), 1U);
  };
  trine::run(body());
}

// An item that a putter puts for one who waits reaches him, and one that waits to be put follows.
TYPED_TEST(AsyncioQueue, GetWithWaitingPutters) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue(1);
    const auto putter = [&](int n) -> Task<void, B> { co_await queue.put(n); };
    TaskGroup<B> group;
    group.spawn(std::ref(putter), 1);
    group.spawn(std::ref(putter), 2);
    co_await settle();
    EXPECT_EQ(queue.size(), 1U);
    const int first = co_await queue.get();
    const int second = co_await queue.get();
    EXPECT_EQ(first + second, 3);
    co_await group.join();
    EXPECT_TRUE(queue.empty());
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, PutWithWaitingGetters) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    std::vector<int> got;
    const auto getter = [&]() -> Task<void, B> {
      const int item = co_await queue.get();
      got.push_back(item);
    };
    TaskGroup<B> group;
    group.spawn(std::ref(getter));
    group.spawn(std::ref(getter));
    co_await settle();
    co_await queue.put(1);
    co_await queue.put(2);
    co_await group.join();
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, (std::vector{1, 2}));
  };
  trine::run(body());
}

// What was put while all getters wait must wake one of them each, also when it is put by those who run at once.
TYPED_TEST(AsyncioQueue, WhyAreGettersWaiting) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue(2);
    const auto producer = [&](int count) -> Task<void, B> {
      for (int n = 0; n < count; ++n) co_await queue.put(n);
    };
    const auto consumer = [&](int count) -> Task<void, B> {
      for (int n = 0; n < count; ++n) co_await queue.get();
    };
    const auto ended = co_await trine::with_timeout(
        [](auto one, auto two) -> Task<void, B> { co_await trine::gather(std::move(one), std::move(two)); }(producer(5),
                                                                                                          consumer(5)),
        20s);
    EXPECT_TRUE(ended);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, CancelledGettersAreNotKept) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    for (int i = 0; i < 100; ++i) {
      const auto none = co_await queue.get(0ms);
      EXPECT_FALSE(none.has_value());
    }
    const auto getter = [&]() -> Task<int, B> { co_return co_await queue.get(); };
    for (int i = 0; i < 10; ++i) co_await trine::with_timeout(getter(), 100us);
    EXPECT_TRUE(queue.try_put(1));
    EXPECT_EQ(queue.try_get(), 1) << "it went to one who is gone";
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, CancelledPuttersAreNotKept) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue(1);
    EXPECT_TRUE(queue.try_put(0));
    const auto putter = [&](int n) -> Task<void, B> { co_await queue.put(n); };
    for (int n = 1; n <= 10; ++n) {
      const bool put = co_await trine::with_timeout(putter(n), 100us);
      EXPECT_FALSE(put);
    }
    EXPECT_EQ(queue.try_get(), 0);
    co_await settle();
    EXPECT_TRUE(queue.empty()) << "one who is gone has put";
    EXPECT_TRUE(queue.try_put(11));
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, NothingAtOnce) {
  Q<TypeParam> queue(1);
  EXPECT_EQ(queue.try_get(), std::nullopt);
  EXPECT_TRUE(queue.try_put(1));
  EXPECT_FALSE(queue.try_put(2));
}

// A getter that is cancelled takes no item with it.
TYPED_TEST(AsyncioQueue, GetCancelled) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    const auto getter = [&]() -> Task<int, B> { co_return co_await queue.get(); };
    const auto none = co_await trine::with_timeout(getter(), 1ms);
    EXPECT_FALSE(none.has_value());
    EXPECT_TRUE(queue.try_put(1));
    EXPECT_EQ(queue.size(), 1U);
    const auto one = co_await trine::with_timeout(getter(), 20s);
    EXPECT_EQ(one, 1);
  };
  trine::run(body());
}

// Two wait, an item comes, and the first is cancelled in the same step: one of the two has the item.
TYPED_TEST(AsyncioQueue, GetCancelledRace) {
  const auto body = []() -> Task<void, B> {
    for (const bool cancel_first : {true, false}) {
      Q<TypeParam> queue;
      std::stop_source cancel;
      std::vector<int> got;
      const auto getter = [&](trine::Until until) -> Task<void, B> {
        const auto item = co_await queue.get(until);
        if (item) got.push_back(*item);
      };
      TaskGroup<B> group;
      group.spawn(std::ref(getter), trine::Until(cancel.get_token()));
      group.spawn(std::ref(getter), trine::Until(20s));
      co_await settle();
      if (cancel_first) cancel.request_stop();
      EXPECT_TRUE(queue.try_put(1));
      cancel.request_stop();
      co_await settle();
      EXPECT_EQ(got, (std::vector{1}));
      EXPECT_TRUE(queue.try_put(2));
      co_await settle();
      EXPECT_EQ(got.size() + queue.size(), 2U);
      if (!cancel_first) {
        EXPECT_EQ(got.size(), 2U) << "the other still waited";
      }
      co_await group.join();
    }
  };
  trine::run(body());
}

// A putter that is cancelled puts nothing, and its room goes to the next.
TYPED_TEST(AsyncioQueue, PutCancelledRace) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue(1);
    EXPECT_TRUE(queue.try_put(1));
    std::stop_source cancel;
    std::vector<int> put;
    const auto putter = [&](int n, trine::Until until) -> Task<void, B> {
      const bool done = co_await queue.put(n, until);
      if (done) put.push_back(n);
    };
    TaskGroup<B> group;
    group.spawn(std::ref(putter), 2, trine::Until(cancel.get_token()));
    group.spawn(std::ref(putter), 3, trine::Until());
    group.spawn(std::ref(putter), 4, trine::Until());
    co_await settle();
    cancel.request_stop();
    const int first = co_await queue.get();
    EXPECT_EQ(first, 1);
    co_await settle();
    EXPECT_EQ(put, (std::vector{3}));
    const int second = co_await queue.get();
    EXPECT_EQ(second, 3);
    co_await group.join();
    EXPECT_EQ(put, (std::vector{3, 4}));
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, WaitersAreServedInTheOrderInWhichTheyCame) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    std::vector<int> served;
    const auto getter = [&](int me) -> Task<void, B> {
      co_await queue.get();
      served.push_back(me);
    };
    TaskGroup<B> group;
    for (int me = 0; me < 5; ++me) group.spawn(std::ref(getter), me);
    co_await settle();
    for (int n = 0; n < 5; ++n) EXPECT_TRUE(queue.try_put(n));
    co_await group.join();
    EXPECT_EQ(served, (std::vector{0, 1, 2, 3, 4}));
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, WhyAPutterDoesNotStarve) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue(2);
    int got = 0;
    const auto producer = [&](int count) -> Task<void, B> {
      for (int n = 0; n < count; ++n) co_await queue.put(n);
    };
    const auto consumer = [&]() -> Task<void, B> {
      for (int n = 0; n < 30; ++n) {
        co_await queue.get();
        ++got;
      }
    };
    TaskGroup<B> group;
    for (int i = 0; i < 3; ++i) group.spawn(std::ref(producer), 10);
    group.spawn(std::ref(consumer));
    co_await group.join();
    EXPECT_EQ(got, 30);
    EXPECT_TRUE(queue.empty());
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, TaskDoneAndJoin) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
    for (int n = 0; n < 100; ++n) EXPECT_TRUE(queue.try_put(n));
    int sum = 0;
    bool running = true;
    const auto worker = [&]() -> Task<void, B> {
      while (running) {
        const auto item = co_await queue.get(1ms);
        if (!item) continue;
        sum += *item;
        queue.task_done();
      }
    };
    TaskGroup<B> group;
    group.spawn(std::ref(worker));
    group.spawn(std::ref(worker));
    co_await queue.join();
    EXPECT_EQ(sum, 4950);
    const bool again = co_await queue.join();
    EXPECT_TRUE(again);
    running = false;
    co_await group.join();
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, JoinEmptyQueue) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    for (int i = 0; i < 2; ++i) {
      const bool joined = co_await queue.join(20s);
      EXPECT_TRUE(joined);
    }
  };
  trine::run(body());
}

// A shutdown may become an immediate one, and may be said any number of times.
TYPED_TEST(AsyncioQueue, ShutdownTransitions) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    EXPECT_TRUE(queue.try_put(1) && queue.try_put(2));
    queue.shutdown();
    queue.shutdown();
    EXPECT_THROW((void)queue.try_put(3), QueueShutdown);
    bool refused = false;
    try {
      co_await queue.put(3);
    } catch (const QueueShutdown&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    EXPECT_TRUE(queue.try_get().has_value());
    queue.shutdown(true);
    EXPECT_TRUE(queue.empty());
    EXPECT_THROW((void)queue.try_get(), QueueShutdown);
    queue.shutdown();
  };
  trine::run(body());
}

// What is left after a shutdown must still be marked as done before join() returns.
TYPED_TEST(AsyncioQueue, JoinAfterShutdownWaitsForWhatIsLeft) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    EXPECT_TRUE(queue.try_put(1));
    queue.shutdown();
    const bool early = co_await queue.join(1ms);
    EXPECT_FALSE(early);
    EXPECT_EQ(queue.try_get(), 1);
    queue.task_done();
    const bool joined = co_await queue.join(20s);
    EXPECT_TRUE(joined);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, ShutdownReleasesEveryone) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> full(1);
    Q<TypeParam> empty;
    EXPECT_TRUE(full.try_put(1));
    int refused = 0;
    const auto putter = [&]() -> Task<void, B> {
      try {
        co_await full.put(2);
      } catch (const QueueShutdown&) {
        ++refused;
      }
    };
    const auto getter = [&]() -> Task<void, B> {
      try {
        co_await empty.get();
      } catch (const QueueShutdown&) {
        ++refused;
      }
    };
    TaskGroup<B> group;
    for (int i = 0; i < 3; ++i) {
      group.spawn(std::ref(putter));
      group.spawn(std::ref(getter));
    }
    co_await settle();
    full.shutdown();
    empty.shutdown();
    co_await group.join();
    EXPECT_EQ(refused, 6);
    const int left = co_await full.get();
    EXPECT_EQ(left, 1) << "what is left may be got";
    EXPECT_THROW((void)full.try_get(), QueueShutdown);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioQueue, ImmediateShutdownDropsTheRestAndEndsJoin) {
  const auto body = []() -> Task<void, B> {
    Q<TypeParam> queue;
    for (int n = 0; n < 5; ++n) EXPECT_TRUE(queue.try_put(n));
    bool joined = false;
    const auto joiner = [&]() -> Task<void, B> { joined = co_await queue.join(); };
    TaskGroup<B> group;
    group.spawn(std::ref(joiner));
    co_await settle();
    EXPECT_FALSE(joined);
    queue.shutdown(true);
    co_await group.join();
    EXPECT_TRUE(joined);
    EXPECT_TRUE(queue.empty());
  };
  trine::run(body());
}

}  // namespace
