// SPDX-License-Identifier: BSL-1.0
//
// SharedLock: a kill after each instruction, in each role.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include <trine/error.hpp>
#include <trine/shared_lock.hpp>

#include "process/killing/guarded.hpp"
#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;

struct Data : Guarded<trine::SharedLock<shared_memory_direct>> {
  void read() {
    bool died = false;
    try {
      lock.lock_shared();
    } catch (const trine::OwnerDied& e) {
      died = repair_after(e);
    }
    require(x == y, "a reader saw data that are half changed, and was not told of a death");
    if (died) {
      lock.unlock();
    } else {
      lock.unlock_shared();
    }
  }

  /// A writer and readers, together and after each other.
  void use_after_all() {
    read();
    Guarded::use_after_all();
    lock.lock_shared();
    require(!lock.try_lock(), "a writer and a reader are inside");
    lock.unlock_shared();
    require(lock.try_lock(), "a reader that left is still counted");
    lock.unlock();
  }
};

class KillSharedLock : public Kills {
 protected:
  static void sweep_as(const char* scenario, const std::function<void(Trial&, Data&)>& body) {
    sweep((std::string("SharedLock: ") + scenario).c_str(), [&body](Trial& trial) { body(trial, trial.make<Data>()); });
  }

  static std::function<void()> reader(Data& data) {
    return [&data] { data.read(); };
  }
  static std::function<void()> writer(Data& data) {
    return [&data] { data.use(); };
  }

  /// What is checked in the end, when no writer was killed.
  static void nobody_was_told(Trial& trial, Data& data) {
    trial.newcomer([&] { data.use_after_all(); });
    trial.check(data.deaths == 0, "a death was told of one that never was a writer");
  }
};

TEST_F(KillSharedLock, ReaderAlone) {
  sweep_as("read; nobody waits", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.read();
    });
    trial.step();
    trial.kill();
    nobody_was_told(trial, data);
  });
}

TEST_F(KillSharedLock, ReaderAmongReaders) {
  sweep_as("read; another reads, and then a writer comes", [](Trial& trial, Data& data) {
    data.lock.lock_shared();
    trial.victim([&] {
      trap();
      data.read();
    });
    trial.step();
    trial.kill();
    trial.sleeper(writer(data));
    trial.check(data.x == 0, "a writer is inside with a reader");
    data.lock.unlock_shared();
    trial.now();
    trial.all_go_on();
    nobody_was_told(trial, data);
  });
}

TEST_F(KillSharedLock, ReaderLeavesTwoWriters) {
  sweep_as("a reader leaves; two writers and a reader wait", [](Trial& trial, Data& data) {
    trial.victim([&] {
      data.lock.lock_shared();
      trap();
      data.lock.unlock_shared();
    });
    trial.sleeper(writer(data));
    trial.sleeper(writer(data));
    trial.sleeper(reader(data));
    trial.step();
    trial.kill();
    trial.all_go_on();
    nobody_was_told(trial, data);
  });
}

TEST_F(KillSharedLock, WriterAlone) {
  sweep_as("write; nobody waits", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      data.lock.lock();
      data.change();
      data.lock.unlock();
    });
    trial.step();
    const bool free = data.lock.try_lock_shared();
    if (free) data.lock.unlock_shared();
    trial.kill();
    trial.newcomer([&] { data.use_after_all(); });
    trial.check(data.deaths == !free, "a death was told of one that did not own the lock, or not told of one that did");
  });
}

TEST_F(KillSharedLock, WriterLeaves) {
  sweep_as("a writer leaves; a writer and two readers wait", [](Trial& trial, Data& data) {
    trial.victim([&] {
      data.lock.lock();
      data.change();
      trap();
      data.lock.unlock();
    });
    trial.sleeper(reader(data));
    trial.sleeper(writer(data));
    trial.sleeper(reader(data));
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TEST_F(KillSharedLock, WriterComesWhileOneReads) {
  sweep_as("a writer comes while one reads, until it sleeps", [](Trial& trial, Data& data) {
    data.lock.lock_shared();
    trial.victim([&] {
      trap();
      data.use();
    });
    trial.step_to_sleep();
    trial.kill();
    trial.survivor(reader(data));
    data.lock.unlock_shared();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TEST_F(KillSharedLock, WriterWaitsForReaders) {
  sweep_as("a writer that waited for a reader, woken; another and a reader wait", [](Trial& trial, Data& data) {
    data.lock.lock_shared();
    trial.victim([&] {
      trap();
      data.use();
    });
    trial.fall_asleep();
    trial.sleeper(writer(data));
    trial.sleeper(reader(data));
    data.lock.unlock_shared();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TEST_F(KillSharedLock, WriterGivesUp) {
  sweep_as("a writer gives up while one reads; a reader waits", [](Trial& trial, Data& data) {
    data.lock.lock_shared();
    trial.victim([&] {
      trap();
      require(!data.lock.lock(100ms), "a writer is inside with a reader");
    });
    trial.fall_asleep();
    trial.sleeper(reader(data));
    trial.step();
    trial.kill();
    data.lock.unlock_shared();
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

TEST_F(KillSharedLock, ReaderBlocked) {
  sweep_as("a reader comes while one writes, until it sleeps", [](Trial& trial, Data& data) {
    data.lock.lock();
    trial.victim([&] {
      trap();
      data.read();
    });
    trial.sleeper(reader(data));
    trial.step_to_sleep();
    trial.kill();
    data.change_and_unlock();
    trial.all_go_on();
    nobody_was_told(trial, data);
  });
}

TEST_F(KillSharedLock, ReaderWoken) {
  sweep_as("a reader woken; a writer and a reader wait", [](Trial& trial, Data& data) {
    data.lock.lock();
    trial.victim([&] {
      trap();
      data.read();
    });
    trial.fall_asleep();
    trial.sleeper(writer(data));
    trial.sleeper(reader(data));
    data.change_and_unlock();
    trial.step_to_sleep();
    trial.kill();
    trial.all_go_on();
    nobody_was_told(trial, data);
  });
}

TEST_F(KillSharedLock, WriterRecovers) {
  sweep_as("recover while a reader that came before the death reads", [](Trial& trial, Data& data) {
    trial.victim([&] {
      trap();
      auto held = data.lock.recover();
      data.y = data.x;
      held.unlock();
    });
    Report* report = nullptr;
    Child& first = trial.bystander(
        [&] {
          data.lock.lock();
          data.x = data.x + 1;
        },
        report);
    trial.check(first.ends_before(Clock::now() + hang), "the first writer did not end");
    trial.step();
    trial.kill();
    trial.newcomer([&] { data.use_after_all(); });
  });
}

}  // namespace
