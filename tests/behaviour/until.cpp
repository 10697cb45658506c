// SPDX-License-Identifier: BSL-1.0
//
// What an Until promises: which limits there are, and that a wait on any backend keeps them.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <ratio>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <trine/event.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>
#include <trine/until.hpp>

#include "support/backends.hpp"
#include "support/limits.hpp"

namespace {

using namespace std::chrono_literals;
using std::chrono::duration;
using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::time_point;
using trine::Event;
using trine::Task;
using trine::TaskGroup;
using trine::Until;
using trine_test::brief;
using trine_test::Clock;
using trine_test::plenty;
using trine_test::WallClock;

using Picoseconds = duration<std::int64_t, std::pico>;

// The class alone.

TEST(Until, ConvertsFromEachKindOfLimit) {
  static_assert(std::is_convertible_v<nanoseconds, Until>);
  static_assert(std::is_convertible_v<hours, Until>);
  static_assert(std::is_convertible_v<duration<double>, Until>);
  static_assert(std::is_convertible_v<duration<float, std::ratio<7, 3>>, Until>);
  static_assert(std::is_convertible_v<Clock::time_point, Until>);
  static_assert(std::is_convertible_v<WallClock::time_point, Until>);
  static_assert(std::is_convertible_v<time_point<Clock, hours>, Until>);
  static_assert(std::is_convertible_v<time_point<WallClock, duration<double>>, Until>);
  static_assert(std::is_convertible_v<std::stop_token, Until>);
  static_assert(!std::is_convertible_v<int, Until> && !std::is_constructible_v<Until, int>);
  static_assert(!std::is_constructible_v<Until, std::stop_source>);
  static_assert(std::is_copy_constructible_v<Until> && std::is_copy_assignable_v<Until>);
  static_assert(std::is_nothrow_default_constructible_v<Until>);

  std::stop_source source;
  const auto takes = [](const Until& until) { return until.never(); };
  EXPECT_TRUE(takes({}));
  EXPECT_FALSE(takes(1s));
  EXPECT_FALSE(takes(Clock::now()));
  EXPECT_FALSE(takes(WallClock::now()));
  EXPECT_FALSE(takes(source.get_token()));
  EXPECT_FALSE(takes({1s, source.get_token()}));
  EXPECT_FALSE(takes({source.get_token(), 1s}));
  EXPECT_FALSE(takes({Clock::now(), 1s, WallClock::now(), source.get_token()}));
}

TEST(Until, NeverIsTheDefault) {
  const Until never;
  EXPECT_TRUE(never.never());
  EXPECT_FALSE(never.passed());
  EXPECT_FALSE(never.stop_token().stop_possible());
  EXPECT_TRUE(never.started().never());
  EXPECT_EQ(never.sleep_until(), Clock::time_point::max());
}

TEST(Until, WhatCantBeCountedInNanosecondsIsNever) {
  const Until limits[] = {
      hours::max(),
      std::chrono::seconds::max(),
      nanoseconds::max(),
      duration<std::uint64_t>(std::numeric_limits<std::uint64_t>::max()),
      std::chrono::seconds(10'000'000'000),
      duration<double>(std::numeric_limits<double>::infinity()),
      duration<double>(std::numeric_limits<double>::max()),
      duration<float, std::nano>(std::numeric_limits<float>::max()),
      duration<long double, std::ratio<3600>>(std::numeric_limits<long double>::max()),
      Clock::time_point::max(),
      time_point<Clock, hours>(hours::max()),
      time_point<Clock, duration<double>>(duration<double>(1e300)),
      WallClock::time_point::max(),
      time_point<WallClock, hours>(hours::max()),
      std::stop_token(),
      {hours::max(), Clock::time_point::max(), WallClock::time_point::max(), std::stop_token()},
  };
  for (const Until& limit : limits) {
    EXPECT_TRUE(limit.never());
    EXPECT_FALSE(limit.passed());
    EXPECT_TRUE(limit.started().never());
    EXPECT_EQ(limit.sleep_until(), Clock::time_point::max());
  }
}

TEST(Until, TheLargestThatCanBeCountedIsNotNever) {
  const Until limits[] = {nanoseconds::max() - 1ns, hours(2'000'000), duration<double>(9e9)};
  for (const Until& limit : limits) {
    EXPECT_FALSE(limit.never());
    EXPECT_FALSE(limit.passed());
    EXPECT_FALSE(limit.started().passed()) << "the sum with the clock does not overflow";
    EXPECT_GT(limit.started().sleep_until() - Clock::now(), hours(24 * 365 * 100));
  }
}

TEST(Until, HasPassedAtOnceWhenItIsNotPositive) {
  const Until limits[] = {
      0s,
      0ns,
      -1ns,
      -1s,
      hours::min(),
      nanoseconds::min(),
      duration<double>(0.0),
      duration<double>(-0.0),
      duration<double>(-1e-3),
      duration<double>(-std::numeric_limits<double>::infinity()),
      duration<float>(std::numeric_limits<float>::lowest()),
      Clock::now(),
      Clock::now() - 1h,
      Clock::time_point::min(),
      time_point<Clock, hours>(hours::min()),
      WallClock::now(),
      WallClock::now() - 1h,
      WallClock::time_point::min(),
      time_point<WallClock, hours>(hours::min()),
  };
  for (const Until& limit : limits) {
    EXPECT_FALSE(limit.never());
    EXPECT_TRUE(limit.passed());
    EXPECT_TRUE(limit.started().passed());
  }
}

TEST(Until, IsRoundedUp) {
  const Until limits[] = {Picoseconds(1),
                          Picoseconds(999),
                          duration<double>(1e-12),
                          duration<float, std::nano>(0.25F),
                          duration<double>(std::numeric_limits<double>::denorm_min())};
  for (const Until& limit : limits) EXPECT_FALSE(limit.passed()) << "a positive duration is not zero";
  EXPECT_TRUE(Until(Picoseconds(-1)).passed());
  EXPECT_TRUE(Until(Picoseconds(0)).passed());

  const auto base = Clock::now() + 1h;
  const auto fine = time_point<Clock, Picoseconds>(base.time_since_epoch() % 1h + Picoseconds(1));
  EXPECT_EQ(Until(fine).sleep_until().time_since_epoch(), base.time_since_epoch() % 1h + 1ns);
}

TEST(Until, ADurationCountsFromTheStart) {
  const Until limit(1h);
  EXPECT_FALSE(limit.never());
  EXPECT_FALSE(limit.passed());
  const auto before = Clock::now();
  const Until first = limit.started();
  const auto after = Clock::now();
  EXPECT_GE(first.sleep_until(), before + 1h);
  EXPECT_LE(first.sleep_until(), after + 1h);
  EXPECT_EQ(first.started().sleep_until(), first.sleep_until()) << "it is started once";
  EXPECT_GE(limit.started().sleep_until(), after + 1h) << "the limit itself is not changed";
}

TEST(Until, TheFirstOfSeveralCounts) {
  const auto early = Clock::now() + 1h;
  const auto late = Clock::now() + 3h;
  EXPECT_EQ(Until(early, late).sleep_until(), early);
  EXPECT_EQ(Until(late, early).sleep_until(), early);
  EXPECT_EQ(Until(late, 2h, early).started().sleep_until(), early);
  EXPECT_LT(Until(late, 2h).started().sleep_until(), late);
  EXPECT_EQ(Until(early, 2h).started().sleep_until(), early);
  EXPECT_EQ(Until(Until(late, 4h), Until(early)).started().sleep_until(), early);
  EXPECT_TRUE(Until(1h, 0s).passed());
  EXPECT_TRUE(Until(0s, 1h).passed());
  EXPECT_TRUE(Until(late, WallClock::now()).passed());
  EXPECT_TRUE(Until(Until(), 0s).passed());
  EXPECT_FALSE(Until(1h, late, WallClock::now() + 1h).passed());
  EXPECT_TRUE(Until(Until(), Until()).never());
}

TEST(Until, FollowsItsToken) {
  std::stop_source source;
  const Until alone(source.get_token());
  const Until first(source.get_token(), 1h);
  const Until last(1h, source.get_token());
  const Until harmless(std::stop_token(), source.get_token());
  for (const Until* limit : {&alone, &first, &last, &harmless}) {
    EXPECT_FALSE(limit->never());
    EXPECT_FALSE(limit->passed());
    EXPECT_EQ(limit->stop_token(), source.get_token());
    EXPECT_EQ(limit->started().stop_token(), source.get_token());
  }
  source.request_stop();
  for (const Until* limit : {&alone, &first, &last, &harmless}) EXPECT_TRUE(limit->passed());
  EXPECT_TRUE(Until(source.get_token()).passed()) << "stopped before";
}

TEST(Until, KeepsAShareOfItsToken) {
  std::optional<Until> limit;
  {
    std::stop_source source;
    limit.emplace(source.get_token());
    EXPECT_FALSE(limit->passed());
    source.request_stop();
  }
  EXPECT_TRUE(limit->passed());
}

TEST(Until, TakesOneTokenAtMost) {
  std::stop_source one;
  std::stop_source two;
  EXPECT_THROW(Until(one.get_token(), two.get_token()), std::invalid_argument);
  EXPECT_THROW(Until(1h, one.get_token(), two.get_token()), std::invalid_argument);
  EXPECT_THROW(Until(Until(1h, one.get_token()), two.get_token()), std::invalid_argument);
  EXPECT_NO_THROW(Until(one.get_token(), std::stop_token()));
}

TEST(Until, RefusesNotANumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(Until{duration<double>(nan)}, std::invalid_argument);
  EXPECT_THROW(Until{duration<double>(-nan)}, std::invalid_argument);
  EXPECT_THROW((Until{duration<double, std::milli>(nan)}), std::invalid_argument);
  EXPECT_THROW((Until{duration<double, std::nano>(nan)}), std::invalid_argument);
  EXPECT_THROW(Until{duration<float>(std::numeric_limits<float>::quiet_NaN())}, std::invalid_argument);
  EXPECT_THROW(Until{duration<long double>(std::numeric_limits<long double>::quiet_NaN())}, std::invalid_argument);
  EXPECT_THROW((Until{time_point<Clock, duration<double>>(duration<double>(nan))}), std::invalid_argument);
  EXPECT_THROW((Until{time_point<WallClock, duration<double>>(duration<double>(nan))}), std::invalid_argument);
  EXPECT_THROW((Until{1s, duration<double>(nan)}), std::invalid_argument);
}

TEST(Until, ASleepForTheWallClockIsCutIntoPieces) {
  const auto before = Clock::now();
  const Until limit(WallClock::now() + 1h);
  const auto wake = limit.sleep_until();
  EXPECT_GT(wake, before);
  EXPECT_LE(wake, Clock::now() + 100ms) << "the wall clock may be set during the sleep";
  EXPECT_LE(Until(WallClock::now() - 1h).sleep_until(), Clock::now());
}

TEST(Until, ASleepForTheFirstMomentOfAClockIsOver) {
  EXPECT_LE(Until(Clock::time_point::min()).sleep_until(), Clock::now());
  EXPECT_LE(Until(time_point<WallClock, hours>(hours::min())).sleep_until(), Clock::now());
  EXPECT_LE(Until(WallClock::time_point::min()).sleep_until(), Clock::now());
}

TEST(Until, CopiesAreIndependent) {
  std::stop_source source;
  Until limit(1h, source.get_token());
  const Until copy = limit;
  limit = Until();
  EXPECT_TRUE(limit.never());
  EXPECT_FALSE(copy.never());
  source.request_stop();
  EXPECT_FALSE(limit.passed());
  EXPECT_TRUE(copy.passed());
}

// In a wait.

template <class B>
class UntilTest : public ::testing::Test {};

TYPED_TEST_SUITE(UntilTest, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(UntilTest, AWaitDoesNotGiveUpEarly) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    for (int i = 1; i <= 4; ++i) {
      const auto limit = 7ms * i + 123456ns;
      auto begin = Clock::now();
      const bool by_duration = co_await never.wait(limit);
      EXPECT_FALSE(by_duration);
      EXPECT_GE((Clock::now() - begin).count(), Clock::duration(limit).count());

      const auto steady = Clock::now() + limit;
      const bool by_steady = co_await never.wait(steady);
      EXPECT_FALSE(by_steady);
      EXPECT_GE(Clock::now().time_since_epoch().count(), steady.time_since_epoch().count());

      begin = Clock::now();
      const bool by_wall = co_await never.wait(WallClock::now() + limit);
      EXPECT_FALSE(by_wall);
      // The clocks may differ by a little.
      EXPECT_GE((Clock::now() - begin).count(), Clock::duration(limit - 1ms).count());
    }
  };
  trine::run(body());
}

// Longer than one piece of a sleep for the wall clock.
TYPED_TEST(UntilTest, ALongWaitForTheWallClock) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    const auto begin = Clock::now();
    const bool let_go = co_await never.wait(WallClock::now() + 250ms);
    EXPECT_FALSE(let_go);
    EXPECT_GE((Clock::now() - begin).count(), Clock::duration(249ms).count());
  };
  trine::run(body());
}

TYPED_TEST(UntilTest, ADurationCountsFromTheStartOfEachWait) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    std::stop_source source;
    const Until alone(brief);
    const Until together(brief, source.get_token(), hours(1));
    for (int i = 0; i < 4; ++i) {
      const auto begin = Clock::now();
      const bool let_go = co_await never.wait(i % 2 == 0 ? alone : together);
      EXPECT_FALSE(let_go);
      EXPECT_GE((Clock::now() - begin).count(), Clock::duration(brief).count());
    }
  };
  trine::run(body());
}

TYPED_TEST(UntilTest, ATimePointIsTheSameForEachWait) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    Event<B> always(true);
    const auto end = Clock::now() + brief;
    const Until limit(end);
    const bool first = co_await never.wait(limit);
    EXPECT_FALSE(first);
    EXPECT_TRUE(limit.passed());
    // Once it has passed each wait tries once, a hundred times in much less than a hundred times `brief`.
    for (int i = 0; i < 100; ++i) {
      const bool later = co_await never.wait(limit);
      EXPECT_FALSE(later);
    }
    EXPECT_LT(Clock::now() - end, plenty);
    const bool possible = co_await always.wait(limit);
    EXPECT_TRUE(possible);
  };
  trine::run(body());
}

// One limit for several parties at once.
TYPED_TEST(UntilTest, MayBeShared) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 20 && !::testing::Test::HasFailure(); ++round) {
      Event<B> never;
      std::stop_source source;
      std::atomic<int> gave_up{0};
      const Until limit(source.get_token(), hours(1), WallClock::now() + 1h);
      TaskGroup<B> group;
      const auto waiter = [&]() -> Task<void, B> {
        const bool let_go = co_await never.wait(limit);
        if (!let_go) ++gave_up;
      };
      for (int i = 0; i < 4; ++i) group.spawn(std::ref(waiter));
      trine_test::dither(round);
      EXPECT_EQ(gave_up, 0);
      source.request_stop();
      const bool idle = co_await group.join(plenty);
      EXPECT_TRUE(idle);
      EXPECT_EQ(gave_up, 4);
    }
  };
  trine::run(body());
}

// The source is gone before the wait begins: its token can't be stopped any more, and is no limit.
TYPED_TEST(UntilTest, AnOrphanedTokenIsNoLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    std::optional<std::stop_source> source(std::in_place);
    const Until limit(source->get_token());
    const Until stopped_in_time = [&] {
      std::stop_source other;
      const Until result(other.get_token());
      other.request_stop();
      return result;
    }();
    source.reset();
    const bool at_once = co_await event.wait(stopped_in_time);
    EXPECT_FALSE(at_once);
    TaskGroup<B> group;
    bool let_go = false;
    const auto waiter = [&]() -> Task<void, B> { let_go = co_await event.wait(limit); };
    group.spawn(std::ref(waiter));
    const bool idle = co_await group.join(brief);
    EXPECT_FALSE(idle);
    event.set();
    co_await group.join();
    EXPECT_TRUE(let_go);
  };
  trine::run(body());
}

// A stop and a set at about the same time: the wait returns, and says what happened.
TYPED_TEST(UntilTest, AStopThatRacesWithSuccess) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 200 && !::testing::Test::HasFailure(); ++round) {
      Event<B> event;
      std::stop_source source;
      bool let_go = false;
      bool was_set = false;
      TaskGroup<B> group;
      const auto waiter = [&]() -> Task<void, B> {
        let_go = co_await event.wait(source.get_token());
        was_set = event.is_set();
      };
      const auto stop = [&]() -> Task<void, B> {
        trine_test::dither(round);
        source.request_stop();
        co_return;
      };
      group.spawn(std::ref(waiter));
      group.spawn(std::ref(stop));
      trine_test::dither(round / 4);
      event.set();
      const bool idle = co_await group.join(plenty);
      EXPECT_TRUE(idle);
      EXPECT_TRUE(was_set || !let_go);
      EXPECT_TRUE(let_go || source.stop_requested());
    }
  };
  trine::run(body());
}

// Who asks to stop returns though the waiter has not: a stop callback of the wait does not wait for it.
TYPED_TEST(UntilTest, StoppingOneWaiterFromAnother) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    std::stop_source first;
    std::stop_source second;
    Event<B> never;
    TaskGroup<B> group;
    std::atomic<int> gave_up{0};
    // Each stops the next when it is stopped.
    const auto waiter = [&](std::stop_token mine, std::stop_source* next) -> Task<void, B> {
      const bool let_go = co_await never.wait(mine);
      if (!let_go) ++gave_up;
      if (next != nullptr) next->request_stop();
    };
    group.spawn(std::ref(waiter), first.get_token(), &second);
    group.spawn(std::ref(waiter), second.get_token(), static_cast<std::stop_source*>(nullptr));
    first.request_stop();
    const bool idle = co_await group.join(plenty);
    EXPECT_TRUE(idle);
    EXPECT_EQ(gave_up, 2);
  };
  trine::run(body());
}

// CPython's lock_tests.py tests limits with each primitive, and so do these suites.

}  // namespace
