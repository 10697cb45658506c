// SPDX-License-Identifier: BSL-1.0
//
// fork(): objects work in the child of a process with several threads, whatever these were doing; and what the parent's thread
// owns is not the child's.

#include <gtest/gtest.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>

#include "process/killing/children.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;
using trine::processes;

class Fork : public LeavesNothing {
 protected:
  /// Runs it in a child, which must end well.
  static void in_child(const std::function<void()>& body) {
    SharedPlace place;
    Child child(place.report(), body);
    EXPECT_TRUE(child.ends_before(Clock::now() + hang)) << "the child hangs in system call " << sleeps_in(child.id());
    EXPECT_EQ(child.trouble(), "");
  }
};

template <class X>
void must_throw(const std::function<void()>& call, const char* what) {
  try {
    call();
  } catch (const X&) {
    return;
  }
  require(false, what);
}

TEST_F(Fork, ALockOfTheParentIsNotTheChilds) {
  trine::Lock<processes> lock;
  trine::RecursiveLock<processes> recursive;
  trine::SharedLock<processes> shared;
  lock.lock();
  recursive.lock();
  shared.lock();
  in_child([&] {
    must_throw<trine::NotOwner>([&] { lock.unlock(); }, "the child unlocked its parent's Lock");
    must_throw<trine::NotOwner>([&] { recursive.unlock(); }, "the child unlocked its parent's RecursiveLock");
    must_throw<trine::NotOwner>([&] { shared.unlock(); }, "the child unlocked its parent's SharedLock");
    require(recursive.depth() == 0, "the child owns its parent's RecursiveLock");
    require(!lock.try_lock() && !recursive.try_lock() && !shared.try_lock(), "locked by two");
  });
  lock.unlock();
  recursive.unlock();
  shared.unlock();
  in_child([&] {
    require(lock.try_lock() && recursive.try_lock() && shared.try_lock(), "not free");
    lock.unlock();
    recursive.unlock();
    shared.unlock();
  });
}

TEST_F(Fork, APermitOfTheParentIsNotTheChilds) {
  trine::Semaphore<processes> semaphore(1, 1);
  auto permit = semaphore.permit();
  in_child([&] {
    must_throw<trine::NotOwner>([&] { permit.release(); }, "the child gave its parent's permit back");
    require(semaphore.value() == 0 && !semaphore.try_acquire(), "a permit too many");
  });
  permit.release();
  EXPECT_EQ(semaphore.value(), 1);
}

TEST_F(Fork, TheEndOfTheChildIsNotTheParentsDeath) {
  trine::Lock<processes> lock;
  trine::Semaphore<processes> semaphore(1, 1);
  auto held = lock.guard();
  auto permit = semaphore.permit();
  in_child([] {});
  in_child([] { ::raise(0); });
  EXPECT_FALSE(lock.try_lock());
  EXPECT_EQ(semaphore.value(), 0);
  held.unlock();
  permit.release();
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

TEST_F(Fork, TheDeathOfTheParentsLockHolderIsTheChildsAlone) {
  trine::Lock<processes> lock;
  in_child([&] { lock.lock(); });
  EXPECT_THROW(lock.lock(), trine::OwnerDied);
  lock.recover().unlock();
}

TEST_F(Fork, AChildOfAChildHasANumberOfItsOwn) {
  trine::Lock<processes> lock;
  in_child([&] {
    auto held = lock.guard();
    in_child([&] { must_throw<trine::NotOwner>([&] { lock.unlock(); }, "the grandchild unlocked the child's lock"); });
  });
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

TEST_F(Fork, TheChildOfAThreadKnowsItsOwnNumber) {
  trine::Lock<processes> lock;
  std::thread thread([&] {
    auto held = lock.guard();
    in_child([&] { must_throw<trine::NotOwner>([&] { lock.unlock(); }, "the child unlocked its parent's lock"); });
    held.unlock();
    in_child([&] {
      auto mine = lock.guard(hang);
      require(static_cast<bool>(mine), "not free");
    });
  });
  thread.join();
}

/// Threads that use everything as fast as they can while the test forks.
class Busy {
 public:
  Busy() {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this] { work(); });
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() {
    over_ = true;
    for (auto& thread : threads_) thread.join();
  }

  void use_all() {
    { const auto held = lock.guard(); }
    { const auto held = recursive.guard(); }
    { const auto held = shared.shared_guard(); }
    { const auto held = shared.guard(); }
    { const auto permit = semaphore.permit(); }
    queue.put(1);
    static_cast<void>(queue.get());
    event.set();
    event.clear();
  }

  trine::Lock<processes> lock;
  trine::RecursiveLock<processes> recursive;
  trine::SharedLock<processes> shared;
  trine::Semaphore<processes> semaphore{2, 2};
  trine::Queue<int, processes> queue{8};
  trine::Event<processes> event;

 private:
  void work() {
    while (!over_) use_all();
  }

  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

TEST_F(Fork, WhileOtherThreadsAreInsideOfEverything) {
  constexpr int times = sanitized ? 30 : 200;
  Busy busy;
  for (int i = 0; i < times; ++i) {
    in_child([&] {
      for (int turn = 0; turn < 20; ++turn) busy.use_all();
    });
    if (HasFailure()) return;
  }
}

TEST_F(Fork, TheThreadsOfTheParentGoOnInItAlone) {
  // A lock that another thread of the parent owns at the fork is still that thread's: it is not the child's, nor dead.
  trine::Lock<processes> lock;
  std::atomic<int> stage{0};
  std::thread owner([&] {
    lock.lock();
    stage = 1;
    while (stage != 2) std::this_thread::yield();
    lock.unlock();
  });
  while (stage != 1) std::this_thread::yield();
  in_child([&] { require(!lock.lock(5ms), "locked by two"); });
  SharedPlace place;
  Child waiter(place.report(), [&] { lock.guard().unlock(); });
  EXPECT_TRUE(waiter.falls_asleep());
  stage = 2;
  owner.join();
  EXPECT_TRUE(waiter.ends_before(Clock::now() + hang));
  EXPECT_EQ(waiter.trouble(), "");
}

TEST_F(Fork, TheChildIsReachedByTheFencesOfOthers) {
#if defined(MEMBARRIER_CMD_GET_REGISTRATIONS)
  const auto registered = [] { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GET_REGISTRATIONS, 0, 0); };
#else
  const auto registered = [] { return ::syscall(SYS_membarrier, 1 << 9, 0, 0); };
#endif
  if (registered() < 0) GTEST_SKIP() << "this kernel does not tell what a process is registered for";
  if (!trine::os::RobustFutex::fences_others()) GTEST_SKIP() << "no fences of others here";
  EXPECT_NE(registered() & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0);
  in_child([&] {
    require((registered() & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0, "a child relies on fences that do not reach it");
  });
}

}  // namespace
