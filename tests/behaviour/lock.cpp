// SPDX-License-Identifier: BSL-1.0
//
// What a Lock and its Guard promise, on every backend.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/guard.hpp>
#include <trine/lock.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

#include "support/backends.hpp"
#include "support/limits.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Guard;
using trine::Lock;
using trine::NotLocked;
using trine::Task;
using trine::TaskGroup;
using trine_test::brief;
using trine_test::plenty;

template <class B>
class LockTest : public ::testing::Test {};

TYPED_TEST_SUITE(LockTest, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(LockTest, StaysWhereItIs) {
  using L = Lock<TypeParam>;
  static_assert(!std::is_copy_constructible_v<L> && !std::is_copy_assignable_v<L>);
  static_assert(!std::is_move_constructible_v<L> && !std::is_move_assignable_v<L>);
  using G = Guard<L>;
  static_assert(!std::is_copy_constructible_v<G> && !std::is_copy_assignable_v<G>);
  static_assert(std::is_nothrow_move_constructible_v<G> && std::is_nothrow_move_assignable_v<G>);
  static_assert(!std::is_convertible_v<G, bool> && std::is_constructible_v<bool, G>);
}

TYPED_TEST(LockTest, IsLockedFromLockToUnlock) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    EXPECT_FALSE(lock.locked());
    for (int i = 0; i < 3; ++i) {
      const bool taken = co_await lock.lock();
      EXPECT_TRUE(taken);
      EXPECT_TRUE(lock.locked());
      lock.unlock();
      EXPECT_FALSE(lock.locked());
    }
  };
  trine::run(body());
}

TYPED_TEST(LockTest, TryLockTakesAFreeLockOnly) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    EXPECT_TRUE(lock.try_lock());
    EXPECT_TRUE(lock.locked());
    EXPECT_FALSE(lock.try_lock());
    EXPECT_TRUE(lock.locked());
    lock.unlock();
    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
    co_return;
  };
  trine::run(body());
}

TYPED_TEST(LockTest, IsNotRecursive) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    const bool again = co_await lock.lock(brief);
    EXPECT_FALSE(again);
    EXPECT_FALSE(lock.try_lock());
    lock.unlock();
    EXPECT_FALSE(lock.locked()) << "one unlock frees it";
  };
  trine::run(body());
}

// Another party has the lock until it is told.
template <class B>
auto blocker(Lock<B>& lock) {
  return [&lock](Event<B>& blocked, Event<B>& unblock) -> Task<void, B> {
    co_await lock.lock();
    blocked.set();
    co_await unblock.wait();
    lock.unlock();
  };
}

TYPED_TEST(LockTest, LockKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.lock(limit); };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, GuardKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      auto held = co_await lock.guard(limit);
      EXPECT_EQ(static_cast<bool>(held), held.lock() == &lock);
      co_return held.release() != nullptr;
    };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, RecoverKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      auto held = co_await lock.recover(limit);
      co_return held.release() != nullptr;
    };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, TryLockForKeepsItsDuration) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_for(limit); };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B, trine_test::Durations>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, TryLockUntilKeepsItsTimePoint) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_until(limit); };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B, trine_test::TimePoints>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, UnlockOfAFreeLockIsRefused) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    EXPECT_THROW(lock.unlock(), NotLocked);
    EXPECT_FALSE(lock.locked());
    const bool taken = co_await lock.lock();
    EXPECT_TRUE(taken);
    EXPECT_FALSE(lock.try_lock());
    lock.unlock();
    EXPECT_THROW(lock.unlock(), NotLocked) << "a second unlock";
    EXPECT_THROW(lock.unlock(), trine::Error);
    EXPECT_THROW(lock.unlock(), std::runtime_error);
    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(lock.try_lock());
    EXPECT_FALSE(lock.try_lock());
    lock.unlock();
  };
  trine::run(body());
}

// On threads and coroutines anyone may unlock.
TYPED_TEST(LockTest, HandsOff) {
  using B = TypeParam;
  if (!trine_test::hands_over<B>) GTEST_SKIP() << "who locked unlocks";
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 100 && !::testing::Test::HasFailure(); ++round) {
      Lock<B> lock;
      int written = 0;
      co_await lock.lock();
      TaskGroup<B> group;
      const auto other = [&]() -> Task<void, B> {
        trine_test::dither(round);
        written = round;
        lock.unlock();
        co_return;
      };
      group.spawn(std::ref(other));
      const bool taken = co_await lock.lock(plenty);
      EXPECT_TRUE(taken);
      if (taken) {
        EXPECT_EQ(written, round);
      }
      co_await group.join();
      lock.unlock();
      EXPECT_FALSE(lock.locked());
    }
  };
  trine::run(body());
}

// Where the system watches owners, nobody else unlocks.
TYPED_TEST(LockTest, UnlockByAnotherPartyIsRefused) {
  using B = TypeParam;
  if (trine_test::hands_over<B>) GTEST_SKIP() << "anyone may unlock";
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      EXPECT_THROW(lock.unlock(), trine::NotOwner);
      EXPECT_THROW(lock.unlock(), trine::Error);
      Guard<Lock<B>> stolen(lock);
      EXPECT_THROW(stolen.unlock(), trine::NotOwner);
      co_return;
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_TRUE(lock.locked()) << "the errors changed nothing";
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, ExcludesEachOther) {
  using B = TypeParam;
  static constexpr int parties = 4;
  static constexpr int rounds = 500;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    long sum = 0;  // plain: the lock guards it
    std::atomic<int> inside{0};
    std::atomic<int> together{0};
    TaskGroup<B> group;
    const auto party = [&](int spelling) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        bool taken = true;
        if (spelling == 0) taken = co_await lock.lock();
        if (spelling == 1) taken = co_await lock.lock(plenty);
        if (spelling == 2) taken = co_await lock.try_lock_for(plenty);
        if (spelling == 3) {
          auto held = co_await lock.guard();
          taken = held.release() == &lock;
        }
        EXPECT_TRUE(taken);
        if (++inside != 1) ++together;
        ++sum;
        if (i % 64 == 0) std::this_thread::yield();
        --inside;
        lock.unlock();
      }
    };
    for (int i = 0; i < parties; ++i) group.spawn(std::ref(party), i);
    co_await group.join();
    EXPECT_EQ(sum, static_cast<long>(parties) * rounds);
    EXPECT_EQ(together, 0);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// Waits that end about when the lock becomes free: each either has the lock or has nothing.
TYPED_TEST(LockTest, AWaitThatGivesUpHasTakenNothing) {
  using B = TypeParam;
  static constexpr int rounds = 300;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    int sum = 0;  // plain: the lock guards it
    std::array<int, 3> taken{};
    TaskGroup<B> group;
    const auto party = [&](int& mine) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        const bool got = co_await lock.lock(std::chrono::microseconds(i % 97));
        if (!got) continue;
        ++mine;
        ++sum;
        trine_test::dither(i);
        lock.unlock();
      }
    };
    for (int& mine : taken) group.spawn(std::ref(party), std::ref(mine));
    co_await group.join();
    EXPECT_EQ(sum, taken[0] + taken[1] + taken[2]);
    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  };
  trine::run(body());
}

// One waiter's stop races with the unlock that might have woken it: the other waiter gets the lock all the same.
TYPED_TEST(LockTest, AnUnlockIsNotLostToAWaiterThatGivesUp) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 200 && !::testing::Test::HasFailure(); ++round) {
      Lock<B> lock;
      std::stop_source source;
      std::atomic<int> begun{0};
      bool patient_got = false;
      co_await lock.lock();
      TaskGroup<B> group;
      const auto impatient = [&]() -> Task<void, B> {
        ++begun;
        const bool got = co_await lock.lock(source.get_token());
        if (got) lock.unlock();
      };
      const auto patient = [&]() -> Task<void, B> {
        ++begun;
        patient_got = co_await lock.lock(plenty);
        if (patient_got) lock.unlock();
      };
      const auto stop = [&]() -> Task<void, B> {
        ++begun;
        trine_test::dither(round);
        source.request_stop();
        co_return;
      };
      group.spawn(std::ref(impatient));
      group.spawn(std::ref(patient));
      group.spawn(std::ref(stop));
      trine_test::dither(round / 4);
      lock.unlock();
      co_await group.join();
      EXPECT_EQ(begun, 3);
      EXPECT_TRUE(patient_got);
      EXPECT_FALSE(lock.locked());
    }
  };
  trine::run(body());
}

// The lock's memory is freed at once: the sanitizers see an unlock() that touches it after it let the next owner in.
TYPED_TEST(LockTest, MayBeDestroyedByTheNextOwner) {
  using B = TypeParam;
  static constexpr std::size_t rounds = 400;
  const auto body = []() -> Task<void, B> {
    std::vector<std::unique_ptr<Lock<B>>> locks(rounds);
    std::vector<std::unique_ptr<Event<B>>> ready(rounds);
    for (auto& lock : locks) lock = std::make_unique<Lock<B>>();
    for (auto& event : ready) event = std::make_unique<Event<B>>();
    TaskGroup<B> group;
    const auto unlocker = [&]() -> Task<void, B> {
      for (std::size_t i = 0; i < rounds; ++i) {
        Lock<B>& lock = *locks[i];
        co_await lock.lock();
        ready[i]->set();
        trine_test::dither(static_cast<int>(i));
        lock.unlock();
      }
    };
    group.spawn(std::ref(unlocker));
    std::size_t taken = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
      co_await ready[i]->wait();
      const bool got = co_await locks[i]->lock(plenty);
      if (got) {
        ++taken;
        locks[i]->unlock();
        locks[i].reset();
      }
    }
    co_await group.join();
    EXPECT_EQ(taken, rounds);
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AGuardUnlocksAtTheEndOfItsScope) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    {
      const auto held = co_await lock.guard();
      EXPECT_TRUE(static_cast<bool>(held));
      EXPECT_EQ(held.lock(), &lock);
      EXPECT_TRUE(lock.locked());
    }
    EXPECT_FALSE(lock.locked());
    try {
      const auto held = co_await lock.guard();
      EXPECT_TRUE(lock.locked());
      throw std::logic_error("a user's");
    } catch (const std::logic_error&) {
    }
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AGuardThatGaveUpHoldsNothing) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    {
      auto held = co_await lock.guard(0ms);
      EXPECT_FALSE(static_cast<bool>(held));
      EXPECT_EQ(held.lock(), nullptr);
      held.unlock();
      EXPECT_EQ(held.release(), nullptr);
    }
    EXPECT_TRUE(lock.locked()) << "an empty guard unlocks nothing";
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AGuardMoves) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> first;
    Lock<B> second;
    auto held = co_await first.guard();
    Guard<Lock<B>> moved(std::move(held));
    EXPECT_EQ(moved.lock(), &first);
    EXPECT_EQ(held.lock(), nullptr);
    EXPECT_TRUE(first.locked());

    auto other = co_await second.guard();
    moved = std::move(other);
    EXPECT_FALSE(first.locked()) << "what it held before is unlocked";
    EXPECT_TRUE(second.locked());
    EXPECT_EQ(moved.lock(), &second);
    EXPECT_FALSE(static_cast<bool>(other));

    moved = Guard<Lock<B>>();
    EXPECT_FALSE(second.locked());
    EXPECT_FALSE(static_cast<bool>(moved));
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AGuardSurvivesBeingMovedToItself) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    auto held = co_await lock.guard();
    auto& same = held;
    held = std::move(same);
    EXPECT_EQ(held.lock(), &lock);
    EXPECT_TRUE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, GuardsSwap) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    auto held = co_await lock.guard();
    Guard<Lock<B>> empty;
    held.swap(empty);
    EXPECT_FALSE(static_cast<bool>(held));
    EXPECT_EQ(empty.lock(), &lock);
    EXPECT_TRUE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AGuardUnlocksEarlyAndOnce) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    auto held = co_await lock.guard();
    held.unlock();
    EXPECT_FALSE(static_cast<bool>(held));
    EXPECT_FALSE(lock.locked());
    co_await lock.lock();
    held.unlock();
    EXPECT_TRUE(lock.locked()) << "a second unlock of a guard does nothing";
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AReleasedGuardLeavesTheLockLocked) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    {
      auto held = co_await lock.guard();
      EXPECT_EQ(held.release(), &lock);
      EXPECT_FALSE(static_cast<bool>(held));
      EXPECT_EQ(held.release(), nullptr);
    }
    EXPECT_TRUE(lock.locked());
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AGuardTakesOverALockedLock) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    {
      const Guard<Lock<B>> held(lock);
      EXPECT_EQ(held.lock(), &lock);
    }
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, AGuardWhoseLockWasUnlockedIsRefused) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    auto held = co_await lock.guard();
    lock.unlock();
    EXPECT_THROW(held.unlock(), NotLocked);
    EXPECT_FALSE(static_cast<bool>(held)) << "it does not try again";
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, RecoverOfAHealthyLockIsGuard) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    for (int i = 0; i < 2; ++i) {
      auto held = co_await lock.recover();
      EXPECT_EQ(held.lock(), &lock);
      EXPECT_TRUE(lock.locked());
      const auto none = co_await lock.recover(0ms);
      EXPECT_FALSE(static_cast<bool>(none));
      held.unlock();
      EXPECT_FALSE(lock.locked());
    }
    const bool taken = co_await lock.lock();
    EXPECT_TRUE(taken);
    lock.unlock();
  };
  trine::run(body());
}

// The standard's templates, which lock by plain calls.

template <class B>
class StandardLockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!trine_test::blocking<B>) GTEST_SKIP() << "its waits are awaited";
  }
};

TYPED_TEST_SUITE(StandardLockTest, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(StandardLockTest, LockGuard) {
  if constexpr (trine_test::blocking<TypeParam>) {
    Lock<TypeParam> lock;
    {
      const std::lock_guard held(lock);
      EXPECT_TRUE(lock.locked());
    }
    EXPECT_FALSE(lock.locked());
  }
}

TYPED_TEST(StandardLockTest, UniqueLock) {
  if constexpr (trine_test::blocking<TypeParam>) {
    Lock<TypeParam> lock;
    {
      std::unique_lock held(lock);
      EXPECT_TRUE(held.owns_lock());
      std::unique_lock second(lock, std::try_to_lock);
      EXPECT_FALSE(second.owns_lock());
      held.unlock();
      EXPECT_FALSE(lock.locked());
      EXPECT_TRUE(second.try_lock());
      EXPECT_TRUE(lock.locked());
    }
    EXPECT_FALSE(lock.locked());
    std::unique_lock deferred(lock, std::defer_lock);
    EXPECT_FALSE(lock.locked());
    deferred.lock();
    EXPECT_TRUE(lock.locked());
    EXPECT_EQ(deferred.release(), &lock);
    const std::unique_lock adopted(lock, std::adopt_lock);
    EXPECT_TRUE(adopted.owns_lock());
  }
}

TYPED_TEST(StandardLockTest, UniqueLockWithALimit) {
  if constexpr (trine_test::blocking<TypeParam>) {
    Lock<TypeParam> lock;
    {
      std::unique_lock held(lock, plenty);
      EXPECT_TRUE(held.owns_lock());
      const auto end = trine_test::Clock::now() + brief;
      std::unique_lock late(lock, end);
      EXPECT_FALSE(late.owns_lock());
      EXPECT_GE(trine_test::Clock::now(), end);
      EXPECT_FALSE(late.try_lock_for(1ms));
      EXPECT_FALSE(late.try_lock_until(std::chrono::system_clock::now() + 1ms));
      held.unlock();
      EXPECT_TRUE(late.try_lock_for(0ms));
      late.unlock();
      EXPECT_TRUE(late.try_lock_until(trine_test::Clock::now() + plenty));
    }
    EXPECT_FALSE(lock.locked());
  }
}

TYPED_TEST(StandardLockTest, ScopedLock) {
  if constexpr (trine_test::blocking<TypeParam>) {
    Lock<TypeParam> first;
    Lock<TypeParam> second;
    {
      const std::scoped_lock one(first);
      EXPECT_TRUE(first.locked());
    }
    EXPECT_FALSE(first.locked());
    {
      const std::scoped_lock both(first, second);
      EXPECT_TRUE(first.locked() && second.locked());
    }
    EXPECT_FALSE(first.locked() || second.locked());
  }
}

TYPED_TEST(StandardLockTest, TryLockOfTwo) {
  if constexpr (trine_test::blocking<TypeParam>) {
    Lock<TypeParam> first;
    Lock<TypeParam> second;
    EXPECT_EQ(std::try_lock(first, second), -1);
    EXPECT_TRUE(first.locked() && second.locked());
    first.unlock();
    EXPECT_EQ(std::try_lock(first, second), 1) << "the second is taken";
    EXPECT_FALSE(first.locked());
    second.unlock();
  }
}

// std::lock takes two locks in any order without a deadlock.
TYPED_TEST(StandardLockTest, LockOfTwoInOppositeOrders) {
  using B = TypeParam;
  if constexpr (trine_test::blocking<B>) {
    static constexpr int rounds = 500;
    Lock<B> first;
    Lock<B> second;
    int sum = 0;
    const auto party = [&](Lock<B>& one, Lock<B>& other) {
      for (int i = 0; i < rounds; ++i) {
        std::lock(one, other);
        ++sum;
        if (i % 50 == 0) std::this_thread::yield();
        one.unlock();
        other.unlock();
      }
    };
    TaskGroup<B> group;
    group.spawn(std::ref(party), std::ref(first), std::ref(second));
    group.spawn(std::ref(party), std::ref(second), std::ref(first));
    EXPECT_TRUE(group.join(plenty));
    EXPECT_EQ(sum, 2 * rounds);
    EXPECT_FALSE(first.locked() || second.locked());
  }
}

// CPython: BaseLockTests and LockTests.

TYPED_TEST(LockTest, CPython_BaseLockTests_test_constructor) {
  const Lock<TypeParam> lock;
  EXPECT_FALSE(lock.locked());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_locked_repr) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    EXPECT_FALSE(lock.locked());
    co_await lock.lock();
    EXPECT_TRUE(lock.locked());
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_acquire_destroy) {
  using B = TypeParam;
  if (!trine_test::dies_locked<B>) GTEST_SKIP() << "it is unlocked before it is destroyed";
  const auto body = []() -> Task<void, B> {
    std::optional<Lock<B>> lock(std::in_place);
    const bool taken = co_await lock->lock();
    EXPECT_TRUE(taken);
    lock.reset();
    lock.emplace();
    EXPECT_FALSE(lock->locked()) << "a new lock in the same place";
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_acquire_release) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const bool taken = co_await lock.lock();
    EXPECT_TRUE(taken);
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_try_acquire) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
    const bool taken = co_await lock.lock(0s);
    EXPECT_TRUE(taken);
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_try_acquire_contended) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    bool by_try_lock = true;
    bool by_limit = true;
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      by_try_lock = lock.try_lock();
      by_limit = co_await lock.lock(0s);
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_FALSE(by_try_lock);
    EXPECT_FALSE(by_limit);
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_acquire_contended) {
  using B = TypeParam;
  static constexpr int parties = 5;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    std::atomic<int> finished{0};
    co_await lock.lock();
    TaskGroup<B> group;
    const auto party = [&]() -> Task<void, B> {
      co_await lock.lock();
      ++finished;
      lock.unlock();
    };
    for (int i = 0; i < parties; ++i) group.spawn(std::ref(party));
    const bool idle = co_await group.join(brief);
    EXPECT_FALSE(idle);
    EXPECT_EQ(finished, 0);
    lock.unlock();
    co_await group.join();
    EXPECT_EQ(finished, parties);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_with) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const auto other = [&]() -> Task<void, B> {
      const bool taken = co_await lock.lock(plenty);
      EXPECT_TRUE(taken);
      if (taken) lock.unlock();
    };
    for (int round = 0; round < 2; ++round) {
      const bool fail = round == 1;
      bool failed = false;
      try {
        const auto held = co_await lock.guard();
        if (fail) throw std::invalid_argument("a user's");
      } catch (const std::invalid_argument&) {
        failed = true;
      }
      EXPECT_EQ(failed, fail);
      TaskGroup<B> group;
      group.spawn(std::ref(other));
      co_await group.join();
    }
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_BaseLockTests_test_timeout) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    const bool by_largest = co_await lock.lock(std::chrono::nanoseconds::max());
    EXPECT_TRUE(by_largest);
    lock.unlock();
    const bool by_too_large = co_await lock.lock(std::chrono::duration<double>(1e100));
    EXPECT_TRUE(by_too_large);
    lock.unlock();
    const bool by_negative = co_await lock.lock(-100s);
    EXPECT_TRUE(by_negative) << "a negative limit tries once";
    lock.unlock();
    const bool by_plenty = co_await lock.lock(plenty);
    EXPECT_TRUE(by_plenty);
    bool taken = true;
    auto lasted = trine_test::Clock::duration::zero();
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      const auto begin = trine_test::Clock::now();
      taken = co_await lock.lock(50ms);
      lasted = trine_test::Clock::now() - begin;
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_FALSE(taken);
    EXPECT_GE(lasted.count(), trine_test::Clock::duration(50ms).count());
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_LockTests_test_reacquire) {
  using B = TypeParam;
  if (!trine_test::hands_over<B>) GTEST_SKIP() << "who locked unlocks";
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    std::atomic<int> phase{0};
    Event<B> first;
    TaskGroup<B> group;
    const auto party = [&]() -> Task<void, B> {
      co_await lock.lock();
      phase = 1;
      first.set();
      co_await lock.lock();
      phase = 2;
    };
    group.spawn(std::ref(party));
    co_await first.wait();
    const bool idle = co_await group.join(brief);
    EXPECT_FALSE(idle);
    EXPECT_EQ(phase, 1);
    lock.unlock();
    co_await group.join();
    EXPECT_EQ(phase, 2);
    EXPECT_TRUE(lock.locked());
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_LockTests_test_different_thread) {
  using B = TypeParam;
  if (!trine_test::hands_over<B>) GTEST_SKIP() << "who locked unlocks";
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      lock.unlock();
      co_return;
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_FALSE(lock.locked());
    const bool taken = co_await lock.lock(plenty);
    EXPECT_TRUE(taken);
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(LockTest, CPython_LockTests_test_state_after_timeout) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Lock<B> lock;
    co_await lock.lock();
    const bool again = co_await lock.lock(10ms);
    EXPECT_FALSE(again);
    lock.unlock();
    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  };
  trine::run(body());
}

// CPython's cases that are left out: BaseLockTests test_repr (no text form), test_thread_leak (no thread objects are
// made), test_weakref_exists and test_weakref_deleted (no weak references), and of test_timeout the refused
// combinations (there is one limit, any number is good); LockTests test_at_fork_reinit (a child does not repair its
// parent's locks).

}  // namespace
