// SPDX-License-Identifier: BSL-1.0
//
// Barrier: a kill after each instruction of each party. Those who wait pass or get BrokenBarrier, all the same, and after
// reset() it is a barrier again.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include <trine/barrier.hpp>
#include <trine/error.hpp>

#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;
using B = shared_memory_direct;

constexpr int parties = 3;

struct Data {
  trine::Barrier<B> barrier{parties};
  std::atomic<int> passed{0};
  std::atomic<int> broken{0};
  std::atomic<int> acted{0};
  std::array<std::atomic<int>, parties> places{};

  void wait() {
    try {
      came_to(barrier.wait());
    } catch (const trine::BrokenBarrier&) {
      ++broken;
    }
  }
  void wait_and_act() {
    try {
      came_to(barrier.wait([this] { ++acted; }));
    } catch (const trine::BrokenBarrier&) {
      ++broken;
    }
  }

 private:
  void came_to(std::ptrdiff_t place) {
    require(place >= 0 && place < parties, "a place that no party has");
    require(places[static_cast<std::size_t>(place)]++ == 0, "two parties of a generation have the same place");
    ++passed;
  }
};

class KillBarrier : public Kills {
 protected:
  static void sweep_as(const char* scenario, const std::function<void(Trial&, Data&)>& body) {
    sweep((std::string("Barrier: ") + scenario).c_str(), [&body](Trial& trial) { body(trial, trial.make<Data>()); });
  }

  static void sleepers(Trial& trial, Data& data, int count) {
    for (int i = 0; i < count; ++i) {
      trial.sleeper([&data] { data.wait(); });
    }
  }

  /// After the kill. Where the victim had not arrived, the missing parties come: then all pass, or all find it broken.
  static void ends_for_all(Trial& trial, Data& data, int waiting) {
    const auto all_gone = [&] { return data.passed + data.broken >= waiting; };
    if (!holds_before(Clock::now() + hang,
                      [&] { return all_gone() || data.barrier.broken() || data.barrier.waiting() == waiting; })) {
      trial.trouble("a dead party counts");
    }
    if (!all_gone() && !data.barrier.broken()) {
      for (int i = waiting; i < parties; ++i) trial.survivor([&data] { data.wait(); });
      trial.now();
    }
    trial.all_go_on();
    trial.check(data.passed == 0 || data.broken == 0 || data.passed == waiting,
                "some of a generation passed and others found it broken");
  }

  /// Made whole, it serves three parties again, and again.
  static void works_after_all(Trial& trial, Data& data) {
    trial.newcomer([&data] { data.barrier.reset(); });
    trial.check(!data.barrier.broken() && data.barrier.waiting() == 0, "not whole and empty after reset()");
    for (int round = 0; round < 2; ++round) {
      data.passed = data.broken = 0;
      for (auto& place : data.places) place = 0;
      for (int i = 0; i < parties; ++i) trial.survivor([&data] { data.wait(); });
      trial.now();
      trial.all_go_on();
      trial.check(data.passed == parties && data.broken == 0, "not all passed after reset()");
    }
  }
};

TEST_F(KillBarrier, First) {
  sweep_as("the first party comes, until it sleeps", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.barrier.wait();
    });
    trial.step_to_sleep();
    trial.kill();
    sleepers(trial, data, 0);
    for (int i = 0; i < parties - 1; ++i) trial.survivor([&] { data.wait(); });
    // They find the dead one, or wait for a third.
    const bool found =
        holds_before(Clock::now() + 300ms, [&] { return data.broken == parties - 1 || data.barrier.waiting() == 2; });
    trial.check(found, "those who came later neither wait nor find it broken");
    ends_for_all(trial, data, parties - 1);
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, Middle) {
  sweep_as("a party comes, until it sleeps; one waits", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.barrier.wait();
    });
    sleepers(trial, data, 1);
    trial.step_to_sleep();
    trial.kill();
    ends_for_all(trial, data, 1);
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, Last) {
  sweep_as("the last party comes; two wait", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.barrier.wait();
    });
    sleepers(trial, data, 2);
    trial.step();
    trial.kill();
    ends_for_all(trial, data, 2);
    trial.check(!trial.done() || data.passed == 2, "all had arrived, and not all passed");
    works_after_all(trial, data);
  });
}

// It is not counted before its generation has ended, but it dies with the gate held, and those who wait look there.
TEST_F(KillBarrier, LastIsMissed) {
  int missed = 0;
  sweep(
      "Barrier: the last party comes; two wait, and nobody else comes",
      [&missed](Trial& trial) {
        auto& data = trial.make<Data>();
        trial.victim([&] {
          trap();
          data.barrier.wait();
        });
        sleepers(trial, data, 2);
        trial.step();
        trial.kill();
        missed += holds_before(Clock::now() + 100ms, [&] { return data.broken == 2; });
        ends_for_all(trial, data, 2);
        works_after_all(trial, data);
      },
      32);
  EXPECT_GT(missed, 0) << "nobody heard of a last party that died amid its wait()";
}

TEST_F(KillBarrier, Woken) {
  sweep_as("woken; another waits", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.barrier.wait();
    });
    trial.fall_asleep();
    sleepers(trial, data, 1);
    trial.newcomer([&] { data.wait(); });
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.check(data.passed == 2, "all had arrived, and not all passed");
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, LastWithAction) {
  sweep_as("the last party comes and acts; two wait", [](Trial& trial, Data& data) {
    trial.victim([&] {
      const std::function<void()> action = [&data] { ++data.acted; };
      trap();
      data.barrier.wait(action);
    });
    sleepers(trial, data, 2);
    trial.step();
    trial.kill();
    trial.check(data.passed == 0 || data.acted == 1, "one passed before the action was run");
    ends_for_all(trial, data, 2);
    trial.check(data.acted <= 1, "the action was run twice");
    trial.check(!trial.done() || data.passed == 2, "all had arrived, and not all passed");
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, GivesUp) {
  sweep_as("a party gives up; another waits", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      auto operation = data.barrier.wait_op();
      if (!operation.attempt()) operation.give_up();
    });
    sleepers(trial, data, 1);
    trial.step();
    trial.kill();
    ends_for_all(trial, data, 1);
    trial.check(!trial.done() || data.broken >= 1, "one gave up and the barrier is whole");
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, Abort) {
  sweep_as("abort; two wait", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.barrier.abort();
    });
    sleepers(trial, data, 2);
    trial.step();
    trial.kill();
    ends_for_all(trial, data, 2);
    trial.check(!trial.done() || data.broken == 2, "not all found it broken");
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, Reset) {
  sweep_as("reset; two wait", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.barrier.reset();
    });
    sleepers(trial, data, 2);
    trial.step();
    trial.kill();
    if (trial.done()) {
      trial.all_go_on();
      trial.check(data.broken == 2, "not all found it reset");
    } else {
      trial.newcomer([&] { data.barrier.abort(); });
      trial.now();
      trial.all_go_on();
    }
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, LeavesABrokenOne) {
  sweep_as("a party that waited leaves a barrier that was reset", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      auto operation = data.barrier.wait_op();
      require(!operation.attempt(), "passed alone");
      trap();
      require(operation.attempt(), "still waits");
    });
    trial.go_on();
    sleepers(trial, data, 1);
    trial.newcomer([&] { data.barrier.reset(); });
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.check(data.broken == 1, "one that waited was not told of the reset");
    works_after_all(trial, data);
  });
}

TEST_F(KillBarrier, PartyDiesWhileOthersSleep) {
  std::chrono::microseconds slowest{0};
  constexpr int kills = 20;
  for (int i = 0; i < kills; ++i) {
    Trial trial(0);
    auto& data = trial.make<Data>();
    trial.victim([&] {
      trap();
      data.barrier.wait();
    });
    trial.fall_asleep();
    sleepers(trial, data, 1);
    trial.kill();
    trial.all_go_on();
    trial.check(data.broken == 1, "not broken");
    works_after_all(trial, data);
    EXPECT_EQ(trial.trouble(), "");
    slowest = std::max(slowest, trial.slowest());
  }
  std::printf("Barrier: those who wait go on after a party's death: slowest %lld us, of %d kills\n",
              static_cast<long long>(slowest.count()), kills);
}

/// A party that has arrived, and does nothing more.
void arrives(Trial& trial, Data& data) {
  Report*& report = trial.make<Report*>();
  Child& child = trial.bystander(
      [&data, &report] {
        auto operation = data.barrier.wait_op();
        operation.attempt();
        report->stage = 1;
        for (;;) ::pause();
      },
      report);
  trial.check(child.reaches(1), "a party did not arrive");
}

TEST_F(KillBarrier, ADeadPartyIsNotReplaced) {
  Trial trial(0);
  auto& data = trial.make<Data>();
  trial.victim([&] {
    trap();
    data.barrier.wait();
  });
  trial.fall_asleep();
  arrives(trial, data);
  trial.kill();
  arrives(trial, data);
  trial.newcomer([&] { data.wait(); });
  EXPECT_EQ(trial.trouble(), "");
  EXPECT_EQ(data.passed, 0) << "a generation passed with a dead party";
  EXPECT_EQ(data.broken, 1);
}

}  // namespace
