// SPDX-License-Identifier: BSL-1.0
//
// Locks in a process with a single thread, where no atomic step is needed to take and to free them, and what comes after: a
// second thread that starts while a lock is held, a signal handler in the middle, a child made by fork().

#include <gtest/gtest.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <support/children.hpp>
#include <thread>
#include <trine/lock.hpp>
#include <trine/os/single_thread.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/shared_lock.hpp>

namespace {

using namespace std::chrono_literals;
using trine_test::in_child;

// A sanitizer may have started a thread of its own, here or in each child (as ThreadSanitizer does), and then nothing here differs
// from other tests, which is no failure.
class SingleThread : public ::testing::Test {
 protected:
  void SetUp() override {
    const bool here = trine::os::single_threaded();
    if (!here || in_child([] { return trine::os::single_threaded() ? 0 : 1; }) != 0) {
      GTEST_SKIP() << "the C library does not say that this process, or a child of it, has one thread";
    }
  }
};

TEST_F(SingleThread, ExcludesAndRefuses) {
  trine::Lock<> lock;
  EXPECT_THROW(lock.unlock(), trine::NotLocked);
  EXPECT_TRUE(lock.lock());
  EXPECT_FALSE(lock.try_lock());
  EXPECT_FALSE(lock.lock(1ms));
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  EXPECT_FALSE(lock.locked());
  EXPECT_THROW(lock.unlock(), trine::NotLocked);

  trine::SharedLock<> shared;
  EXPECT_TRUE(shared.lock());
  EXPECT_FALSE(shared.try_lock_shared());
  shared.unlock();
  EXPECT_TRUE(shared.lock_shared());
  EXPECT_FALSE(shared.lock(1ms));
  shared.unlock_shared();

  trine::RecursiveLock<> recursive;
  EXPECT_TRUE(recursive.lock() && recursive.lock());
  recursive.unlock();
  EXPECT_TRUE(recursive.locked());
  recursive.unlock();
  EXPECT_THROW(recursive.unlock(), trine::NotLocked);
}

// Taken while there was one thread, freed when there are two, of which the other may sleep for it: it must be woken, and see what the
// owner wrote. Each child is a process with one thread anew.
TEST_F(SingleThread, ASecondThreadStartsWhileItIsHeld) {
  for (int i = 0; i < 40; ++i) {
    const int code = in_child([i] {
      if (!trine::os::single_threaded()) return 3;
      trine::Lock<> lock;
      int written = 0;
      bool seen = false;
      std::atomic<bool> there{false};
      lock.lock();
      std::thread second([&] {
        there.store(true);
        if (lock.lock(60s)) seen = written == 1;
        lock.unlock();
      });
      if (trine::os::single_threaded()) return 4;
      // Whether the other sleeps already, only looks on or has not come yet: each is to be met.
      while (i % 2 != 0 && !there.load()) std::this_thread::yield();
      for (int turn = 0; turn < i; ++turn) std::this_thread::yield();
      written = 1;
      lock.unlock();
      second.join();
      return seen ? 0 : 1;
    });
    ASSERT_EQ(code, 0);
  }
}

TEST_F(SingleThread, ThreadsStartOneAfterTheOtherAndCount) {
  EXPECT_EQ(in_child([] {
              constexpr std::int64_t turns = 20'000;
              trine::Lock<> lock;
              std::int64_t count = 0;
              const auto counts = [&] {
                for (std::int64_t i = 0; i < turns; ++i) {
                  lock.lock();
                  ++count;
                  lock.unlock();
                }
              };
              counts();
              std::thread second(counts);
              counts();
              std::thread third(counts);
              counts();
              second.join();
              third.join();
              counts();
              return count == 6 * turns ? 0 : 1;
            }),
            0);
}

TEST_F(SingleThread, AQueueIsFilledBeforeItsConsumerStarts) {
  EXPECT_EQ(in_child([] {
              trine::Queue<int> queue(1000);
              for (int i = 0; i < 1000; ++i) queue.put(i);
              long total = 0;
              std::thread consumer([&] {
                for (const int item : queue) total += item;
              });
              for (int i = 1000; i < 50'000; ++i) queue.put(i);
              queue.shutdown();
              consumer.join();
              return total == 49'999L * 50'000L / 2 ? 0 : 1;
            }),
            0);
}

TEST_F(SingleThread, AChildOfAProcessWithThreads) {
  EXPECT_EQ(in_child([] {
              trine::Lock<> lock;
              std::atomic<bool> over{false};
              std::thread other([&] {
                while (!over.load()) {
                  lock.lock();
                  lock.unlock();
                }
              });
              int code = 0;
              for (int i = 0; i < 20 && code == 0; ++i) {
                lock.lock();
                code = in_child([&lock] {
                  if (lock.try_lock()) return 1;
                  lock.unlock();
                  return lock.try_lock() ? 0 : 2;
                });
                lock.unlock();
              }
              over.store(true);
              other.join();
              return code;
            }),
            0);
}

// What a handler of a signal does between any two instructions: it takes the lock if it is free, and frees it.
trine::Lock<>* handled;
volatile std::sig_atomic_t taken;
volatile std::sig_atomic_t not_taken;

void take_and_free(int /*signal*/) {
  if (handled->try_lock()) {
    handled->unlock();
    taken = taken + 1;
  } else {
    not_taken = not_taken + 1;
  }
}

TEST_F(SingleThread, ASignalHandlerTriesTheLock) {
  const int code = in_child([] {
    trine::Lock<> lock;
    handled = &lock;
    struct sigaction action {};
    action.sa_handler = take_and_free;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval often{.it_interval = {.tv_sec = 0, .tv_usec = 50}, .it_value = {.tv_sec = 0, .tv_usec = 50}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const auto end = std::chrono::steady_clock::now() + 20s;
    while ((taken < 500 || not_taken < 500) && std::chrono::steady_clock::now() < end) {
      for (int i = 0; i < 10'000; ++i) {
        lock.lock();  // if a handler left it taken, this waits for ever
        lock.unlock();  // if a handler freed it, this throws
      }
    }
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    return taken >= 500 && not_taken >= 500 && !lock.locked() ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
}

}  // namespace
