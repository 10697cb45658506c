// SPDX-License-Identifier: BSL-1.0
//
// Event, Latch and Condition: a kill after each instruction, in each role.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

#include <trine/condition.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>

#include "process/killing/guarded.hpp"
#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;
using B = shared_memory_direct;

class KillEvent : public Kills {
 protected:
  using Event = trine::Event<B>;

  static void sweep_as(const char* scenario, const std::function<void(Trial&, Event&)>& body) {
    sweep((std::string("Event: ") + scenario).c_str(), [&body](Trial& trial) { body(trial, trial.make<Event>()); });
  }

  static void two_sleepers(Trial& trial, Event& event) {
    for (int i = 0; i < 2; ++i) {
      trial.sleeper([&] { require(event.wait(), "a wait without a limit gave up"); });
    }
  }

  static void works_after_all(Trial& trial, Event& event) {
    trial.newcomer([&] {
      event.set();
      require(event.is_set() && event.wait(), "not set");
      event.clear();
      require(!event.is_set() && !event.wait(0ms), "not clear");
    });
    trial.sleeper([&] { event.wait(); });
    event.set();
    trial.now();
    trial.all_go_on();
  }
};

TEST_F(KillEvent, Set) {
  sweep_as("set; two sleep", [](Trial& trial, Event& event) {
    trial.victim([&] {
      trap();
      event.set();
    });
    two_sleepers(trial, event);
    trial.step();
    trial.kill();
    trial.check(event.is_set() || !trial.done(), "one that was set is not");
    if (!event.is_set()) {
      event.set();
      trial.now();
    }
    trial.all_go_on();
    works_after_all(trial, event);
  });
}

TEST_F(KillEvent, Pulse) {
  sweep_as("set and clear; two sleep", [](Trial& trial, Event& event) {
    trial.victim([&] {
      trap();
      event.set();
      event.clear();
    });
    two_sleepers(trial, event);
    trial.step();
    const bool set = event.is_set();
    trial.kill();
    // Before the pulse they still wait; where it is over they must have gone.
    if (!set && !trial.done()) event.set();
    trial.now();
    trial.all_go_on();
    works_after_all(trial, event);
  });
}

TEST_F(KillEvent, Clear) {
  sweep_as("clear; nobody sleeps", [](Trial& trial, Event& event) {
    trial.victim([&] {
      trap();
      event.clear();
    });
    event.set();
    trial.step();
    trial.kill();
    trial.check(!event.is_set() || !trial.done(), "one that was cleared is set");
    works_after_all(trial, event);
  });
}

TEST_F(KillEvent, ClearOfAClearOne) {
  sweep_as("clear, though it is not set; two sleep", [](Trial& trial, Event& event) {
    trial.victim([&] {
      trap();
      event.clear();
    });
    two_sleepers(trial, event);
    trial.step();
    trial.kill();
    event.set();
    trial.now();
    trial.all_go_on();
    works_after_all(trial, event);
  });
}

TEST_F(KillEvent, FallsAsleep) {
  sweep_as("wait, until it sleeps; two sleep", [](Trial& trial, Event& event) {
    trial.victim([&] {
      trap();
      event.wait();
    });
    two_sleepers(trial, event);
    trial.step_to_sleep();
    trial.kill();
    event.set();
    trial.now();
    trial.all_go_on();
    works_after_all(trial, event);
  });
}

TEST_F(KillEvent, Woken) {
  sweep_as("woken; another sleeps", [](Trial& trial, Event& event) {
    trial.victim([&] {
      trap();
      require(event.wait(), "a wait without a limit gave up");
    });
    trial.fall_asleep();
    trial.sleeper([&] { event.wait(); });
    event.set();
    event.clear();
    trial.step();
    trial.kill();
    trial.all_go_on();
    works_after_all(trial, event);
  });
}

class KillLatch : public Kills {
 protected:
  using Latch = trine::Latch<B>;

  static void sweep_as(const char* scenario, const std::function<void(Trial&, Latch&)>& body) {
    sweep((std::string("Latch: ") + scenario).c_str(), [&body](Trial& trial) { body(trial, trial.make<Latch>(2)); });
  }

  static void count(Trial& trial, Latch& latch, std::ptrdiff_t n) {
    trial.newcomer([&] { latch.count_down(n); });
    trial.now();
  }

  /// Everyone has gone, nothing is left to count.
  static void is_over(Trial& trial, Latch& latch) {
    trial.all_go_on();
    trial.newcomer([&] {
      require(latch.try_wait() && latch.wait(), "the count is not zero");
      try {
        latch.count_down();
        require(false, "counted below zero");
      } catch (const std::invalid_argument&) {
      }
    });
  }
};

TEST_F(KillLatch, CountDown) {
  sweep_as("the last but one counts; two sleep", [](Trial& trial, Latch& latch) {
    trial.victim([&] {
      trap();
      latch.count_down();
    });
    for (int i = 0; i < 2; ++i) {
      trial.sleeper([&] { latch.wait(); });
    }
    trial.step();
    trial.kill();
    trial.check(!latch.try_wait(), "counted twice");
    count(trial, latch, 1);
    trial.check(latch.try_wait() || !trial.done(), "a count was lost");
    if (!latch.try_wait()) count(trial, latch, 1);
    is_over(trial, latch);
  });
}

TEST_F(KillLatch, LastCountDown) {
  sweep_as("the last counts; two sleep", [](Trial& trial, Latch& latch) {
    trial.victim([&] {
      trap();
      latch.count_down(2);
    });
    for (int i = 0; i < 2; ++i) {
      trial.sleeper([&] { latch.wait(); });
    }
    trial.step();
    trial.kill();
    trial.check(latch.try_wait() || !trial.done(), "a count was lost");
    if (!latch.try_wait()) count(trial, latch, 2);
    is_over(trial, latch);
  });
}

TEST_F(KillLatch, ArriveAndWait) {
  sweep_as("arrive and wait, until it sleeps; another sleeps", [](Trial& trial, Latch& latch) {
    trial.victim([&] {
      trap();
      latch.arrive_and_wait();
    });
    trial.sleeper([&] { latch.wait(); });
    trial.step_to_sleep();
    trial.kill();
    count(trial, latch, 1);
    if (!latch.try_wait()) count(trial, latch, 1);
    is_over(trial, latch);
  });
}

TEST_F(KillLatch, Woken) {
  sweep_as("woken; another sleeps", [](Trial& trial, Latch& latch) {
    trial.victim([&] {
      trap();
      latch.wait();
    });
    trial.fall_asleep();
    trial.sleeper([&] { latch.wait(); });
    latch.count_down(2);
    trial.step();
    trial.kill();
    is_over(trial, latch);
  });
}

/// Tickets that some hand out and others wait for.
template <class L>
struct Tickets : Guarded<L> {
  trine::Condition<B> changed;
  volatile long there = 0;
  volatile long taken = 0;

  void hand_out(long n) {
    lock_or_repair();
    there = there + n;
    this->change_and_unlock();
  }

  void lock_or_repair() {
    try {
      this->lock.lock();
    } catch (const trine::OwnerDied& e) {
      this->repair_after(e);
    }
  }

  /// Waits for a ticket and takes it. A death that is told in the wait is repaired, and the wait goes on.
  void take() {
    lock_or_repair();
    for (;;) {
      trine::Guard<L> held(this->lock);
      try {
        changed.wait(held, [this] { return there > 0; });
        held.release();
        break;
      } catch (const trine::OwnerDied& e) {
        require(!held, "the guard holds a lock whose owner died");
        this->repair_after(e);
      }
    }
    there = there - 1;
    taken = taken + 1;
    this->change_and_unlock();
  }
};

template <class L>
class KillCondition : public Kills {
 protected:
  using Data = Tickets<L>;

  static void sweep_as(const char* scenario, const std::function<void(Trial&, Data&)>& body) {
    const bool recursive = requires(L & lock) { lock.depth(); };
    const std::string name = std::string(recursive ? "Condition (RecursiveLock): " : "Condition: ") + scenario;
    sweep(
        name.c_str(), [&body](Trial& trial) { body(trial, trial.make<Data>()); }, recursive ? 24 : 80);
  }

  static std::function<void()> taker(Data& data) {
    return [&data] { data.take(); };
  }

  /// One that waits without a predicate.
  static std::function<void()> listener(Data& data) {
    return [&data] {
      data.lock_or_repair();
      trine::Guard held(data.lock);
      require(data.changed.wait(held), "a wait without a limit gave up");
      require(static_cast<bool>(held), "the lock is not held after a wait");
      held.release();
      data.change_and_unlock();
    };
  }

  static void works_after_all(Trial& trial, Data& data) {
    trial.sleeper(taker(data));
    trial.newcomer([&] {
      data.hand_out(1);
      data.changed.notify();
    });
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] { data.use_after_all(); });
  }
};

using Locks = ::testing::Types<trine::Lock<B>, trine::RecursiveLock<B>>;
TYPED_TEST_SUITE(KillCondition, Locks);

TYPED_TEST(KillCondition, Notify) {
  this->sweep_as("notify; one waits", [this](Trial& trial, auto& data) {
    trial.victim([&] {
      trap();
      data.changed.notify();
    });
    trial.sleeper(this->taker(data));
    data.hand_out(1);
    trial.step();
    trial.kill();
    if (!trial.done()) data.changed.notify();
    trial.now();
    trial.all_go_on();
    this->works_after_all(trial, data);
  });
}

TYPED_TEST(KillCondition, NotifyAll) {
  this->sweep_as("hand out, notify all; three wait", [this](Trial& trial, auto& data) {
    trial.victim([&] {
      trap();
      data.hand_out(3);
      data.changed.notify_all();
    });
    for (int i = 0; i < 3; ++i) trial.sleeper(this->taker(data));
    trial.step();
    trial.kill();
    if (!trial.done()) {
      trial.newcomer([&] {
        data.lock_or_repair();
        if (data.taken == 0) data.there = 3;
        data.change_and_unlock();
        data.changed.notify_all();
      });
      trial.now();
    }
    trial.all_go_on();
    trial.check(data.taken == 3 && data.there == 0, "a ticket is lost");
    this->works_after_all(trial, data);
  });
}

// What was notified arrives, though the notifier may be killed before it has woken anybody; what was not does not, and the next
// notification does.
TYPED_TEST(KillCondition, NotifyWithoutPredicates) {
  this->sweep_as("notify all; two wait without a predicate", [this](Trial& trial, auto& data) {
    trial.victim([&] {
      trap();
      data.changed.notify_all();
    });
    for (int i = 0; i < 2; ++i) trial.sleeper(this->listener(data));
    trial.step();
    trial.kill();
    if (!trial.done()) data.changed.notify_all();
    trial.now();
    trial.all_go_on();
    this->works_after_all(trial, data);
  });
}

TYPED_TEST(KillCondition, FallsAsleep) {
  this->sweep_as("wait, until it sleeps; another waits", [this](Trial& trial, auto& data) {
    trial.victim([&] {
      data.lock.lock();
      trine::Guard held(data.lock);
      trap();
      data.changed.wait(held);
    });
    trial.step_to_sleep();
    trial.kill();
    trial.sleeper(this->taker(data));
    trial.newcomer([&] {
      data.hand_out(1);
      data.changed.notify();
    });
    trial.now();
    trial.all_go_on();
    this->works_after_all(trial, data);
  });
}

TYPED_TEST(KillCondition, WokenByNotify) {
  this->sweep_as("woken by the only notification; another waits", [this](Trial& trial, auto& data) {
    trial.victim([&] {
      data.lock.lock();
      trine::Guard held(data.lock);
      trap();
      data.changed.wait(held);
      held.unlock();
    });
    trial.fall_asleep();
    trial.sleeper(this->taker(data));
    data.hand_out(1);
    data.changed.notify();
    trial.step();
    trial.kill();
    // One that has left the wait has had the notification, and need not have passed it on.
    if (trial.done()) data.changed.notify();
    trial.now();
    trial.all_go_on();
    this->works_after_all(trial, data);
  });
}

TYPED_TEST(KillCondition, GivesUp) {
  this->sweep_as("wait for a while, given up; another waits", [this](Trial& trial, auto& data) {
    trial.victim([&] {
      data.lock.lock();
      trine::Guard held(data.lock);
      trap();
      data.changed.wait(held, 1ms);
      held.unlock();
    });
    trial.step();
    trial.kill();
    trial.sleeper(this->taker(data));
    trial.newcomer([&] {
      data.hand_out(1);
      data.changed.notify();
    });
    trial.now();
    trial.all_go_on();
    this->works_after_all(trial, data);
  });
}

}  // namespace
