// SPDX-License-Identifier: BSL-1.0
//
// Schedulers with several threads: what is ready is run by whoever has time, and who has nothing to do sleeps.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <ctime>
#include <exception>
#include <functional>
#include <latch>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using B = trine::coroutines;
using trine::Event;
using trine::Scheduler;
using trine::Semaphore;
using trine::Task;
using trine::TaskGroup;
using trine_test::plenty;

constexpr int crowd = 50;

/// Blocks its thread, not the coroutine, until it is let go: as one that computes for long.
class Blocker {
 public:
  void block() { EXPECT_TRUE(go_.try_acquire_for(plenty)) << "those who were to let it go were not run"; }
  void let_go() { go_.release(); }

 private:
  std::binary_semaphore go_{0};
};

std::chrono::nanoseconds processor_time() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// Whether the process comes to rest: what comes before its threads sleep, starting them above all, is over at some time.
bool all_come_to_sleep() {
  for (int i = 0; i < 100; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto used = processor_time();
    std::this_thread::sleep_for(20ms);
    if (processor_time() - used < (std::chrono::steady_clock::now() - begin) / 10) return true;
  }
  return false;
}

class SchedulerThreads : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Threads, SchedulerThreads, ::testing::Values(2U, 3U, 4U));

// All threads but one are blocked by coroutines that have just made others ready.

TEST_P(SchedulerThreads, WhatABlockedThreadSpawnedIsRunByOthers) {
  Scheduler scheduler(GetParam());
  Blocker blocker;
  std::atomic<int> left{crowd};
  const auto member = [&]() -> Task<void, B> {
    for (int i = 0; i < 3; ++i) co_await scheduler.hop();
    if (--left == 0) blocker.let_go();
  };
  const auto parent = [&]() -> Task<void, B> {
    for (int i = 0; i < crowd; ++i) scheduler.spawn(member());
    blocker.block();
    co_return;
  };
  scheduler.run(parent());
  EXPECT_EQ(left, 0);
}

// By those too that have run nothing yet, of which some sleep when there is something for the first time, and some do not.
TEST_P(SchedulerThreads, WhatIsSpawnedIsRunByThoseThatHaveRunNothing) {
  for (const auto time : {0us, 20us, 200us, 2000us, 10000us}) {
    Scheduler scheduler(GetParam());
    Blocker blocker;
    const auto member = [&]() -> Task<void, B> {
      blocker.let_go();
      co_return;
    };
    const auto parent = [&]() -> Task<void, B> {
      const auto began = std::chrono::steady_clock::now();
      while (std::chrono::steady_clock::now() - began < time) std::this_thread::yield();
      scheduler.spawn(member());
      blocker.block();
      co_return;
    };
    scheduler.run(parent());
  }
}

TEST_P(SchedulerThreads, WhatABlockedThreadWokeIsRunByOthers) {
  Scheduler scheduler(GetParam());
  std::vector<Blocker> blockers(GetParam() - 1);
  Event<B> go;
  Semaphore<B> slots(0);
  std::latch all_blocked(static_cast<std::ptrdiff_t>(blockers.size()));
  std::atomic<int> waiting{0};
  std::atomic<int> left{crowd};
  const auto member = [&]() -> Task<void, B> {
    ++waiting;
    co_await go.wait();
    co_await slots.acquire();
    if (--left > 0) co_return;
    for (Blocker& each : blockers) each.let_go();
  };
  const auto waker = [&](Blocker& blocker, bool first) -> Task<void, B> {
    while (waiting < crowd) co_await scheduler.hop();
    all_blocked.count_down();
    all_blocked.wait();  // each of them has a thread for itself
    if (first) go.set();
    slots.release(crowd);
    blocker.block();
  };
  for (int i = 0; i < crowd; ++i) scheduler.spawn(member());
  for (Blocker& each : blockers) scheduler.spawn(waker(each, &each == &blockers.front()));
  scheduler.run();
  EXPECT_EQ(left, 0);
}

// One that came from outside while all but one thread are blocked.
TEST_P(SchedulerThreads, WhatComesFromOutsideIsRunByAFreeThread) {
  Scheduler scheduler(GetParam());
  std::vector<Blocker> blockers(GetParam() - 1);
  std::latch all_blocked(static_cast<std::ptrdiff_t>(blockers.size() + 1));
  for (Blocker& each : blockers) {
    scheduler.post([&] {
      all_blocked.count_down();
      each.block();
    });
  }
  std::jthread outside([&] {
    all_blocked.arrive_and_wait();
    for (Blocker& each : blockers) scheduler.post([&each] { each.let_go(); });
  });
  scheduler.run();
}

// A timer comes due while the thread that set it is blocked.
TEST_P(SchedulerThreads, ATimerFiresThoughItsThreadIsBlocked) {
  Scheduler scheduler(GetParam());
  Blocker blocker;
  const auto sleeper = [&]() -> Task<void, B> {
    co_await scheduler.sleep(2ms);
    blocker.let_go();
  };
  const auto parent = [&]() -> Task<void, B> {
    trine::TaskGroup<B> group;
    group.spawn(std::ref(sleeper));
    blocker.block();
    co_await group.join();
  };
  scheduler.run(parent());
}

// Each goes on for ever, until the last has had its turns: nobody is kept from them.
TEST_P(SchedulerThreads, ThoseThatGoOnForEverKeepNobodyOut) {
  Scheduler scheduler(GetParam());
  static constexpr int turns = 100;
  std::atomic<int> hungry{crowd};
  const auto member = [&]() -> Task<void, B> {
    for (int i = 0; i < turns; ++i) co_await scheduler.hop();
    --hungry;
    while (hungry > 0) co_await scheduler.hop();
  };
  for (int i = 0; i < crowd; ++i) scheduler.spawn(member());
  scheduler.run();
  EXPECT_EQ(hungry, 0);
}

/// A coroutine of another library, which runs at once and lies there until somebody destroys it.
struct Foreign {
  struct promise_type {
    Foreign get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    static void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<> handle;
};

// Of two threads one blocks with coroutines in line, and the other destroys every second of them there.
TEST(SchedulerLine, WhoIsDestroyedThereIsNotRun) {
  static constexpr std::size_t members = 20;
  for (int round = 0; round < 50; ++round) {
    Scheduler scheduler(2);
    Blocker blocker;
    std::latch in_line(1);
    std::atomic<std::size_t> went_on{0};
    std::vector<Foreign> all;
    const auto member = [&]() -> Foreign {
      co_await scheduler.hop();
      ++went_on;
    };
    const auto owner = [&]() -> Task<void, B> {
      for (std::size_t i = 0; i < members; ++i) all.push_back(member());
      in_line.count_down();
      blocker.block();
      while (went_on < members / 2) co_await scheduler.hop();  // they belong to this task
    };
    const auto destroyer = [&]() -> Task<void, B> {
      in_line.wait();
      for (std::size_t i = 0; i < members; i += 2) all[i].handle.destroy();
      blocker.let_go();
      co_return;
    };
    scheduler.spawn(owner());
    scheduler.spawn(destroyer());
    scheduler.run();
    EXPECT_EQ(went_on, members / 2);
    for (std::size_t i = 1; i < members; i += 2) {
      EXPECT_TRUE(all[i].handle.done());
      all[i].handle.destroy();
    }
  }
}

// What is left in line when a run ends is there for the next.
TEST_P(SchedulerThreads, WhatIsInLineWhenItIsStoppedIsRunLater) {
  Scheduler scheduler(GetParam());
  std::atomic<int> turns{0};
  std::atomic<bool> over{false};
  const auto member = [&]() -> Task<void, B> {
    while (!over) {
      if (++turns % 100 == 0) scheduler.stop();
      co_await scheduler.hop();
    }
  };
  for (int i = 0; i < crowd; ++i) scheduler.spawn(member());
  for (int run = 0; run < 20; ++run) {
    const int before = turns;
    scheduler.run();
    EXPECT_GT(turns, before);
  }
  over = true;
  scheduler.run();
}

/// Blocks the calling thread until as many have.
class Meeting {
 public:
  explicit Meeting(unsigned members) : away_(static_cast<std::ptrdiff_t>(members)) {}
  void attend() {
    away_.count_down();
    EXPECT_TRUE(trine_test::eventually([this] { return away_.try_wait(); })) << "some were not run";
  }

 private:
  std::latch away_;
};

// All threads sleep when the first comes from outside, which spawns as many as there are threads: they block until all run.
TEST_P(SchedulerThreads, AllThatSleepAreWokenForThoseThatBlock) {
  Scheduler scheduler(GetParam());
  Event<B> over;
  Meeting meeting(GetParam());
  const auto keeper = [&]() -> Task<void, B> { co_await over.wait(); };
  const auto member = [&]() -> Task<void, B> {
    meeting.attend();
    co_return;
  };
  const auto first = [&]() -> Task<void, B> {
    for (unsigned i = 1; i < GetParam(); ++i) scheduler.spawn(member());
    meeting.attend();
    over.set();
    co_return;
  };
  scheduler.spawn(keeper());
  std::jthread outside([&] {
    EXPECT_TRUE(all_come_to_sleep());
    scheduler.spawn(first());
  });
  scheduler.run();
}

// What another library's coroutine does that hops, while whoever called it goes on and blocks.
TEST_P(SchedulerThreads, WhoHopsWithinACoroutineThatBlocksIsRunByOthers) {
  Scheduler scheduler(GetParam());
  Blocker blocker;
  std::vector<Foreign> called;
  const auto hops = [&]() -> Foreign {
    co_await scheduler.hop();
    blocker.let_go();
  };
  const auto caller = [&]() -> Task<void, B> {
    called.push_back(hops());
    blocker.block();
    co_return;
  };
  scheduler.run(caller());
  scheduler.run();
  called.front().handle.destroy();
}

// One thread is kept busy by a coroutine that hops for ever; the other's blocks until what it spawned has run.
TEST(SchedulerLine, WhoIsBusyRunsWhatABlockedThreadSpawned) {
  Scheduler scheduler(2);
  Blocker blocker;
  std::atomic<bool> over{false};
  const auto busy = [&]() -> Task<void, B> {
    while (!over) co_await scheduler.hop();
  };
  const auto child = [&]() -> Task<void, B> {
    blocker.let_go();
    co_return;
  };
  const auto blocks = [&]() -> Task<void, B> {
    for (int i = 0; i < 1000; ++i) co_await scheduler.hop();
    scheduler.spawn(child());
    blocker.block();
    over = true;
  };
  scheduler.spawn(busy());
  scheduler.spawn(blocks());
  scheduler.run();
}

// Of two threads one blocks with two in its line, and so does who comes to help with the first of them: a third must come.
TEST(SchedulerLine, WhoHelpsMayBlockAsWell) {
  for (const unsigned threads : {3U, 4U}) {
    for (int round = 0; round < 20; ++round) {
      Scheduler scheduler(threads);
      Blocker first;
      Blocker second;
      const auto blocks = [&]() -> Task<void, B> {
        second.block();
        first.let_go();
        co_return;
      };
      const auto lets_go = [&]() -> Task<void, B> {
        second.let_go();
        co_return;
      };
      const auto parent = [&]() -> Task<void, B> {
        scheduler.spawn(blocks());
        scheduler.spawn(lets_go());
        first.block();
        co_return;
      };
      scheduler.spawn(parent());
      scheduler.run();
    }
  }
}

// Nobody sleeps: each thread but one has something to do for ever, and that one blocks with something in its line.
TEST_P(SchedulerThreads, ThoseThatAreBusyRunWhatABlockedThreadSpawned) {
  Scheduler scheduler(GetParam());
  Blocker blocker;
  std::atomic<bool> over{false};
  std::atomic<unsigned> begun{0};
  const auto busy = [&]() -> Task<void, B> {
    ++begun;
    while (!over) co_await scheduler.hop();
  };
  const auto child = [&]() -> Task<void, B> {
    over = true;
    blocker.let_go();
    co_return;
  };
  const auto blocks = [&]() -> Task<void, B> {
    while (begun < 2 * GetParam()) co_await scheduler.hop();
    for (int i = 0; i < 1000; ++i) co_await scheduler.hop();
    scheduler.spawn(child());
    blocker.block();
  };
  for (unsigned i = 0; i < 2 * GetParam(); ++i) scheduler.spawn(busy());
  scheduler.spawn(blocks());
  scheduler.run();
}

// Each comes when those that ran the one before are about to sleep, or asleep, or still look on.
TEST_P(SchedulerThreads, WhatComesFromOutsideIsFoundByThoseAboutToSleep) {
  Scheduler scheduler(GetParam());
  Event<B> over;
  std::atomic<int> run{0};
  static constexpr int posts = 4000;
  const auto keeper = [&]() -> Task<void, B> { co_await over.wait(); };
  scheduler.spawn(keeper());
  std::jthread outside([&] {
    bool all = true;
    for (int i = 0; i < posts && all; ++i) {
      scheduler.post([&] { ++run; });
      const auto pause = std::chrono::microseconds(i % 50);
      const auto began = std::chrono::steady_clock::now();
      all = trine_test::eventually([&] { return run > i; });
      while (std::chrono::steady_clock::now() - began < pause) std::this_thread::yield();
    }
    EXPECT_TRUE(all);
    over.set();
  });
  scheduler.run();
}

// A timer lets one go on that blocks until the next timer has come due.
TEST_P(SchedulerThreads, WhoATimerWakesMayBlockUntilTheNext) {
  for (int round = 0; round < 10; ++round) {
    Scheduler scheduler(GetParam());
    std::vector<Blocker> blockers(GetParam() - 1);
    const auto sleeper = [&](std::size_t which) -> Task<void, B> {
      co_await scheduler.sleep(std::chrono::milliseconds(2 + 2 * which));
      if (which > 0) blockers[which - 1].let_go();
      if (which < blockers.size()) blockers[which].block();
    };
    for (std::size_t i = 0; i < GetParam(); ++i) scheduler.spawn(sleeper(i));
    scheduler.run();
  }
}

// What is watched changes while all threads but one are blocked, and those who watch let them go one after the other.
TEST_P(SchedulerThreads, WhatIsWatchedIsSeenThoughOthersAreBlocked) {
  Scheduler scheduler(GetParam());
  std::vector<Blocker> blockers(GetParam() - 1);
  std::vector<Event<>> of_threads(GetParam() - 1);
  std::latch all_blocked(static_cast<std::ptrdiff_t>(blockers.size() + 1));
  const auto watcher = [&](std::size_t which) -> Task<void, B> {
    co_await scheduler.watch(of_threads[which].wait_op());
    blockers[which].let_go();
  };
  const auto blocks = [&](std::size_t which) -> Task<void, B> {
    scheduler.spawn(watcher(which));
    all_blocked.count_down();
    blockers[which].block();
    co_return;
  };
  for (std::size_t i = 0; i < blockers.size(); ++i) scheduler.spawn(blocks(i));
  std::jthread outside([&] {
    all_blocked.arrive_and_wait();
    EXPECT_TRUE(all_come_to_sleep());
    for (Event<>& each : of_threads) each.set();
  });
  scheduler.run();
}

// All threads but one have taken some of them from each other's lines, and block with those. Who did not begin is destroyed in
// whichever line it is.
TEST_P(SchedulerThreads, WhoIsDestroyedInALineIsTakenOutOfWhicheverItIs) {
  static constexpr std::size_t members = 64;
  for (int round = 0; round < 20; ++round) {
    Scheduler scheduler(GetParam());
    std::vector<std::atomic<bool>> begun(members);
    std::atomic<std::size_t> ended{0};
    std::atomic<unsigned> blocked{0};
    std::latch over(1);
    std::vector<Foreign> all;
    const auto member = [&](std::size_t self) -> Foreign {
      co_await scheduler.hop();
      begun[self] = true;
      ++blocked;
      over.wait();
      ++ended;
    };
    const auto owner = [&]() -> Task<void, B> {
      for (std::size_t i = 0; i < members; ++i) all.push_back(member(i));
      EXPECT_TRUE(trine_test::eventually([&] { return blocked == GetParam() - 1; })) << "some were not run";
      std::size_t left = 0;
      for (std::size_t i = 0; i < members; ++i) {
        if (!begun[i] && i % 4 != 0) {
          all[i].handle.destroy();
          all[i].handle = {};
        } else {
          ++left;
        }
      }
      over.count_down();
      while (ended < left) co_await scheduler.hop();  // they belong to this task
    };
    scheduler.run(owner());
    scheduler.run();
    for (Foreign& each : all) {
      if (each.handle) each.handle.destroy();
    }
  }
}

// Threads that looked on all the time would use as much time as passes, each.
TEST_P(SchedulerThreads, ThoseWithoutWorkSleep) {
  Scheduler scheduler(GetParam());
  Event<> of_a_thread;
  const auto body = [&]() -> Task<void, B> { co_await scheduler.watch(of_a_thread.wait_op()); };
  std::jthread outside([&] {
    EXPECT_TRUE(all_come_to_sleep());
    of_a_thread.set();
  });
  scheduler.run(body());
}

// What waits for the same is not run twice, nor by nobody, however many threads sleep and are woken for it.
TEST_P(SchedulerThreads, SleepingThreadsAreWokenForWhatThereIsToDo) {
  Scheduler scheduler(GetParam());
  Semaphore<B> slots(0);
  std::atomic<int> served{0};
  static constexpr int rounds = 200;
  const auto taker = [&]() -> Task<void, B> {
    for (int i = 0; i < rounds; ++i) {
      co_await slots.acquire();
      ++served;
    }
  };
  for (unsigned i = 0; i < GetParam(); ++i) scheduler.spawn(taker());
  std::jthread outside([&] {
    for (int i = 0; i < rounds; ++i) {
      slots.release(static_cast<std::ptrdiff_t>(GetParam()));
      const int expected = (i + 1) * static_cast<int>(GetParam());
      EXPECT_TRUE(trine_test::eventually([&] { return served == expected; }));
    }
  });
  scheduler.run();
  EXPECT_EQ(served, rounds * static_cast<int>(GetParam()));
}

}  // namespace
