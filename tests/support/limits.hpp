// SPDX-License-Identifier: BSL-1.0
//
// Every kind of limit that a wait takes, as tables, and what each waiting operation must do with each of them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <limits>
#include <ratio>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>

#include <trine/trine.hpp>

#include "support/backends.hpp"

namespace trine_test {

using Clock = std::chrono::steady_clock;
using WallClock = std::chrono::system_clock;

/// Takes a little time, more or less by `round`, so that what follows meets a waiter that begins, looks on, or sleeps.
/// No test depends on which.
inline void dither(int round) {
  static constexpr std::chrono::microseconds times[] = {std::chrono::microseconds(0), std::chrono::microseconds(2),
                                                        std::chrono::microseconds(20), std::chrono::microseconds(200)};
  const auto end = Clock::now() + times[round % 4];
  while (Clock::now() < end) std::this_thread::yield();
}

// The limits of each kind: come() gives those that come (soon, at once, or long ago) to `check(name, limit,
// earliest)`, where `earliest` is the first moment at which the wait may have given up; stay_away() those that do not
// come within a test. The limits come as what they are, durations of all types and so on.

inline constexpr Clock::time_point at_once = Clock::time_point::min();
inline constexpr std::chrono::milliseconds soon{5};

inline Clock::time_point after_soon() { return Clock::now() + soon; }

// The wall clock is slewed a little against the monotonic one, by which the tests measure.
inline Clock::time_point almost_after_soon() { return Clock::now() + soon - std::chrono::milliseconds(1); }

struct Durations {
  template <class B, class Check>
  static trine::Task<void, B> come(const Check& check) {
    using namespace std::chrono;
    co_await check("zero", seconds(0), at_once);
    co_await check("a negative duration", milliseconds(-1), at_once);
    co_await check("the most negative hours", hours::min(), at_once);
    co_await check("the most negative nanoseconds", nanoseconds::min(), at_once);
    co_await check("minus infinity", duration<double>(-std::numeric_limits<double>::infinity()), at_once);
    co_await check("a nanosecond", nanoseconds(1), at_once);
    co_await check("milliseconds", soon, after_soon());
    co_await check("microseconds", microseconds(soon), after_soon());
    co_await check("fractions of a second", duration<double>(soon), after_soon());
    co_await check("fractions of a minute", duration<long double, std::ratio<60>>(soon), after_soon());
  }

  template <class B, class Check>
  static trine::Task<void, B> stay_away(const Check& check) {
    using namespace std::chrono;
    co_await check("an hour", hours(1), at_once);
    co_await check("the most hours", hours::max(), at_once);
    co_await check("the most seconds", seconds::max(), at_once);
    co_await check("the most nanoseconds", nanoseconds::max(), at_once);
    co_await check("infinity", duration<double>(std::numeric_limits<double>::infinity()), at_once);
    co_await check("a huge fraction", duration<float>(1e30F), at_once);
  }
};

struct TimePoints {
  template <class B, class Check>
  static trine::Task<void, B> come(const Check& check) {
    using namespace std::chrono;
    const Clock::time_point steady = Clock::now() + soon;
    co_await check("a steady time point", steady, steady);
    co_await check("the same when it has passed", steady, at_once);
    const auto coarse_steady = ceil<milliseconds>(Clock::now() + soon);
    co_await check("a coarse steady time point", coarse_steady, coarse_steady);
    co_await check("the first steady time point", Clock::time_point::min(), at_once);
    co_await check("the steady epoch", Clock::time_point(), at_once);

    Clock::time_point earliest = almost_after_soon();
    const WallClock::time_point wall = WallClock::now() + soon;
    co_await check("a wall time point", wall, earliest);
    co_await check("the same when it has passed", wall, at_once);
    earliest = almost_after_soon();
    const auto coarse_wall = ceil<milliseconds>(WallClock::now() + soon);
    co_await check("a coarse wall time point", coarse_wall, earliest);
    co_await check("the first wall time point", WallClock::time_point::min(), at_once);
    co_await check("the wall clock's epoch", time_point<WallClock, hours>(), at_once);
  }

  template <class B, class Check>
  static trine::Task<void, B> stay_away(const Check& check) {
    using namespace std::chrono;
    co_await check("a steady time point in an hour", Clock::now() + hours(1), at_once);
    co_await check("the last steady time point", Clock::time_point::max(), at_once);
    co_await check("the last steady hour", time_point<Clock, hours>(hours::max()), at_once);
    co_await check("a wall time point in an hour", WallClock::now() + hours(1), at_once);
    co_await check("the last wall time point", WallClock::time_point::max(), at_once);
    co_await check("the last wall hour", time_point<WallClock, hours>(hours::max()), at_once);
  }
};

/// Stop tokens, and combinations. A test of a stop during the wait is expect_stops(), below.
struct Stops {
  template <class B, class Check>
  static trine::Task<void, B> come(const Check& check) {
    using namespace std::chrono;
    std::stop_source source;
    const std::stop_token live = source.get_token();
    std::stop_source spent;
    spent.request_stop();
    const std::stop_token stopped = spent.get_token();

    co_await check("a stopped token", stopped, at_once);
    const trine::Until stopped_and_long{stopped, hours(1)};
    co_await check("a stopped token, an hour", stopped_and_long, at_once);
    const trine::Until far_and_stopped{Clock::now() + hours(1), stopped};
    co_await check("a far time point, a stopped token", far_and_stopped, at_once);
    const trine::Until soon_and_live{soon, live};
    co_await check("a duration, a live token", soon_and_live, after_soon());
    const trine::Until live_and_zero{live, seconds(0)};
    co_await check("a live token, zero", live_and_zero, at_once);
    const trine::Until longer_and_shorter{hours(1), soon};
    co_await check("an hour, a duration", longer_and_shorter, after_soon());
    const trine::Until shorter_and_longer{soon, hours(1)};
    co_await check("a duration, an hour", shorter_and_longer, after_soon());
    const Clock::time_point steady = Clock::now() + soon;
    const trine::Until steady_and_long{steady, hours(1)};
    co_await check("a steady time point, an hour", steady_and_long, steady);
    const Clock::time_point earliest = almost_after_soon();
    const trine::Until long_and_wall{hours(1), WallClock::now() + soon};
    co_await check("an hour, a wall time point", long_and_wall, earliest);
    const trine::Until all{WallClock::now() + hours(1), Clock::now() + hours(1), live, soon};
    co_await check("all kinds at once, the duration first", all, after_soon());
    co_await check("the same again, counted from the second wait", all, after_soon());
  }

  template <class B, class Check>
  static trine::Task<void, B> stay_away(const Check& check) {
    using namespace std::chrono;
    std::stop_source source;
    const std::stop_token live = source.get_token();
    const trine::Until never;
    co_await check("no limit", never, at_once);
    co_await check("a live token", live, at_once);
    co_await check("a token that can't be stopped", std::stop_token(), at_once);
    const trine::Until long_and_live{hours(1), live};
    co_await check("an hour, a live token", long_and_live, at_once);
    const trine::Until all{hours::max(), Clock::time_point::max(), WallClock::time_point::max(), live};
    co_await check("all kinds at once, none near", all, at_once);
  }
};

/// All of them, each as an Until.
struct EveryLimit {
  template <class B, class Check>
  static trine::Task<void, B> come(const Check& check) {
    const Erased<B> each = std::cref(check);
    co_await Durations::come<B>(each);
    co_await TimePoints::come<B>(each);
    co_await Stops::come<B>(each);
  }

  template <class B, class Check>
  static trine::Task<void, B> stay_away(const Check& check) {
    const Erased<B> each = std::cref(check);
    co_await Durations::stay_away<B>(each);
    co_await TimePoints::stay_away<B>(each);
    co_await Stops::stay_away<B>(each);
  }

 private:
  template <class B>
  using Erased = std::function<trine::Task<void, B>(const char*, trine::Until, Clock::time_point)>;
};

// What is checked. The types are erased, so that the checks are compiled once and not for each operation and each
// limit.

/// Does the operation once, with a certain limit, and says whether it succeeded.
template <class B>
using Attempt = std::function<trine::Task<bool, B>()>;

/// Makes the operation impossible, sets `blocked`, awaits `unblock`, and makes it possible again. A party runs it.
template <class B>
using Block = std::function<trine::Task<void, B>(trine::Event<B>& blocked, trine::Event<B>& unblock)>;

/// Undoes a success of the operation.
using Undo = std::function<void()>;

template <class B>
trine::Task<void, B> gives_up(const char* name, Attempt<B> attempt, Clock::time_point earliest) {
  const bool done = co_await attempt();
  EXPECT_FALSE(done) << name;
  EXPECT_GE(Clock::now().time_since_epoch().count(), earliest.time_since_epoch().count()) << name << ": too early";
}

template <class B>
trine::Task<void, B> succeeds(const char* name, Attempt<B> attempt, const Undo& undo) {
  const bool done = co_await attempt();
  EXPECT_TRUE(done) << name;
  if (done) undo();
}

template <class B>
trine::Task<void, B> succeeds_later(const char* name, Attempt<B> attempt, const Block<B>& block, const Undo& undo,
                                    int round) {
  trine::Event<B> blocked;
  trine::Event<B> unblock;
  trine::Event<B> begin;
  trine::TaskGroup<B> group;
  const auto later = [&]() -> trine::Task<void, B> {
    co_await begin.wait();
    dither(round);
    unblock.set();
  };
  group.spawn(std::ref(block), std::ref(blocked), std::ref(unblock));
  group.spawn(std::ref(later));
  co_await blocked.wait();
  begin.set();
  const bool done = co_await attempt();
  EXPECT_TRUE(done) << name;
  if (done) undo();
  co_await group.join();
}

template <class B>
trine::Task<void, B> refuses(Attempt<B> attempt) {
  bool refused = false;
  try {
    co_await attempt();
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  EXPECT_TRUE(refused);
}

// For each of these, `wait(limit)` is a coroutine that does the operation once and says whether it succeeded. The
// functions that are given must outlive the returned task.

/// The operation can't be done: it gives up at each limit that comes, and not before.
template <class B, class Limits = EveryLimit, class Wait>
trine::Task<void, B> expect_gives_up(const Wait& wait) {
  const auto check = [&wait](const char* name, auto limit, Clock::time_point earliest) {
    return gives_up<B>(name, [&wait, limit] { return wait(limit); }, earliest);
  };
  co_await Limits::template come<B>(check);
}

/// The operation can be done: it is, whatever the limit.
template <class B, class Limits = EveryLimit, class Wait>
trine::Task<void, B> expect_succeeds(const Wait& wait, const Undo& undo) {
  const auto check = [&wait, &undo](const char* name, auto limit, Clock::time_point) {
    return succeeds<B>(name, [&wait, limit] { return wait(limit); }, undo);
  };
  co_await Limits::template come<B>(check);
  co_await Limits::template stay_away<B>(check);
}

/// The operation becomes possible while it waits: it succeeds, though the limit has not come.
template <class B, class Limits = EveryLimit, class Wait>
trine::Task<void, B> expect_succeeds_later(const Wait& wait, const Block<B>& block, const Undo& undo) {
  int round = 0;
  const auto check = [&](const char* name, auto limit, Clock::time_point) {
    return succeeds_later<B>(name, [&wait, limit] { return wait(limit); }, block, undo, round++);
  };
  co_await Limits::template stay_away<B>(check);
}

/// The operation can't be done, and its token is stopped at some moment of its wait: it gives up.
template <class B, class Wait>
trine::Task<void, B> expect_stops(const Wait& wait) {
  for (int round = 0; round < 16; ++round) {
    std::stop_source source;
    trine::Event<B> begin;
    trine::TaskGroup<B> group;
    const auto stop = [&]() -> trine::Task<void, B> {
      co_await begin.wait();
      dither(round);
      source.request_stop();
    };
    group.spawn(std::ref(stop));
    begin.set();
    const trine::Until alone(source.get_token());
    const trine::Until together(std::chrono::hours(1), source.get_token());
    const bool done = co_await wait(round % 8 < 4 ? alone : together);
    EXPECT_FALSE(done);
    EXPECT_TRUE(source.stop_requested());
    co_await group.join();
  }
}

/// A limit that is not a number is refused.
template <class B, class Limits = EveryLimit, class Wait>
trine::Task<void, B> expect_refuses_nan(const Wait& wait) {
  using namespace std::chrono;
  const duration<double> nan(std::numeric_limits<double>::quiet_NaN());
  const duration<float, std::milli> another(std::numeric_limits<float>::quiet_NaN());
  const time_point<Clock, duration<double>> steady(nan);
  const time_point<WallClock, duration<double>> wall(nan);
  if constexpr (!std::is_same_v<Limits, TimePoints>) {
    co_await refuses<B>([&] { return wait(nan); });
    co_await refuses<B>([&] { return wait(another); });
  }
  if constexpr (!std::is_same_v<Limits, Durations>) {
    co_await refuses<B>([&] { return wait(steady); });
    co_await refuses<B>([&] { return wait(wall); });
  }
}

template <class B, class Limits, class Wait>
trine::Task<void, B> expect_keeps_valid_limits(const Wait& wait, const Block<B>& block, const Undo& undo) {
  co_await expect_succeeds<B, Limits>(wait, undo);
  trine::Event<B> blocked;
  trine::Event<B> unblock;
  trine::TaskGroup<B> group;
  group.spawn(std::ref(block), std::ref(blocked), std::ref(unblock));
  co_await blocked.wait();
  co_await expect_gives_up<B, Limits>(wait);
  if constexpr (std::is_same_v<Limits, EveryLimit>) co_await expect_stops<B>(wait);
  unblock.set();
  co_await group.join();
  co_await expect_succeeds_later<B, Limits>(wait, block, undo);
}

/// All of the above, for an operation that can be done now.
template <class B, class Limits = EveryLimit, class Wait>
trine::Task<void, B> expect_keeps_limits(const Wait& wait, const Block<B>& block, const Undo& undo) {
  {
    trine::Event<B> blocked;
    trine::Event<B> unblock;
    trine::TaskGroup<B> group;
    group.spawn(std::ref(block), std::ref(blocked), std::ref(unblock));
    co_await blocked.wait();
    co_await expect_refuses_nan<B, Limits>(wait);
    unblock.set();
    co_await group.join();
  }
  if constexpr (std::is_same_v<Limits, EveryLimit>) {
    const std::function<trine::Task<bool, B>(trine::Until)> erased = std::cref(wait);
    co_await expect_keeps_valid_limits<B, Limits>(erased, block, undo);
  } else {
    co_await expect_keeps_valid_limits<B, Limits>(wait, block, undo);
  }
}

}  // namespace trine_test
