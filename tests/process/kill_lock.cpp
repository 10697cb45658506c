// SPDX-License-Identifier: BSL-1.0
//
// Lock and RecursiveLock: a kill after each instruction, in each role.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>

#include "process/killing/guarded.hpp"
#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;

template <class L>
class KillLock : public Kills {
 protected:
  using Data = Guarded<L>;

  // The word is the same: fewer kills for the second of the two.
  static constexpr bool recursive = requires(L & lock) { lock.depth(); };
  static constexpr std::size_t most = recursive ? 24 : 80;

  static std::string named(const std::string& scenario) {
    return std::string(recursive ? "RecursiveLock: " : "Lock: ") + scenario;
  }

  static void sweep_as(const char* scenario, const std::function<void(Trial&, Data&)>& body, std::size_t usual = most) {
    sweep(
        named(scenario).c_str(), [&body](Trial& trial) { body(trial, trial.make<Data>()); }, usual);
  }

  /// The test itself takes the lock between the others, if it is free.
  static bool barge(Data& data) { return data.lock.try_lock(); }

  /// An owner that is killed, of a lock for which others may wait.
  static Child& owner(Trial& trial, Data& data) {
    Report*& mine = trial.template make<Report*>();
    Child& child = trial.bystander(
        [&data, &mine] {
          data.lock.lock();
          data.x = data.x + 1;
          mine->stage = 1;
          for (;;) ::pause();
        },
        mine);
    trial.check(child.reaches(1), "the owner did not lock");
    return child;
  }
};

using Locks = ::testing::Types<trine::Lock<shared_memory_direct>, trine::RecursiveLock<shared_memory_direct>>;
struct LockName {
  template <class L>
  static std::string GetName(int) {
    return std::is_same_v<L, trine::Lock<shared_memory_direct>> ? "Lock" : "RecursiveLock";
  }
};
TYPED_TEST_SUITE(KillLock, Locks, LockName);

TYPED_TEST(KillLock, NobodyWaits) {
  this->sweep_as("lock, change, unlock; nobody waits", [](Trial& trial, auto& data) {
    trial.victim([&] {
      trap();
      data.lock.lock();
      data.change();
      data.lock.unlock();
    });
    trial.step();
    const bool owned = data.lock.locked();
    trial.kill();
    trial.newcomer([&] { data.use_after_all(); });
    trial.check(data.deaths == owned, "a death was told of one that did not own the lock, or not told of one that did");
  });
}

TYPED_TEST(KillLock, FirstUse) {
  this->sweep_as(
      "the first lock and unlock of a process",
      [](Trial& trial, auto& data) {
        trial.fresh_victim([&] {
          trap();
          data.lock.lock();
          data.change();
          data.lock.unlock();
        });
        trial.step();
        trial.kill();
        trial.newcomer([&] { data.use_after_all(); });
      },
      40);
}

TYPED_TEST(KillLock, OneSleeper) {
  this->sweep_as("unlock; one sleeps", [](Trial& trial, auto& data) {
    trial.victim([&] {
      data.lock.lock();
      data.change();
      trap();
      data.lock.unlock();
    });
    trial.sleeper([&] { data.use(); });
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, TwoSleepers) {
  this->sweep_as("unlock; two sleep", [](Trial& trial, auto& data) {
    trial.victim([&] {
      data.lock.lock();
      data.change();
      trap();
      data.lock.unlock();
    });
    trial.sleeper([&] { data.use(); });
    trial.sleeper([&] { data.use(); });
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, ThirdBargesIn) {
  this->sweep_as("unlock; two sleep, a third takes it before the kill", [this](Trial& trial, auto& data) {
    trial.victim([&] {
      data.lock.lock();
      data.change();
      trap();
      data.lock.unlock();
    });
    trial.sleeper([&] { data.use(); });
    trial.sleeper([&] { data.use(); });
    trial.step();
    const bool barged = this->barge(data);
    trial.kill();
    if (barged) data.change_and_unlock();
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, KilledInside) {
  this->sweep_as("lock, change, unlock; two sleep, all must hear the same", [](Trial& trial, auto& data) {
    trial.victim([&] {
      data.lock.lock();
      trap();
      data.change();
      data.lock.unlock();
    });
    for (int i = 0; i < 2; ++i) {
      trial.sleeper([&] { data.finds_dead_owner(); });
    }
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.finds_dead_owner(); });
    const int deaths = data.deaths;
    trial.check(deaths == 0 || deaths == 3, "some were told of a death and others not, though nobody recovered");
    trial.check(!trial.done() || deaths == 0, "a death was told of one that had unlocked");
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, FallsAsleep) {
  this->sweep_as("lock while another owns it and one sleeps, until it sleeps", [](Trial& trial, auto& data) {
    data.lock.lock();
    trial.victim([&] {
      trap();
      data.use();
    });
    trial.sleeper([&] { data.use(); });
    trial.step_to_sleep();
    trial.kill();
    data.change_and_unlock();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
    trial.check(data.deaths == 0, "a death was told of one that never owned the lock");
  });
}

TYPED_TEST(KillLock, Woken) {
  this->sweep_as("woken; another sleeps", [](Trial& trial, auto& data) {
    data.lock.lock();
    trial.victim([&] {
      trap();
      data.use();
    });
    trial.fall_asleep();
    trial.sleeper([&] { data.use(); });
    data.change_and_unlock();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, WokenAfterBarge) {
  this->sweep_as("woken, after a third took it; another sleeps", [this](Trial& trial, auto& data) {
    data.lock.lock();
    trial.victim([&] {
      trap();
      data.use();
    });
    trial.fall_asleep();
    trial.sleeper([&] { data.use(); });
    data.change_and_unlock();
    const bool barged = this->barge(data);
    trial.step_to_sleep();
    trial.kill();
    if (barged) data.change_and_unlock();
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, WokenByDeath) {
  this->sweep_as("woken by the owner's death; another sleeps", [this](Trial& trial, auto& data) {
    Child& first = this->owner(trial, data);
    trial.victim([&] {
      trap();
      auto held = data.lock.recover();  // does not throw, which would take tens of thousands of instructions
      data.y = data.x;
      held.unlock();
    });
    trial.fall_asleep();
    trial.sleeper([&] { data.use(); });
    first.kill();
    first.bury();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, Recovering) {
  this->sweep_as("recover, repair, unlock", [this](Trial& trial, auto& data) {
    Child& first = this->owner(trial, data);
    first.kill();
    first.bury();
    trial.victim([&] {
      trap();
      auto held = data.lock.recover();
      data.y = data.x;
      held.unlock();
    });
    trial.step();
    trial.kill();
    trial.check(data.x == 1 && (data.y == 1 || !trial.done()), "the data are not what was left or repaired");
    trial.newcomer([&] { data.use_after_all(); });
    trial.check(trial.done() ? data.deaths == 0 : true, "a death that was recovered from is told again");
  });
}

TYPED_TEST(KillLock, GivesUp) {
  this->sweep_as("lock for a while, given up; one sleeps", [](Trial& trial, auto& data) {
    data.lock.lock();
    trial.victim([&] {
      trap();
      require(!data.lock.lock(1ms), "locked twice");
    });
    trial.sleeper([&] { data.use(); });
    trial.step();
    trial.kill();
    data.change_and_unlock();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
    trial.check(data.deaths == 0, "a death was told of one that never owned the lock");
  });
}

TYPED_TEST(KillLock, WokenBeforeItsLimit) {
  this->sweep_as("lock for a while, woken; one sleeps", [](Trial& trial, auto& data) {
    data.lock.lock();
    trial.victim([&] {
      trap();
      if (data.lock.lock(200ms)) data.change_and_unlock();
    });
    trial.fall_asleep();
    trial.sleeper([&] { data.use(); });
    data.change_and_unlock();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TYPED_TEST(KillLock, OwnerDiesWhileSomebodySleeps) {
  std::vector<std::chrono::microseconds> times;
  for (int i = 0; i < 100; ++i) {
    Trial trial(0);
    auto& data = trial.make<typename TestFixture::Data>();
    trial.victim([&] {
      data.lock.lock();
      trap();
    });
    trial.sleeper([&] { data.use(); });
    trial.kill();
    trial.all_go_on();
    EXPECT_EQ(trial.trouble(), "");
    EXPECT_EQ(data.deaths, 1);
    times.push_back(trial.slowest());
  }
  std::sort(times.begin(), times.end());
  std::printf("%sa sleeper goes on after its owner's death: median %lld us, slowest %lld us, of %zu kills\n",
              this->named("").c_str(), static_cast<long long>(times[50].count()),
              static_cast<long long>(times.back().count()), times.size());
  EXPECT_LE(times[50], 5ms);
}

class KillRecursiveLock : public Kills {};

TEST_F(KillRecursiveLock, TwoDeep) {
  using Data = Guarded<trine::RecursiveLock<shared_memory_direct>>;
  sweep("RecursiveLock: lock twice, change, unlock twice; one sleeps on the way out", [](Trial& trial) {
    auto& data = trial.make<Data>();
    trial.victim([&] {
      data.lock.lock();
      trap();
      data.lock.lock();
      data.change();
      data.lock.unlock();
      data.lock.unlock();
    });
    trial.sleeper([&] { data.use(); });
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] {
      data.use();
      auto held = data.lock.guard();
      require(data.lock.depth() == 1, "the levels of a dead owner are still counted");
      held.unlock();
      require(!data.lock.locked(), "locked in the end");
    });
  });
}

}  // namespace
