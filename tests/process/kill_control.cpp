// SPDX-License-Identifier: BSL-1.0
//
// What the tests that kill are worth: they find the holes of locks that have some.

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "process/killing/guarded.hpp"
#include "process/killing/kill.hpp"
#include "process/killing/robust_mutex.hpp"

namespace {

using namespace trine_test;

class KillControl : public Kills {};

/// The futex lock of every textbook, of which nobody knows the owner.
struct TextbookLock {
  std::atomic<std::uint32_t> word{0};

  void lock() {
    std::uint32_t seen = 0;
    if (word.compare_exchange_strong(seen, 1)) return;
    while (word.exchange(2) != 0) ::syscall(SYS_futex, &word, FUTEX_WAIT, 2, nullptr, nullptr, 0);
  }
  void unlock() {
    if (word.exchange(0) == 2) ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
};

TEST_F(KillControl, FindsTheHangOfALockWhoseOwnerNobodyKnows) {
  struct Data {
    TextbookLock lock;
  };
  const Swept swept = sweep_instructions(
      "control: a lock whose owner nobody knows; it must hang",
      [](Trial& trial) {
        auto& data = trial.make<Data>();
        trial.victim([&] {
          data.lock.lock();
          trap();
          data.lock.unlock();
        });
        trial.sleeper([&] {
          data.lock.lock();
          data.lock.unlock();
        });
        trial.step();
        trial.kill();
        trial.all_go_on();
      },
      160, 1);
  EXPECT_GT(swept.hangs, 0U);
}

TEST_F(KillControl, FindsHalfChangedData) {
  struct NoLock {
    void lock() {}
    void unlock() {}
    NoLock& recover() { return *this; }
    void release() {}
  };
  const Swept swept = sweep_instructions(
      "control: data without a lock; a half change must be seen",
      [](Trial& trial) {
        auto& data = trial.make<Guarded<NoLock>>();
        trial.victim([&] {
          trap();
          data.change();
        });
        trial.step();
        trial.kill();
        trial.newcomer([&] { data.change_and_unlock(); });
      },
      160, 1);
  EXPECT_GT(swept.troubles, 0U);
  EXPECT_LT(swept.troubles, swept.kills);
}

struct LibraryLock : trine_test::RobustMutex {
  void lock() {
    if (::pthread_mutex_lock(&mutex) == EOWNERDEAD) ::pthread_mutex_consistent(&mutex);
  }
  bool try_lock() { return ::pthread_mutex_trylock(&mutex) == 0; }
  void unlock() { ::pthread_mutex_unlock(&mutex); }
};

TEST_F(KillControl, FindsTheHangOfTheLibrarysRobustMutex) {
  const Swept swept = sweep_instructions(
      "control: pthread robust mutex, a third takes it before the kill",
      [](Trial& trial) {
        auto& lock = trial.make<LibraryLock>();
        trial.victim([&] {
          lock.lock();
          trap();
          lock.unlock();
        });
        trial.sleeper([&] {
          lock.lock();
          lock.unlock();
        });
        trial.step();
        const bool barged = lock.try_lock();
        trial.kill();
        if (barged) lock.unlock();
        trial.now();
        trial.all_go_on();
      },
      160, 1);
  if (swept.hangs == 0) GTEST_SKIP() << "this system's robust mutex does not lose a sleeper here";
}

}  // namespace
