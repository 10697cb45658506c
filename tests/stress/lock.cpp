// SPDX-License-Identifier: BSL-1.0
//
// Lock, RecursiveLock and SharedLock under many threads: exclusion, exact totals, hand-off, and destruction by the next owner.
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/shared_lock.hpp>

#include <mutex>
#include <shared_mutex>

#include "stress/storm.hpp"
#include "support/backends.hpp"

namespace {

using trine::Lock;
using trine::RecursiveLock;
using trine::SharedLock;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;

template <class B>
class LockStress : public ::testing::Test {};
TYPED_TEST_SUITE(LockStress, trine_test::Backends, trine_test::BackendName);

// Takes the lock in one of the ways there are, calls `inside`, and frees it. Says whether it was taken.
template <class L, class Inside>
bool with_lock(L& lock, Party& me, Inside inside) {
  switch (me.below(7)) {
    case 0: {
      me.at("lock");
      if (!lock.lock()) me.must(false, "lock without a limit gave up");
      break;
    }
    case 1: {
      me.at("lock with a limit");
      if (!lock.lock(me.limit())) return false;
      break;
    }
    case 2: {
      me.at("try_lock");
      if (!lock.try_lock()) return false;
      break;
    }
    case 3: {
      me.at("guard");
      auto held = lock.guard(me.limit_or_never());
      if (held) inside();
      return bool(held);
    }
    case 4: {
      me.at("unique_lock with a limit");
      const std::unique_lock held(lock, std::chrono::microseconds(me.below(200)));
      if (held) inside();
      return held.owns_lock();
    }
    case 5: {
      me.at("recover");
      auto held = lock.recover(me.limit_or_never());
      if (held) inside();
      return bool(held);
    }
    default: {
      me.at("scoped_lock");
      const std::scoped_lock held(lock);
      inside();
      return true;
    }
  }
  inside();
  lock.unlock();
  return true;
}

template <class L>
void one_at_a_time() {
  L lock;
  std::uint64_t count = 0;  // plain: the lock alone guards it
  bool occupied = false;
  std::atomic<std::uint64_t> total{0};
  Storm storm;
  storm.add(8, "party", [&](Party& me) {
    std::uint64_t mine = 0;
    while (!me.over()) {
      mine += with_lock(lock, me, [&] {
        me.must(!std::exchange(occupied, true), "two are inside");
        ++count;
        if (me.one_in(8)) me.dawdle();
        occupied = false;
      });
      if (me.one_in(4)) me.dawdle();
    }
    total += mine;
  });
  storm.run();
  EXPECT_EQ(count, total);
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

TYPED_TEST(LockStress, lock_lets_one_in_at_a_time) { one_at_a_time<Lock<TypeParam>>(); }
TYPED_TEST(LockStress, recursive_lock_lets_one_in_at_a_time) { one_at_a_time<RecursiveLock<TypeParam>>(); }
TYPED_TEST(LockStress, shared_lock_lets_one_writer_in_at_a_time) { one_at_a_time<SharedLock<TypeParam>>(); }

// The lock inside the other primitives. Those who took it last go on at once, so that one who isn't woken sleeps on.
TYPED_TEST(LockStress, short_lock_lets_one_in_at_a_time) {
  typename TypeParam::ShortLock gate;
  std::uint64_t count = 0;
  std::atomic<std::uint64_t> total{0};
  Storm storm;
  storm.add(8, "party", [&](Party& me) {
    std::uint64_t mine = 0;
    while (!me.over()) {
      me.at("lock");
      for (int i = 0; i < 200; ++i) {
        gate.lock();
        ++count;
        gate.unlock();
      }
      mine += 200;
      me.dawdle();
    }
    total += mine;
  });
  storm.run();
  EXPECT_EQ(count, total);
}

// std::lock backs off from one of the two when the other is taken.
TYPED_TEST(LockStress, two_locks_at_once) {
  Lock<TypeParam> left;
  RecursiveLock<TypeParam> right;
  std::uint64_t count = 0;
  std::atomic<std::uint64_t> total{0};
  Storm storm;
  storm.add(8, "party", [&](Party& me) {
    std::uint64_t mine = 0;
    while (!me.over()) {
      me.at("lock both");
      if (me.one_in(2)) {
        const std::scoped_lock both(left, right);
        ++count;
        ++mine;
      } else {
        const std::scoped_lock both(right, left);
        ++count;
        ++mine;
      }
      me.dawdle();
    }
    total += mine;
  });
  storm.run();
  EXPECT_EQ(count, total);
}

// Any thread may unlock: two locks that are each locked by one side and unlocked by the other are a ping-pong.
TYPED_TEST(LockStress, lock_handed_from_thread_to_thread) {
  struct Pair {
    Lock<TypeParam> ping;
    Lock<TypeParam> pong;
    std::uint64_t data = 0;
  };
  std::vector<Pair> pairs(4);
  for (auto& pair : pairs) {
    pair.ping.lock();
    pair.pong.lock();
  }
  Storm storm;
  storm.add(4, "serves", [&](Party& me) {
    Pair& pair = pairs[me.number()];
    for (bool last = false; !last;) {
      const std::uint64_t before = pair.data;
      last = me.over();
      pair.data = last ? 0 : before + 2;
      me.at("unlock ping");
      pair.ping.unlock();
      me.at("lock pong");
      while (!pair.pong.lock(me.limit_or_never())) me.at("lock pong again");
      me.must(last || pair.data == before + 3, "the other's data is missing");
      me.must(pair.pong.locked(), "it is not locked");
    }
  });
  storm.add(4, "returns", [&](Party& me) {
    Pair& pair = pairs[me.number() - 4];
    for (bool last = false; !last;) {
      me.at("lock ping");
      while (!pair.ping.lock(me.limit_or_never())) me.at("lock ping again");
      last = pair.data == 0;
      ++pair.data;
      me.at("unlock pong");
      pair.pong.unlock();
    }
  });
  storm.run();
}

TYPED_TEST(LockStress, recursive_lock_counts_levels) {
  RecursiveLock<TypeParam> lock;
  std::uint64_t count = 0;
  std::atomic<std::uint64_t> total{0};
  Storm storm;
  storm.show([&] { return std::string(lock.locked() ? "locked" : "free"); });
  storm.add(8, "party", [&](Party& me) {
    std::uint64_t mine = 0;
    while (!me.over()) {
      if (me.one_in(8)) {
        me.at("unlock another's");
        bool refused = false;
        try {
          lock.unlock();
        } catch (const trine::NotOwner&) {
          refused = true;
        } catch (const trine::NotLocked&) {
          refused = true;
        }
        me.must(refused, "unlocked by one who does not own it");
      }
      me.must(lock.depth() == 0, "deep before it locks");
      me.at("lock");
      if (!lock.lock(me.limit_or_never())) continue;
      const unsigned levels = 1 + me.below(5);
      for (unsigned i = 1; i < levels; ++i) {
        const bool again = me.one_in(2) ? lock.try_lock() : lock.lock(me.limit());
        me.must(again, "the owner could not lock again");
      }
      ++count;
      ++mine;
      for (unsigned i = levels; i > 0; --i) {
        me.must(lock.depth() == i, "the depth is wrong");
        if (me.one_in(8)) me.dawdle();
        lock.unlock();
      }
    }
    total += mine;
  });
  storm.run();
  EXPECT_EQ(count, total);
  EXPECT_FALSE(lock.locked());
}

// Readers never stop; the writers get in nevertheless, and nobody sees a half-written pair.
TYPED_TEST(LockStress, readers_and_writers) {
  SharedLock<TypeParam> lock;
  std::uint64_t first = 0;  // plain: written by writers alone, equal whenever no writer is inside
  std::uint64_t second = 0;
  std::atomic<std::uint64_t> total{0};
  Storm storm;
  storm.show([&] { return "written " + std::to_string(total); });
  storm.add(5, "reads", [&](Party& me) {
    std::uint64_t seen = 0;
    const auto look = [&] {
      me.must(first == second, "a reader is inside with a writer");
      me.must(first >= seen, "a reader sees an older state than before");
      seen = first;
      if (me.one_in(16)) me.dawdle();
    };
    while (!me.over()) {
      switch (me.below(5)) {
        case 0: {
          me.at("lock_shared with a limit");
          if (!lock.lock_shared(me.limit())) continue;
          look();
          lock.unlock_shared();
          break;
        }
        case 1: {
          me.at("try_lock_shared");
          if (!lock.try_lock_shared()) continue;
          look();
          lock.unlock_shared();
          break;
        }
        case 2: {
          me.at("shared_guard");
          if (const auto held = lock.shared_guard(me.limit_or_never())) look();
          break;
        }
        case 3: {
          me.at("std::shared_lock with a limit");
          const std::shared_lock held(lock, std::chrono::microseconds(me.below(200)));
          if (held) look();
          break;
        }
        default: {
          me.at("std::shared_lock");
          const std::shared_lock held(lock);
          look();
        }
      }
    }
  });
  storm.add(3, "writes", [&](Party& me) {
    while (!me.over()) {
      const bool wrote = with_lock(lock, me, [&] {
        ++first;
        if (me.one_in(8)) me.dawdle();
        ++second;
      });
      if (wrote) total.fetch_add(1, std::memory_order_relaxed);
      me.dawdle();
    }
  });
  storm.run();
  EXPECT_EQ(first, total);
  EXPECT_EQ(second, total);
  EXPECT_TRUE(lock.try_lock());
}

TYPED_TEST(LockStress, lock_destroyed_by_the_next_owner) {
  trine_test::destroy_after_wait(
      [] {
        auto* const lock = new Lock<TypeParam>;
        lock->lock();
        return lock;
      },
      [](auto& lock) { lock.unlock(); },
      [](auto& lock, Party& me) {
        while (!lock.lock(me.limit_or_never())) me.at("wait again");
        lock.unlock();
      });
}

TYPED_TEST(LockStress, recursive_lock_destroyed_by_the_next_owner) {
  trine_test::destroy_after_wait(
      [] {
        auto* const lock = new RecursiveLock<TypeParam>;
        lock->lock();
        lock->lock();
        return lock;
      },
      [](auto& lock) {
        lock.unlock();
        lock.unlock();
      },
      [](auto& lock, Party& me) {
        while (!lock.lock(me.limit_or_never())) me.at("wait again");
        lock.unlock();
      });
}

TYPED_TEST(LockStress, shared_lock_destroyed_by_the_next_reader) {
  trine_test::destroy_after_wait(
      [] {
        auto* const lock = new SharedLock<TypeParam>;
        lock->lock();
        return lock;
      },
      [](auto& lock) { lock.unlock(); },
      [](auto& lock, Party& me) {
        while (!lock.lock_shared(me.limit_or_never())) me.at("wait again");
        lock.unlock_shared();
      });
}

TYPED_TEST(LockStress, shared_lock_destroyed_by_the_next_writer) {
  trine_test::destroy_after_wait(
      [] {
        auto* const lock = new SharedLock<TypeParam>;
        lock->lock_shared();
        return lock;
      },
      [](auto& lock) { lock.unlock_shared(); },
      [](auto& lock, Party& me) {
        while (!lock.lock(me.limit_or_never())) me.at("wait again");
        lock.unlock();
      });
}

}  // namespace
