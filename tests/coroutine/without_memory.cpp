// SPDX-License-Identifier: BSL-1.0
//
// Waits on coroutines where memory runs out: each of their allocations fails in turn. What throws has left things as they were,
// and nothing is lost.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <new>
#include <stdexcept>
#include <utility>

#include <trine/trine.hpp>

#include "support/failing_memory.hpp"

namespace {

using namespace std::chrono_literals;
using B = trine::coroutines;
using trine::Condition;
using trine::Lock;
using trine::Scheduler;
using trine::Task;
using trine_test::allocations_left;

constexpr std::size_t as_many_as_it_likes = std::numeric_limits<std::size_t>::max();

/// Runs `scene(n)`, which can allocate n times where it says so, for each n until it had enough. How often it had not.
template <class Scene>
int each_allocation_fails(Scene scene) {
  for (std::size_t n = 0;; ++n) {
    if (scene(n)) return static_cast<int>(n);
  }
}

TEST(WithoutMemory, AnItemThatATaskFetchesWhereItGivesWayIsNotLost) {
  static constexpr int items = 600;
  trine::Queue<int, B> queue;
  for (int i = 0; i < items; ++i) queue.try_put(i);
  int got = 0;
  const auto body = [&]() -> Task<void, B> {
    co_await Scheduler::current()->hop();
    allocations_left = 0;
    for (int i = 0; i < items; ++i) {
      const int item = co_await queue.get();
      got += item == i ? 1 : 0;
    }
    allocations_left = as_many_as_it_likes;
  };
  trine::run(body());
  EXPECT_EQ(got, items);
}

TEST(WithoutMemory, AWriterThatCanNotWaitLeavesTheLockToOthers) {
  const auto scene = [](std::size_t n) {
    trine::SharedLock<B> lock;
    bool enough = true;
    const auto reader = [&]() -> Task<void, B> {
      co_await lock.lock_shared();
      for (int i = 0; i < 3; ++i) co_await Scheduler::current()->hop();
      lock.unlock_shared();
    };
    const auto writer = [&]() -> Task<void, B> {
      try {
        allocations_left = n;
        co_await lock.lock(1h);
        lock.unlock();
      } catch (const std::bad_alloc&) {
        enough = false;
      }
      allocations_left = as_many_as_it_likes;
    };
    Scheduler scheduler;
    scheduler.spawn(reader());
    scheduler.spawn(writer());
    scheduler.run();
    EXPECT_TRUE(lock.try_lock_shared()) << n;
    lock.unlock_shared();
    EXPECT_TRUE(lock.try_lock()) << n;
    lock.unlock();
    return enough;
  };
  EXPECT_GE(each_allocation_fails(scene), 1);
}

/// A wait for a condition, which `wait(condition, guard)` begins, in a task that can be cancelled if that is said.
template <class Wait>
int condition_without_memory(Wait wait, bool cancellable) {
  return each_allocation_fails([&wait, cancellable](std::size_t n) {
    Lock<B> lock;
    Condition<B> condition;
    bool enough = true;
    bool inside = false;
    const auto waiter = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      inside = true;
      for (int i = 0; i < 3; ++i) co_await Scheduler::current()->hop();
      try {
        allocations_left = n;
        co_await wait(condition, held);
      } catch (const std::bad_alloc&) {
        enough = false;
      }
      allocations_left = as_many_as_it_likes;
      EXPECT_TRUE(held) << n;
      EXPECT_TRUE(lock.locked()) << n;
    };
    const auto cancelled_late = [&]() -> Task<void, B> { co_await trine::with_timeout(waiter(), 1h); };
    const auto notifier = [&]() -> Task<void, B> {
      while (!inside) co_await Scheduler::current()->hop();
      // It gets the lock when the other unlocks it, who so can't have it back at once.
      const auto held = co_await lock.guard();
      allocations_left = as_many_as_it_likes;
      for (int i = 0; i < 5; ++i) co_await Scheduler::current()->hop();
      condition.notify_all();
    };
    Scheduler scheduler;
    scheduler.spawn(cancellable ? cancelled_late() : waiter());
    scheduler.spawn(notifier());
    scheduler.run();
    EXPECT_FALSE(lock.locked()) << n;
    return enough;
  });
}

TEST(WithoutMemory, AWaitForAConditionThrowsWithTheGuardHeld) {
  const auto for_ever = [](Condition<B>& condition, auto& held) { return condition.wait(held); };
  const auto for_long = [](Condition<B>& condition, auto& held) { return condition.wait(held, 1h); };
  EXPECT_GE(condition_without_memory(for_ever, false), 1);
  EXPECT_GE(condition_without_memory(for_ever, true), 1);
  EXPECT_GE(condition_without_memory(for_long, false), 1);
  EXPECT_GE(condition_without_memory(for_long, true), 1);
}

/// On two threads, what `begin(child, child)` returns: whatever fails before it waits, no child is destroyed while it runs.
template <class Begin>
int children_without_memory(Begin begin) {
  return each_allocation_fails([&begin](std::size_t n) {
    std::atomic<bool> over{false};
    bool enough = true;
    const auto child = []() -> Task<int, B> {
      for (int i = 0; i < 200; ++i) co_await Scheduler::current()->hop();
      co_return 1;
    };
    const auto body = [&]() -> Task<void, B> {
      try {
        allocations_left = n;
        co_await begin(child, child);
      } catch (const std::bad_alloc&) {
        enough = false;
      }
      over = true;
    };
    // The first of them to run on the thread ends the shortage there: no thread is idle meanwhile.
    const auto others = [&]() -> Task<void, B> {
      while (!over) {
        allocations_left = as_many_as_it_likes;
        co_await Scheduler::current()->hop();
      }
      allocations_left = as_many_as_it_likes;
    };
    Scheduler scheduler(2);
    for (int i = 0; i < 4; ++i) scheduler.spawn(others());
    scheduler.spawn(body());
    for (int i = 0; i < 4; ++i) scheduler.spawn(others());
    scheduler.run();
    allocations_left = as_many_as_it_likes;
    return enough;
  });
}

TEST(WithoutMemory, ChildrenAreNotDestroyedWhileTheyRun) {
  const auto any = [](auto& one, auto& other) { return trine::when_any(one(), other()); };
  const auto all = [](auto& one, auto& other) { return trine::gather(one(), other()); };
  const auto in_time = [](auto& one, auto&) { return trine::with_timeout(one(), 1h); };
  EXPECT_GE(children_without_memory(any), 1);
  EXPECT_GE(children_without_memory(all), 1);
  EXPECT_GE(children_without_memory(in_time), 1);
}

/// A function that asks for more alignment than new gives, and can't be moved more often than `left` says.
struct alignas(256) Stubborn {
  explicit Stubborn(int left) noexcept : moves_left(left) {}
  Stubborn(Stubborn&& other) : moves_left(other.moves_left - 1) {
    if (moves_left < 0) throw std::runtime_error("it does not move");
  }
  void operator()() const noexcept {}
  int moves_left;
};

// The leak checker looks whether the memory of one that was not begun is given back.
TEST(WithoutMemory, AFunctionThatCanNotBeMovedIsNotBegun) {
  const auto body = []() -> Task<void, B> {
    trine::TaskGroup<B> group;
    int refused = 0;
    for (int moves = 0;; ++moves) {
      try {
        group.spawn(Stubborn(moves));
        break;
      } catch (const std::runtime_error&) {
        ++refused;
        EXPECT_EQ(group.running(), 0U);
      }
    }
    EXPECT_GE(refused, 2);
    co_await group.join();
  };
  trine::run(body());
}

TEST(WithoutMemory, ATaskMayOwnSomethingForTheFirstTime) {
  trine::RecursiveLock<B> lock;
  static constexpr int tasks = 100;
  int locked = 0;
  const auto owner = [&]() -> Task<void, B> {
    allocations_left = locked == 0 ? as_many_as_it_likes : 0;
    co_await lock.lock();
    allocations_left = as_many_as_it_likes;
    ++locked;
    lock.unlock();
    co_await Scheduler::current()->hop();  // it keeps its number meanwhile
  };
  Scheduler scheduler;
  for (int i = 0; i < tasks; ++i) scheduler.spawn(owner());
  scheduler.run();
  EXPECT_EQ(locked, tasks);
}

// Numbers are given back where nothing may throw.
TEST(WithoutMemory, ATaskThatOwnedSomethingEnds) {
  trine::RecursiveLock<B> lock;
  static constexpr int tasks = 100;
  int ended = 0;
  const auto owner = [&]() -> Task<void, B> {
    {
      const auto held = co_await lock.guard();
      co_await Scheduler::current()->hop();
    }
    allocations_left = ++ended < tasks ? 0 : as_many_as_it_likes;
  };
  Scheduler scheduler;
  for (int i = 0; i < tasks; ++i) scheduler.spawn(owner());
  scheduler.run();
  EXPECT_EQ(ended, tasks);
}

}  // namespace
