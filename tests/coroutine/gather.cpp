// SPDX-License-Identifier: BSL-1.0
//
// gather(), when_any(), with_timeout(), and what cancelling a task does, on one thread and on two.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Lock;
using trine::Scheduler;
using trine::Semaphore;
using trine::Task;
using trine_test::Visits;

template <class B>
class GatherTest : public ::testing::Test {};
TYPED_TEST_SUITE(GatherTest, trine_test::CoroutineBackends, trine_test::BackendName);

template <class B>
Task<int, B> number(int n, Event<B>& go) {
  co_await go.wait();
  co_return n;
}

template <class B>
Task<void, B> set(Event<B>& go) {
  go.set();
  co_return;
}

template <class B>
Task<void, B> waits_for_ever(Event<B>& never, Visits& visits) {
  const Visits::Scope inside(visits);
  co_await never.wait();
}

template <class B>
Task<void, B> fails(const char* text) {
  throw std::out_of_range(text);
  co_return;
}

TYPED_TEST(GatherTest, GathersInOrderWhatEndsInAnyOrder) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> first;
    Event<B> second;
    const auto later = [&]() -> Task<int, B> {
      const int two = co_await number<B>(2, second);
      first.set();
      co_return two;
    };
    const auto all = co_await trine::gather(number<B>(1, first), later(), set<B>(second));
    EXPECT_EQ(std::get<0>(all), 1);
    EXPECT_EQ(std::get<1>(all), 2);
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, GathersAnyNumber) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> go;
    std::vector<Task<int, B>> tasks;
    for (int n = 0; n < 100; ++n) tasks.push_back(number<B>(n, go));
    go.set();
    const std::vector<int> all = co_await trine::gather(std::move(tasks));
    EXPECT_EQ(all.size(), 100U);
    for (int n = 0; n < 100; ++n) EXPECT_EQ(all[static_cast<std::size_t>(n)], n);
    const auto none = co_await trine::gather(std::vector<Task<int, B>>());
    EXPECT_TRUE(none.empty());
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, GathersWhatMovesOnly) {
  using B = TypeParam;
  const auto make = [](int n) -> Task<std::unique_ptr<int>, B> { co_return std::make_unique<int>(n); };
  const auto body = [&]() -> Task<void, B> {
    auto both = co_await trine::gather(make(1), make(2));
    EXPECT_EQ(*std::get<0>(both) + *std::get<1>(both), 3);
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, TheFirstFailureEndsTheOthersAndComesOut) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    Visits visits;
    std::string text;
    try {
      co_await trine::gather(waits_for_ever<B>(never, visits), fails<B>("on purpose"), waits_for_ever<B>(never, visits));
    } catch (const std::out_of_range& e) {
      text = e.what();
    }
    EXPECT_EQ(text, "on purpose");
    EXPECT_EQ(visits.left, visits.entered) << "the others were ended before the failure came out";
    never.set();
    const bool still = co_await never.wait();
    EXPECT_TRUE(still) << "nobody stands in its list any more";
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, WhenAnyReturnsTheFirstAndEndsTheOthers) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    Event<B> go;
    go.set();
    Visits visits;
    auto first =
        co_await trine::when_any(waits_for_ever<B>(never, visits), number<B>(7, go), waits_for_ever<B>(never, visits));
    EXPECT_EQ(first.index(), 1U);
    EXPECT_EQ(first.template get<1>(), 7);
    EXPECT_EQ(visits.left, visits.entered);
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, WhenAnyThrowsWhatTheFirstThrew) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    Visits visits;
    bool thrown = false;
    try {
      co_await trine::when_any(waits_for_ever<B>(never, visits), fails<B>("first"));
    } catch (const std::out_of_range&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    EXPECT_EQ(visits.left, visits.entered);
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, WithTimeoutReturnsTheResultInTime) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> go(true);
    const auto result = co_await trine::with_timeout(number<B>(3, go), 20s);
    EXPECT_EQ(result, 3);
    const bool ended = co_await trine::with_timeout(set<B>(go), 20s);
    EXPECT_TRUE(ended);
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, WithTimeoutEndsATaskThatIsTooSlow) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    Visits visits;
    const auto begin = std::chrono::steady_clock::now();
    const bool ended = co_await trine::with_timeout(waits_for_ever<B>(never, visits), 5ms);
    EXPECT_FALSE(ended);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
    EXPECT_EQ(visits.left, visits.entered);
    std::stop_source stop;
    stop.request_stop();
    const auto number_or_none = co_await trine::with_timeout(number<B>(1, never), stop.get_token());
    EXPECT_FALSE(number_or_none.has_value());
  };
  trine::run(body());
}

// A cancelled task that holds a guard gives it back, and one that waits for a lock does not keep the others waiting.
TYPED_TEST(GatherTest, ACancelledTaskGivesBackWhatItHolds) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    Semaphore<B> slots(1);
    Event<B> never;
    const auto holder = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      auto permit = co_await slots.permit();
      co_await never.wait();
    };
    const auto waiter = [&]() -> Task<void, B> { auto held = co_await lock.guard(); };
    for (int round = 0; round < 50; ++round) {
      const bool first = co_await trine::with_timeout(holder(), 200us);
      EXPECT_FALSE(first);
      EXPECT_FALSE(lock.locked());
      EXPECT_EQ(slots.value(), 1);
      auto held = co_await lock.guard();
      const bool second = co_await trine::with_timeout(waiter(), 100us);
      EXPECT_FALSE(second);
    }
    auto held = co_await lock.guard(0ms);
    EXPECT_TRUE(held);
  };
  trine::run(body());
}

TYPED_TEST(GatherTest, CancellingReachesTheChildrenOfTheCancelled) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> never;
    Visits visits;
    Visits parents;
    const auto parent = [&]() -> Task<void, B> {
      const Visits::Scope inside(parents);
      co_await trine::gather(waits_for_ever<B>(never, visits), waits_for_ever<B>(never, visits));
      ADD_FAILURE() << "it went on though it was cancelled";
    };
    const bool ended = co_await trine::with_timeout(parent(), 2ms);
    EXPECT_FALSE(ended);
    EXPECT_EQ(visits.left, visits.entered);
    EXPECT_EQ(parents.left, parents.entered);
  };
  trine::run(body());
}

// Success beats cancelling: a wait that was over is not undone, and the task ends at its next one.
TYPED_TEST(GatherTest, ATaskThatIsCancelledWhileItIsServedLosesNothing) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 200; ++round) {
      Semaphore<B> slots(0);
      int got = 0;
      const auto taker = [&]() -> Task<void, B> {
        auto permit = co_await slots.permit();
        ++got;
      };
      const auto giver = [&]() -> Task<void, B> {
        if (round % 2 == 0) co_await Scheduler::current()->hop();
        slots.release();
      };
      auto first = co_await trine::when_any(taker(), giver());
      EXPECT_EQ(slots.value(), 1) << "the permit is back, whoever had it";
      EXPECT_LE(got, 1);
      EXPECT_LT(first.index(), 2U);
    }
  };
  trine::run(body());
}

// Also where it never had to wait, and now and then lets others run.
TYPED_TEST(GatherTest, ATaskThatIsCancelledWhileItGivesWayLosesNothing) {
  using B = TypeParam;
  static constexpr int items = 1000;
  trine::Queue<int, B> queue;
  Lock<B> lock;
  std::vector<int> got;
  const auto take_all = [&]() -> Task<void, B> {
    for (;;) got.push_back(co_await queue.get());
  };
  const auto lock_often = [&]() -> Task<void, B> {
    for (int i = 0; i < items; ++i) {
      co_await lock.lock();
      lock.unlock();
    }
    co_await trine::Event<B>().wait();
  };
  const auto nothing = []() -> Task<void, B> { co_return; };
  const auto body = [&]() -> Task<void, B> {
    for (int i = 0; i < items; ++i) queue.try_put(i);
    co_await trine::when_any(take_all(), nothing());
    EXPECT_EQ(got.size() + queue.size(), static_cast<std::size_t>(items));
    co_await trine::when_any(lock_often(), nothing());
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// Each of them would otherwise be destroyed on top of the other's stack, and wait there for a task that is further down.
TYPED_TEST(GatherTest, TasksThatJoinAGroupAreCancelledWhenTheyHaveJoined) {
  using B = TypeParam;
  Event<B> go;
  bool ended = false;
  bool after_inner = false;
  bool after_outer = false;
  const auto last = [&]() -> Task<void, B> {
    co_await go.wait();
    ended = true;
  };
  const auto inner = [&]() -> Task<void, B> {
    trine::TaskGroup<B> group;
    group.spawn(last);
    co_await group.join();
    after_inner = true;
    co_await Event<B>().wait();
  };
  const auto timed = [&]() -> Task<void, B> { EXPECT_FALSE(co_await trine::with_timeout(inner(), 10ms)); };
  const auto outer = [&]() -> Task<void, B> {
    trine::TaskGroup<B> group;
    group.spawn(timed);
    EXPECT_FALSE(co_await group.join(1ms)) << "its own limit ends it";
    co_await group.join();
    after_outer = true;
    co_await Event<B>().wait();
  };
  const auto opener = [&]() -> Task<void, B> {
    co_await Scheduler::current()->sleep(50ms);
    go.set();
  };
  const auto body = [&]() -> Task<void, B> {
    trine::TaskGroup<B> group;
    group.spawn(opener);
    EXPECT_FALSE(co_await trine::with_timeout(outer(), 20ms));
    EXPECT_TRUE(ended);
    EXPECT_TRUE(after_inner);
    EXPECT_TRUE(after_outer);
    co_await group.join();
  };
  trine::run(body());
}

// What can't be begun is noticed before the others run: on several threads they could not be destroyed any more.
TEST(GatherOnTwoThreads, BeginsNoneIfOneIsNoTask) {
  using B = trine::coroutines;
  std::atomic<int> begun{0};
  const auto member = [&]() -> Task<void, B> {
    ++begun;
    co_return;
  };
  const auto body = [&]() -> Task<void, B> {
    std::vector<Task<void, B>> tasks;
    for (int i = 0; i < 1000; ++i) tasks.push_back(member());
    const auto moved = std::move(tasks.back());
    EXPECT_THROW((co_await trine::gather(std::move(tasks))), std::logic_error);
    auto one = member();
    auto none = member();
    const auto other = std::move(none);
    EXPECT_THROW((co_await trine::when_any(std::move(one), std::move(none))), std::logic_error);
  };
  Scheduler(2).run(body());
  EXPECT_EQ(begun, 0);
}

/// Takes a lock that knows its owner as it is destroyed.
class LocksAtItsEnd {
 public:
  explicit LocksAtItsEnd(trine::RecursiveLock<trine::coroutines>& lock) noexcept : lock_(&lock) {}
  LocksAtItsEnd(LocksAtItsEnd&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  ~LocksAtItsEnd() {
    if (lock_ != nullptr && lock_->try_lock()) lock_->unlock();
  }

 private:
  trine::RecursiveLock<trine::coroutines>* lock_;
};

// What is destroyed then is nobody's: not that of the task that ran before, and has ended.
TEST(GatherOfOneThatHasNotBegun, DestroysItOutsideOfEveryTask) {
  using C = trine::coroutines;
  trine::RecursiveLock<C> lock;
  Event<C> go;
  bool caught = false;
  const auto waiter = [&]() -> Task<void, C> { co_await go.wait(); };
  const auto fails = []() -> Task<int, C> {
    throw std::runtime_error("a child");
    co_return 1;
  };
  const auto other = [](LocksAtItsEnd) -> Task<int, C> { co_return 2; };
  const auto parent = [&]() -> Task<void, C> {
    go.set();
    try {
      co_await trine::gather(fails(), other(LocksAtItsEnd(lock)));
    } catch (const std::runtime_error&) {
      caught = true;
    }
  };
  Scheduler scheduler;
  scheduler.spawn(waiter());
  scheduler.spawn(parent());
  scheduler.run();
  EXPECT_TRUE(caught);
}

}  // namespace
