// SPDX-License-Identifier: BSL-1.0
//
// What a Condition promises, on every backend and with every lock that it works with.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/condition.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/guard.hpp>
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>
#include <trine/until.hpp>

#include "support/backends.hpp"
#include "support/limits.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Condition;
using trine::Event;
using trine::Guard;
using trine::Lock;
using trine::NotLocked;
using trine::NotOwner;
using trine::RecursiveLock;
using trine::Task;
using trine::TaskGroup;
using trine::Until;
using trine_test::brief;
using trine_test::plenty;

template <class B>
class ConditionTest : public ::testing::Test {};

TYPED_TEST_SUITE(ConditionTest, trine_test::Backends, trine_test::BackendName);

// Most tests are a coroutine `template <class L, class B> Task<void, B> name()` that is run with both locks.

/// Whether the caller's hold on the lock is as it should be while it holds it `levels` deep.
template <class L>
bool held_at(L& lock, std::uint32_t levels) {
  if constexpr (requires { lock.depth(); }) return lock.depth() == levels;
  return lock.locked();
}

TYPED_TEST(ConditionTest, StaysWhereItIs) {
  using C = Condition<TypeParam>;
  static_assert(!std::is_copy_constructible_v<C> && !std::is_copy_assignable_v<C>);
  static_assert(!std::is_move_constructible_v<C> && !std::is_move_assignable_v<C>);
}

// A guard that holds nothing.

template <class B, class L>
Task<void, B> expect_wait_refused(Condition<B>& condition, Guard<L>& empty) {
  int refused = 0;
  try {
    co_await condition.wait(empty);
  } catch (const NotLocked&) {
    ++refused;
  }
  try {
    co_await condition.wait(empty, 0ms);
  } catch (const NotLocked&) {
    ++refused;
  }
  bool asked = false;
  try {
    co_await condition.wait(empty, [&] { return asked = true; });
  } catch (const NotLocked&) {
    ++refused;
  }
  EXPECT_EQ(refused, 3);
  EXPECT_FALSE(asked) << "the predicate may be called with the lock held only";
  EXPECT_FALSE(static_cast<bool>(empty));
}

template <class L, class B>
Task<void, B> needs_the_lock() {
  Condition<B> condition;
  L lock;
  Guard<L> nothing;
  co_await expect_wait_refused<B>(condition, nothing);
  EXPECT_FALSE(lock.locked());

  auto held = co_await lock.guard();
  Guard<L> moved(std::move(held));
  co_await expect_wait_refused<B>(condition, held);
  EXPECT_TRUE(lock.locked());
  moved.unlock();
  co_await expect_wait_refused<B>(condition, moved);
  EXPECT_FALSE(lock.locked());

  auto again = co_await lock.guard();
  const bool said = co_await condition.wait(again, [] { return false; }, 0ms);
  EXPECT_FALSE(said) << "the condition is usable after the errors";
  EXPECT_EQ(again.lock(), &lock);
}

TYPED_TEST(ConditionTest, NeedsTheLock) {
  trine::run(needs_the_lock<Lock<TypeParam>, TypeParam>());
  trine::run(needs_the_lock<RecursiveLock<TypeParam>, TypeParam>());
}

// The guard of one party, used by another.
TYPED_TEST(ConditionTest, NeedsTheLockOfTheCaller) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Condition<B> condition;
    RecursiveLock<B> lock;
    auto held = co_await lock.guard();
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      int refused = 0;
      try {
        co_await condition.wait(held, 1ms);
      } catch (const NotOwner&) {
        ++refused;
      }
      try {
        co_await condition.wait(held, [] { return false; }, 1ms);
      } catch (const NotOwner&) {
        ++refused;
      }
      EXPECT_EQ(refused, 2);
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_EQ(lock.depth(), 1U) << "the errors changed nothing";
    const bool said = co_await condition.wait(held, [] { return false; }, 1ms);
    EXPECT_FALSE(said);
    EXPECT_EQ(lock.depth(), 1U);
  };
  trine::run(body());
}

// Limits.

// Another party makes the predicate false, and true again when it is told.
template <class L, class B>
auto blocker(L& lock, Condition<B>& condition, bool& flag) {
  return [&lock, &condition, &flag](Event<B>& blocked, Event<B>& unblock) -> Task<void, B> {
    auto held = co_await lock.guard();
    flag = false;
    held.unlock();
    blocked.set();
    co_await unblock.wait();
    held = co_await lock.guard();
    flag = true;
    held.unlock();
    condition.notify();
  };
}

template <class L, class B>
Task<void, B> wait_keeps_every_limit() {
  Condition<B> condition;
  L lock;
  bool flag = true;
  // A wait may return true for no reason, so it is done until it says false or there is a reason.
  const auto wait = [&](auto limit) -> Task<bool, B> {
    auto held = co_await lock.guard();
    for (int i = 0; i < 1000; ++i) {
      if (flag) co_return true;
      const bool notified = co_await condition.wait(held, limit);
      EXPECT_EQ(held.lock(), &lock);
      EXPECT_TRUE(held_at(lock, 1));
      if (!notified) co_return flag;
    }
    ADD_FAILURE() << "a thousand returns for no reason";
    co_return flag;
  };
  const trine_test::Block<B> block = blocker<L, B>(lock, condition, flag);
  const trine_test::Undo undo = [] {};
  co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
  EXPECT_FALSE(lock.locked());
}

TYPED_TEST(ConditionTest, WaitKeepsEveryLimit) {
  trine::run(wait_keeps_every_limit<Lock<TypeParam>, TypeParam>());
  trine::run(wait_keeps_every_limit<RecursiveLock<TypeParam>, TypeParam>());
}

template <class L, class B>
Task<void, B> wait_with_predicate_keeps_every_limit() {
  Condition<B> condition;
  L lock;
  bool flag = true;
  const auto wait = [&](auto limit) -> Task<bool, B> {
    auto held = co_await lock.guard();
    const bool said = co_await condition.wait(held, [&] { return flag; }, limit);
    EXPECT_EQ(said, flag);
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_TRUE(held_at(lock, 1));
    co_return said;
  };
  const trine_test::Block<B> block = blocker<L, B>(lock, condition, flag);
  const trine_test::Undo undo = [] {};
  co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
  EXPECT_FALSE(lock.locked());
}

TYPED_TEST(ConditionTest, WaitWithPredicateKeepsEveryLimit) {
  trine::run(wait_with_predicate_keeps_every_limit<Lock<TypeParam>, TypeParam>());
  trine::run(wait_with_predicate_keeps_every_limit<RecursiveLock<TypeParam>, TypeParam>());
}

// The limit is one for the whole wait: notifications do not make it longer.
template <class L, class B>
Task<void, B> the_limit_is_one_for_the_whole() {
  Condition<B> condition;
  L lock;
  std::atomic<bool> done{false};
  std::atomic<int> asked{0};
  bool said = true;
  TaskGroup<B> group;
  const auto waiter = [&]() -> Task<void, B> {
    auto held = co_await lock.guard();
    const auto begin = trine_test::Clock::now();
    said = co_await condition.wait(held, [&] { return ++asked < 0; }, brief);
    EXPECT_GE((trine_test::Clock::now() - begin).count(), trine_test::Clock::duration(brief).count());
    done = true;
  };
  group.spawn(std::ref(waiter));
  const auto end = trine_test::Clock::now() + plenty;
  // A pause between the notifications that is shorter than the limit.
  while (!done && trine_test::Clock::now() < end) {
    condition.notify_all();
    co_await group.join(1ms);
  }
  EXPECT_TRUE(done);
  co_await group.join();
  EXPECT_FALSE(said);
  EXPECT_GE(asked, 2);
}

TYPED_TEST(ConditionTest, TheLimitIsOneForTheWhole) {
  trine::run(the_limit_is_one_for_the_whole<Lock<TypeParam>, TypeParam>());
  trine::run(the_limit_is_one_for_the_whole<RecursiveLock<TypeParam>, TypeParam>());
}

// The lock during and after the wait.

// A waiter, `levels` deep, waits with `limit` until `flag`; it says when it holds the lock for the first time.
template <class L, class B>
struct Waiter {
  L& lock;
  Condition<B>& condition;
  bool& flag;
  std::uint32_t levels = 1;

  Task<bool, B> operator()(Event<B>& locked, Until limit) const {
    const std::uint32_t deep = std::is_same_v<L, RecursiveLock<B>> ? levels : 1;
    for (std::uint32_t i = 1; i < deep; ++i) co_await lock.lock();
    auto held = co_await lock.guard();
    locked.set();
    const bool said = co_await condition.wait(held, [this] { return flag; }, limit);
    EXPECT_EQ(said, flag);
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_TRUE(held_at(lock, deep));
    held.unlock();
    EXPECT_TRUE(deep == 1 || held_at(lock, deep - 1));
    for (std::uint32_t i = 1; i < deep; ++i) lock.unlock();
    co_return said;
  }
};

template <class L, class B>
Task<void, B> the_lock_is_free_during_the_wait() {
  for (std::uint32_t levels = 1; levels <= 3; ++levels) {
    Condition<B> condition;
    L lock;
    bool flag = false;
    Event<B> locked;
    bool said = false;
    const Waiter<L, B> waiter{lock, condition, flag, levels};
    TaskGroup<B> group;
    const auto party = [&]() -> Task<void, B> { said = co_await waiter(locked, plenty); };
    group.spawn(std::ref(party));
    co_await locked.wait();
    // Whoever gets the lock now gets it from the wait.
    auto held = co_await lock.guard(plenty);
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_TRUE(held_at(lock, 1));
    flag = true;
    condition.notify();
    const bool idle = co_await group.join(2ms);
    EXPECT_FALSE(idle) << "the wait can't return while another holds the lock";
    held.unlock();
    co_await group.join();
    EXPECT_TRUE(said);
    EXPECT_FALSE(lock.locked());
  }
}

TYPED_TEST(ConditionTest, TheLockIsFreeDuringTheWaitAndHeldAfterIt) {
  trine::run(the_lock_is_free_during_the_wait<Lock<TypeParam>, TypeParam>());
  trine::run(the_lock_is_free_during_the_wait<RecursiveLock<TypeParam>, TypeParam>());
}

// Nobody else is inside after the wait returned: a plain counter shows it.
template <class L, class B>
Task<void, B> the_lock_is_held_after_giving_up() {
  Condition<B> condition;
  L lock;
  int sum = 0;  // plain: the lock guards it
  std::atomic<int> inside{0};
  std::atomic<int> together{0};
  std::stop_source stopped;
  stopped.request_stop();
  TaskGroup<B> group;
  const auto party = [&](Until limit) -> Task<void, B> {
    auto held = co_await lock.guard();
    for (int i = 0; i < 100; ++i) {
      const bool said = co_await condition.wait(held, [] { return false; }, limit);
      EXPECT_FALSE(said);
      EXPECT_TRUE(held_at(lock, 1));
      if (++inside != 1) ++together;
      ++sum;
      if (i % 16 == 0) std::this_thread::yield();
      --inside;
    }
  };
  group.spawn(std::ref(party), Until(100us));
  group.spawn(std::ref(party), Until(0ms));
  group.spawn(std::ref(party), Until(stopped.get_token()));
  co_await group.join();
  EXPECT_EQ(sum, 300);
  EXPECT_EQ(together, 0);
  EXPECT_FALSE(lock.locked());
}

TYPED_TEST(ConditionTest, TheLockIsHeldAfterGivingUp) {
  trine::run(the_lock_is_held_after_giving_up<Lock<TypeParam>, TypeParam>());
  trine::run(the_lock_is_held_after_giving_up<RecursiveLock<TypeParam>, TypeParam>());
}

// A limit that comes while another holds the lock: the wait returns only when it has the lock again.
template <class L, class B>
Task<void, B> giving_up_waits_for_the_lock(bool by_stop) {
  Condition<B> condition;
  L lock;
  std::stop_source source;
  Event<B> locked;
  bool holding = false;  // plain: the lock guards it
  bool overlapped = false;
  bool said = true;
  TaskGroup<B> group;
  const auto waiter = [&]() -> Task<void, B> {
    auto held = co_await lock.guard();
    locked.set();
    const Until limit = by_stop ? Until(source.get_token()) : Until(5ms);
    said = co_await condition.wait(held, [] { return false; }, limit);
    overlapped = holding;
  };
  group.spawn(std::ref(waiter));
  co_await locked.wait();
  auto held = co_await lock.guard(plenty);
  EXPECT_TRUE(static_cast<bool>(held));
  holding = true;
  source.request_stop();
  const bool idle = co_await group.join(brief);
  // Its time may have been up before we had the lock; it was not stopped before.
  if (by_stop) {
    EXPECT_FALSE(idle);
  }
  holding = false;
  held.unlock();
  co_await group.join();
  EXPECT_FALSE(said);
  EXPECT_FALSE(overlapped);
  EXPECT_FALSE(lock.locked());
}

TYPED_TEST(ConditionTest, GivingUpWaitsForTheLock) {
  for (const bool by_stop : {false, true}) {
    trine::run(giving_up_waits_for_the_lock<Lock<TypeParam>, TypeParam>(by_stop));
    trine::run(giving_up_waits_for_the_lock<RecursiveLock<TypeParam>, TypeParam>(by_stop));
  }
}

TYPED_TEST(ConditionTest, EveryLevelIsRestored) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Condition<B> condition;
    RecursiveLock<B> lock;
    std::stop_source stopped;
    stopped.request_stop();
    for (std::uint32_t levels = 1; levels <= 4; ++levels) {
      auto held = co_await lock.guard();
      for (std::uint32_t i = 1; i < levels; ++i) co_await lock.lock();
      const bool after_duration = co_await condition.wait(held, [] { return false; }, 1ms);
      EXPECT_FALSE(after_duration);
      EXPECT_EQ(lock.depth(), levels);
      const bool after_stop = co_await condition.wait(held, [] { return false; }, stopped.get_token());
      EXPECT_FALSE(after_stop);
      EXPECT_EQ(lock.depth(), levels);
      co_await condition.wait(held, 0ms);
      EXPECT_EQ(lock.depth(), levels);
      for (std::uint32_t i = 1; i < levels; ++i) lock.unlock();
      EXPECT_EQ(lock.depth(), 1U);
    }
    EXPECT_FALSE(lock.locked());
    co_return;
  };
  trine::run(body());
}

// The predicate.

template <class L, class B>
Task<void, B> returns_the_last_value() {
  Condition<B> condition;
  L lock;
  auto held = co_await lock.guard();

  const int number = co_await condition.wait(held, [] { return 7; });
  EXPECT_EQ(number, 7);
  const int zero = co_await condition.wait(held, [] { return 0; }, 1ms);
  EXPECT_EQ(zero, 0);

  int value = 5;
  int* const pointer = co_await condition.wait(held, [&] { return &value; });
  EXPECT_EQ(pointer, &value);
  int* const null = co_await condition.wait(held, [] { return static_cast<int*>(nullptr); }, 0ms);
  EXPECT_EQ(null, nullptr);

  const auto some = co_await condition.wait(held, [] { return std::optional<int>(0); });
  EXPECT_EQ(some, std::optional<int>(0)) << "an optional is true when it has a value";
  const auto none = co_await condition.wait(held, [] { return std::optional<int>(); }, 0ms);
  EXPECT_EQ(none, std::nullopt);

  const auto movable = co_await condition.wait(held, [] { return std::make_unique<int>(3); });
  EXPECT_TRUE(movable != nullptr && *movable == 3);

  static_assert(std::is_same_v<decltype(condition.wait(held, [] { return 7; })), typename B::template Result<int>>);
  static_assert(std::is_same_v<decltype(condition.wait(held, [] { return true; })), typename B::template Result<bool>>);
}

TYPED_TEST(ConditionTest, ReturnsThePredicatesLastValue) {
  trine::run(returns_the_last_value<Lock<TypeParam>, TypeParam>());
  trine::run(returns_the_last_value<RecursiveLock<TypeParam>, TypeParam>());
}

template <class L, class B>
Task<void, B> asks_first_and_last() {
  Condition<B> condition;
  L lock;
  auto held = co_await lock.guard();
  int asked = 0;
  const int at_once = co_await condition.wait(held, [&] { return ++asked; });
  EXPECT_EQ(at_once, 1);
  EXPECT_EQ(asked, 1) << "a true predicate is asked once, and there is no wait";

  for (int i = 0; i < 2; ++i) {
    asked = 0;
    const bool at_last = co_await condition.wait(held, [&] { return ++asked == 2; }, i * 1ms);
    EXPECT_TRUE(at_last) << "it is asked again when the wait gave up";
    EXPECT_EQ(asked, 2);
  }
  std::stop_source stopped;
  stopped.request_stop();
  asked = 0;
  const bool when_stopped = co_await condition.wait(held, [&] { return ++asked == 2; }, stopped.get_token());
  EXPECT_TRUE(when_stopped);
  EXPECT_EQ(asked, 2);
}

TYPED_TEST(ConditionTest, AsksThePredicateFirstAndLast) {
  trine::run(asks_first_and_last<Lock<TypeParam>, TypeParam>());
  trine::run(asks_first_and_last<RecursiveLock<TypeParam>, TypeParam>());
}

template <class L, class B>
Task<void, B> asks_with_the_lock_held() {
  Condition<B> condition;
  L lock;
  int asked = 0;
  std::atomic<int> inside{0};
  std::atomic<int> together{0};
  int turns = 0;  // plain: the lock guards it
  TaskGroup<B> group;
  const auto waiter = [&]() -> Task<void, B> {
    auto held = co_await lock.guard();
    const int seen = co_await condition.wait(
        held,
        [&] {
          if (++inside != 1) ++together;
          ++asked;
          EXPECT_TRUE(held_at(lock, 1));
          std::this_thread::yield();
          --inside;
          return turns >= 50 ? turns : 0;
        },
        plenty);
    EXPECT_EQ(seen, 50);
  };
  group.spawn(std::ref(waiter));
  group.spawn(std::ref(waiter));
  for (int i = 0; i < 50; ++i) {
    auto held = co_await lock.guard();
    if (++inside != 1) ++together;
    ++turns;
    --inside;
    held.unlock();
    condition.notify_all();
  }
  co_await group.join();
  EXPECT_EQ(together, 0);
  EXPECT_GE(asked, 2);
}

TYPED_TEST(ConditionTest, AsksThePredicateWithTheLockHeld) {
  trine::run(asks_with_the_lock_held<Lock<TypeParam>, TypeParam>());
  trine::run(asks_with_the_lock_held<RecursiveLock<TypeParam>, TypeParam>());
}

// The predicate throws when it is asked for the `nth` time: first, or after a time-out.
template <class L, class B>
Task<void, B> a_throwing_predicate_leaves_the_lock_held() {
  for (int nth = 1; nth <= 2; ++nth) {
    Condition<B> condition;
    L lock;
    auto held = co_await lock.guard();
    int asked = 0;
    bool thrown = false;
    try {
      co_await condition.wait(
          held,
          [&]() -> bool {
            if (++asked == nth) throw std::domain_error("a user's");
            return false;
          },
          1ms);
    } catch (const std::domain_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    EXPECT_EQ(asked, nth);
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_TRUE(held_at(lock, 1));
    const bool said = co_await condition.wait(held, [] { return false; }, 0ms);
    EXPECT_FALSE(said);
    held.unlock();
    EXPECT_FALSE(lock.locked());
  }
}

TYPED_TEST(ConditionTest, AThrowingPredicateLeavesTheLockHeld) {
  trine::run(a_throwing_predicate_leaves_the_lock_held<Lock<TypeParam>, TypeParam>());
  trine::run(a_throwing_predicate_leaves_the_lock_held<RecursiveLock<TypeParam>, TypeParam>());
}

// The predicate throws after a notification; the waiter was two deep where the lock can be.
template <class L, class B>
Task<void, B> a_predicate_that_throws_when_notified() {
  Condition<B> condition;
  L lock;
  bool flag = false;
  Event<B> locked;
  bool thrown = false;
  static constexpr std::uint32_t levels = std::is_same_v<L, RecursiveLock<B>> ? 2 : 1;
  TaskGroup<B> group;
  const auto waiter = [&]() -> Task<void, B> {
    if (levels == 2) co_await lock.lock();
    auto held = co_await lock.guard();
    locked.set();
    try {
      co_await condition.wait(
          held,
          [&]() -> bool {
            if (flag) throw std::domain_error("a user's");
            return false;
          },
          plenty);
    } catch (const std::domain_error&) {
      thrown = true;
    }
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_TRUE(held_at(lock, levels));
    held.unlock();
    if (levels == 2) lock.unlock();
  };
  group.spawn(std::ref(waiter));
  co_await locked.wait();
  auto held = co_await lock.guard();
  flag = true;
  held.unlock();
  condition.notify();
  co_await group.join();
  EXPECT_TRUE(thrown);
  EXPECT_FALSE(lock.locked());
}

TYPED_TEST(ConditionTest, APredicateThatThrowsWhenNotifiedLeavesTheLockHeld) {
  trine::run(a_predicate_that_throws_when_notified<Lock<TypeParam>, TypeParam>());
  trine::run(a_predicate_that_throws_when_notified<RecursiveLock<TypeParam>, TypeParam>());
}

// Notifications. `Crowd` is a number of parties of which each waits once, without a predicate and without a limit. When
// begun() returns, all of them have begun to wait: each counts itself with the lock held, and frees it by waiting.
template <class L, class B>
class Crowd {
 public:
  explicit Crowd(int parties) : parties_(parties), waiter_([this]() -> Task<void, B> { return wait(); }) {
    for (int i = 0; i < parties_; ++i) group_.spawn(std::ref(waiter_));
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  Task<void, B> begun() {
    bool all = false;
    while (!all) {
      auto held = co_await lock.guard();
      all = begun_ == parties_;
      held.unlock();
      if (!all) co_await pause_.wait(100us);
    }
  }

  /// Until at least n have returned: false if they don't.
  Task<bool, B> returned_at_least(int n) {
    const auto end = trine_test::Clock::now() + plenty;
    while (returned < n && trine_test::Clock::now() < end) co_await pause_.wait(100us);
    co_return returned >= n;
  }

  /// Lets all others go.
  Task<void, B> finish() {
    bool idle = false;
    while (!idle) {
      condition.notify_all();
      idle = co_await group_.join(1ms);
    }
    EXPECT_EQ(returned, parties_);
    EXPECT_EQ(gave_up, 0);
    EXPECT_FALSE(lock.locked());
  }

  L lock;
  Condition<B> condition;
  std::atomic<int> returned{0};
  std::atomic<int> gave_up{0};

 private:
  Task<void, B> wait() {
    auto held = co_await lock.guard();
    ++begun_;
    const bool notified = co_await condition.wait(held);
    if (!notified) ++gave_up;
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_TRUE(held_at(lock, 1));
    ++returned;
  }

  const int parties_;
  int begun_ = 0;  // plain: the lock guards it
  Event<B> pause_;
  std::function<Task<void, B>()> waiter_;
  TaskGroup<B> group_;
};

template <class L, class B>
Task<void, B> notify_wakes_at_least_so_many(int n, bool locked) {
  Crowd<L, B> crowd(5);
  co_await crowd.begun();
  if (locked) {
    auto held = co_await crowd.lock.guard();
    const int before = crowd.returned;
    crowd.condition.notify(n);
    EXPECT_EQ(crowd.returned, before) << "they need the lock";
    held.unlock();
  } else {
    crowd.condition.notify(n);
  }
  const bool woken = co_await crowd.returned_at_least(n);
  EXPECT_TRUE(woken) << crowd.returned << " of " << n;
  co_await crowd.finish();
}

TYPED_TEST(ConditionTest, NotifyWakesAtLeastSoMany) {
  for (const bool locked : {false, true}) {
    for (const int n : {1, 2, 3, 5}) {
      trine::run(notify_wakes_at_least_so_many<Lock<TypeParam>, TypeParam>(n, locked));
      trine::run(notify_wakes_at_least_so_many<RecursiveLock<TypeParam>, TypeParam>(n, locked));
    }
  }
}

template <class L, class B>
Task<void, B> notify_wakes_all_if_they_are_fewer(std::ptrdiff_t n) {
  Crowd<L, B> crowd(3);
  co_await crowd.begun();
  crowd.condition.notify(n);
  const bool woken = co_await crowd.returned_at_least(3);
  EXPECT_TRUE(woken) << n;
  co_await crowd.finish();
}

TYPED_TEST(ConditionTest, NotifyWakesAllIfTheyAreFewer) {
  for (const std::ptrdiff_t n : {std::ptrdiff_t{4}, std::ptrdiff_t{1} << 31, std::ptrdiff_t{1} << 32,
                                 std::numeric_limits<std::ptrdiff_t>::max()}) {
    trine::run(notify_wakes_all_if_they_are_fewer<Lock<TypeParam>, TypeParam>(n));
    trine::run(notify_wakes_all_if_they_are_fewer<RecursiveLock<TypeParam>, TypeParam>(n));
  }
}

template <class L, class B>
Task<void, B> notify_all_wakes_all() {
  for (int round = 0; round < 20 && !::testing::Test::HasFailure(); ++round) {
    Crowd<L, B> crowd(4);
    co_await crowd.begun();
    crowd.condition.notify_all();
    const bool woken = co_await crowd.returned_at_least(4);
    EXPECT_TRUE(woken);
    co_await crowd.finish();
  }
}

TYPED_TEST(ConditionTest, NotifyAllWakesAll) {
  trine::run(notify_all_wakes_all<Lock<TypeParam>, TypeParam>());
  trine::run(notify_all_wakes_all<RecursiveLock<TypeParam>, TypeParam>());
}

// One after the other, whether or not the first have returned by then.
template <class L, class B>
Task<void, B> as_many_notifications_as_waiters() {
  for (int round = 0; round < 40 && !::testing::Test::HasFailure(); ++round) {
    Crowd<L, B> crowd(4);
    co_await crowd.begun();
    for (int i = 0; i < 4; ++i) {
      if (round % 2 == 1) trine_test::dither(round / 2 + i);
      crowd.condition.notify();
    }
    const bool woken = co_await crowd.returned_at_least(4);
    EXPECT_TRUE(woken);
    co_await crowd.finish();
  }
}

TYPED_TEST(ConditionTest, AsManyNotificationsAsWaiters) {
  trine::run(as_many_notifications_as_waiters<Lock<TypeParam>, TypeParam>());
  trine::run(as_many_notifications_as_waiters<RecursiveLock<TypeParam>, TypeParam>());
}

// Waits may return for no reason, but not each of a hundred.
template <class L, class B>
Task<void, B> a_notification_is_not_for_those_who_come_later() {
  Condition<B> condition;
  L lock;
  auto held = co_await lock.guard();
  int notified = 0;
  for (int i = 0; i < 100; ++i) {
    condition.notify();
    condition.notify(3);
    condition.notify_all();
    const bool said = co_await condition.wait(held, 0ms);
    if (said) ++notified;
  }
  EXPECT_LT(notified, 100);
  const bool said = co_await condition.wait(held, [] { return false; }, brief);
  EXPECT_FALSE(said);
}

TYPED_TEST(ConditionTest, ANotificationIsNotForThoseWhoComeLater) {
  trine::run(a_notification_is_not_for_those_who_come_later<Lock<TypeParam>, TypeParam>());
  trine::run(a_notification_is_not_for_those_who_come_later<RecursiveLock<TypeParam>, TypeParam>());
}

template <class L, class B>
Task<void, B> refuses_a_negative_number() {
  Crowd<L, B> crowd(2);
  co_await crowd.begun();
  EXPECT_THROW(crowd.condition.notify(-1), std::invalid_argument);
  EXPECT_THROW(crowd.condition.notify(std::numeric_limits<std::ptrdiff_t>::min()), std::invalid_argument);
  crowd.condition.notify(0);
  crowd.condition.notify(2);
  const bool woken = co_await crowd.returned_at_least(2);
  EXPECT_TRUE(woken) << "the condition is usable after the errors";
  co_await crowd.finish();
}

TYPED_TEST(ConditionTest, NotifyRefusesANegativeNumber) {
  trine::run(refuses_a_negative_number<Lock<TypeParam>, TypeParam>());
  trine::run(refuses_a_negative_number<RecursiveLock<TypeParam>, TypeParam>());
}

// One notification for two waiters, of which one gives up at that moment: it has the notification, or the other has it.
template <class L, class B>
Task<void, B> a_notification_is_not_lost_to_one_who_gives_up(bool by_stop) {
  for (int round = 0; round < 150 && !::testing::Test::HasFailure(); ++round) {
    Condition<B> condition;
    L lock;
    std::stop_source source;
    int begun = 0;  // plain: the lock guards it
    bool impatient_notified = false;
    Event<B> impatient_returned;
    std::atomic<bool> patient_notified{false};
    Event<B> patient_returned;
    TaskGroup<B> group;
    const auto impatient = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      ++begun;
      const Until limit = by_stop ? Until(source.get_token()) : Until(std::chrono::microseconds(round));
      impatient_notified = co_await condition.wait(held, limit);
      held.unlock();
      impatient_returned.set();
    };
    const auto patient = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      ++begun;
      const bool notified = co_await condition.wait(held, plenty);
      patient_notified = notified;
      held.unlock();
      patient_returned.set();
    };
    const auto stop = [&]() -> Task<void, B> {
      trine_test::dither(round);
      source.request_stop();
      co_return;
    };
    group.spawn(std::ref(impatient));
    group.spawn(std::ref(patient));
    Event<B> pause;
    bool both = false;
    while (!both) {
      auto held = co_await lock.guard();
      both = begun == 2;
      held.unlock();
      if (!both) co_await pause.wait(20us);
    }
    if (by_stop) group.spawn(std::ref(stop));
    trine_test::dither(round / 4);
    condition.notify();
    co_await impatient_returned.wait();
    if (!impatient_notified) {
      const bool returned = co_await patient_returned.wait(plenty);
      EXPECT_TRUE(returned);
      EXPECT_TRUE(patient_notified);
    }
    bool idle = co_await group.join(0ms);
    while (!idle) {
      condition.notify_all();
      idle = co_await group.join(1ms);
    }
    EXPECT_TRUE(patient_notified);
  }
}

TYPED_TEST(ConditionTest, ANotificationIsNotLostToOneWhoIsStopped) {
  trine::run(a_notification_is_not_lost_to_one_who_gives_up<Lock<TypeParam>, TypeParam>(true));
  trine::run(a_notification_is_not_lost_to_one_who_gives_up<RecursiveLock<TypeParam>, TypeParam>(true));
}

TYPED_TEST(ConditionTest, ANotificationIsNotLostToOneWhoseTimeIsUp) {
  trine::run(a_notification_is_not_lost_to_one_who_gives_up<Lock<TypeParam>, TypeParam>(false));
  trine::run(a_notification_is_not_lost_to_one_who_gives_up<RecursiveLock<TypeParam>, TypeParam>(false));
}

// Two conditions of one lock: producers and consumers of a buffer with one place.
template <class L, class B>
Task<void, B> two_conditions_of_one_lock() {
  static constexpr int items = 300;
  L lock;
  Condition<B> not_full;
  Condition<B> not_empty;
  std::optional<int> place;  // plain, as are the sums: the lock guards them
  int left = 2 * items;
  long sum = 0;
  TaskGroup<B> group;
  const auto producer = [&](int first) -> Task<void, B> {
    for (int i = 0; i < items; ++i) {
      auto held = co_await lock.guard();
      const bool free = co_await not_full.wait(held, [&] { return !place; }, plenty);
      EXPECT_TRUE(free);
      place = first + i;
      held.unlock();
      not_empty.notify();
    }
  };
  const auto consumer = [&]() -> Task<void, B> {
    for (;;) {
      auto held = co_await lock.guard();
      const bool ready = co_await not_empty.wait(held, [&] { return place || left == 0; }, plenty);
      EXPECT_TRUE(ready);
      if (!ready || left == 0) break;
      sum += *place;
      place.reset();
      if (--left == 0) not_empty.notify_all();
      not_full.notify();
    }
  };
  group.spawn(std::ref(producer), 0);
  group.spawn(std::ref(producer), items);
  group.spawn(std::ref(consumer));
  group.spawn(std::ref(consumer));
  co_await group.join();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(sum, long{2 * items} * (2 * items - 1) / 2);
}

TYPED_TEST(ConditionTest, TwoConditionsOfOneLock) {
  trine::run(two_conditions_of_one_lock<Lock<TypeParam>, TypeParam>());
  trine::run(two_conditions_of_one_lock<RecursiveLock<TypeParam>, TypeParam>());
}

// The notifier holds the lock, so the waiter returns after notify() did its work; its memory goes when it returned.
template <class L, class B>
Task<void, B> may_be_destroyed_when_nobody_waits() {
  for (int round = 0; round < 150 && !::testing::Test::HasFailure(); ++round) {
    auto condition = std::make_unique<Condition<B>>();
    Condition<B>& reference = *condition;
    L lock;
    bool flag = false;
    Event<B> locked;
    TaskGroup<B> group;
    const auto notifier = [&]() -> Task<void, B> {
      co_await locked.wait();
      trine_test::dither(round);
      auto held = co_await lock.guard();
      flag = true;
      reference.notify();
    };
    group.spawn(std::ref(notifier));
    auto held = co_await lock.guard();
    locked.set();
    const bool said = co_await condition->wait(held, [&] { return flag; }, plenty);
    condition.reset();
    EXPECT_TRUE(said);
    held.unlock();
    co_await group.join();
  }
}

TYPED_TEST(ConditionTest, MayBeDestroyedWhenNobodyWaits) {
  trine::run(may_be_destroyed_when_nobody_waits<Lock<TypeParam>, TypeParam>());
  trine::run(may_be_destroyed_when_nobody_waits<RecursiveLock<TypeParam>, TypeParam>());
}

// CPython: ConditionTests.

TYPED_TEST(ConditionTest, CPython_ConditionTests_test_acquire) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Condition<B> condition;
    RecursiveLock<B> recursive;
    {
      const auto outer = co_await recursive.guard();
      auto inner = co_await recursive.guard();
      EXPECT_EQ(recursive.depth(), 2U);
      const bool said = co_await condition.wait(inner, [] { return true; });
      EXPECT_TRUE(said);
      EXPECT_EQ(recursive.depth(), 2U);
    }
    EXPECT_FALSE(recursive.locked());

    Condition<B> other;
    Lock<B> lock;
    auto held = co_await lock.guard();
    const bool said = co_await other.wait(held, [] { return true; });
    EXPECT_TRUE(said);
    EXPECT_FALSE(lock.try_lock()) << "waiting leaves it locked";
    held.unlock();
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(ConditionTest, CPython_ConditionTests_test_unacquired_wait) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Condition<B> condition;
    Guard<RecursiveLock<B>> nothing;
    co_await expect_wait_refused<B>(condition, nothing);
  };
  trine::run(body());
}

// Where CPython refuses, notify() may be called without the lock.
TYPED_TEST(ConditionTest, CPython_ConditionTests_test_unacquired_notify) {
  Condition<TypeParam> condition;
  EXPECT_NO_THROW(condition.notify());
  EXPECT_NO_THROW(condition.notify(5));
  EXPECT_NO_THROW(condition.notify_all());
}

// Five parties wait twice; 3, 5 and all are notified. Phases are told apart by a number that changes with the lock
// held.
template <class L, class B>
Task<void, B> check_notify(L& lock, Condition<B>& condition) {
  static constexpr int parties = 5;
  struct Seen {
    bool notified = false;
    int phase = -1;
  };
  std::array<Seen, parties> first;
  std::array<Seen, parties> second;
  // Plain: the lock guards them.
  int phase = 0;
  int begun = 0;
  int returned = 0;
  Event<B> pause;
  TaskGroup<B> group;
  const auto waiter = [&](Seen& one, Seen& two) -> Task<void, B> {
    auto held = co_await lock.guard();
    for (int i = 0; i < 2; ++i) {
      Seen* const seen = i == 0 ? &one : &two;
      ++begun;
      seen->notified = co_await condition.wait(held);
      seen->phase = phase;
      ++returned;
      held.unlock();
      held = co_await lock.guard();
    }
  };
  for (std::size_t i = 0; i < parties; ++i) group.spawn(std::ref(waiter), std::ref(first[i]), std::ref(second[i]));

  // With the lock held: so many waits have begun and so many have returned.
  const auto reach = [&](int begun_so_far, int returned_so_far) -> Task<Guard<L>, B> {
    const auto end = trine_test::Clock::now() + plenty;
    auto held = co_await lock.guard();
    while ((begun < begun_so_far || returned < returned_so_far) && trine_test::Clock::now() < end) {
      held.unlock();
      co_await pause.wait(100us);
      held = co_await lock.guard();
    }
    co_return held;
  };

  auto held = co_await reach(parties, 0);
  EXPECT_EQ(returned, 0) << "a wait may return for no reason, but all reasons of ours are notifications";
  condition.notify(3);
  phase = 1;
  held.unlock();

  held = co_await reach(parties + 3, 3);
  EXPECT_GE(returned, 3);
  condition.notify(5);
  phase = 2;
  held.unlock();

  held = co_await reach(2 * parties, 8);
  EXPECT_GE(returned, 8);
  condition.notify_all();
  phase = 3;
  held.unlock();

  co_await group.join();
  EXPECT_EQ(returned, 2 * parties);
  int early = 0;
  for (const Seen& seen : first) {
    EXPECT_TRUE(seen.notified);
    EXPECT_GE(seen.phase, 1);
    if (seen.phase == 1) ++early;
  }
  EXPECT_GE(early, 3);
  for (const Seen& seen : second) {
    EXPECT_TRUE(seen.notified);
    EXPECT_GE(seen.phase, 1);
  }
}

template <class L, class B>
Task<void, B> check_notify_twice() {
  L lock;
  Condition<B> condition;
  co_await check_notify<L, B>(lock, condition);
  co_await check_notify<L, B>(lock, condition);
}

TYPED_TEST(ConditionTest, CPython_ConditionTests_test_notify) {
  trine::run(check_notify_twice<Lock<TypeParam>, TypeParam>());
  trine::run(check_notify_twice<RecursiveLock<TypeParam>, TypeParam>());
}

TYPED_TEST(ConditionTest, CPython_ConditionTests_test_timeout) {
  using B = TypeParam;
  static constexpr int parties = 5;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    Condition<B> condition;
    std::atomic<int> gave_up{0};
    std::atomic<int> too_early{0};
    TaskGroup<B> group;
    const auto waiter = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      const auto begin = trine_test::Clock::now();
      const bool said = co_await condition.wait(held, [] { return false; }, 50ms);
      if (!said) ++gave_up;
      if (trine_test::Clock::now() - begin < 50ms) ++too_early;
    };
    for (int i = 0; i < parties; ++i) group.spawn(std::ref(waiter));
    co_await group.join();
    EXPECT_EQ(gave_up, parties);
    EXPECT_EQ(too_early, 0);
  };
  trine::run(body());
}

TYPED_TEST(ConditionTest, CPython_ConditionTests_test_waitfor) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    Condition<B> condition;
    int state = 0;
    bool said = false;
    int seen = 0;
    TaskGroup<B> group;
    const auto waiter = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      said = co_await condition.wait(held, [&] { return state == 4; });
      seen = state;
    };
    group.spawn(std::ref(waiter));
    for (int i = 0; i < 4; ++i) {
      const bool idle = co_await group.join(2ms);
      EXPECT_FALSE(idle);
      const auto held = co_await lock.guard();
      ++state;
      condition.notify();
    }
    co_await group.join();
    EXPECT_TRUE(said);
    EXPECT_EQ(seen, 4);
  };
  trine::run(body());
}

TYPED_TEST(ConditionTest, CPython_ConditionTests_test_waitfor_timeout) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    Condition<B> condition;
    int state = 0;
    bool said = true;
    auto lasted = trine_test::Clock::duration::zero();
    Event<B> locked;
    TaskGroup<B> group;
    const auto waiter = [&]() -> Task<void, B> {
      auto held = co_await lock.guard();
      locked.set();
      const auto begin = trine_test::Clock::now();
      said = co_await condition.wait(held, [&] { return state == 4; }, 60ms);
      lasted = trine_test::Clock::now() - begin;
    };
    group.spawn(std::ref(waiter));
    co_await locked.wait();
    for (int i = 0; i < 3; ++i) {
      co_await group.join(5ms);
      const auto held = co_await lock.guard();
      ++state;
      condition.notify();
    }
    co_await group.join();
    EXPECT_FALSE(said);
    EXPECT_EQ(state, 3);
    EXPECT_GE(lasted.count(), trine_test::Clock::duration(60ms).count());
  };
  trine::run(body());
}

// None of CPython's ConditionTests is left out. Of test_notify the exact numbers are: more may wake than are notified.

}  // namespace
