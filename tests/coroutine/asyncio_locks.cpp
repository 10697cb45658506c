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

TEST(AsyncioEvent, Clear) {
  Event<B> event;
  EXPECT_FALSE(event.is_set());
  event.set();
  EXPECT_TRUE(event.is_set());
  event.clear();
  EXPECT_FALSE(event.is_set());
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

TEST(AsyncioCondition, NotifyAll) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    Order result;
    const auto waiter = [&](int n) -> Task<void, B> {
      auto held = co_await lock.guard();
      co_await changed.wait(held);
      result.push_back(n);
    };
    TaskGroup<B> group;
    for (const int n : {1, 2}) group.spawn(std::ref(waiter), n);
    co_await settle();
    EXPECT_TRUE(result.empty());
    changed.notify_all();
    co_await group.join();
    EXPECT_EQ(result, (Order{1, 2}));
  };
  trine::run(body());
}

// asyncio refuses to notify without the lock; trine, as std, does not need it.
TEST(AsyncioCondition, NotifyUnacquired) {
  Condition<B> changed;
  changed.notify();
  changed.notify_all();
}

// asyncio looks at the predicate first; here the guard must hold the lock in any case.
TEST(AsyncioCondition, WaitForUnacquired) {
  const auto body = []() -> Task<void, B> {
    Condition<B> changed;
    trine::Guard<Lock<B>> nothing;
    for (const bool said : {true, false}) {
      bool refused = false;
      try {
        co_await changed.wait(nothing, [said] { return said; });
      } catch (const trine::NotLocked&) {
        refused = true;
      }
      EXPECT_TRUE(refused);
    }
  };
  trine::run(body());
}

TEST(AsyncioCondition, TimeoutInBlock) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    auto held = co_await lock.guard();
    const bool notified = co_await changed.wait(held, 1ms);
    EXPECT_FALSE(notified);
    EXPECT_TRUE(held && lock.locked());
    const bool said = co_await changed.wait(
        held, [] { return false; }, 1ms);
    EXPECT_FALSE(said);
    EXPECT_TRUE(held && lock.locked());
  };
  trine::run(body());
}

// Ended while it locks again: the one that has the lock keeps it, and the notification is not lost to the next.
TEST(AsyncioCondition, CancelledWhileItLocksAgain) {
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Condition<B> changed;
    Order result;
    const auto waiter = [&](int n) -> Task<void, B> {
      auto held = co_await lock.guard();
      co_await changed.wait(held);
      result.push_back(n);
    };
    const auto both = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      changed.notify(2);
      co_await Scheduler::current()->sleep(5ms);  // by then the first is to be cancelled, and waits for the lock
      EXPECT_TRUE(lock.locked());
    };
    TaskGroup<B> group;
    const auto cancelled = [&]() -> Task<void, B> { co_await trine::with_timeout(waiter(1), 2ms); };
    group.spawn(std::ref(cancelled));
    group.spawn(std::ref(waiter), 2);
    co_await settle();
    group.spawn(std::ref(both));
    const bool joined = co_await group.join(20s);
    EXPECT_TRUE(joined);
    EXPECT_TRUE(std::count(result.begin(), result.end(), 2) == 1);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// Semaphore

TEST(AsyncioSemaphore, InitialValue) {
  EXPECT_THROW(Semaphore<B>(-1), std::invalid_argument);
  Semaphore<B> semaphore;
  EXPECT_EQ(semaphore.value(), 1);
}

TEST(AsyncioSemaphore, InitialValueZero) {
  Semaphore<B> semaphore(0);
  EXPECT_EQ(semaphore.value(), 0);
  EXPECT_FALSE(semaphore.try_acquire());
}

TEST(AsyncioSemaphore, ReleaseNoWaiters) {
  const auto body = []() -> Task<void, B> {
    Semaphore<B> semaphore;
    co_await semaphore.acquire();
    EXPECT_EQ(semaphore.value(), 0);
    semaphore.release();
    EXPECT_EQ(semaphore.value(), 1);
  };
  trine::run(body());
}

TEST(AsyncioSemaphore, ContextManager) {
  const auto body = []() -> Task<void, B> {
    Semaphore<B> semaphore(2);
    {
      auto one = co_await semaphore.permit();
      EXPECT_EQ(semaphore.value(), 1);
      auto two = co_await semaphore.permit();
      EXPECT_EQ(semaphore.value(), 0);
    }
    EXPECT_EQ(semaphore.value(), 2);
  };
  trine::run(body());
}

// Two permits come, and the first of three waiters is cancelled at the same time: the other two have them, in their order.
TEST(AsyncioSemaphore, FifoOrderWhenTheFirstIsCancelled) {
  const auto body = []() -> Task<void, B> {
    for (const bool cancel_first : {true, false}) {
      Semaphore<B> semaphore(0);
      Cancel cancel;
      Order result;
      const auto taker = [&](int n, trine::Until until) -> Task<void, B> {
        auto permit = co_await semaphore.permit(until);
        if (!permit) co_return;
        result.push_back(n);
        co_await settle();
      };
      TaskGroup<B> group;
      group.spawn(std::ref(taker), 1, cancel.until());
      group.spawn(std::ref(taker), 2, trine::Until());
      group.spawn(std::ref(taker), 3, trine::Until());
      co_await settle();
      if (cancel_first) cancel();
      semaphore.release(2);
      cancel();
      co_await group.join();
      EXPECT_EQ(result, cancel_first ? (Order{2, 3}) : (Order{1, 2, 3}));
      EXPECT_EQ(semaphore.value(), 2);
    }
  };
  trine::run(body());
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

TEST(AsyncioBarrier, FillingOneTaskTwice) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(1);
    for (int i = 0; i < 2; ++i) {
      const auto place = co_await barrier.wait();
      EXPECT_EQ(place, 0);
      EXPECT_EQ(barrier.waiting(), 0);
    }
    EXPECT_THROW(Barrier<B>(0), std::invalid_argument);
  };
  trine::run(body());
}

TEST(AsyncioBarrier, FillingTaskByTask) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(3);
    int passed = 0;
    const auto party = [&]() -> Task<void, B> {
      co_await barrier.wait();
      ++passed;
    };
    TaskGroup<B> group;
    for (int i = 1; i <= 3; ++i) {
      EXPECT_EQ(passed, 0);
      group.spawn(std::ref(party));
      co_await settle();
      EXPECT_EQ(barrier.waiting(), i % 3);
    }
    co_await group.join();
    EXPECT_EQ(passed, 3);
  };
  trine::run(body());
}

TEST(AsyncioBarrier, FillingTasksWaitTwice) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(3);
    Order rounds;
    const auto party = [&]() -> Task<void, B> {
      for (int round = 1; round <= 2; ++round) {
        co_await barrier.wait();
        rounds.push_back(round);
      }
    };
    TaskGroup<B> group;
    for (int i = 0; i < 3; ++i) group.spawn(std::ref(party));
    co_await group.join();
    EXPECT_EQ(rounds, (Order{1, 1, 1, 2, 2, 2})) << "nobody is a round ahead";
  };
  trine::run(body());
}

// More come than there is room for: they are the first of the next generation.
TEST(AsyncioBarrier, BlockingTasksWhileOthersLeave) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(2);
    int passed = 0;
    const auto party = [&]() -> Task<void, B> {
      co_await barrier.wait();
      ++passed;
    };
    TaskGroup<B> group;
    for (int i = 0; i < 5; ++i) group.spawn(std::ref(party));
    co_await settle();
    EXPECT_EQ(passed, 4);
    EXPECT_EQ(barrier.waiting(), 1);
    group.spawn(std::ref(party));
    co_await group.join();
    EXPECT_EQ(passed, 6);
  };
  trine::run(body());
}

/// What parties at a barrier heard.
struct Parties {
  Barrier<B>& barrier;
  int broken = 0;
  int passed = 0;

  Task<void, B> operator()() {
    try {
      co_await barrier.wait();
      ++passed;
    } catch (const BrokenBarrier&) {
      ++broken;
    }
  }
};

// asyncio lets the others go on waiting; trine breaks the barrier, as threading does.
TEST(AsyncioBarrier, ACancelledPartyBreaksIt) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(3);
    Parties party{barrier};
    TaskGroup<B> group;
    group.spawn(std::ref(party));
    co_await settle();
    const bool ended = co_await trine::with_timeout(party(), 1ms);
    EXPECT_FALSE(ended);
    co_await group.join();
    EXPECT_EQ(party.broken, 1);
    EXPECT_TRUE(barrier.broken());
  };
  trine::run(body());
}

TEST(AsyncioBarrier, ResetWhileTasksWait) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(3);
    Parties party{barrier};
    TaskGroup<B> group;
    group.spawn(std::ref(party));
    group.spawn(std::ref(party));
    co_await settle();
    barrier.reset();
    // These come while those of before may still be leaving.
    for (int i = 0; i < 3; ++i) group.spawn(std::ref(party));
    co_await group.join();
    EXPECT_EQ(party.broken, 2);
    EXPECT_EQ(party.passed, 3);
    EXPECT_FALSE(barrier.broken());
    EXPECT_EQ(barrier.waiting(), 0);
  };
  trine::run(body());
}

TEST(AsyncioBarrier, AbortAndReset) {
  const auto body = []() -> Task<void, B> {
    Barrier<B> barrier(3);
    Parties party{barrier};
    TaskGroup<B> group;
    group.spawn(std::ref(party));
    group.spawn(std::ref(party));
    co_await settle();
    barrier.abort();
    co_await group.join();
    EXPECT_EQ(party.broken, 2);
    EXPECT_TRUE(barrier.broken());
    barrier.reset();
    EXPECT_FALSE(barrier.broken());
    for (int i = 0; i < 3; ++i) group.spawn(std::ref(party));
    co_await group.join();
    EXPECT_EQ(party.passed, 3);
  };
  trine::run(body());
}

}  // namespace
