// SPDX-License-Identifier: BSL-1.0
//
// Semaphore: a kill after each instruction, in each role. What acquire() took dies with its holder; a permit() comes back,
// once.

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <trine/error.hpp>
#include <trine/semaphore.hpp>

#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;
using B = shared_memory_direct;
using Semaphore = trine::Semaphore<B>;

class KillSemaphore : public Kills {
 protected:
  static void sweep_as(const char* scenario, std::ptrdiff_t permits, const std::function<void(Trial&, Semaphore&)>& body) {
    sweep((std::string("Semaphore: ") + scenario).c_str(),
          [&](Trial& trial) { body(trial, trial.make<Semaphore>(permits, permits)); });
  }

  /// Checks that there are exactly so many permits, and a maximum of as many.
  static void has_exactly(Trial& trial, Semaphore& semaphore, std::ptrdiff_t permits, std::ptrdiff_t most) {
    trial.newcomer([&semaphore, permits, most] {
      require(semaphore.value() == permits, semaphore.value() < permits ? "value() is too small" : "value() is too great");
      std::vector<trine::Permit<B>> held;
      for (std::ptrdiff_t i = 0; i < permits; ++i) {
        held.push_back(semaphore.permit(hang));
        require(static_cast<bool>(held.back()), "a permit is lost");
      }
      require(!semaphore.try_acquire(), "there is a permit too many");
      held.clear();
      require(semaphore.value() == permits, "a permit was given back twice, or not");
      require_full(semaphore, most - permits);
    });
  }

  static std::function<void()> holder(Semaphore& semaphore) {
    return [&semaphore] { require(static_cast<bool>(semaphore.permit()), "a wait without a limit gave up"); };
  }

  /// One that dies with a permit.
  static void dead_holder(Trial& trial, Semaphore& semaphore) {
    Report* report = nullptr;
    Child& child = trial.bystander([&semaphore] { static_cast<void>(Permits::keep(semaphore)); }, report);
    trial.check(child.ends_before(Clock::now() + hang), "the holder did not end");
  }

  /// One that holds a permit until it is killed.
  static Child& living_holder(Trial& trial, Semaphore& semaphore) {
    Report*& report = trial.make<Report*>();
    Child& child = trial.bystander(
        [&semaphore, &report] {
          const auto permit = semaphore.permit();
          report->stage = 1;
          for (;;) ::pause();
        },
        report);
    trial.check(child.reaches(1), "the holder got no permit");
    return child;
  }

 private:
  struct Permits {
    static bool keep(Semaphore& semaphore) {
      static std::optional<trine::Permit<B>> kept;
      kept.emplace(semaphore.permit());
      return static_cast<bool>(*kept);
    }
  };

  // The missing ones can be released, and no more.
  static void require_full(Semaphore& semaphore, std::ptrdiff_t missing) {
    if (missing > 0) semaphore.release(missing);
    try {
      semaphore.release();
      require(false, "more permits than the maximum");
    } catch (const trine::ReleasedTooManyTimes&) {
    }
  }
};

TEST_F(KillSemaphore, AcquireAndRelease) {
  sweep_as("acquire, release; nobody waits", 2, [](Trial& trial, Semaphore& semaphore) {
    trial.victim([&] {
      trap();
      semaphore.acquire();
      semaphore.release();
    });
    trial.step();
    const std::ptrdiff_t there = semaphore.value();
    trial.kill();
    trial.check(there == 2 || there == 1, "the count is wrong");
    trial.check(!trial.done() || there == 2, "a permit was lost");
    has_exactly(trial, semaphore, there, 2);
  });
}

TEST_F(KillSemaphore, Release) {
  sweep_as("release of two; three sleep", 2, [](Trial& trial, Semaphore& semaphore) {
    trial.victim([&] {
      require(semaphore.acquire() && semaphore.acquire(), "no permits to begin with");
      trap();
      semaphore.release(2);
    });
    for (int i = 0; i < 3; ++i) trial.sleeper(holder(semaphore));
    trial.step();
    trial.kill();
    // The permits were nobody's: where the victim had not released them, somebody else must.
    const bool released = trial.done() || semaphore.value() != 0;
    if (!released) semaphore.release(2);
    trial.now();
    trial.all_go_on();
    has_exactly(trial, semaphore, 2, 2);
  });
}

TEST_F(KillSemaphore, Permit) {
  sweep_as("permit taken and given back; nobody waits", 2, [](Trial& trial, Semaphore& semaphore) {
    trial.victim([&] {
      trap();
      semaphore.permit().release();
    });
    trial.step();
    trial.kill();
    has_exactly(trial, semaphore, 2, 2);
  });
}

TEST_F(KillSemaphore, LastPermit) {
  sweep_as("the last permit taken and given back, a sleeper comes", 1, [](Trial& trial, Semaphore& semaphore) {
    trial.victim([&] {
      trap();
      semaphore.permit().release();
    });
    trial.step();
    trial.survivor(holder(semaphore));
    trial.survivor(holder(semaphore));
    trial.kill();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
  });
}

TEST_F(KillSemaphore, HolderGivesBack) {
  sweep_as("a permit given back; two sleep", 1, [](Trial& trial, Semaphore& semaphore) {
    trial.victim([&] {
      auto permit = semaphore.permit();
      trap();
      permit.release();
    });
    trial.sleeper(holder(semaphore));
    trial.sleeper(holder(semaphore));
    trial.step();
    trial.kill();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
  });
}

TEST_F(KillSemaphore, FallsAsleep) {
  sweep_as("permit, until it sleeps; another sleeps", 1, [](Trial& trial, Semaphore& semaphore) {
    semaphore.acquire();
    trial.victim([&] {
      trap();
      static_cast<void>(semaphore.permit());
    });
    trial.sleeper(holder(semaphore));
    trial.step_to_sleep();
    trial.kill();
    semaphore.release();
    trial.now();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
  });
}

TEST_F(KillSemaphore, WokenForAPermit) {
  sweep_as("woken for a permit; another sleeps", 1, [](Trial& trial, Semaphore& semaphore) {
    semaphore.acquire();
    trial.victim([&] {
      trap();
      semaphore.permit().release();
    });
    trial.fall_asleep();
    trial.sleeper(holder(semaphore));
    semaphore.release();
    trial.step();
    trial.kill();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
  });
}

TEST_F(KillSemaphore, WokenToAcquire) {
  sweep_as("woken to acquire; another sleeps", 1, [](Trial& trial, Semaphore& semaphore) {
    semaphore.acquire();
    trial.victim([&] {
      trap();
      semaphore.acquire();
    });
    trial.fall_asleep();
    trial.sleeper(holder(semaphore));
    semaphore.release();
    trial.step();
    const bool taken = trial.steps() != 0 && semaphore.value() == 0;
    trial.kill();
    // What acquire() takes is nobody's, so it does not come back.
    if (taken && semaphore.value() == 0) semaphore.release();
    trial.now();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
  });
}

TEST_F(KillSemaphore, GivesUp) {
  sweep_as("permit for a while, given up; another sleeps", 1, [](Trial& trial, Semaphore& semaphore) {
    semaphore.acquire();
    trial.victim([&] {
      trap();
      require(!semaphore.permit(1ms), "a permit too many");
    });
    trial.sleeper(holder(semaphore));
    trial.step();
    trial.kill();
    semaphore.release();
    trial.now();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
  });
}

TEST_F(KillSemaphore, Rescuer) {
  sweep_as("a dead holder's permit brought back, taken and given back", 2, [](Trial& trial, Semaphore& semaphore) {
    dead_holder(trial, semaphore);
    dead_holder(trial, semaphore);
    trial.victim([&] {
      trap();
      semaphore.permit().release();
    });
    trial.step();
    trial.kill();
    has_exactly(trial, semaphore, 2, 2);
  });
}

TEST_F(KillSemaphore, RescuerByAcquire) {
  sweep_as("a dead holder's permit brought back by acquire", 2, [](Trial& trial, Semaphore& semaphore) {
    dead_holder(trial, semaphore);
    dead_holder(trial, semaphore);
    trial.victim([&] {
      trap();
      require(semaphore.try_acquire(), "the dead one's permit did not come back");
      semaphore.release();
    });
    trial.step();
    trial.kill();
    const std::ptrdiff_t there = semaphore.value();
    trial.check(there == 2 || there == 1, "the count is wrong");
    trial.check(!trial.done() || there == 2, "a permit was lost");
    has_exactly(trial, semaphore, there, 2);
  });
}

TEST_F(KillSemaphore, RescuerWhileAnotherSleeps) {
  sweep_as("a dead holder's permit brought back while another sleeps", 1, [](Trial& trial, Semaphore& semaphore) {
    Child& first = living_holder(trial, semaphore);
    trial.victim([&] {
      trap();
      semaphore.permit().release();
    });
    trial.sleeper(holder(semaphore));
    first.kill();
    first.bury();
    trial.step();
    trial.kill();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
  });
}

// Somebody knows that the holder of all permits is dead and releases them by hand; then there is no room for those that come back.
TEST_F(KillSemaphore, ReleasedInPlaceOfTheDead) {
  constexpr std::ptrdiff_t all = 127;  // as many as can be held at a time
  Trial trial(0);
  auto& semaphore = trial.make<Semaphore>(all, all);
  Report* report = nullptr;
  Child& holder = trial.bystander(
      [&semaphore] {
        std::vector<trine::Permit<B>> held;
        for (std::ptrdiff_t i = 0; i < all; ++i) held.push_back(semaphore.permit());
        ::_exit(0);
      },
      report);
  trial.check(holder.ends_before(Clock::now() + hang), "the holder did not end");
  trial.check(semaphore.value() == all, "a dead one's permits are not counted");
  semaphore.release(all);
  trial.check(semaphore.value() == all, "there are more than the maximum");
  has_exactly(trial, semaphore, all, all);
  EXPECT_EQ(trial.trouble(), "");
}

TEST_F(KillSemaphore, HolderDiesWhileSomebodySleeps) {
  std::chrono::microseconds slowest{0};
  constexpr int kills = 20;
  for (int i = 0; i < kills; ++i) {
    Trial trial(0);
    auto& semaphore = trial.make<Semaphore>(1, 1);
    trial.victim([&] {
      const auto permit = semaphore.permit();
      trap();
    });
    trial.sleeper(holder(semaphore));
    trial.kill();
    trial.all_go_on();
    has_exactly(trial, semaphore, 1, 1);
    EXPECT_EQ(trial.trouble(), "");
    slowest = std::max(slowest, trial.slowest());
  }
  std::printf("Semaphore: a sleeper goes on after the holder's death: slowest %lld us, of %d kills\n",
              static_cast<long long>(slowest.count()), kills);
}

}  // namespace
