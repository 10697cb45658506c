// SPDX-License-Identifier: BSL-1.0
//
// What a Scheduler promises: where, when and in which order coroutines are resumed.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using B = trine::coroutines;
using trine::Event;
using trine::Lock;
using trine::Scheduler;
using trine::Semaphore;
using trine::Task;
using trine_test::Visits;

Task<void, B> append(std::vector<int>& to, int n) {
  to.push_back(n);
  co_return;
}

Task<void, B> wait_and_append(Event<B>& go, std::vector<int>& to, int n) {
  co_await go.wait();
  to.push_back(n);
}

Task<void, B> select_and_append(Event<B>& never, Event<B>& go, std::vector<int>& to, int n) {
  const auto first = co_await trine::select(never.wait_op(), go.wait_op());
  if (first.index() == 1) to.push_back(n);
}

Task<void, B> wait_an_hour_and_append(Event<B>& go, std::vector<int>& to, int n) {
  const bool woken = co_await go.wait(1h);
  if (woken) to.push_back(n);
}

/// A scheduler that another thread runs as long as this is there.
class RunElsewhere {
 public:
  explicit RunElsewhere(Scheduler& scheduler) {
    scheduler.spawn(stay(over_));
    thread_ = std::jthread([&scheduler] { scheduler.run(); });
  }
  RunElsewhere(const RunElsewhere&) = delete;
  RunElsewhere& operator=(const RunElsewhere&) = delete;
  ~RunElsewhere() { over_.set(); }

 private:
  static Task<void, B> stay(Event<B>& over) { co_await over.wait(); }

  Event<B> over_;
  std::jthread thread_;
};

TEST(Scheduler, StaysWhereItIs) {
  static_assert(!std::is_copy_constructible_v<Scheduler> && !std::is_move_constructible_v<Scheduler>);
  static_assert(!std::is_copy_assignable_v<Scheduler> && !std::is_move_assignable_v<Scheduler>);
}

TEST(Scheduler, NeedsAThread) { EXPECT_THROW(Scheduler(0), std::invalid_argument); }

// However they wait, and wherever in the line those stand who wait for something else as well.
TEST(Scheduler, ThoseWhomOneCallWakesRunInOrder) {
  for (int selecting = 0; selecting < 64; ++selecting) {
    Event<B> never;
    Event<B> go;
    std::vector<int> order;
    Scheduler scheduler;
    for (int n = 0; n < 6; ++n) {
      const bool selects = (selecting >> n & 1) != 0;
      scheduler.spawn(selects ? select_and_append(never, go, order, n)
                              : n % 2 == 0 ? wait_and_append(go, order, n) : wait_an_hour_and_append(go, order, n));
    }
    scheduler.post([&] { go.set(); });
    scheduler.run();
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5})) << "selecting: " << selecting;
  }
}

TEST(Scheduler, RunsWhatWasSpawnedInOrder) {
  std::vector<int> order;
  Scheduler scheduler;
  for (int n = 0; n < 10; ++n) scheduler.spawn(append(order, n));
  EXPECT_TRUE(order.empty()) << "a task is lazy";
  scheduler.run();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Scheduler, RunReturnsWhenNothingIsLeftAndMayBeCalledAgain) {
  Scheduler scheduler;
  scheduler.run();
  std::vector<int> order;
  for (int round = 0; round < 3; ++round) {
    scheduler.spawn(append(order, round));
    scheduler.run();
    EXPECT_EQ(order.size(), static_cast<std::size_t>(round + 1));
  }
}

TEST(Scheduler, RunWaitsForATaskThatAnotherThreadWakes) {
  Scheduler scheduler;
  Event<B> go;
  std::vector<int> order;
  scheduler.spawn(wait_and_append(go, order, 1));
  std::jthread other([&] {
    order.push_back(0);
    go.set();
  });
  scheduler.run();
  EXPECT_EQ(order, (std::vector{0, 1}));
}

TEST(Scheduler, IsTheCurrentOneWhileItRuns) {
  EXPECT_EQ(Scheduler::current(), nullptr);
  Scheduler scheduler;
  const auto body = [&]() -> Task<void, B> {
    EXPECT_EQ(Scheduler::current(), &scheduler);
    co_await scheduler.hop();
    EXPECT_EQ(Scheduler::current(), &scheduler);
  };
  scheduler.run(body());
  EXPECT_EQ(Scheduler::current(), nullptr);
}

TEST(Scheduler, DoesNotRunWithinAnother) {
  const auto inner = []() -> Task<void, B> { co_return; };
  const auto body = [&]() -> Task<void, B> {
    EXPECT_THROW(trine::run(inner()), std::logic_error);
    co_return;
  };
  trine::run(body());
}

TEST(Scheduler, AWokenCoroutineRunsNeitherInTheCallThatWokeItNorBeforeThoseInLine) {
  std::vector<int> order;
  Event<B> go;
  Scheduler scheduler;
  scheduler.spawn(wait_and_append(go, order, 2));
  scheduler.spawn(wait_and_append(go, order, 3));
  const auto setter = [&]() -> Task<void, B> {
    scheduler.spawn(append(order, 1));
    go.set();
    order.push_back(0);
    co_return;
  };
  scheduler.spawn(setter());
  scheduler.run();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
}

TEST(Scheduler, WaitersAreServedInTheOrderInWhichTheyCame) {
  std::vector<int> order;
  Semaphore<B> slots(0);
  Scheduler scheduler;
  const auto taker = [&](int n) -> Task<void, B> {
    co_await slots.acquire();
    order.push_back(n);
  };
  for (int n = 0; n < 100; ++n) scheduler.spawn(taker(n));
  const auto giver = [&]() -> Task<void, B> {
    for (int n = 0; n < 50; ++n) {
      slots.release();
      if (n % 7 == 0) co_await scheduler.hop();
    }
    slots.release(50);
  };
  scheduler.spawn(giver());
  scheduler.run();
  std::vector<int> all(100);
  for (int n = 0; n < 100; ++n) all[static_cast<std::size_t>(n)] = n;
  EXPECT_EQ(order, all);
}

TEST(Scheduler, ACoroutineGoesOnWhereItSuspended) {
  Scheduler here;
  Event<B> go;
  Event<B> begun;
  std::thread::id before;
  std::thread::id after;
  const auto waiter = [&]() -> Task<void, B> {
    before = std::this_thread::get_id();
    begun.set();
    co_await go.wait();
    after = std::this_thread::get_id();
    EXPECT_EQ(Scheduler::current(), &here);
  };
  here.spawn(waiter());
  std::jthread other([&] {
    const auto setter = [&]() -> Task<void, B> {
      co_await begun.wait();
      go.set();
    };
    trine::run(setter());
  });
  here.run();
  EXPECT_EQ(before, std::this_thread::get_id());
  EXPECT_EQ(after, before);
}

TEST(Scheduler, HopsToAnother) {
  Scheduler first;
  Scheduler second;
  std::atomic<bool> there{false};
  const RunElsewhere running(second);
  const auto body = [&]() -> Task<void, B> {
    const auto home = std::this_thread::get_id();
    co_await second.hop();
    there = std::this_thread::get_id() != home && Scheduler::current() == &second;
    co_await first.hop();
    EXPECT_EQ(std::this_thread::get_id(), home);
  };
  first.run(body());
  EXPECT_TRUE(there);
}

// Some end at home, the others at the same moment on the thread of another: run() returns after the last.
TEST(Scheduler, TasksMayEndOnAnother) {
  static constexpr int rounds = 300;
  Scheduler first;
  Scheduler second;
  const RunElsewhere running(second);
  std::atomic<int> ended{0};
  const auto leaves = [&]() -> Task<void, B> {
    co_await second.hop();
    ++ended;
  };
  const auto stays = [&]() -> Task<void, B> {
    co_await first.hop();
    ++ended;
  };
  for (int round = 1; round <= rounds; ++round) {
    first.spawn(leaves());
    if (round % 2 == 0) first.spawn(stays());
    if (round % 3 == 0) first.spawn(leaves());
    first.run();
    ASSERT_EQ(ended, round + round / 2 + round / 3);
  }
}

// Who ends a task elsewhere touches its scheduler for the last time before that can be destroyed.
TEST(Scheduler, MayGoAsSoonAsATaskHasEndedOnAnother) {
  Scheduler other;
  trine::Event<trine::coroutines> over;
  std::thread runs([&] { other.run([](auto& end) -> Task<bool, trine::coroutines> { co_return co_await end.wait(); }(over)); });
  const auto there = [](Scheduler& to) -> Task<void, trine::coroutines> { co_await to.hop(); };
  for (int round = 0; round < 2000; ++round) {
    auto home = std::make_unique<Scheduler>(1 + round % 2);
    if (round % 4 < 2) {
      home->run(there(other));
    } else {
      home->spawn(there(other));
      home->run();
    }
  }
  over.set();
  runs.join();
}

TEST(Scheduler, SleepsInOrderOfTime) {
  std::vector<int> order;
  Scheduler scheduler;
  const auto sleeper = [&](int n) -> Task<void, B> {
    const auto begin = std::chrono::steady_clock::now();
    const bool slept = co_await scheduler.sleep(std::chrono::milliseconds(n));
    EXPECT_TRUE(slept);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(n));
    order.push_back(n);
  };
  for (const int n : {30, 10, 0, 20}) scheduler.spawn(sleeper(n));
  scheduler.run();
  EXPECT_EQ(order, (std::vector{0, 10, 20, 30}));
}

TEST(Scheduler, AStopEndsASleep) {
  Scheduler scheduler;
  std::stop_source stop;
  const auto sleeper = [&]() -> Task<void, B> {
    const bool slept = co_await scheduler.sleep({1h, stop.get_token()});
    EXPECT_FALSE(slept);
  };
  const auto stopper = [&]() -> Task<void, B> {
    stop.request_stop();
    co_return;
  };
  scheduler.spawn(sleeper());
  scheduler.spawn(stopper());
  scheduler.run();
}

TEST(Scheduler, PostsFunctionsFromAnyThread) {
  for (const unsigned threads : {1U, 3U}) {
    Scheduler scheduler(threads);
    std::atomic<int> called{0};
    const auto body = [&]() -> Task<void, B> {
      std::vector<std::jthread> others;
      for (int i = 0; i < 3; ++i) {
        others.emplace_back([&] {
          for (int n = 0; n < 100; ++n) scheduler.post([&called] { ++called; });
        });
      }
      co_return;
    };
    scheduler.run(body());
    scheduler.run();
    EXPECT_EQ(called, 300);
  }
}

// Whoever was alone with a scheduler is that no more: it was spawned on by one thread and is run by another, which sleeps.
TEST(Scheduler, ThoseWhoSpawnWakeAThreadThatCameLater) {
  for (int round = 0; round < 50; ++round) {
    Scheduler scheduler;
    std::atomic<int> ran{0};
    const auto count = [&]() -> Task<void, B> {
      ++ran;
      co_return;
    };
    const RunElsewhere running(scheduler);
    for (int i = 1; i <= 5; ++i) {
      for (int looks = 0; looks < 50 * (round % 10); ++looks) std::this_thread::yield();  // it may sleep, or not
      scheduler.spawn(count());
      EXPECT_TRUE(trine_test::eventually([&] { return ran == i; })) << "nobody woke the scheduler";
    }
  }
}

TEST(Scheduler, WhatASpawnedTaskThrowsComesOutOfRunOnce) {
  Scheduler scheduler;
  std::vector<int> order;
  const auto fails = []() -> Task<void, B> {
    throw std::out_of_range("spawned");
    co_return;
  };
  scheduler.spawn(fails());
  scheduler.spawn(append(order, 1));
  scheduler.post([] { throw std::domain_error("later"); });
  EXPECT_THROW(scheduler.run(), std::out_of_range);
  EXPECT_EQ(order.size(), 1U) << "the others have run";
  scheduler.run();
}

TEST(Scheduler, StopLeavesTheTasksWhereTheyAre) {
  for (const unsigned threads : {1U, 2U}) {
    Scheduler scheduler(threads);
    Event<B> go;
    std::atomic<int> passed{0};
    const auto waiter = [&]() -> Task<void, B> {
      co_await go.wait();
      ++passed;
    };
    for (int i = 0; i < 3; ++i) scheduler.spawn(waiter());
    scheduler.post([&] { scheduler.stop(); });
    scheduler.run();
    EXPECT_EQ(passed, 0);
    go.set();
    scheduler.run();
    EXPECT_EQ(passed, 3);
  }
}

TEST(Scheduler, DestroysTasksWhereTheyWait) {
  Event<B> never;
  Semaphore<B> slots(0);
  Lock<B> lock;
  Visits visits;
  {
    Scheduler scheduler;
    const auto waiter = [&](int kind) -> Task<void, B> {
      const Visits::Scope inside(visits);
      if (kind == 0) co_await never.wait();
      if (kind == 1) co_await slots.acquire(1h);
      if (kind == 2) co_await trine::select(never.wait_op(), slots.acquire_op(), lock.guard_op(), 1h);
      if (kind == 3) co_await scheduler.sleep(1h);
      auto held = co_await lock.guard();
      co_await never.wait();
    };
    for (int n = 0; n < 20; ++n) scheduler.spawn(waiter(n % 5));
    scheduler.post([&] { scheduler.stop(); });
    scheduler.run();
    slots.release();             // one of them is in line when the scheduler goes
    scheduler.spawn(waiter(0));  // and one never began
  }
  EXPECT_EQ(visits.entered, 20);
  EXPECT_EQ(visits.left, 20);
  EXPECT_FALSE(lock.locked()) << "a guard was given back";
  never.set();
  slots.release();
}

TEST(Scheduler, PrintsAFailureThatNobodySaw) {
  ::testing::internal::CaptureStderr();
  {
    Scheduler scheduler;
    const auto fails = []() -> Task<void, B> {
      throw std::out_of_range("nobody saw this");
      co_return;
    };
    const auto body = [&]() -> Task<void, B> {
      scheduler.spawn(fails());
      co_await scheduler.hop();
    };
    scheduler.run(body());
  }
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("nobody saw this"), std::string::npos);
}

TEST(Scheduler, ItsThreadsRunCoroutinesAtTheSameTime) {
  Scheduler scheduler(3);
  std::atomic<int> here{0};
  const auto meet = [&]() -> Task<void, B> {
    ++here;
    EXPECT_TRUE(trine_test::eventually([&] { return here == 3; })) << "each must be on a thread of its own";
    co_return;
  };
  for (int i = 0; i < 3; ++i) scheduler.spawn(meet());
  scheduler.run();
  EXPECT_EQ(here, 3);
}

// Groups of tasks on a scheduler that is named

TEST(GroupOnAScheduler, AnyThreadSpawnsAndTheTasksRunThere) {
  for (const unsigned threads : {1U, 3U}) {
    Scheduler scheduler(threads);
    const RunElsewhere running(scheduler);
    std::atomic<int> there{0};
    {
      trine::TaskGroup<B> group(scheduler);
      const auto member = [&](int hops) -> Task<void, B> {
        for (int i = 0; i < hops; ++i) co_await scheduler.hop();
        if (Scheduler::current() == &scheduler) ++there;
      };
      {
        std::vector<std::jthread> others;
        for (int t = 0; t < 3; ++t) {
          others.emplace_back([&] {
            for (int i = 0; i < 20; ++i) group.spawn(std::ref(member), i);
          });
        }
      }
      const auto join = [&]() -> Task<bool, B> { co_return co_await group.join(); };
      EXPECT_TRUE(trine::run(join()));
      EXPECT_EQ(there, 60);
      group.spawn(std::ref(member), 5);
    }
    EXPECT_EQ(there, 61) << "the group waits for those that run when it goes";
  }
}

TEST(GroupOnAScheduler, TheFirstFailureStopsTheSiblings) {
  Scheduler scheduler;
  trine::TaskGroup<B> group(scheduler);
  std::atomic<int> stopped{0};
  const auto sibling = [&]() -> Task<void, B> {
    Event<B> never;
    const bool set = co_await never.wait(group.stop_token());
    if (!set) ++stopped;
  };
  for (int i = 0; i < 3; ++i) group.spawn(std::ref(sibling));
  group.spawn([]() -> Task<void, B> {
    throw std::out_of_range("member");
    co_return;
  });
  scheduler.run();  // which ends when they have
  EXPECT_EQ(stopped, 3);
  const auto join = [&]() -> Task<void, B> { co_await group.join(); };
  EXPECT_THROW(trine::run(join()), std::out_of_range);
}

// Who joins, on another scheduler, frees the group while the thread that ran the last function is on its way out of it.
TEST(GroupOnAScheduler, MayGoAsSoonAsAnotherHasJoined) {
  for (const unsigned threads : {1U, 3U}) {
    Scheduler scheduler(threads);
    const RunElsewhere running(scheduler);
    const auto member = [&](int n) -> Task<void, B> {
      if (n % 2 == 0) co_await scheduler.hop();
    };
    const auto body = [&]() -> Task<void, B> {
      for (int round = 0; round < 300; ++round) {
        auto group = std::make_unique<trine::TaskGroup<B>>(scheduler);
        for (int n = 0; n < 1 + round % 3; ++n) group->spawn(std::ref(member), n + round);
        const bool joined = co_await group->join();
        EXPECT_TRUE(joined);
        group.reset();
      }
    };
    trine::run(body());
  }
}

// When a failure is told the function is gone, with what it held.
TEST(GroupOnAScheduler, AFunctionIsGoneBeforeItsFailureIsTold) {
  Scheduler scheduler;
  trine::TaskGroup<B> group(scheduler);
  const auto held = std::make_shared<int>(0);
  long owners = 0;
  const std::stop_callback told(group.stop_token(), [&] { owners = held.use_count(); });
  group.spawn([mine = held](std::shared_ptr<int> argument) -> Task<void, B> {
    co_await Scheduler::current()->hop();
    if (argument == mine) throw std::out_of_range("member");
  }, held);
  EXPECT_EQ(held.use_count(), 3);
  scheduler.run();
  EXPECT_EQ(owners, 1);
  const auto join = [&]() -> Task<void, B> { co_await group.join(); };
  EXPECT_THROW(trine::run(join()), std::out_of_range);
}

TEST(GroupOnAScheduler, FunctionsMayReturnTasksThatBlock) {
  int ran = 0;
  const auto body = [&]() -> Task<void, B> {
    trine::TaskGroup<B> group;
    group.spawn([&]() -> Task<int, trine::threads> { co_return ++ran; });
    group.spawn([&]() -> Task<void, trine::threads> {
      throw std::out_of_range("member");
      co_return;
    });
    bool threw = false;
    try {
      co_await group.join();
    } catch (const std::out_of_range&) {
      threw = true;
    }
    EXPECT_TRUE(threw);
  };
  trine::run(body());
  EXPECT_EQ(ran, 1);
}

// Functions that wait, that stand in line, and that were not called yet; they are gone with the scheduler, and then nobody runs.
TEST(GroupOnAScheduler, OutlivesIt) {
  std::optional<Scheduler> scheduler(std::in_place);
  trine::TaskGroup<B> group(*scheduler);
  Event<B> never;
  const auto held = std::make_shared<int>(0);
  const auto waits = [&](std::shared_ptr<int> /*mine*/) -> Task<void, B> { co_await never.wait(); };
  const auto hops = [&](std::shared_ptr<int> /*mine*/) -> Task<void, B> {
    scheduler->stop();
    co_await scheduler->hop();
  };
  group.spawn(std::ref(waits), held);
  group.spawn(std::ref(hops), held);
  scheduler->run();
  group.spawn([mine = held] { ADD_FAILURE() << "there is no scheduler"; });
  EXPECT_EQ(group.running(), 3U);
  scheduler.reset();
  EXPECT_EQ(group.running(), 0U);
  EXPECT_EQ(held.use_count(), 1);
  const auto join = [&]() -> Task<bool, B> { co_return co_await group.join(); };
  EXPECT_TRUE(trine::run(join()));
}

// What a function has captured lies where it may.
TEST(GroupOnAScheduler, FunctionsMayBeAlignedAsTheyLike) {
  struct alignas(128) Wide {
    int number = 7;
  };
  int misplaced = 0;
  const auto body = [&]() -> Task<void, B> {
    trine::TaskGroup<B> group;
    for (int i = 0; i < 20; ++i) {
      group.spawn([&misplaced, wide = Wide()] { misplaced += reinterpret_cast<std::uintptr_t>(&wide) % alignof(Wide) != 0; });
    }
    co_await group.join();
  };
  trine::run(body());
  EXPECT_EQ(misplaced, 0);
}

TEST(GroupOnAScheduler, WithoutOneThereMustBeOneThatRuns) {
  trine::TaskGroup<B> group;
  const auto nothing = []() -> Task<void, B> { co_return; };
  EXPECT_THROW(group.spawn(nothing), std::logic_error);
  const auto body = [&]() -> Task<void, B> {
    group.spawn(nothing);
    const bool joined = co_await group.join();
    EXPECT_TRUE(joined);
  };
  trine::run(body());
}

// Tasks

TEST(CoroutineTask, TenMillionAwaitsOfReadyTasksNeedNoMoreStack) {
  const auto twice = [](int n) -> Task<int, B> { co_return 2 * n; };
  const auto sum = [&]() -> Task<std::int64_t, B> {
    std::int64_t total = 0;
    for (int i = 0; i < 10'000'000; ++i) total += co_await twice(i);
    co_return total;
  };
  EXPECT_EQ(trine::run(sum()), std::int64_t{9'999'999} * 10'000'000);
}

TEST(CoroutineTask, AwaitsNestAsDeepAsMemoryAllows) {
  struct Nested {
    static Task<int, B> at(int depth) {
      if (depth == 0) co_return 0;
      const int below = co_await at(depth - 1);
      co_return below + 1;
    }
  };
  EXPECT_EQ(trine::run(Nested::at(300'000)), 300'000);
}

TEST(CoroutineTask, IsOneOwnerWithTheTasksThatItAwaits) {
  const auto body = []() -> Task<void, B> {
    trine::RecursiveLock<B> lock;
    auto held = co_await lock.guard();
    const auto inner = [&]() -> Task<std::uint32_t, B> {
      auto again = co_await lock.guard();
      co_return lock.depth();
    };
    const std::uint32_t depth = co_await inner();
    EXPECT_EQ(depth, 2U);
    co_await Scheduler::current()->hop();
    EXPECT_EQ(lock.depth(), 1U);
    const auto stranger = [&]() -> Task<void, B> {
      EXPECT_EQ(lock.depth(), 0U);
      EXPECT_FALSE(lock.try_lock());
      EXPECT_THROW(lock.unlock(), trine::NotOwner);
      co_return;
    };
    trine::TaskGroup<B> group;
    group.spawn(std::ref(stranger));
    co_await group.join();
  };
  trine::run(body());
}

// A coroutine that never has to wait lets the others run all the same.
TEST(CoroutineTask, OneThatNeverWaitsDoesNotKeepTheThread) {
  const auto body = []() -> Task<void, B> {
    bool over = false;
    Lock<B> lock;
    const auto busy = [&]() -> Task<void, B> {
      while (!over) auto held = co_await lock.guard();
    };
    trine::TaskGroup<B> group;
    group.spawn(std::ref(busy));
    co_await Scheduler::current()->hop();
    co_await Scheduler::current()->hop();
    over = true;
    co_await group.join();
  };
  trine::run(body());
}

// Each wakes the next: neither the stack nor the table grows, and nobody is resumed within another.
TEST(CoroutineTask, AMillionWaitersAreWokenInAChain) {
  static constexpr int waiters = 1'000'000;
  static_assert(sizeof(trine::Awaiting<bool>) <= 240);
  Semaphore<B> slots(0);
  int passed = 0;
  const auto waiter = [&]() -> Task<void, B> {
    co_await slots.acquire();
    ++passed;
    slots.release();
  };
  Scheduler scheduler;
  for (int i = 0; i < waiters; ++i) scheduler.spawn(waiter());
  scheduler.post([&] { slots.release(); });
  scheduler.run();
  EXPECT_EQ(passed, waiters);
  EXPECT_EQ(slots.value(), 1);
}

TEST(AwaitingDeathTest, OneThatIsNotAwaitedEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Lock<B> lock;
  EXPECT_DEATH((void)lock.lock(), "not awaited");
  EXPECT_DEATH({ const std::scoped_lock both(lock); }, "not awaited");
}

}  // namespace
