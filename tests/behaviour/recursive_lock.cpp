// SPDX-License-Identifier: BSL-1.0
//
// What a RecursiveLock promises, on every backend.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
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
#include <trine/recursive_lock.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

#include "support/backends.hpp"
#include "support/limits.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Guard;
using trine::NotLocked;
using trine::NotOwner;
using trine::RecursiveLock;
using trine::Task;
using trine::TaskGroup;
using trine_test::brief;
using trine_test::plenty;

template <class B>
class RecursiveLockTest : public ::testing::Test {};

TYPED_TEST_SUITE(RecursiveLockTest, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(RecursiveLockTest, StaysWhereItIs) {
  using L = RecursiveLock<TypeParam>;
  static_assert(!std::is_copy_constructible_v<L> && !std::is_copy_assignable_v<L>);
  static_assert(!std::is_move_constructible_v<L> && !std::is_move_assignable_v<L>);
}

TYPED_TEST(RecursiveLockTest, CountsItsLevels) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_FALSE(lock.locked());
    EXPECT_EQ(lock.depth(), 0U);
    for (int round = 0; round < 2; ++round) {
      for (std::uint32_t depth = 1; depth <= 5; ++depth) {
        const bool taken = co_await lock.lock();
        EXPECT_TRUE(taken);
        EXPECT_TRUE(lock.locked());
        EXPECT_EQ(lock.depth(), depth);
      }
      for (std::uint32_t depth = 5; depth > 0; --depth) {
        EXPECT_TRUE(lock.locked());
        EXPECT_EQ(lock.depth(), depth);
        lock.unlock();
      }
      EXPECT_FALSE(lock.locked());
      EXPECT_EQ(lock.depth(), 0U);
    }
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, EverySpellingGoesOneDeeper) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_TRUE(lock.try_lock());
    EXPECT_EQ(lock.depth(), 1U);
    EXPECT_TRUE(lock.try_lock());
    EXPECT_EQ(lock.depth(), 2U);
    const bool by_lock = co_await lock.lock();
    EXPECT_TRUE(by_lock);
    EXPECT_EQ(lock.depth(), 3U);
    const bool by_for = co_await lock.try_lock_for(0ms);
    EXPECT_TRUE(by_for);
    EXPECT_EQ(lock.depth(), 4U);
    const bool by_until = co_await lock.try_lock_until(trine_test::Clock::now());
    EXPECT_TRUE(by_until);
    EXPECT_EQ(lock.depth(), 5U);
    {
      const auto held = co_await lock.guard();
      EXPECT_EQ(held.lock(), &lock);
      EXPECT_EQ(lock.depth(), 6U);
      const auto recovered = co_await lock.recover();
      EXPECT_EQ(recovered.lock(), &lock);
      EXPECT_EQ(lock.depth(), 7U);
    }
    EXPECT_EQ(lock.depth(), 5U);
    for (int i = 0; i < 5; ++i) lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, TheOwnerGoesDeeperWhateverTheLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    co_await lock.lock();
    const auto wait = [&](auto limit) -> Task<bool, B> {
      const bool taken = co_await lock.lock(limit);
      EXPECT_EQ(lock.depth(), 2U);
      co_return taken;
    };
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_succeeds<B>(wait, undo);
    EXPECT_EQ(lock.depth(), 1U);
    lock.unlock();
  };
  trine::run(body());
}

// Another party has the lock, two deep, until it is told.
template <class B>
auto blocker(RecursiveLock<B>& lock) {
  return [&lock](Event<B>& blocked, Event<B>& unblock) -> Task<void, B> {
    co_await lock.lock();
    co_await lock.lock();
    blocked.set();
    co_await unblock.wait();
    lock.unlock();
    lock.unlock();
  };
}

TYPED_TEST(RecursiveLockTest, LockKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      const bool taken = co_await lock.lock(limit);
      EXPECT_EQ(lock.depth(), taken ? 1U : 0U);
      co_return taken;
    };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, GuardKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      auto held = co_await lock.guard(limit);
      EXPECT_EQ(static_cast<bool>(held), held.lock() == &lock);
      EXPECT_EQ(lock.depth(), held ? 1U : 0U);
      co_return held.release() != nullptr;
    };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, RecoverKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      auto held = co_await lock.recover(limit);
      EXPECT_EQ(lock.depth(), held ? 1U : 0U);
      co_return held.release() != nullptr;
    };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, TryLockForKeepsItsDuration) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_for(limit); };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B, trine_test::Durations>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, TryLockUntilKeepsItsTimePoint) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_until(limit); };
    const trine_test::Block<B> block = blocker(lock);
    const trine_test::Undo undo = [&] { lock.unlock(); };
    co_await trine_test::expect_keeps_limits<B, trine_test::TimePoints>(wait, block, undo);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, AnotherPartyFindsItLockedAndNotItsOwn) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    co_await lock.lock();
    co_await lock.lock();
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      EXPECT_TRUE(lock.locked());
      EXPECT_EQ(lock.depth(), 0U);
      EXPECT_FALSE(lock.try_lock());
      EXPECT_THROW(lock.unlock(), NotOwner);
      EXPECT_THROW(lock.unlock(), trine::Error);
      const bool taken = co_await lock.lock(0ms);
      EXPECT_FALSE(taken);
      const auto held = co_await lock.guard(1ms);
      EXPECT_FALSE(static_cast<bool>(held));
      EXPECT_EQ(lock.depth(), 0U);
      EXPECT_TRUE(lock.locked());
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_EQ(lock.depth(), 2U) << "the errors changed nothing";
    lock.unlock();
    EXPECT_TRUE(lock.locked());
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, UnlockOfAFreeLockIsRefused) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_THROW(lock.unlock(), NotLocked);
    EXPECT_FALSE(lock.locked());
    co_await lock.lock();
    co_await lock.lock();
    lock.unlock();
    lock.unlock();
    EXPECT_THROW(lock.unlock(), NotLocked);
    EXPECT_THROW(lock.unlock(), trine::Error);
    EXPECT_EQ(lock.depth(), 0U);
    const bool taken = co_await lock.lock();
    EXPECT_TRUE(taken);
    EXPECT_EQ(lock.depth(), 1U) << "the lock is usable after the errors";
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// A waiter gets in when the last level is left, and no sooner.
TYPED_TEST(RecursiveLockTest, IsFreeWhenItWasUnlockedAsOften) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    std::atomic<int> levels{3};
    int seen = -1;
    bool taken = false;
    for (int i = 0; i < 3; ++i) co_await lock.lock();
    TaskGroup<B> group;
    const auto waiter = [&]() -> Task<void, B> {
      taken = co_await lock.lock(plenty);
      seen = levels;
      EXPECT_EQ(lock.depth(), 1U);
      if (taken) lock.unlock();
    };
    group.spawn(std::ref(waiter));
    for (int i = 0; i < 3; ++i) {
      const bool idle = co_await group.join(5ms);
      EXPECT_FALSE(idle);
      --levels;
      lock.unlock();
    }
    co_await group.join();
    EXPECT_TRUE(taken);
    EXPECT_EQ(seen, 0);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

template <class B>
Task<std::uint32_t, B> depth_some_calls_down(RecursiveLock<B>& lock, int calls) {
  const auto held = co_await lock.guard();
  if (calls == 0) co_return lock.depth();
  const std::uint32_t depth = co_await depth_some_calls_down(lock, calls - 1);
  co_return depth;
}

// A task that is awaited is the same owner as the one that awaits it.
TYPED_TEST(RecursiveLockTest, AnAwaitedTaskIsTheSameOwner) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const auto held = co_await lock.guard();
    const std::uint32_t depth = co_await depth_some_calls_down<B>(lock, 2);
    EXPECT_EQ(depth, 4U);
    EXPECT_EQ(lock.depth(), 1U);
    const auto leave_locked = [&]() -> Task<void, B> { co_await lock.lock(); };
    co_await leave_locked();
    EXPECT_EQ(lock.depth(), 2U) << "the caller owns what the callee locked";
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, ExcludesEachOther) {
  using B = TypeParam;
  static constexpr int parties = 4;
  static constexpr int rounds = 400;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    long sum = 0;  // plain: the lock guards it
    std::atomic<int> inside{0};
    std::atomic<int> together{0};
    TaskGroup<B> group;
    const auto party = [&](std::uint32_t levels) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        for (std::uint32_t depth = 1; depth <= levels; ++depth) {
          const bool taken = co_await lock.lock(plenty);
          EXPECT_TRUE(taken);
          EXPECT_EQ(lock.depth(), depth);
        }
        if (++inside != 1) ++together;
        ++sum;
        if (i % 64 == 0) std::this_thread::yield();
        for (std::uint32_t depth = levels; depth > 0; --depth) {
          ++sum;
          if (depth == 1) --inside;
          lock.unlock();
        }
        if (lock.depth() != 0) ++together;
      }
    };
    for (std::uint32_t i = 1; i <= parties; ++i) group.spawn(std::ref(party), i);
    co_await group.join();
    EXPECT_EQ(sum, long{rounds} * (parties + 1 + 2 + 3 + 4));
    EXPECT_EQ(together, 0);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// Waits that end about when the lock becomes free: each either has one level or has nothing.
TYPED_TEST(RecursiveLockTest, AWaitThatGivesUpHasTakenNothing) {
  using B = TypeParam;
  static constexpr int rounds = 300;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    int sum = 0;  // plain: the lock guards it
    std::array<int, 3> taken{};
    TaskGroup<B> group;
    const auto party = [&](int& mine) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        const bool got = co_await lock.lock(std::chrono::microseconds(i % 97));
        EXPECT_EQ(lock.depth(), got ? 1U : 0U);
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
  };
  trine::run(body());
}

// One waiter's stop races with the unlock that might have woken it: the other waiter gets the lock all the same.
TYPED_TEST(RecursiveLockTest, AnUnlockIsNotLostToAWaiterThatGivesUp) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 100 && !::testing::Test::HasFailure(); ++round) {
      RecursiveLock<B> lock;
      std::stop_source source;
      bool patient_got = false;
      co_await lock.lock();
      TaskGroup<B> group;
      const auto impatient = [&]() -> Task<void, B> {
        const bool got = co_await lock.lock(source.get_token());
        if (got) lock.unlock();
      };
      const auto patient = [&]() -> Task<void, B> {
        patient_got = co_await lock.lock(plenty);
        if (patient_got) lock.unlock();
      };
      const auto stop = [&]() -> Task<void, B> {
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
      EXPECT_TRUE(patient_got);
      EXPECT_FALSE(lock.locked());
    }
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, MayBeDestroyedByTheNextOwner) {
  using B = TypeParam;
  static constexpr std::size_t rounds = 300;
  const auto body = []() -> Task<void, B> {
    std::vector<std::unique_ptr<RecursiveLock<B>>> locks(rounds);
    std::vector<std::unique_ptr<Event<B>>> ready(rounds);
    for (auto& lock : locks) lock = std::make_unique<RecursiveLock<B>>();
    for (auto& event : ready) event = std::make_unique<Event<B>>();
    TaskGroup<B> group;
    const auto unlocker = [&]() -> Task<void, B> {
      for (std::size_t i = 0; i < rounds; ++i) {
        RecursiveLock<B>& lock = *locks[i];
        co_await lock.lock();
        co_await lock.lock();
        ready[i]->set();
        trine_test::dither(static_cast<int>(i));
        lock.unlock();
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

TYPED_TEST(RecursiveLockTest, GuardsNest) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    {
      auto outer = co_await lock.guard();
      EXPECT_EQ(lock.depth(), 1U);
      try {
        const auto inner = co_await lock.guard(0ms);
        EXPECT_EQ(lock.depth(), 2U);
        throw std::logic_error("a user's");
      } catch (const std::logic_error&) {
      }
      EXPECT_EQ(lock.depth(), 1U);
      Guard<RecursiveLock<B>> moved(std::move(outer));
      EXPECT_EQ(lock.depth(), 1U);
      moved.unlock();
      EXPECT_EQ(lock.depth(), 0U);
      moved.unlock();
      EXPECT_FALSE(static_cast<bool>(moved));
      moved = co_await lock.guard();
      auto second = co_await lock.guard();
      moved = std::move(second);
      EXPECT_EQ(lock.depth(), 1U) << "what it held before is unlocked";
      EXPECT_EQ(moved.release(), &lock);
    }
    EXPECT_EQ(lock.depth(), 1U);
    {
      const Guard<RecursiveLock<B>> adopted(lock);
    }
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, AGuardOfAnotherPartyIsRefused) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    auto held = co_await lock.guard();
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      Guard<RecursiveLock<B>> stolen(lock);
      EXPECT_THROW(stolen.unlock(), NotOwner);
      EXPECT_FALSE(static_cast<bool>(stolen)) << "it does not try again";
      co_return;
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_EQ(lock.depth(), 1U);
  };
  trine::run(body());
}

// Owners come and go; their numbers are not mixed up.
TYPED_TEST(RecursiveLockTest, PassesThroughManyParties) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    int sum = 0;
    for (int i = 0; i < 50; ++i) {
      TaskGroup<B> group;
      const auto party = [&]() -> Task<void, B> {
        EXPECT_EQ(lock.depth(), 0U);
        const auto outer = co_await lock.guard();
        const auto inner = co_await lock.guard();
        EXPECT_EQ(lock.depth(), 2U);
        ++sum;
      };
      group.spawn(std::ref(party));
      group.spawn(std::ref(party));
      co_await group.join();
    }
    EXPECT_EQ(sum, 100);
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

// The standard's templates, which lock by plain calls.

template <class B>
class StandardRecursiveLockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!trine_test::blocking<B>) GTEST_SKIP() << "its waits are awaited";
  }
};

TYPED_TEST_SUITE(StandardRecursiveLockTest, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(StandardRecursiveLockTest, OneLock) {
  if constexpr (trine_test::blocking<TypeParam>) {
    RecursiveLock<TypeParam> lock;
    {
      const std::lock_guard first(lock);
      std::unique_lock second(lock);
      const std::scoped_lock third(lock);
      std::unique_lock timed(lock, brief);
      EXPECT_TRUE(timed.owns_lock());
      EXPECT_EQ(lock.depth(), 4U);
      timed.unlock();
      EXPECT_TRUE(timed.try_lock_until(std::chrono::system_clock::now()));
      second.unlock();
      EXPECT_EQ(lock.depth(), 3U);
      EXPECT_TRUE(second.try_lock_for(0ms));
    }
    EXPECT_FALSE(lock.locked());
  }
}

TYPED_TEST(StandardRecursiveLockTest, TwoLocksInOppositeOrders) {
  using B = TypeParam;
  if constexpr (trine_test::blocking<B>) {
    static constexpr int rounds = 300;
    RecursiveLock<B> first;
    RecursiveLock<B> second;
    int sum = 0;
    const auto party = [&](RecursiveLock<B>& one, RecursiveLock<B>& other) {
      for (int i = 0; i < rounds; ++i) {
        const std::scoped_lock both(one, other);
        std::lock(other, one);
        ++sum;
        if (i % 50 == 0) std::this_thread::yield();
        EXPECT_EQ(one.depth() + other.depth(), 4U);
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

// CPython: BaseLockTests and RLockTests.

TYPED_TEST(RecursiveLockTest, CPython_BaseLockTests_test_acquire_destroy) {
  using B = TypeParam;
  if (!trine_test::dies_locked<B>) GTEST_SKIP() << "it is unlocked before it is destroyed";
  const auto body = []() -> Task<void, B> {
    std::optional<RecursiveLock<B>> lock(std::in_place);
    co_await lock->lock();
    co_await lock->lock();
    lock.reset();
    lock.emplace();
    EXPECT_FALSE(lock->locked()) << "a new lock in the same place";
    EXPECT_EQ(lock->depth(), 0U);
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_BaseLockTests_test_acquire_release) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const bool taken = co_await lock.lock();
    EXPECT_TRUE(taken);
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_BaseLockTests_test_try_acquire) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
    EXPECT_FALSE(lock.locked());
    co_return;
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_BaseLockTests_test_try_acquire_contended) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    co_await lock.lock();
    bool taken = true;
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      taken = lock.try_lock();
      co_return;
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_FALSE(taken);
    lock.unlock();
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_BaseLockTests_test_acquire_contended) {
  using B = TypeParam;
  static constexpr int parties = 5;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
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
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_BaseLockTests_test_with) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
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

TYPED_TEST(RecursiveLockTest, CPython_BaseLockTests_test_timeout) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    const bool by_largest = co_await lock.lock(std::chrono::nanoseconds::max());
    EXPECT_TRUE(by_largest);
    lock.unlock();
    const bool by_negative = co_await lock.lock(-100s);
    EXPECT_TRUE(by_negative) << "a negative limit tries once";
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

TYPED_TEST(RecursiveLockTest, CPython_RLockTests_test_reacquire) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    co_await lock.lock();
    co_await lock.lock();
    lock.unlock();
    co_await lock.lock();
    lock.unlock();
    EXPECT_TRUE(lock.locked());
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_RLockTests_test_release_unacquired) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_THROW(lock.unlock(), NotLocked);
    co_await lock.lock();
    co_await lock.lock();
    lock.unlock();
    co_await lock.lock();
    lock.unlock();
    lock.unlock();
    EXPECT_THROW(lock.unlock(), NotLocked);
  };
  trine::run(body());
}

// unlock_fully() and relock_op() are what Condition uses.
TYPED_TEST(RecursiveLockTest, CPython_RLockTests_test_release_save_unacquired) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_THROW(lock.unlock_fully(), NotLocked);
    co_await lock.lock();
    co_await lock.lock();
    lock.unlock();
    co_await lock.lock();
    EXPECT_EQ(lock.unlock_fully(), 2U);
    EXPECT_FALSE(lock.locked());
    EXPECT_THROW(lock.unlock_fully(), NotLocked);
    auto relock = lock.relock_op(2);
    EXPECT_TRUE(relock.attempt() && relock.result());
    EXPECT_EQ(lock.depth(), 2U);
    lock.unlock();
    lock.unlock();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_RLockTests_test_recursion_count) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_EQ(lock.depth(), 0U);
    co_await lock.lock();
    EXPECT_EQ(lock.depth(), 1U);
    co_await lock.lock();
    co_await lock.lock();
    EXPECT_EQ(lock.depth(), 3U);
    lock.unlock();
    EXPECT_EQ(lock.depth(), 2U);
    lock.unlock();
    lock.unlock();
    EXPECT_EQ(lock.depth(), 0U);

    Event<B> locked;
    Event<B> let_go;
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      co_await lock.lock();
      locked.set();
      co_await let_go.wait();
      lock.unlock();
    };
    group.spawn(std::ref(other));
    co_await locked.wait();
    EXPECT_EQ(lock.depth(), 0U);
    let_go.set();
    co_await group.join();
    EXPECT_EQ(lock.depth(), 0U);
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_RLockTests_test_different_thread) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    Event<B> locked;
    Event<B> let_go;
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      co_await lock.lock();
      locked.set();
      co_await let_go.wait();
      EXPECT_EQ(lock.depth(), 1U);
      lock.unlock();
    };
    group.spawn(std::ref(other));
    co_await locked.wait();
    EXPECT_THROW(lock.unlock(), NotOwner);
    EXPECT_TRUE(lock.locked());
    let_go.set();
    co_await group.join();
    EXPECT_FALSE(lock.locked());
  };
  trine::run(body());
}

TYPED_TEST(RecursiveLockTest, CPython_RLockTests_test__is_owned) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    RecursiveLock<B> lock;
    EXPECT_FALSE(lock.depth() > 0);
    co_await lock.lock();
    EXPECT_TRUE(lock.depth() > 0);
    co_await lock.lock();
    EXPECT_TRUE(lock.depth() > 0);
    bool owned = true;
    TaskGroup<B> group;
    const auto other = [&]() -> Task<void, B> {
      owned = lock.depth() > 0;
      co_return;
    };
    group.spawn(std::ref(other));
    co_await group.join();
    EXPECT_FALSE(owned);
    lock.unlock();
    EXPECT_TRUE(lock.depth() > 0);
    lock.unlock();
    EXPECT_FALSE(lock.depth() > 0);
  };
  trine::run(body());
}

// CPython's cases that are left out: BaseLockTests test_constructor (each test makes a lock), test_repr and
// test_locked_repr (no text form), test_thread_leak (no thread objects are made), test_weakref_exists and
// test_weakref_deleted (no weak references), and of test_timeout the refused combinations (there is one limit, any
// number is good).

}  // namespace
