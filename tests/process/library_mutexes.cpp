// SPDX-License-Identifier: BSL-1.0
//
// Locks beside robust mutexes of the C library, which are on the same list of the same thread: whatever order they are taken and
// freed in, a death is told of what was held, at once, and of nothing else.

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>

#include "process/killing/children.hpp"
#include "process/killing/guarded.hpp"
#include "process/killing/robust_mutex.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;
using B = trine::shared_memory;

enum class Found { free, dead, held };

struct LibraryMutex : trine_test::RobustMutex {
  void lock() { require(::pthread_mutex_lock(&mutex) == 0, "pthread_mutex_lock"); }
  void unlock() { require(::pthread_mutex_unlock(&mutex) == 0, "pthread_mutex_unlock"); }

  /// What a try tells; it is as new afterwards.
  Found look() {
    const int error = ::pthread_mutex_trylock(&mutex);
    if (error == EBUSY) return Found::held;
    if (error == EOWNERDEAD) ::pthread_mutex_consistent(&mutex);
    unlock();
    return error == EOWNERDEAD ? Found::dead : Found::free;
  }
};

struct OurLock {
  trine::Lock<B> mutex;

  void lock() { mutex.lock(); }
  void unlock() { mutex.unlock(); }
  Found look() {
    try {
      if (!mutex.try_lock()) return Found::held;
    } catch (const trine::OwnerDied&) {
      mutex.recover().unlock();
      return Found::dead;
    }
    mutex.unlock();
    return Found::free;
  }
};

/// Two of each kind.
struct Four {
  std::array<OurLock, 2> ours;
  std::array<LibraryMutex, 2> theirs;

  template <class Use>
  auto with(std::size_t which, Use use) {
    return which < 2 ? use(ours[which]) : use(theirs[which - 2]);
  }
};

using Order = std::array<std::size_t, 4>;

std::string text_of(const Order& locked, const Order& unlocked, std::size_t freed) {
  std::string text = "locked";
  for (const std::size_t each : locked) text += " " + std::to_string(each);
  text += ", unlocked";
  for (std::size_t i = 0; i < freed; ++i) text += " " + std::to_string(unlocked[i]);
  return text;
}

class LibraryMutexes : public LeavesNothing {};

TEST_F(LibraryMutexes, EveryOrder) {
  SharedPlace place;
  auto& four = place.make<Four>();
  Order locked{0, 1, 2, 3};
  do {
    Order unlocked{0, 1, 2, 3};
    do {
      for (std::size_t freed = 0; freed < 4; ++freed) {
        if (freed < 3 && !std::is_sorted(unlocked.begin() + static_cast<std::ptrdiff_t>(freed), unlocked.end())) continue;
        Report& report = place.report();
        Child victim(report, [&] {
          for (const std::size_t each : locked) four.with(each, [](auto& lock) { lock.lock(); });
          for (std::size_t i = 0; i < freed; ++i) four.with(unlocked[i], [](auto& lock) { lock.unlock(); });
          ::raise(SIGKILL);
        });
        victim.bury();
        ASSERT_EQ(victim.trouble(), "killed by signal 9");
        for (std::size_t i = 0; i < 4; ++i) {
          const Found found = four.with(unlocked[i], [](auto& lock) { return lock.look(); });
          ASSERT_EQ(found, i < freed ? Found::free : Found::dead)
              << "of number " << unlocked[i] << " after: " << text_of(locked, unlocked, freed);
        }
        place.unused(report);
      }
    } while (std::next_permutation(unlocked.begin(), unlocked.end()));
  } while (std::next_permutation(locked.begin(), locked.end()));
}

// The C library clears the note of what its thread is about to take or to free; that must not have been all that told of us.
TEST_F(LibraryMutexes, OneThatWasUsedInBetween) {
  SharedPlace place;
  auto& data = place.make<Guarded<trine::Lock<B>>>();
  auto& theirs = place.make<LibraryMutex>();
  for (int round = 0; round < 10; ++round) {
    Report& stage = place.report();
    Child victim(place.report(), [&] {
      data.lock.lock();
      theirs.lock();
      theirs.unlock();
      stage.stage = 1;
      for (;;) ::pause();
    });
    ASSERT_TRUE(holds_before(Clock::now() + hang, [&] { return stage.stage == 1; }));
    Child waiter(place.report(), [&] { data.use(); });
    ASSERT_TRUE(waiter.falls_asleep());
    const Clock::time_point killed = Clock::now();
    victim.kill();
    victim.bury();
    ASSERT_TRUE(waiter.ends_before(killed + hang)) << "the survivor hangs";
    EXPECT_EQ(waiter.trouble(), "");
    EXPECT_LT(waiter.finished_at() - killed, sanitized ? hang : 150ms);
  }
  EXPECT_EQ(data.deaths, 10);
  EXPECT_EQ(theirs.look(), Found::free);
}

}  // namespace
