// SPDX-License-Identifier: BSL-1.0
//
// Objects with a name: the one who makes, opens or removes one is killed. Whoever comes next finds it whole, or not at all.

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include <trine/backend/processes.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/semaphore.hpp>

#include "process/killing/guarded.hpp"
#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using trine::processes;
using Semaphore = trine::Semaphore<processes>;

class KillNamed : public Kills {
 protected:
  static void sweep_as(const char* scenario, const std::function<void(Trial&)>& body) {
    const auto trial_with_name = [&body](Trial& trial) {
      body(trial);
      Semaphore::remove(name());
    };
    sweep((std::string("named: ") + scenario).c_str(), trial_with_name, 40);
  }

  // Made by the test, not by a child, whose number is another.
  void SetUp() override {
    name() = own_name();
    Kills::SetUp();
  }

  static std::string& name() {
    static std::string name;
    return name;
  }

  /// The object is there, or is made: a Semaphore of three, which nobody has used.
  static void use() {
    Semaphore semaphore(trine::open_or_create, name(), 3, 3);
    require(semaphore.value() == 3, "half made");
    auto permit = semaphore.permit(hang);
    require(static_cast<bool>(permit) && semaphore.value() == 2, "it does not work");
  }
};

TEST_F(KillNamed, Creator) {
  sweep_as("made; others come meanwhile", [](Trial& trial) {
    trial.victim([] {
      trap();
      Semaphore semaphore(trine::create_only, name(), 3, 3);
    });
    trial.step();
    trial.survivor([] { use(); });
    trial.kill();
    trial.survivor([] { use(); });
    trial.all_go_on();
    trial.newcomer([] { use(); });
    trial.check(Semaphore::remove(name()), "it was not there in the end");
    trial.check(!Semaphore::remove(name()), "it was there twice");
  });
}

TEST_F(KillNamed, OpenerOrCreator) {
  sweep_as("opened or made; another does the same", [](Trial& trial) {
    trial.victim([] {
      trap();
      use();
    });
    trial.survivor([] { use(); });
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([] {
      Semaphore semaphore(trine::open_only, name());
      require(semaphore.value() == 3, "a dead one's permit did not come back once");
    });
  });
}

TEST_F(KillNamed, Opener) {
  sweep_as("opened, and a lock in it locked; one sleeps", [](Trial& trial) {
    trine::Lock<processes> lock(trine::create_only, name());
    trial.victim([] {
      trap();
      trine::Lock<processes> mine(trine::open_only, name());
      mine.lock();
    });
    trial.survivor([&] {
      try {
        const auto held = lock.guard();
      } catch (const trine::OwnerDied&) {
        lock.recover().unlock();
      }
    });
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([] {
      trine::Lock<processes> mine(trine::open_only, name());
      try {
        require(static_cast<bool>(mine.guard(hang)), "not free");
      } catch (const trine::OwnerDied&) {
        mine.recover().unlock();
      }
    });
  });
}

TEST_F(KillNamed, Setter) {
  sweep_as("opened and set; one waits", [](Trial& trial) {
    trine::Event<processes> event(trine::create_only, name());
    trial.victim([] {
      trap();
      trine::Event<processes>(trine::open_only, name()).set();
    });
    trial.sleeper([&] { event.wait(); });
    trial.step();
    trial.kill();
    if (!event.is_set()) trial.newcomer([] { trine::Event<processes>(trine::open_only, name()).set(); });
    trial.now();
    trial.all_go_on();
  });
}

TEST_F(KillNamed, Remover) {
  sweep_as("removed; another has it", [](Trial& trial) {
    Semaphore semaphore(trine::create_only, name(), 3, 3);
    trial.victim([] {
      trap();
      Semaphore::remove(name());
    });
    trial.step();
    trial.kill();
    trial.newcomer([] { use(); });
    trial.check(semaphore.try_acquire(), "one who had it has it no more");
    trial.check(Semaphore::remove(name()), "it was not there in the end");
  });
}

}  // namespace
