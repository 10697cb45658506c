// SPDX-License-Identifier: BSL-1.0
//
// What asyncio's own tests of time limits and groups of tasks (test_asyncio/test_timeouts.py, test_taskgroups.py) check, said
// with with_timeout() and TaskGroup. A failure asks the siblings in a group to stop by a token, and does not end them.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <stop_token>
#include <string>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Scheduler;
using trine::Task;
using trine::TaskGroup;
using trine_test::plenty;
using trine_test::Visits;

template <class B>
class AsyncioTimeout : public ::testing::Test {};
TYPED_TEST_SUITE(AsyncioTimeout, trine_test::CoroutineBackends, trine_test::BackendName);
template <class B>
class AsyncioTaskGroup : public ::testing::Test {};
TYPED_TEST_SUITE(AsyncioTaskGroup, trine_test::CoroutineBackends, trine_test::BackendName);

/// Waits for ever, and may be ended.
template <class B>
Task<int, B> endless(Visits& visits) {
  const Visits::Scope inside(visits);
  co_await Event<B>().wait();
  co_return 1;
}

template <class B>
Task<int, B> at_once(int n) {
  co_return n;
}

template <class B>
Task<int, B> fails() {
  throw std::out_of_range("a foreign exception");
  co_return 0;
}

TYPED_TEST(AsyncioTimeout, Basic) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Visits visits;
    const auto begin = std::chrono::steady_clock::now();
    const auto none = co_await trine::with_timeout(endless<B>(visits), 5ms);
    EXPECT_FALSE(none.has_value());
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
    EXPECT_EQ(visits.left, 1);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioTimeout, NeverAndAtATime) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Visits visits;
    const auto one = co_await trine::with_timeout(at_once<B>(1), trine::Until());
    EXPECT_EQ(one, 1);
    const auto deadline = std::chrono::steady_clock::now() + 3ms;
    const auto none = co_await trine::with_timeout(endless<B>(visits), deadline);
    EXPECT_FALSE(none.has_value());
    EXPECT_GE(std::chrono::steady_clock::now(), deadline);
    const auto late = co_await trine::with_timeout(endless<B>(visits), deadline);
    EXPECT_FALSE(late.has_value()) << "a time that has passed";
    const auto zero = co_await trine::with_timeout(endless<B>(visits), 0ms);
    EXPECT_FALSE(zero.has_value());
    EXPECT_EQ(visits.left, visits.entered);
  };
  trine::run(body());
}

// A task that need not wait ends in time, however little there is.
TYPED_TEST(AsyncioTimeout, NoTimeIsEnoughForWhatIsReady) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    const auto done = co_await trine::with_timeout(at_once<B>(4), 0ms);
    EXPECT_EQ(done, 4);
  };
  if constexpr (B::scheduler_threads == 1) trine::run(body());  // else the limit may come before another thread has begun it
}

TYPED_TEST(AsyncioTimeout, NestedTheInnerComesFirst) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Visits visits;
    bool went_on = false;
    const auto outer = [&]() -> Task<void, B> {
      const auto none = co_await trine::with_timeout(endless<B>(visits), 2ms);
      EXPECT_FALSE(none.has_value());
      went_on = true;
    };
    const bool ended = co_await trine::with_timeout(outer(), plenty);
    EXPECT_TRUE(ended && went_on);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioTimeout, NestedTheOuterComesFirst) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Visits visits;
    bool went_on = false;
    const auto outer = [&]() -> Task<void, B> {
      co_await trine::with_timeout(endless<B>(visits), plenty);
      went_on = true;
    };
    const bool ended = co_await trine::with_timeout(outer(), 2ms);
    EXPECT_FALSE(ended || went_on);
    EXPECT_EQ(visits.left, visits.entered);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioTimeout, ForeignExceptionsPass) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    std::string text;
    try {
      co_await trine::with_timeout(fails<B>(), plenty);
    } catch (const std::out_of_range& e) {
      text = e.what();
    }
    EXPECT_EQ(text, "a foreign exception");
  };
  trine::run(body());
}

// What the task does after the limit came, in its destructors, is over before its caller goes on.
TYPED_TEST(AsyncioTimeout, CleansUpBeforeItReturns) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Visits visits;
    trine::Lock<B> lock;
    const auto holder = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      co_await endless<B>(visits);
    };
    const bool ended = co_await trine::with_timeout(holder(), 2ms);
    EXPECT_FALSE(ended || lock.locked());
    EXPECT_EQ(visits.left, 1);
  };
  trine::run(body());
}

// Groups

TYPED_TEST(AsyncioTaskGroup, WaitsForAllAndKeepsNothing) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    TaskGroup<B> group;
    std::atomic<int> sum{0};
    const auto add = [&](int n) -> Task<void, B> {
      co_await Scheduler::current()->hop();
      sum += n;
    };
    for (int n = 1; n <= 10; ++n) group.spawn(std::ref(add), n);
    const bool joined = co_await group.join();
    EXPECT_TRUE(joined);
    EXPECT_EQ(sum, 55);
    EXPECT_EQ(group.running(), 0U);
    const bool again = co_await group.join();
    EXPECT_TRUE(again) << "a group of nobody";
  };
  trine::run(body());
}

TYPED_TEST(AsyncioTaskGroup, TheFirstFailureAsksTheOthersToStop) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    TaskGroup<B> group;
    std::atomic<int> stopped{0};
    const auto sibling = [&]() -> Task<void, B> {
      Event<B> never;
      const bool set = co_await never.wait(group.stop_token());
      if (!set) ++stopped;
    };
    const auto failing = [&]() -> Task<void, B> {
      co_await Scheduler::current()->hop();
      throw std::domain_error("the first");
    };
    for (int i = 0; i < 3; ++i) group.spawn(std::ref(sibling));
    group.spawn(std::ref(failing));
    std::string text;
    try {
      co_await group.join();
    } catch (const std::domain_error& e) {
      text = e.what();
    }
    EXPECT_EQ(text, "the first");
    EXPECT_EQ(stopped, 3);
    const bool joined = co_await group.join();
    EXPECT_TRUE(joined) << "a failure comes out once";
  };
  trine::run(body());
}

// Both fail; the second because the first asked it to stop.
TYPED_TEST(AsyncioTaskGroup, WhatFailsBecauseOfAFailureIsNotTheOneThatComesOut) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    TaskGroup<B> group;
    const auto second = [&]() -> Task<void, B> {
      Event<B> never;
      co_await never.wait(group.stop_token());
      throw std::out_of_range("because of it");
    };
    const auto first = [&]() -> Task<void, B> {
      co_await Scheduler::current()->hop();
      throw std::domain_error("the cause");
    };
    group.spawn(std::ref(second));
    group.spawn(std::ref(first));
    std::string text;
    try {
      co_await group.join();
    } catch (const std::exception& e) {
      text = e.what();
    }
    EXPECT_EQ(text, "the cause");
  };
  trine::run(body());
}

TYPED_TEST(AsyncioTaskGroup, MembersStartOthers) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    TaskGroup<B> group;
    std::atomic<int> ended{0};
    std::function<Task<void, B>(int)> member = [&](int depth) -> Task<void, B> {
      if (depth > 0) {
        group.spawn(std::ref(member), depth - 1);
        group.spawn(std::ref(member), depth - 1);
      }
      co_await Scheduler::current()->hop();
      ++ended;
    };
    group.spawn(std::ref(member), 4);
    co_await group.join();
    EXPECT_EQ(ended, 31);
  };
  trine::run(body());
}

TYPED_TEST(AsyncioTaskGroup, AFailureInAnInnerGroupReachesTheOuter) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    TaskGroup<B> outer;
    std::atomic<bool> stopped{false};
    const auto sibling = [&]() -> Task<void, B> {
      Event<B> never;
      stopped = !co_await never.wait(outer.stop_token());
    };
    const auto member = [&]() -> Task<void, B> {
      TaskGroup<B> inner;
      inner.spawn([]() -> Task<void, B> { co_await fails<B>(); });
      co_await inner.join();
    };
    outer.spawn(std::ref(sibling));
    outer.spawn(std::ref(member));
    bool thrown = false;
    try {
      co_await outer.join();
    } catch (const std::out_of_range&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown && stopped);
  };
  trine::run(body());
}

// One that joins within a time goes on when that is over, and the members too.
TYPED_TEST(AsyncioTaskGroup, JoiningGivesUp) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    TaskGroup<B> group;
    Event<B> go;
    std::atomic<bool> passed{false};
    const auto member = [&]() -> Task<void, B> {
      co_await go.wait();
      passed = true;
    };
    group.spawn(std::ref(member));
    const bool early = co_await group.join(2ms);
    EXPECT_FALSE(early || passed);
    EXPECT_EQ(group.running(), 1U);
    go.set();
    const bool joined = co_await group.join();
    EXPECT_TRUE(joined && passed);
  };
  trine::run(body());
}

// The one that has the group is cancelled: its members are waited for before it is gone.
TYPED_TEST(AsyncioTaskGroup, ACancelledParentWaitsForItsMembers) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Visits visits;
    std::stop_source stop;
    const auto member = [&]() -> Task<void, B> {
      const Visits::Scope inside(visits);
      Event<B> never;
      co_await never.wait(stop.get_token());
    };
    const auto parent = [&]() -> Task<void, B> {
      TaskGroup<B> group;
      group.spawn(std::ref(member));
      group.spawn(std::ref(member));
      // When the parent is ended, which is at this wait, this goes before the group does.
      struct Stop {
        std::stop_source& source;
        ~Stop() { source.request_stop(); }
      } const when_cancelled{stop};
      co_await Event<B>().wait();
    };
    const bool ended = co_await trine::with_timeout(parent(), 2ms);
    EXPECT_FALSE(ended);
    EXPECT_EQ(visits.left, visits.entered);
  };
  trine::run(body());
}

}  // namespace
