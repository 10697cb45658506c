// SPDX-License-Identifier: BSL-1.0
//
// What a SharedLock promises, on every backend.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/guard.hpp>
#include <trine/shared_lock.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

#include "support/backends.hpp"
#include "support/limits.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Guard;
using trine::NotLocked;
using trine::SharedGuard;
using trine::SharedLock;
using trine::Task;
using trine::TaskGroup;
using trine_test::brief;
using trine_test::plenty;

template <class B>
class SharedLockTest : public ::testing::Test {};

TYPED_TEST_SUITE(SharedLockTest, trine_test::Backends, trine_test::BackendName);

/// What a newcomer finds: nobody, readers, or a writer.
enum class Inside { nobody, readers, writer };

template <class B>
Inside inside(SharedLock<B>& lock) {
  if (lock.try_lock()) {
    lock.unlock();
    return Inside::nobody;
  }
  if (lock.try_lock_shared()) {
    lock.unlock_shared();
    return Inside::readers;
  }
  return Inside::writer;
}

TYPED_TEST(SharedLockTest, StaysWhereItIs) {
  using L = SharedLock<TypeParam>;
  static_assert(!std::is_copy_constructible_v<L> && !std::is_copy_assignable_v<L>);
  static_assert(!std::is_move_constructible_v<L> && !std::is_move_assignable_v<L>);
  using G = SharedGuard<L>;
  static_assert(!std::is_copy_constructible_v<G> && !std::is_copy_assignable_v<G>);
  static_assert(std::is_nothrow_move_constructible_v<G> && std::is_nothrow_move_assignable_v<G>);
  static_assert(!std::is_convertible_v<G, bool> && std::is_constructible_v<bool, G>);
}

TYPED_TEST(SharedLockTest, OneWriterOrManyReaders) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    EXPECT_EQ(inside(lock), Inside::nobody);
    for (int round = 0; round < 2; ++round) {
      const bool written = co_await lock.lock();
      EXPECT_TRUE(written);
      EXPECT_FALSE(lock.try_lock());
      EXPECT_FALSE(lock.try_lock_shared());
      lock.unlock();
      EXPECT_EQ(inside(lock), Inside::nobody);

      EXPECT_TRUE(lock.try_lock());
      EXPECT_EQ(inside(lock), Inside::writer);
      lock.unlock();

      const bool read = co_await lock.lock_shared();
      EXPECT_TRUE(read);
      EXPECT_FALSE(lock.try_lock());
      EXPECT_TRUE(lock.try_lock_shared());
      EXPECT_FALSE(lock.try_lock());
      lock.unlock_shared();
      EXPECT_EQ(inside(lock), Inside::readers) << "one is left";
      lock.unlock_shared();
      EXPECT_EQ(inside(lock), Inside::nobody);
    }
  };
  trine::run(body());
}

// Readers who all wait inside for each other.
TYPED_TEST(SharedLockTest, ReadersAreInsideTogether) {
  using B = TypeParam;
  static constexpr int parties = 5;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    std::atomic<int> entered{0};
    Event<B> all_inside;
    TaskGroup<B> group;
    const auto reader = [&](bool by_guard) -> Task<void, B> {
      SharedGuard<SharedLock<B>> held;
      if (by_guard) {
        held = co_await lock.shared_guard();
      } else {
        co_await lock.lock_shared();
        held = SharedGuard<SharedLock<B>>(lock);
      }
      if (++entered == parties) all_inside.set();
      const bool together = co_await all_inside.wait(plenty);
      EXPECT_TRUE(together);
    };
    for (int i = 0; i < parties; ++i) group.spawn(std::ref(reader), i % 2 == 0);
    co_await group.join();
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

// Limits.

template <class B>
auto writer_inside(SharedLock<B>& lock) {
  return [&lock](Event<B>& blocked, Event<B>& unblock) -> Task<void, B> {
    co_await lock.lock();
    blocked.set();
    co_await unblock.wait();
    lock.unlock();
  };
}

template <class B>
auto two_readers_inside(SharedLock<B>& lock) {
  return [&lock](Event<B>& blocked, Event<B>& unblock) -> Task<void, B> {
    co_await lock.lock_shared();
    co_await lock.lock_shared();
    blocked.set();
    co_await unblock.wait();
    lock.unlock_shared();
    trine_test::dither(1);
    lock.unlock_shared();
  };
}

template <class B, class Limits = trine_test::EveryLimit, class Wait>
Task<void, B> writer_keeps_limits(SharedLock<B>& lock, const Wait& wait) {
  const trine_test::Undo undo = [&] { lock.unlock(); };
  const trine_test::Block<B> by_writer = writer_inside(lock);
  co_await trine_test::expect_keeps_limits<B, Limits>(wait, by_writer, undo);
  EXPECT_EQ(inside(lock), Inside::nobody);
  const trine_test::Block<B> by_readers = two_readers_inside(lock);
  co_await trine_test::expect_keeps_limits<B, Limits>(wait, by_readers, undo);
  EXPECT_EQ(inside(lock), Inside::nobody);
}

template <class B, class Limits = trine_test::EveryLimit, class Wait>
Task<void, B> reader_keeps_limits(SharedLock<B>& lock, const Wait& wait) {
  const trine_test::Undo undo = [&] { lock.unlock_shared(); };
  const trine_test::Block<B> by_writer = writer_inside(lock);
  co_await trine_test::expect_keeps_limits<B, Limits>(wait, by_writer, undo);
  EXPECT_EQ(inside(lock), Inside::nobody);
  // Other readers are no hindrance.
  co_await lock.lock_shared();
  co_await trine_test::expect_succeeds<B, Limits>(wait, undo);
  lock.unlock_shared();
  EXPECT_EQ(inside(lock), Inside::nobody);
}

TYPED_TEST(SharedLockTest, LockKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.lock(limit); };
    co_await writer_keeps_limits<B>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, GuardKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      auto held = co_await lock.guard(limit);
      EXPECT_EQ(static_cast<bool>(held), held.lock() == &lock);
      co_return held.release() != nullptr;
    };
    co_await writer_keeps_limits<B>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, RecoverKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      auto held = co_await lock.recover(limit);
      co_return held.release() != nullptr;
    };
    co_await writer_keeps_limits<B>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, TryLockForKeepsItsDuration) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_for(limit); };
    co_await writer_keeps_limits<B, trine_test::Durations>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, TryLockUntilKeepsItsTimePoint) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_until(limit); };
    co_await writer_keeps_limits<B, trine_test::TimePoints>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, LockSharedKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.lock_shared(limit); };
    co_await reader_keeps_limits<B>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, SharedGuardKeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> {
      auto held = co_await lock.shared_guard(limit);
      EXPECT_EQ(static_cast<bool>(held), held.lock() == &lock);
      co_return held.release() != nullptr;
    };
    co_await reader_keeps_limits<B>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, TryLockSharedForKeepsItsDuration) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_shared_for(limit); };
    co_await reader_keeps_limits<B, trine_test::Durations>(lock, wait);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, TryLockSharedUntilKeepsItsTimePoint) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await lock.try_lock_shared_until(limit); };
    co_await reader_keeps_limits<B, trine_test::TimePoints>(lock, wait);
  };
  trine::run(body());
}

// Errors.

TYPED_TEST(SharedLockTest, UnlockWithoutAWriterIsRefused) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    EXPECT_THROW(lock.unlock(), NotLocked);
    EXPECT_THROW(lock.unlock(), trine::Error);
    EXPECT_EQ(inside(lock), Inside::nobody);
    co_await lock.lock_shared();
    EXPECT_THROW(lock.unlock(), NotLocked) << "there is a reader and no writer";
    EXPECT_EQ(inside(lock), Inside::readers);
    lock.unlock_shared();
    co_await lock.lock();
    lock.unlock();
    EXPECT_THROW(lock.unlock(), NotLocked) << "a second unlock";
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, UnlockSharedWithoutAReaderIsRefused) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    EXPECT_THROW(lock.unlock_shared(), NotLocked);
    EXPECT_THROW(lock.unlock_shared(), trine::Error);
    EXPECT_EQ(inside(lock), Inside::nobody);
    co_await lock.lock();
    EXPECT_THROW(lock.unlock_shared(), NotLocked) << "there is a writer and no reader";
    EXPECT_EQ(inside(lock), Inside::writer);
    lock.unlock();
    co_await lock.lock_shared();
    co_await lock.lock_shared();
    lock.unlock_shared();
    lock.unlock_shared();
    EXPECT_THROW(lock.unlock_shared(), NotLocked) << "a third unlock of two";
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

// On threads and coroutines anyone may unlock.
TYPED_TEST(SharedLockTest, HandsOff) {
  using B = TypeParam;
  if (!trine_test::hands_over<B>) GTEST_SKIP() << "who locked unlocks";
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 60 && !::testing::Test::HasFailure(); ++round) {
      SharedLock<B> lock;
      int written = 0;
      co_await lock.lock();
      TaskGroup<B> group;
      const auto writer = [&]() -> Task<void, B> {
        trine_test::dither(round);
        written = round;
        lock.unlock();
        co_return;
      };
      group.spawn(std::ref(writer));
      const bool read = co_await lock.lock_shared(plenty);
      EXPECT_TRUE(read);
      if (read) {
        EXPECT_EQ(written, round);
      }
      co_await group.join();
      const auto reader = [&]() -> Task<void, B> {
        trine_test::dither(round);
        lock.unlock_shared();
        co_return;
      };
      group.spawn(std::ref(reader));
      const bool taken = co_await lock.lock(plenty);
      EXPECT_TRUE(taken);
      co_await group.join();
      lock.unlock();
      EXPECT_EQ(inside(lock), Inside::nobody);
    }
  };
  trine::run(body());
}

// Where the system watches owners, nobody else unlocks, nor leaves as a reader who never came.
TYPED_TEST(SharedLockTest, UnlockByAnotherPartyIsRefused) {
  using B = TypeParam;
  if (trine_test::hands_over<B>) GTEST_SKIP() << "anyone may unlock";
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    const auto writer = [&]() -> Task<void, B> {
      EXPECT_THROW(lock.unlock(), trine::NotOwner);
      EXPECT_THROW(lock.unlock_shared(), NotLocked);
      co_return;
    };
    const auto reader = [&]() -> Task<void, B> {
      EXPECT_THROW(lock.unlock(), NotLocked);
      EXPECT_THROW(lock.unlock_shared(), NotLocked);
      co_return;
    };
    co_await lock.lock();
    TaskGroup<B> group;
    group.spawn(std::ref(writer));
    co_await group.join();
    EXPECT_EQ(inside(lock), Inside::writer);
    lock.unlock();
    co_await lock.lock_shared();
    group.spawn(std::ref(reader));
    co_await group.join();
    EXPECT_EQ(inside(lock), Inside::readers);
    lock.unlock_shared();
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

// Exclusion and fairness.

TYPED_TEST(SharedLockTest, AWriterIsAlone) {
  using B = TypeParam;
  static constexpr int rounds = 300;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    long first = 0;  // plain, and always equal but for a writer
    long second = 0;
    std::atomic<int> writers{0};
    std::atomic<int> readers{0};
    std::atomic<int> wrong{0};
    TaskGroup<B> group;
    const auto writer = [&](int spelling) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        bool taken = true;
        if (spelling == 0) taken = co_await lock.lock();
        if (spelling == 1) taken = co_await lock.try_lock_for(plenty);
        EXPECT_TRUE(taken);
        if (++writers != 1 || readers != 0) ++wrong;
        ++first;
        if (i % 32 == 0) std::this_thread::yield();
        ++second;
        --writers;
        lock.unlock();
      }
    };
    const auto reader = [&](int spelling) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        bool taken = true;
        if (spelling == 0) taken = co_await lock.lock_shared();
        if (spelling == 1) taken = co_await lock.try_lock_shared_for(plenty);
        EXPECT_TRUE(taken);
        ++readers;
        if (writers != 0 || first != second) ++wrong;
        if (i % 32 == 0) std::this_thread::yield();
        if (first != second) ++wrong;
        --readers;
        lock.unlock_shared();
      }
    };
    for (int i = 0; i < 2; ++i) {
      group.spawn(std::ref(writer), i);
      group.spawn(std::ref(reader), i);
    }
    co_await group.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(first, 2 * rounds);
    EXPECT_EQ(second, 2 * rounds);
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

// A waiting writer keeps new readers out; the reader that is inside may leave, and then the writer is in.
TYPED_TEST(SharedLockTest, AWaitingWriterKeepsNewReadersOut) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 20 && !::testing::Test::HasFailure(); ++round) {
      SharedLock<B> lock;
      bool written = false;  // plain: the lock guards it
      co_await lock.lock_shared();
      TaskGroup<B> group;
      const auto writer = [&]() -> Task<void, B> {
        const bool taken = co_await lock.lock(plenty);
        EXPECT_TRUE(taken);
        if (!taken) co_return;
        written = true;
        lock.unlock();
      };
      group.spawn(std::ref(writer));
      Event<B> pause;
      const auto end = trine_test::Clock::now() + plenty;
      bool kept_out = false;
      while (!kept_out && trine_test::Clock::now() < end) {
        kept_out = !lock.try_lock_shared();
        if (!kept_out) {
          lock.unlock_shared();
          co_await pause.wait(20us);
        }
      }
      EXPECT_TRUE(kept_out);
      const bool later = co_await lock.lock_shared(1ms);
      EXPECT_FALSE(later);
      EXPECT_FALSE(written);
      lock.unlock_shared();
      const bool read = co_await lock.lock_shared(plenty);
      EXPECT_TRUE(read);
      if (read) lock.unlock_shared();
      co_await group.join();
      EXPECT_TRUE(written);
    }
  };
  trine::run(body());
}

// Each reader stays until the next has come, so that there is always one inside, unless the lock keeps new ones out.
TYPED_TEST(SharedLockTest, ReadersDoNotStarveAWriter) {
  using B = TypeParam;
  static constexpr int parties = 4;
  static constexpr int writes = 20;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    std::atomic<bool> done{false};
    std::atomic<int> reading{0};
    std::atomic<int> entries{0};
    int written = 0;  // plain: the lock guards it
    TaskGroup<B> group;
    const auto reader = [&]() -> Task<void, B> {
      Event<B> pause;
      while (!done) {
        const bool taken = co_await lock.lock_shared(plenty);
        EXPECT_TRUE(taken);
        if (!taken) break;
        ++reading;
        const int mine = ++entries;
        while (!done && entries == mine && lock.try_lock_shared()) {
          lock.unlock_shared();
          co_await pause.wait(10us);
        }
        --reading;
        lock.unlock_shared();
      }
    };
    for (int i = 0; i < parties; ++i) group.spawn(std::ref(reader));
    for (int i = 0; i < writes; ++i) {
      const bool taken = co_await lock.lock(plenty);
      EXPECT_TRUE(taken) << "after " << written << " writes";
      if (!taken) break;
      ++written;
      EXPECT_EQ(reading, 0);
      lock.unlock();
      trine_test::dither(i);
    }
    done = true;
    co_await group.join();
    EXPECT_EQ(written, writes);
  };
  trine::run(body());
}

// A writer that gives up lets in the readers whom it kept out, those who wait among them.
TYPED_TEST(SharedLockTest, AWriterThatGivesUpLetsReadersIn) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 60 && !::testing::Test::HasFailure(); ++round) {
      SharedLock<B> lock;
      std::stop_source source;
      co_await lock.lock_shared();
      bool written = true;
      std::array<bool, 2> read{};
      TaskGroup<B> group;
      const auto writer = [&]() -> Task<void, B> { written = co_await lock.lock(source.get_token()); };
      const auto reader = [&](bool& taken) -> Task<void, B> {
        taken = co_await lock.lock_shared(plenty);
        if (taken) lock.unlock_shared();
      };
      group.spawn(std::ref(writer));
      for (bool& taken : read) group.spawn(std::ref(reader), std::ref(taken));
      trine_test::dither(round);
      source.request_stop();
      const bool idle = co_await group.join(plenty);
      EXPECT_TRUE(idle) << "all readers can enter beside the one that is inside";
      EXPECT_FALSE(written);
      EXPECT_TRUE(read[0] && read[1]);
      EXPECT_EQ(inside(lock), Inside::readers);
      lock.unlock_shared();
      co_await group.join();
      EXPECT_EQ(inside(lock), Inside::nobody);
    }
  };
  trine::run(body());
}

// A writer that gives up leaves nothing to the writer that waits behind it.
TYPED_TEST(SharedLockTest, AWriterThatGivesUpLetsTheNextWriterIn) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 100 && !::testing::Test::HasFailure(); ++round) {
      SharedLock<B> lock;
      std::stop_source source;
      const bool by_reader = round % 2 == 0;
      if (by_reader) {
        co_await lock.lock_shared();
      } else {
        co_await lock.lock();
      }
      bool patient_wrote = false;
      TaskGroup<B> group;
      const auto impatient = [&]() -> Task<void, B> {
        const bool taken = co_await lock.lock(source.get_token());
        if (taken) lock.unlock();
      };
      const auto patient = [&]() -> Task<void, B> {
        patient_wrote = co_await lock.lock(plenty);
        if (patient_wrote) lock.unlock();
      };
      const auto stop = [&]() -> Task<void, B> {
        trine_test::dither(round / 2);
        source.request_stop();
        co_return;
      };
      group.spawn(std::ref(impatient));
      group.spawn(std::ref(patient));
      group.spawn(std::ref(stop));
      trine_test::dither(round / 8);
      if (by_reader) {
        lock.unlock_shared();
      } else {
        lock.unlock();
      }
      co_await group.join();
      EXPECT_TRUE(patient_wrote);
      EXPECT_EQ(inside(lock), Inside::nobody);
    }
  };
  trine::run(body());
}

// One unlock of a writer lets in all readers who wait.
TYPED_TEST(SharedLockTest, AWriterThatLeavesLetsAllReadersIn) {
  using B = TypeParam;
  static constexpr int parties = 4;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 40 && !::testing::Test::HasFailure(); ++round) {
      SharedLock<B> lock;
      std::atomic<int> entered{0};
      Event<B> all_inside;
      co_await lock.lock();
      TaskGroup<B> group;
      const auto reader = [&]() -> Task<void, B> {
        const bool taken = co_await lock.lock_shared(plenty);
        EXPECT_TRUE(taken);
        if (++entered == parties) all_inside.set();
        const bool together = co_await all_inside.wait(plenty);
        EXPECT_TRUE(together);
        if (taken) lock.unlock_shared();
      };
      for (int i = 0; i < parties; ++i) group.spawn(std::ref(reader));
      trine_test::dither(round);
      EXPECT_EQ(entered, 0);
      lock.unlock();
      co_await group.join();
      EXPECT_EQ(entered, parties);
    }
  };
  trine::run(body());
}

// Waits that end about when the lock becomes free: each either is inside or has left nothing behind.
TYPED_TEST(SharedLockTest, AWaitThatGivesUpHasTakenNothing) {
  using B = TypeParam;
  static constexpr int rounds = 200;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    int sum = 0;  // plain: the lock guards it
    std::array<int, 2> written{};
    TaskGroup<B> group;
    const auto writer = [&](int& mine) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        const bool taken = co_await lock.lock(std::chrono::microseconds(i % 97));
        if (!taken) continue;
        ++mine;
        ++sum;
        trine_test::dither(i);
        lock.unlock();
      }
    };
    const auto reader = [&]() -> Task<void, B> {
      int last = 0;
      for (int i = 0; i < rounds; ++i) {
        const bool taken = co_await lock.lock_shared(std::chrono::microseconds(i % 89));
        if (!taken) continue;
        EXPECT_GE(sum, last);
        last = sum;
        trine_test::dither(i);
        EXPECT_EQ(sum, last);
        lock.unlock_shared();
      }
    };
    for (int& mine : written) {
      group.spawn(std::ref(writer), std::ref(mine));
      group.spawn(std::ref(reader));
    }
    co_await group.join();
    EXPECT_EQ(sum, written[0] + written[1]);
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

// The lock's memory is freed at once: the sanitizers see an unlock that touches it after it let the next one in.
TYPED_TEST(SharedLockTest, MayBeDestroyedByTheNextOwner) {
  using B = TypeParam;
  static constexpr std::size_t rounds = 400;
  const auto body = []() -> Task<void, B> {
    std::vector<std::unique_ptr<SharedLock<B>>> locks(rounds);
    std::vector<std::unique_ptr<Event<B>>> ready(rounds);
    for (auto& lock : locks) lock = std::make_unique<SharedLock<B>>();
    for (auto& event : ready) event = std::make_unique<Event<B>>();
    TaskGroup<B> group;
    // In turn: writer to writer, reader to writer, writer to reader.
    const auto unlocker = [&]() -> Task<void, B> {
      for (std::size_t i = 0; i < rounds; ++i) {
        SharedLock<B>& lock = *locks[i];
        const bool reads = i % 3 == 1;
        if (reads) {
          co_await lock.lock_shared();
        } else {
          co_await lock.lock();
        }
        ready[i]->set();
        trine_test::dither(static_cast<int>(i / 3));
        if (reads) {
          lock.unlock_shared();
        } else {
          lock.unlock();
        }
      }
    };
    group.spawn(std::ref(unlocker));
    std::size_t taken = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
      co_await ready[i]->wait();
      bool got = false;
      if (i % 3 == 2) {
        got = co_await locks[i]->lock_shared(plenty);
        if (got) locks[i]->unlock_shared();
      } else {
        got = co_await locks[i]->lock(plenty);
        if (got) locks[i]->unlock();
      }
      if (got) {
        ++taken;
        locks[i].reset();
      }
    }
    co_await group.join();
    EXPECT_EQ(taken, rounds);
  };
  trine::run(body());
}

// Guards.

TYPED_TEST(SharedLockTest, GuardsUnlockAtTheEndOfTheirScope) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    {
      const auto writing = co_await lock.guard();
      EXPECT_EQ(writing.lock(), &lock);
      EXPECT_EQ(inside(lock), Inside::writer);
      const auto none = co_await lock.guard(0ms);
      EXPECT_FALSE(static_cast<bool>(none));
      const auto neither = co_await lock.shared_guard(0ms);
      EXPECT_FALSE(static_cast<bool>(neither));
    }
    EXPECT_EQ(inside(lock), Inside::nobody);
    {
      const auto reading = co_await lock.shared_guard();
      EXPECT_EQ(reading.lock(), &lock);
      {
        const auto too = co_await lock.shared_guard();
        EXPECT_TRUE(static_cast<bool>(too));
      }
      EXPECT_EQ(inside(lock), Inside::readers);
      const auto none = co_await lock.guard(0ms);
      EXPECT_FALSE(static_cast<bool>(none));
    }
    EXPECT_EQ(inside(lock), Inside::nobody);
    try {
      const auto reading = co_await lock.shared_guard();
      throw std::logic_error("a user's");
    } catch (const std::logic_error&) {
    }
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, ASharedGuardMoves) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> first;
    SharedLock<B> second;
    auto held = co_await first.shared_guard();
    SharedGuard<SharedLock<B>> moved(std::move(held));
    EXPECT_EQ(moved.lock(), &first);
    EXPECT_FALSE(static_cast<bool>(held));
    EXPECT_EQ(inside(first), Inside::readers);

    auto other = co_await second.shared_guard();
    moved = std::move(other);
    EXPECT_EQ(inside(first), Inside::nobody) << "what it held before is unlocked";
    EXPECT_EQ(moved.lock(), &second);
    EXPECT_FALSE(static_cast<bool>(other));
    EXPECT_EQ(inside(second), Inside::readers);

    moved.swap(other);
    EXPECT_EQ(other.lock(), &second);
    EXPECT_FALSE(static_cast<bool>(moved));
    other.unlock();
    EXPECT_EQ(inside(second), Inside::nobody);
    EXPECT_FALSE(static_cast<bool>(other));
    other.unlock();
    EXPECT_EQ(inside(second), Inside::nobody) << "a second unlock of a guard does nothing";
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, GuardsReleaseAndTakeOver) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    {
      auto reading = co_await lock.shared_guard();
      EXPECT_EQ(reading.release(), &lock);
      EXPECT_FALSE(static_cast<bool>(reading));
      EXPECT_EQ(reading.release(), nullptr);
    }
    EXPECT_EQ(inside(lock), Inside::readers);
    {
      const SharedGuard<SharedLock<B>> adopted(lock);
    }
    EXPECT_EQ(inside(lock), Inside::nobody);
    {
      auto writing = co_await lock.guard();
      EXPECT_EQ(writing.release(), &lock);
    }
    EXPECT_EQ(inside(lock), Inside::writer);
    {
      const Guard<SharedLock<B>> adopted(lock);
    }
    EXPECT_EQ(inside(lock), Inside::nobody);
  };
  trine::run(body());
}

TYPED_TEST(SharedLockTest, RecoverOfAHealthyLockIsGuard) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    SharedLock<B> lock;
    for (int i = 0; i < 2; ++i) {
      auto held = co_await lock.recover();
      EXPECT_EQ(held.lock(), &lock);
      EXPECT_EQ(inside(lock), Inside::writer);
      const auto none = co_await lock.recover(0ms);
      EXPECT_FALSE(static_cast<bool>(none));
      held.unlock();
      EXPECT_EQ(inside(lock), Inside::nobody);
    }
    co_await lock.lock_shared();
    const auto none = co_await lock.recover(1ms);
    EXPECT_FALSE(static_cast<bool>(none));
    EXPECT_EQ(inside(lock), Inside::readers);
    lock.unlock_shared();
  };
  trine::run(body());
}

// The standard's templates, which lock by plain calls.

template <class B>
class StandardSharedLockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!trine_test::blocking<B>) GTEST_SKIP() << "its waits are awaited";
  }
};

TYPED_TEST_SUITE(StandardSharedLockTest, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(StandardSharedLockTest, SharedLockOfTheStandard) {
  if constexpr (trine_test::blocking<TypeParam>) {
    SharedLock<TypeParam> lock;
    {
      std::shared_lock reading(lock);
      EXPECT_TRUE(reading.owns_lock());
      std::shared_lock too(lock, std::try_to_lock);
      EXPECT_TRUE(too.owns_lock());
      EXPECT_EQ(inside(lock), Inside::readers);
      reading.unlock();
      EXPECT_EQ(inside(lock), Inside::readers);
      too.unlock();
      EXPECT_EQ(inside(lock), Inside::nobody);
      EXPECT_TRUE(too.try_lock());
      EXPECT_EQ(too.release(), &lock);
      const std::shared_lock adopted(lock, std::adopt_lock);
      EXPECT_EQ(inside(lock), Inside::readers);
    }
    EXPECT_EQ(inside(lock), Inside::nobody);
  }
}

TYPED_TEST(StandardSharedLockTest, SharedLockOfTheStandardWithALimit) {
  if constexpr (trine_test::blocking<TypeParam>) {
    SharedLock<TypeParam> lock;
    std::unique_lock writing(lock);
    const auto end = trine_test::Clock::now() + brief;
    std::shared_lock reading(lock, brief);
    EXPECT_FALSE(reading.owns_lock());
    EXPECT_GE(trine_test::Clock::now(), end);
    EXPECT_FALSE(reading.try_lock());
    EXPECT_FALSE(reading.try_lock_for(1ms));
    EXPECT_FALSE(reading.try_lock_until(std::chrono::system_clock::now() + 1ms));
    writing.unlock();
    EXPECT_TRUE(reading.try_lock_for(0ms));
    reading.unlock();
    EXPECT_TRUE(reading.try_lock_until(trine_test::Clock::now() + plenty));
    EXPECT_EQ(inside(lock), Inside::readers);
    EXPECT_FALSE(writing.try_lock_for(1ms));
    EXPECT_FALSE(writing.try_lock_until(trine_test::Clock::now() + 1ms));
    EXPECT_FALSE(writing.try_lock());
    reading.unlock();
    EXPECT_TRUE(writing.try_lock());
  }
}

TYPED_TEST(StandardSharedLockTest, ExclusiveTemplates) {
  if constexpr (trine_test::blocking<TypeParam>) {
    SharedLock<TypeParam> lock;
    {
      const std::lock_guard writing(lock);
      EXPECT_EQ(inside(lock), Inside::writer);
    }
    SharedLock<TypeParam> other;
    {
      const std::scoped_lock both(lock, other);
      EXPECT_EQ(inside(lock), Inside::writer);
      EXPECT_EQ(inside(other), Inside::writer);
    }
    std::unique_lock timed(lock, plenty);
    EXPECT_TRUE(timed.owns_lock());
    timed.unlock();
    EXPECT_EQ(inside(lock), Inside::nobody);
  }
}

// One writes the first and reads the second, one the other way about, and std::lock keeps them from a deadlock.
TYPED_TEST(StandardSharedLockTest, LockOfTwoInOppositeOrders) {
  using B = TypeParam;
  if constexpr (trine_test::blocking<B>) {
    static constexpr int rounds = 300;
    SharedLock<B> first;
    SharedLock<B> second;
    int first_sum = 0;
    int second_sum = 0;
    const auto party = [&](SharedLock<B>& mine, int& my_sum, SharedLock<B>& other, const int& other_sum) {
      int last = 0;
      for (int i = 0; i < rounds; ++i) {
        std::unique_lock writing(mine, std::defer_lock);
        std::shared_lock reading(other, std::defer_lock);
        std::lock(writing, reading);
        ++my_sum;
        EXPECT_GE(other_sum, last);
        last = other_sum;
        if (i % 50 == 0) std::this_thread::yield();
      }
    };
    TaskGroup<B> group;
    group.spawn(std::ref(party), std::ref(first), std::ref(first_sum), std::ref(second), std::cref(second_sum));
    group.spawn(std::ref(party), std::ref(second), std::ref(second_sum), std::ref(first), std::cref(first_sum));
    EXPECT_TRUE(group.join(plenty));
    EXPECT_EQ(first_sum, rounds);
    EXPECT_EQ(second_sum, rounds);
  }
}

// CPython's lock_tests.py has no lock for readers and writers.

}  // namespace
