// SPDX-License-Identifier: BSL-1.0
//
// fork() in a program with threads: what the child has of the objects, of its parent's locks, and of itself.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <support/mapped.hpp>
#include <support/scenarios.hpp>
#include <thread>
#include <trine/trine.hpp>
#include <vector>

namespace {

using namespace trine_test;
using B = trine::processes;

class Fork : public Leakless {};

/// Everything that a thread may own, and that it owns here.
struct Owned {
  trine::Lock<B> lock;
  trine::RecursiveLock<B> recursive;
  trine::SharedLock<B> written, read;
  trine::Semaphore<B> permits{1};
  std::optional<trine::Permit<B>> permit;

  void take() {
    check(lock.lock() && recursive.lock() && recursive.lock() && written.lock() && read.lock_shared());
    permit.emplace(permits.permit());
  }
  void give_back() {
    lock.unlock();
    check(recursive.depth() == 2);
    recursive.unlock();
    recursive.unlock();
    written.unlock();
    read.unlock_shared();
    permit.reset();
  }
  [[nodiscard]] bool is_taken() {
    return lock.locked() && recursive.locked() && !written.try_lock_shared() && !read.try_lock() && permits.value() == 0;
  }
  [[nodiscard]] bool is_free() {
    return !lock.locked() && !recursive.locked() && written.try_lock() && (written.unlock(), true) && read.try_lock() &&
           (read.unlock(), true) && permits.value() == 1;
  }
  /// By one who owns nothing of it.
  void cannot_be_given_back() {
    check_throws<trine::NotOwner>([this] { lock.unlock(); });
    check(recursive.depth() == 0);
    check_throws<trine::NotOwner>([this] { recursive.unlock(); });
    check_throws<trine::NotOwner>([this] { written.unlock(); });
    check_throws<trine::NotLocked>([this] { read.unlock_shared(); });
    check_throws<trine::NotOwner>([this] { permit->release(); });
    check(!lock.lock(not_long) && !recursive.lock(not_long) && !written.lock_shared(not_long) && !read.lock(not_long));
    check(!permits.permit(not_long));
  }
};

TEST_F(Fork, WhatTheForkingThreadOwnsIsNotItsChilds) {
  Owned owned;
  trine::Event<B> looked, given_back;
  owned.take();
  Child child([&] {
    owned.cannot_be_given_back();
    looked.set();
    check(given_back.wait(in_time));
    check(owned.is_free());
    // What the child takes itself is its own.
    trine::Lock<B> another;
    check(another.lock() && owned.lock.lock() && owned.recursive.lock() && owned.recursive.depth() == 1);
    another.unlock();
    owned.recursive.unlock();
    owned.lock.unlock();
    return 0;
  });
  EXPECT_TRUE(looked.wait(in_time));
  EXPECT_TRUE(owned.is_taken());
  owned.give_back();
  given_back.set();
  EXPECT_EQ(child.join(), 0);
  EXPECT_TRUE(owned.is_free());
}

// The death of a child is nothing to what its parent owns.
TEST_F(Fork, AChildThatEndsLeavesItsParentsLocks) {
  Owned owned;
  owned.take();
  EXPECT_EQ(in_child([&] { return owned.is_taken() ? 0 : 1; }), 0);
  Child killed([] { return ::pause(); });
  killed.signal(SIGKILL);
  EXPECT_EQ(killed.join(), -SIGKILL);
  EXPECT_TRUE(owned.is_taken());
  owned.give_back();
  EXPECT_TRUE(owned.is_free());
}

// A child that takes much, and gives it back, leaves the parent's own list of what it owns as it was.
TEST_F(Fork, ParentAndChildOwnThingsAtTheSameTime) {
  std::vector<std::unique_ptr<trine::Lock<B>>> locks;
  for (int i = 0; i < 40; ++i) locks.push_back(std::make_unique<trine::Lock<B>>());
  for (std::size_t i = 0; i < locks.size(); i += 2) EXPECT_TRUE(locks[i]->lock());
  trine::Barrier<B> step(2);
  Child child([&] {
    for (std::size_t i = 1; i < locks.size(); i += 2) check(locks[i]->try_lock());
    step.wait(in_time);
    step.wait(in_time);
    for (std::size_t i = 0; i < locks.size(); ++i) {
      if (i % 4 == 0) check(locks[i]->try_lock());
      if (i % 4 == 2) check(!locks[i]->try_lock());
    }
    for (std::size_t i = 1; i < locks.size(); i += 2) locks[i]->unlock();
    for (std::size_t i = 0; i < locks.size(); i += 4) locks[i]->unlock();
    return 0;
  });
  step.wait(in_time);
  for (std::size_t i = 1; i < locks.size(); i += 2) EXPECT_FALSE(locks[i]->try_lock());
  for (std::size_t i = 0; i < locks.size(); i += 4) locks[i]->unlock();
  step.wait(in_time);
  EXPECT_EQ(child.join(), 0);
  for (std::size_t i = 2; i < locks.size(); i += 4) locks[i]->unlock();
  for (auto& lock : locks) EXPECT_FALSE(lock->locked());
}

// Threads of the parent hold locks, wait for locks, and lock and unlock all the time; the child has none of these threads.
TEST_F(Fork, WhileOtherThreadsHoldWaitAndWork) {
  Owned held;
  trine::Lock<B> busy;
  trine::Queue<int, B> jobs(3);
  trine::Event<B> stop, go;
  trine::Semaphore<B> ready(0);
  Mapped<std::int64_t> sum;
  std::int64_t added = 0;
  {
    std::jthread holder([&] {
      held.take();
      ready.release();
      EXPECT_TRUE(stop.wait(in_time));
      held.give_back();
    });
    std::jthread waiter([&] {
      ready.release();
      EXPECT_TRUE(go.wait(in_time));
      EXPECT_TRUE(held.lock.lock(in_time));
      held.lock.unlock();
    });
    std::jthread worker([&] {
      ready.release();
      while (!stop.is_set()) {
        const auto guard = busy.guard(in_time);
        sum.first() = sum.first() + 1;
        ++added;
      }
    });
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ready.acquire(in_time));
    for (int round = 0; round < 20; ++round) {
      Child child([&, round] {
        held.cannot_be_given_back();
        for (int i = 0; i < 100; ++i) {
          const auto guard = busy.guard(in_time);
          check(static_cast<bool>(guard));
          sum.first() = sum.first() + 1;
        }
        check(jobs.put(round, in_time));
        go.set();
        return 0;
      });
      EXPECT_EQ(jobs.get(in_time), round);
      EXPECT_EQ(child.join(), 0);
    }
    stop.set();
  }
  EXPECT_EQ(sum.first(), added + 2000);
  EXPECT_TRUE(held.is_free());
}

// Each process, and each thread in it, is somebody of its own: also one that was somebody else before a fork.
TEST_F(Fork, AChildOfAChild) {
  trine::Lock<B> lock;
  trine::RecursiveLock<B> recursive;
  trine::Queue<int, B> told;
  ASSERT_TRUE(lock.lock() && recursive.lock());
  Child child([&] {
    check_throws<trine::NotOwner>([&] { lock.unlock(); });
    trine::Lock<B> of_child;
    check(of_child.lock());
    const int code = in_child([&] {
      check_throws<trine::NotOwner>([&] { lock.unlock(); });
      check_throws<trine::NotOwner>([&] { of_child.unlock(); });
      check(recursive.depth() == 0);
      told.put(1);
      check(lock.lock(in_time));
      told.put(2);
      std::jthread([&] { check(!lock.try_lock() && recursive.lock(in_time) && recursive.depth() == 1); }).join();
      lock.unlock();
      return 7;
    });
    check(of_child.locked());
    of_child.unlock();
    return code;
  });
  EXPECT_EQ(told.get(in_time), 1);
  recursive.unlock();
  lock.unlock();
  EXPECT_EQ(told.get(in_time), 2);
  EXPECT_EQ(child.join(), 7);
  EXPECT_FALSE(lock.locked());
  // The thread of the grandchild ended as its owner.
  EXPECT_THROW(recursive.lock(in_time), trine::OwnerDied);
  EXPECT_TRUE(recursive.recover(in_time));
}

// A thread that has used no object before the fork, and one that is forked off by another than the first.
TEST_F(Fork, ByAnyThread) {
  trine::Lock<B> lock;
  std::jthread([&] {
    EXPECT_EQ(in_child([&] {
                check(lock.lock(in_time));
                lock.unlock();
                return 0;
              }),
              0);
    EXPECT_TRUE(lock.lock());
    EXPECT_EQ(in_child([&] { return lock.try_lock() ? 1 : 0; }), 0);
    lock.unlock();
  }).join();
  EXPECT_FALSE(lock.locked());
}

// Objects that a child makes are its own, and those that it destroys are still its parent's.
TEST_F(Fork, ManyForksLeaveNothingBehind) {
  trine::Lock<B> lock;
  trine::Semaphore<B> slots(3);
  auto queue = std::make_unique<trine::Queue<int, B>>(4);
  trine::Barrier<B> both(2);
  std::size_t files = 0;
  std::size_t mappings = 0;
  for (int i = 0; i < 200; ++i) {
    const auto guard = lock.guard();
    Child child([&, i] {
      check(!lock.try_lock());
      const auto slot = slots.permit(in_time);
      trine::Event<B> own(true);
      trine::Queue<int, B> more(2);
      check(more.put(i) && own.wait() && queue->put(*more.try_get(), in_time));
      queue.reset();
      both.wait(in_time);
      return i % 100;
    });
    EXPECT_EQ(queue->get(in_time), i);
    both.wait(in_time);
    EXPECT_EQ(child.join(), i % 100);
    if (i == 0) {
      files = open_files();
      mappings = shared_mappings();
    }
  }
  EXPECT_EQ(open_files(), files);
  EXPECT_EQ(shared_mappings(), mappings);
  EXPECT_EQ(slots.value(), 3);
}

}  // namespace
