// SPDX-License-Identifier: BSL-1.0
//
// The nine cases in which an object of Python's multiprocessing is of no use any more after a process was killed that used it:
// here whoever is left goes on, and learns of the death where data may have suffered.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/manager.hpp>
#include <trine/pool.hpp>
#include <trine/process.hpp>
#include <trine/queue.hpp>
#include <trine/semaphore.hpp>
#include <trine/sleep.hpp>
#include <trine/value.hpp>

#include "process/killing/children.hpp"

namespace {

using namespace trine;
using namespace trine_test;
using P = processes;

class KillCase : public LeavesNothing {
 protected:
  /// Kills a process that has taken something and keeps it: `take` says so by the event and does not return.
  static void kill_a_holder(const std::function<void(Event<P>& taken)>& take) {
    Event<P> taken;
    Process holder([&] {
      take(taken);
      return 1;
    });
    ASSERT_TRUE(taken.wait(hang));
    holder.kill();
    ASSERT_TRUE(holder.join(hang));
    ASSERT_EQ(holder.exit_code(), -SIGKILL);
  }

  /// Kills a process that is blocked in a wait.
  static void kill_a_waiter(const std::function<void()>& wait) {
    Process waiter(wait);
    ASSERT_TRUE(holds_before(Clock::now() + hang, [&] { return sleeps_on_futex(waiter.pid()); }));
    waiter.kill();
    ASSERT_TRUE(waiter.join(hang));
    ASSERT_EQ(waiter.exit_code(), -SIGKILL);
  }

  static void stay(Event<P>& taken) {
    taken.set();
    Event<P>().wait();
  }

  /// A newcomer, in a process of its own.
  static void newcomer(const std::function<bool()>& use) {
    Process other([&] { return use() ? 0 : 1; });
    ASSERT_TRUE(other.join(hang)) << "a newcomer hangs";
    EXPECT_EQ(other.exit_code(), 0);
  }

  template <class L>
  static void lock_recovers(L& lock) {
    EXPECT_THROW((void)lock.lock(), OwnerDied);
    EXPECT_THROW((void)lock.lock(std::chrono::seconds(1)), OwnerDied);
    lock.recover().unlock();
    newcomer([&] { return static_cast<bool>(lock.guard(hang)); });
  }
};

TEST_F(KillCase, HoldingALock) {
  Lock<P> lock;
  kill_a_holder([&](Event<P>& taken) {
    lock.lock();
    stay(taken);
  });
  lock_recovers(lock);
}

TEST_F(KillCase, HoldingABoundedSemaphore) {
  BoundedSemaphore<P> semaphore(1);
  kill_a_holder([&](Event<P>& taken) {
    const auto permit = semaphore.permit();
    stay(taken);
  });
  newcomer([&] { return static_cast<bool>(semaphore.permit(std::chrono::seconds(1))); });
  EXPECT_EQ(semaphore.value(), 1);
}

TEST_F(KillCase, HoldingTheLockOfAValue) {
  Value<int, P> value(7);
  kill_a_holder([&](Event<P>& taken) {
    value.get_lock().lock();
    stay(taken);
  });
  EXPECT_THROW((void)value.load(), OwnerDied);
  value.get_lock().recover().unlock();
  newcomer([&] { return value.load() == 7; });
}

TEST_F(KillCase, HoldingALockOfAManager) {
  Manager manager;
  auto& lock = manager.lock();
  kill_a_holder([&](Event<P>& taken) {
    lock.lock();
    stay(taken);
  });
  lock_recovers(lock);
}

TEST_F(KillCase, BlockedInAWaitForAnEvent) {
  Event<P> event;
  kill_a_waiter([&] { event.wait(); });
  newcomer([&] {
    event.set();
    return event.is_set() && event.wait(hang);
  });
  EXPECT_TRUE(event.is_set());
}

TEST_F(KillCase, BlockedInAWaitForACondition) {
  Lock<P> lock;
  Condition<P> condition;
  Value<bool, P> changed(false);
  kill_a_waiter([&] {
    auto held = lock.guard();
    condition.wait(held);
  });
  Process waiter([&] {
    auto held = lock.guard();
    return condition.wait(held, [&] { return changed.load(); }, hang) ? 0 : 1;
  });
  ASSERT_TRUE(holds_before(Clock::now() + hang, [&] { return sleeps_on_futex(waiter.pid()); }));
  newcomer([&] {
    const auto held = lock.guard(hang);
    changed.store(true);
    condition.notify();
    return static_cast<bool>(held);
  });
  EXPECT_TRUE(waiter.join(hang));
  EXPECT_EQ(waiter.exit_code(), 0);
}

TEST_F(KillCase, BlockedInAGetFromAQueue) {
  Queue<int, P> queue;
  kill_a_waiter([&] { (void)queue.get(); });
  queue.put(7);
  newcomer([&] { return queue.get(hang) == 7; });
}

TEST_F(KillCase, BlockedInAWaitAtABarrier) {
  Barrier<P> barrier(2);
  kill_a_waiter([&] { (void)barrier.wait(); });
  const auto begin = Clock::now();
  EXPECT_THROW((void)barrier.wait(std::chrono::seconds(1)), BrokenBarrier);
  EXPECT_LT(Clock::now() - begin, hang);
  EXPECT_EQ(barrier.waiting(), 0);
  barrier.reset();
  Process other([&] { (void)barrier.wait(hang); });
  (void)barrier.wait(hang);
  EXPECT_TRUE(other.join(hang));
  EXPECT_EQ(other.exit_code(), 0);
}

TEST_F(KillCase, AWorkerOfAPoolInATask) {
  Event<P> begun;
  Pool<P> pool(2);
  auto fatal = pool.submit([](Event<P>& begins) { return stay(begins), 0; }, std::ref(begun));
  ASSERT_TRUE(begun.wait(hang));
  auto other = pool.submit([](int n) { return n + 1; }, 1);
  EXPECT_EQ(other.get(hang), 2);
  auto which = pool.submit([] { return 0; });
  EXPECT_EQ(which.get(hang), 0);
  // The one at the fatal task is the one who does none of the others.
  EXPECT_THROW((void)pool.apply([] { return ::raise(SIGKILL); }), WorkerDied);
  EXPECT_FALSE(fatal.ready());
  EXPECT_EQ(pool.map([](int n) { return n * n; }, std::vector{1, 2, 3, 4}, 1), (std::vector{1, 4, 9, 16}));
  pool.terminate();
  EXPECT_THROW((void)fatal.get(hang), WorkerDied);
}

// As in Python's case, where the caller waits for all of a map for ever: the others' results are done, and the caller is told.
TEST_F(KillCase, AWorkerOfAPoolInAMap) {
  Pool<P> pool(2);
  const auto deadly = [](int n) { return n == 3 ? ::raise(SIGKILL) : n; };
  EXPECT_THROW((void)pool.map(deadly, std::vector{1, 2, 3, 4, 5}, 1), WorkerDied);
  EXPECT_EQ(pool.map(deadly, std::vector{1, 2, 4, 5}, 1), (std::vector{1, 2, 4, 5}));
}

}  // namespace
