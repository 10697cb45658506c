// SPDX-License-Identifier: BSL-1.0
//
// Tasks that are destroyed where they wait, for each way to wait: nobody stands in a list any more, nothing is taken, and what
// they held is given back. The sanitizers see whether anybody looks at them afterwards.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Lock;
using trine::Scheduler;
using trine::Task;
using trine_test::Visits;

// None, and one far away.
const trine::Until limits[] = {trine::Until(), trine::Until(1h)};

/// The tasks of a scheduler of `threads` threads that is destroyed when all of them wait: two that await what `wait(limit)`
/// returns, with each limit.
template <class Wait>
void destroy_those_who(Wait wait, unsigned threads) {
  using B = trine::coroutines;
  Visits visits;
  std::atomic<int> went_on{0};
  int expected = 0;
  {
    Scheduler scheduler(threads);
    const auto waiter = [&](const trine::Until& until) -> Task<void, B> {
      const Visits::Scope inside(visits);
      co_await wait(until);
      ++went_on;
    };
    for (const auto& until : limits) {
      scheduler.spawn(waiter(until));
      scheduler.spawn(waiter(until));
      expected += 2;
    }
    // The last to run: all the others have got as far as they could.
    const auto last = [&]() -> Task<void, B> {
      while (visits.entered < expected) co_await scheduler.hop();
      for (int i = 0; i < 3; ++i) co_await scheduler.sleep(1ms);
      scheduler.stop();
    };
    scheduler.spawn(last());
    scheduler.run();
    EXPECT_EQ(visits.left, went_on);
  }
  EXPECT_EQ(visits.entered, expected);
  EXPECT_EQ(visits.left, expected);
  EXPECT_EQ(went_on, 0);
}

class Destroyed : public ::testing::TestWithParam<unsigned> {
 protected:
  using B = trine::coroutines;

  template <class Wait>
  void destroy(Wait wait) {
    destroy_those_who(wait, GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Threads, Destroyed, ::testing::Values(1U, 2U));

TEST_P(Destroyed, AtAnEvent) {
  Event<B> event;
  destroy([&](trine::Until until) { return event.wait(until); });
  event.set();
  EXPECT_TRUE(event.is_set());
}

TEST_P(Destroyed, AtALock) {
  Lock<B> lock;
  ASSERT_TRUE(lock.try_lock());
  destroy([&](trine::Until until) { return lock.lock(until); });
  destroy([&](trine::Until until) { return lock.guard(until); });
  lock.unlock();
  EXPECT_FALSE(lock.locked()) << "it was given to one who is gone";
}

TEST_P(Destroyed, AtARecursiveLock) {
  trine::RecursiveLock<B> lock;
  ASSERT_TRUE(lock.try_lock());  // by this thread, which is another owner
  destroy([&](trine::Until until) { return lock.lock(until); });
  destroy([&](trine::Until until) { return lock.guard(until); });
  lock.unlock();
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

TEST_P(Destroyed, AtASharedLock) {
  trine::SharedLock<B> lock;
  ASSERT_TRUE(lock.try_lock());
  destroy([&](trine::Until until) { return lock.lock(until); });
  destroy([&](trine::Until until) { return lock.guard(until); });
  destroy([&](trine::Until until) { return lock.lock_shared(until); });
  destroy([&](trine::Until until) { return lock.shared_guard(until); });
  lock.unlock();
  ASSERT_TRUE(lock.try_lock_shared());
  // These have the word of the writer, or wait for it; those who wait with it keep readers out until they are gone.
  destroy([&](trine::Until until) { return lock.lock(until); });
  EXPECT_TRUE(lock.try_lock_shared());
  lock.unlock_shared();
  lock.unlock_shared();
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

TEST_P(Destroyed, AtACondition) {
  Lock<B> lock;
  trine::Condition<B> changed;
  destroy([&](trine::Until until) -> Task<void, B> {
    auto held = co_await lock.guard();
    co_await changed.wait(held, until);
  });
  EXPECT_FALSE(lock.locked());
  destroy([&](trine::Until until) -> Task<void, B> {
    auto held = co_await lock.guard();
    co_await changed.wait(
        held, [] { return false; }, until);
  });
  EXPECT_FALSE(lock.locked());
  changed.notify_all();
}

// Notified, and waiting for the lock.
TEST_P(Destroyed, WhereTheyLockAgain) {
  Lock<B> lock;
  trine::Condition<B> changed;
  std::atomic<int> waiting{0};
  destroy([&](trine::Until until) -> Task<void, B> {
    auto held = co_await lock.guard();
    if (++waiting == 4) {
      changed.notify_all();  // the other three; this one keeps the lock
      co_await Event<B>().wait();
    }
    co_await changed.wait(held, until);
  });
  EXPECT_FALSE(lock.locked());
}

TEST_P(Destroyed, AtASemaphore) {
  trine::Semaphore<B> slots(0);
  destroy([&](trine::Until until) { return slots.acquire(until); });
  destroy([&](trine::Until until) { return slots.permit(until); });
  slots.release(2);
  EXPECT_EQ(slots.value(), 2);
}

TEST_P(Destroyed, AtABarrier) {
  trine::Barrier<B> barrier(5);
  destroy([&](trine::Until until) { return barrier.wait(until); });
  EXPECT_TRUE(barrier.broken()) << "a party that leaves breaks it";
  EXPECT_EQ(barrier.waiting(), 0);
}

TEST_P(Destroyed, AtALatch) {
  trine::Latch<B> latch(9);
  destroy([&](trine::Until until) { return latch.wait(until); });
  destroy([&](trine::Until until) { return latch.arrive_and_wait(until); });
  EXPECT_FALSE(latch.try_wait());
  latch.count_down(5);
  EXPECT_TRUE(latch.try_wait()) << "four had arrived before they left";
}

template <class Q>
class DestroyedAtQueue : public ::testing::Test {};
using Queues = ::testing::Types<trine::Queue<int, trine::coroutines>, trine::LifoQueue<int, trine::coroutines>,
                                trine::PriorityQueue<int, trine::coroutines>>;
TYPED_TEST_SUITE(DestroyedAtQueue, Queues);

TYPED_TEST(DestroyedAtQueue, LosesNoItem) {
  using B = trine::coroutines;
  for (const unsigned threads : {1U, 2U}) {
    TypeParam queue(2);
    destroy_those_who([&](trine::Until until) { return queue.get(until); }, threads);
    destroy_those_who([&](trine::Until) { return queue.get(); }, threads);
    destroy_those_who([&](trine::Until until) { return queue.get_many(2, until); }, threads);
    ASSERT_TRUE(queue.try_put(1) && queue.try_put(2));
    EXPECT_EQ(queue.size(), 2U) << "nobody got them";
    destroy_those_who([&](trine::Until until) { return queue.put(3, until); }, threads);
    destroy_those_who(
        [&](trine::Until until) -> Task<void, B> {
          const std::vector<int> items{3, 4};
          co_await queue.put_many(items, until);
        },
        threads);
    destroy_those_who([&](trine::Until until) { return queue.join(until); }, threads);
    const int sum = *queue.try_get() + *queue.try_get();
    EXPECT_EQ(sum, 3);
    EXPECT_EQ(queue.try_get(), std::nullopt) << "nobody put one";
    ASSERT_TRUE(queue.try_put(5));
    EXPECT_EQ(queue.size(), 1U);
  }
}

TEST_P(Destroyed, AtAPipe) {
  auto [here, there] = trine::Pipe<int, B>();
  destroy([&](trine::Until) { return here.recv(); });
  destroy([&](trine::Until until) { return here.recv(until); });
  destroy([&](trine::Until) { return here.poll(1h); });
  const auto pass = [&]() -> Task<int, B> {
    co_await there.send(7);
    co_return co_await here.recv();
  };
  EXPECT_EQ(trine::run(pass()), 7);
}

TEST_P(Destroyed, AtAValue) {
  trine::Value<int, B> value(1);
  {
    // Held by this thread, which is another owner than a task is.
    ASSERT_TRUE(value.get_lock().try_lock());
    destroy([&](trine::Until) { return value.load(); });
    destroy([&](trine::Until) { return value.store(2); });
    destroy([&](trine::Until) { return value.update([](int& v) { ++v; }); });
    value.get_lock().unlock();
  }
  EXPECT_EQ(trine::run([](auto& v) -> Task<int, B> { co_return co_await v.load(); }(value)), 1);
}

TEST_P(Destroyed, InASelect) {
  Event<B> event;
  Lock<B> lock;
  trine::Semaphore<B> slots(0);
  trine::Queue<int, B> queue(1);
  Event<> of_threads;
  ASSERT_TRUE(lock.try_lock());
  destroy([&](trine::Until until) {
    return trine::select(event.wait_op(), lock.guard_op(), slots.permit_op(), queue.get_op(),
                         Scheduler::current()->watch_op(of_threads.wait_op()), until);
  });
  lock.unlock();
  slots.release();
  EXPECT_FALSE(lock.locked());
  EXPECT_EQ(slots.value(), 1);
  ASSERT_TRUE(queue.try_put(1));
  EXPECT_EQ(queue.size(), 1U);
  event.set();
  of_threads.set();
}

// Served, and not resumed yet: what it chose it took, and for the others it is gone, with a wake that it may have had of theirs.
TEST_P(Destroyed, AfterASelectWasServed) {
  Event<B> event;
  trine::Semaphore<B> slots(0);
  std::atomic<int> resumed{0};
  std::atomic<int> waiting{0};
  {
    Scheduler scheduler(GetParam());
    const auto chooser = [&]() -> Task<void, B> {
      ++waiting;
      co_await trine::select(event.wait_op(), slots.permit_op());
      ++resumed;
    };
    const auto last = [&]() -> Task<void, B> {
      while (waiting < 3) co_await scheduler.hop();
      for (int i = 0; i < 3; ++i) co_await scheduler.sleep(1ms);
      scheduler.stop();
    };
    for (int i = 0; i < 3; ++i) scheduler.spawn(chooser());
    scheduler.spawn(last());
    scheduler.run();
    event.set();  // nobody runs the scheduler
  }
  EXPECT_EQ(resumed, 0);
  slots.release(4);
  EXPECT_EQ(slots.value(), 4);
}

// One that was served by something else lets the next go, whether or not its scheduler ever runs again.
TEST_P(Destroyed, OneThatIsNotResumedKeepsNobodyFromAPermit) {
  Event<B> event;
  trine::Semaphore<B> slots(0);
  Scheduler stopped(GetParam());
  const auto chooser = [&]() -> Task<void, B> {
    co_await trine::select(event.wait_op(), slots.permit_op());
  };
  const auto last = [&]() -> Task<void, B> {
    for (int i = 0; i < 3; ++i) co_await stopped.sleep(1ms);
    stopped.stop();
  };
  stopped.spawn(chooser());
  stopped.spawn(last());
  stopped.run();
  const auto waits = [&]() -> Task<bool, B> { co_return co_await slots.acquire(10s); };
  const auto gives = [&]() -> Task<void, B> {
    event.set();
    slots.release();
    co_return;
  };
  const auto both = [&]() -> Task<bool, B> { co_return std::get<0>(co_await trine::gather(waits(), gives())); };
  EXPECT_TRUE(trine::run(both()));
}

TEST_P(Destroyed, WhereTheyWatch) {
  Event<> event;
  trine::Semaphore<> slots(0);
  Lock<> lock;
  ASSERT_TRUE(lock.lock());
  destroy([&](trine::Until until) { return Scheduler::current()->watch(event.wait_op(), until); });
  destroy([&](trine::Until until) { return Scheduler::current()->watch(slots.permit_op(), until); });
  destroy([&](trine::Until until) { return Scheduler::current()->watch(lock.guard_op(), until); });
  slots.release();
  lock.unlock();
  EXPECT_EQ(slots.value(), 1);
  EXPECT_FALSE(lock.locked());
}

TEST_P(Destroyed, AsleepInLineAndWithTheirChildren) {
  Event<B> never;
  Visits children;
  const auto child = [&]() -> Task<int, B> {
    const Visits::Scope inside(children);
    co_await never.wait();
    co_return 1;
  };
  destroy([&](trine::Until) { return Scheduler::current()->sleep(1h); });
  destroy([&](trine::Until) -> Task<void, B> {
    for (;;) co_await Scheduler::current()->hop();
  });
  destroy([&](trine::Until) { return child(); });
  destroy([&](trine::Until) { return trine::gather(child(), child()); });
  destroy([&](trine::Until) { return trine::when_any(child(), child()); });
  destroy([&](trine::Until until) { return trine::with_timeout(child(), until); });
  EXPECT_EQ(children.entered, 4 + 8 + 8 + 4);
  EXPECT_EQ(children.left, children.entered);
}

}  // namespace
