// SPDX-License-Identifier: BSL-1.0
//
// What asyncio's own tests of its locks (test_asyncio/test_locks.py) check, said with trine. A cancelled task is one that
// with_timeout() or when_any() ended, or a wait whose token was stopped. Left out is what C++ has no counterpart of: text
// forms, the loop to which an object belongs, garbage collection.
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

namespace {

using namespace std::chrono_literals;
using B = trine::coroutines;
using trine::Barrier;
using trine::BoundedSemaphore;
using trine::BrokenBarrier;
using trine::Condition;
using trine::Event;
using trine::Lock;
using trine::Scheduler;
using trine::Semaphore;
using trine::Task;
using trine::TaskGroup;

using Order = std::vector<int>;

/// Lets everything that can run do so.
Task<void, B> settle() {
  for (int i = 0; i < 8; ++i) co_await Scheduler::current()->hop();
}

/// A function that may be cancelled by a token of its own.
struct Cancel {
  std::stop_source source;
  void operator()() { source.request_stop(); }
  trine::Until until() const { return source.get_token(); }
};

// Lock

TEST(AsyncioLock, Acquire) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Order result;
    const auto taker = [&](int n) -> Task<void, B> {
      co_await lock.lock();
      result.push_back(n);
    };
    co_await lock.lock();
    TaskGroup<B> group;
    for (const int n : {1, 2, 3}) group.spawn(std::ref(taker), n);
    co_await settle();
    EXPECT_TRUE(result.empty());
    for (std::size_t n = 1; n <= 3; ++n) {
      lock.unlock();
      co_await settle();
      EXPECT_EQ(result.size(), n);
      EXPECT_EQ(result.back(), static_cast<int>(n));
      EXPECT_TRUE(lock.locked());
    }
    co_await group.join();
  };
  trine::run(body());
}

TEST(AsyncioLock, AcquireCancel) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    const auto taker = [&]() -> Task<void, B> { co_await lock.lock(); };
    const bool done = co_await trine::with_timeout(taker(), 1ms);
    EXPECT_FALSE(done);
    lock.unlock();
    EXPECT_FALSE(lock.locked()) << "nobody is left in the line";
  };
  trine::run(body());
}

// Three wait; the lock is freed and the second is cancelled in the same step: the third gets it after the first.
TEST(AsyncioLock, CancelRace) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Order result;
    Cancel cancel_b;
    const auto taker = [&](int n, trine::Until until) -> Task<void, B> {
      auto held = co_await lock.guard(until);
      result.push_back(held ? n : -n);
    };
    co_await lock.lock();
    TaskGroup<B> group;
    group.spawn(std::ref(taker), 1, trine::Until());
    group.spawn(std::ref(taker), 2, cancel_b.until());
    group.spawn(std::ref(taker), 3, trine::Until());
    co_await settle();
    lock.unlock();
    cancel_b();
    co_await group.join();
    EXPECT_EQ(result.size(), 3U);
    EXPECT_TRUE((result == Order{1, -2, 3}) || (result == Order{-2, 1, 3}));
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// The one that was just served is cancelled in the same step: it has the lock or the next has it, never nobody.
TEST(AsyncioLock, CancelReleaseRace) {
  const auto body = []() -> Task<void, B> {
    for (const bool release_first : {true, false}) {
      Lock<B> lock;
      Cancel cancel_a;
      int in = 0;
      const auto taker = [&](trine::Until until) -> Task<void, B> {
        auto held = co_await lock.guard(until);
        if (held) ++in;
      };
      co_await lock.lock();
      TaskGroup<B> group;
      group.spawn(std::ref(taker), cancel_a.until());
      group.spawn(std::ref(taker), trine::Until());
      co_await settle();
      if (release_first) {
        lock.unlock();
        cancel_a();
      } else {
        cancel_a();
        lock.unlock();
      }
      co_await group.join();
      EXPECT_EQ(in, release_first ? 2 : 1) << "success beats cancelling";
      EXPECT_FALSE(lock.locked());
    }
  };
  trine::run(body());
}

TEST(AsyncioLock, FinishedWaiterCancelled) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Cancel cancel_a;
    bool b_has_it = false;
    auto held = co_await lock.guard();
    const auto first = [&]() -> Task<void, B> { auto mine = co_await lock.guard(cancel_a.until()); };
    const auto second = [&]() -> Task<void, B> {
      auto mine = co_await lock.guard();
      b_has_it = true;
    };
    TaskGroup<B> group;
    group.spawn(std::ref(first));
    group.spawn(std::ref(second));
    co_await settle();
    held.unlock();
    cancel_a();
    co_await group.join();
    EXPECT_TRUE(b_has_it);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TEST(AsyncioLock, ReleaseNotAcquired) {
  Lock<B> lock;
  EXPECT_THROW(lock.unlock(), trine::NotLocked);
}

TEST(AsyncioLock, ReleaseNoWaiters) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const bool got = co_await lock.lock();
    EXPECT_TRUE(got && lock.locked());
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TEST(AsyncioLock, ContextManager) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    {
      auto held = co_await lock.guard();
      EXPECT_TRUE(lock.locked());
    }
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// Event

TEST(AsyncioEvent, Wait) {
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    Order result;
    const auto waiter = [&](int n) -> Task<void, B> {
      const bool set = co_await event.wait();
      if (set) result.push_back(n);
    };
    TaskGroup<B> group;
    for (const int n : {1, 2, 3}) group.spawn(std::ref(waiter), n);
    co_await settle();
    EXPECT_TRUE(result.empty());
    event.set();
    EXPECT_TRUE(result.empty()) << "nobody runs inside set()";
    co_await group.join();
    EXPECT_EQ(result, (Order{1, 2, 3}));
  };
  trine::run(body());
}

TEST(AsyncioEvent, WaitOnSet) {
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    event.set();
    const bool set = co_await event.wait();
    EXPECT_TRUE(set);
  };
  trine::run(body());
}

TEST(AsyncioEvent, WaitCancel) {
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    const auto waiter = [&]() -> Task<void, B> { co_await event.wait(); };
    const bool done = co_await trine::with_timeout(waiter(), 1ms);
    EXPECT_FALSE(done);
    event.set();
    EXPECT_TRUE(event.is_set());
  };
  trine::run(body());
}

TEST(AsyncioEvent, ClearWithWaiters) {
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    int passed = 0;
    const auto waiter = [&]() -> Task<void, B> {
      const bool set = co_await event.wait();
      if (set) ++passed;
    };
    TaskGroup<B> group;
    group.spawn(std::ref(waiter));
    co_await settle();
    event.set();
    event.clear();
    EXPECT_FALSE(event.is_set());
    event.set();
    event.set();
    co_await group.join();
    EXPECT_EQ(passed, 1);
    EXPECT_TRUE(event.is_set());
  };
  trine::run(body());
}

// Condition

TEST(AsyncioCondition, WaitAndNotify) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    Order result;
    const auto waiter = [&](int n) -> Task<void, B> {
      auto held = co_await lock.guard();
      const bool notified = co_await changed.wait(held);
      EXPECT_TRUE(notified && held);
      result.push_back(n);
    };
    TaskGroup<B> group;
    for (const int n : {1, 2, 3}) group.spawn(std::ref(waiter), n);
    co_await settle();
    EXPECT_FALSE(lock.locked());
    {
      auto held = co_await lock.guard();
      changed.notify();
      co_await settle();
      EXPECT_TRUE(result.empty()) << "the lock is not free yet";
    }
    co_await settle();
    EXPECT_EQ(result, (Order{1}));
    changed.notify(2048);
    co_await group.join();
    EXPECT_EQ(result, (Order{1, 2, 3}));
  };
  trine::run(body());
}

TEST(AsyncioCondition, WaitCancelHoldsTheLockAgain) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    Cancel cancel;
    bool held_after = false;
    const auto waiter = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      const bool notified = co_await changed.wait(held, cancel.until());
      EXPECT_FALSE(notified);
      held_after = held && lock.locked();
    };
    TaskGroup<B> group;
    group.spawn(std::ref(waiter));
    co_await settle();
    auto held = co_await lock.guard();
    cancel();
    co_await settle();
    EXPECT_FALSE(held_after) << "it must have the lock before it may go on";
    held.unlock();
    co_await group.join();
    EXPECT_TRUE(held_after);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// A waiter that was notified and is cancelled before it runs either reports the notification or another gets it.
TEST(AsyncioCondition, CancelledWakeupIsPassedOn) {
  const auto body = []() -> Task<void, B> {
    for (const bool notify_first : {true, false}) {
      Lock<B> lock;
      Condition<B> changed;
      Cancel cancel;
      int notified = 0;
      const auto waiter = [&](trine::Until until) -> Task<void, B> {
        auto held = co_await lock.guard();
        const bool was = co_await changed.wait(held, until);
        if (was) ++notified;
      };
      TaskGroup<B> group;
      group.spawn(std::ref(waiter), cancel.until());
      group.spawn(std::ref(waiter), trine::Until());
      co_await settle();
      auto held = co_await lock.guard();
      if (notify_first) changed.notify();
      cancel();
      if (!notify_first) changed.notify();
      held.unlock();
      co_await settle();
      EXPECT_GE(notified, 1);
      changed.notify_all();
      co_await group.join();
    }
  };
  trine::run(body());
}

TEST(AsyncioCondition, ACancelledTaskFreesTheLock) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    const auto waiter = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      co_await changed.wait(held);
    };
    const bool done = co_await trine::with_timeout(waiter(), 1ms);
    EXPECT_FALSE(done);
    EXPECT_FALSE(lock.locked());
    changed.notify_all();
  };
  trine::run(body());
}

TEST(AsyncioCondition, WaitUnacquired) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    trine::Guard<Lock<B>> nothing;
    bool refused = false;
    try {
      co_await changed.wait(nothing);
    } catch (const trine::NotLocked&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  };
  trine::run(body());
}

TEST(AsyncioCondition, WaitFor) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    bool presence = false;
    bool done = false;
    const auto waiter = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      done = co_await changed.wait(held, [&] { return presence; });
    };
    TaskGroup<B> group;
    group.spawn(std::ref(waiter));
    co_await settle();
    changed.notify();
    co_await settle();
    EXPECT_FALSE(done);
    presence = true;
    changed.notify();
    co_await group.join();
    EXPECT_TRUE(done);
  };
  trine::run(body());
}

// Semaphore

TEST(AsyncioSemaphore, InitialValue) {
  EXPECT_THROW(Semaphore<B>(-1), std::invalid_argument);
  Semaphore<B> semaphore;
  EXPECT_EQ(semaphore.value(), 1);
}

TEST(AsyncioSemaphore, AcquireInOrder) {
  const auto body = []() -> Task<void, B> {
    Semaphore<B> semaphore(3);
    Order result;
    const auto taker = [&](int n) -> Task<void, B> {
      co_await semaphore.acquire();
      result.push_back(n);
    };
    co_await semaphore.acquire();
    co_await semaphore.acquire();
    TaskGroup<B> group;
    for (const int n : {1, 2, 3, 4}) group.spawn(std::ref(taker), n);
    co_await settle();
    EXPECT_EQ(result, (Order{1}));
    semaphore.release();
    semaphore.release();
    EXPECT_EQ(result, (Order{1})) << "nobody runs inside release()";
    co_await settle();
    EXPECT_EQ(result, (Order{1, 2, 3}));
    semaphore.release();
    co_await group.join();
    EXPECT_EQ(result, (Order{1, 2, 3, 4}));
  };
  trine::run(body());
}

TEST(AsyncioSemaphore, AcquireCancel) {
  const auto body = []() -> Task<void, B> {
    Semaphore<B> semaphore;
    co_await semaphore.acquire();
    const auto taker = [&]() -> Task<void, B> { co_await semaphore.acquire(); };
    const bool done = co_await trine::with_timeout(taker(), 1ms);
    EXPECT_FALSE(done);
    semaphore.release();
    EXPECT_EQ(semaphore.value(), 1);
  };
  trine::run(body());
}

TEST(AsyncioSemaphore, AcquireCancelBeforeAwoken) {
  const auto body = []() -> Task<void, B> {
    Semaphore<B> semaphore(0);
    Cancel cancel;
    Order result;
    const auto taker = [&](int n, trine::Until until) -> Task<void, B> {
      const bool got = co_await semaphore.acquire(until);
      result.push_back(got ? n : -n);
    };
    TaskGroup<B> group;
    group.spawn(std::ref(taker), 1, cancel.until());
    group.spawn(std::ref(taker), 2, cancel.until());
    group.spawn(std::ref(taker), 3, trine::Until());
    group.spawn(std::ref(taker), 4, trine::Until());
    co_await settle();
    cancel();
    semaphore.release();
    co_await settle();
    EXPECT_EQ(result.size(), 3U) << "both were cancelled, and the first of the others has the permit";
    EXPECT_EQ(result.back(), 3);
    semaphore.release();
    co_await group.join();
    EXPECT_EQ(semaphore.value(), 0);
  };
  trine::run(body());
}

// Each that is served hands on as it goes: nobody hangs though the next is cancelled.
TEST(AsyncioSemaphore, AcquireNoHang) {
  const auto body = []() -> Task<void, B> {
    Semaphore<B> semaphore(1);
    Cancel cancel;
    Order result;
    const auto first = [&]() -> Task<void, B> {
      auto permit = co_await semaphore.permit();
      co_await settle();
      cancel();
    };
    const auto second = [&]() -> Task<void, B> {
      auto permit = co_await semaphore.permit(cancel.until());
      result.push_back(permit ? 2 : -2);
    };
    const auto third = [&]() -> Task<void, B> {
      auto permit = co_await semaphore.permit();
      result.push_back(3);
    };
    TaskGroup<B> group;
    group.spawn(std::ref(first));
    group.spawn(std::ref(second));
    group.spawn(std::ref(third));
    const bool joined = co_await group.join(20s);
    EXPECT_TRUE(joined);
    EXPECT_EQ(result.size(), 2U);
    EXPECT_EQ(semaphore.value(), 1);
  };
  trine::run(body());
}

TEST(AsyncioSemaphore, ReleaseNotAcquired) {
  BoundedSemaphore<B> semaphore;
  EXPECT_THROW(semaphore.release(), trine::ReleasedTooManyTimes);
}

// A permit that was promised to a waiter is not taken by one that comes later.
TEST(AsyncioSemaphore, FifoOrderBeforeANewcomer) {
  const auto body = []() -> Task<void, B> {
    Semaphore<B> semaphore(1);
    Order result;
    const auto taker = [&](int tag) -> Task<void, B> {
      for (int turn = 0; turn < 2; ++turn) {
        auto permit = co_await semaphore.permit();
        result.push_back(tag);
        co_await Scheduler::current()->hop();
      }
    };
    TaskGroup<B> group;
    for (const int tag : {1, 2, 3}) group.spawn(std::ref(taker), tag);
    co_await group.join();
    EXPECT_EQ(result, (Order{1, 2, 3, 1, 2, 3}));
  };
  trine::run(body());
}

// Barrier

TEST(AsyncioBarrier, FillingTasks) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(5);
    Order places;
    const auto party = [&]() -> Task<void, B> {
      const auto place = co_await barrier.wait();
      places.push_back(static_cast<int>(place));
    };
    TaskGroup<B> group;
    for (int i = 0; i < 4; ++i) group.spawn(std::ref(party));
    co_await settle();
    EXPECT_EQ(barrier.waiting(), 4);
    EXPECT_FALSE(barrier.broken());
    group.spawn(std::ref(party));
    co_await group.join();
    EXPECT_EQ(barrier.waiting(), 0);
    std::sort(places.begin(), places.end());
    EXPECT_EQ(places, (Order{0, 1, 2, 3, 4}));
  };
  trine::run(body());
}

TEST(AsyncioBarrier, AbortAndReset) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(3);
    int broken = 0;
    int passed = 0;
    const auto party = [&]() -> Task<void, B> {
      try {
        co_await barrier.wait();
        ++passed;
      } catch (const BrokenBarrier&) {
        ++broken;
      }
    };
    TaskGroup<B> group;
    group.spawn(std::ref(party));
    group.spawn(std::ref(party));
    co_await settle();
    barrier.abort();
    co_await group.join();
    EXPECT_EQ(broken, 2);
    EXPECT_TRUE(barrier.broken());
    barrier.reset();
    EXPECT_FALSE(barrier.broken());
    for (int i = 0; i < 3; ++i) group.spawn(std::ref(party));
    co_await group.join();
    EXPECT_EQ(passed, 3);
  };
  trine::run(body());
}

}  // namespace
