// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <support/mortal.hpp>
#include <trine/condition.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>

namespace {

using namespace checking;

template <class B>
struct Shared {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  Cell<bool> ready{false};

  // The lock, after its owner's death as well.
  trine::Guard<trine::Lock<B>> hold() {
    try {
      return lock.guard();
    } catch (const trine::OwnerDied&) {
      return lock.recover();
    }
  }
  void wait_until_ready() {
    auto held = hold();
    while (!ready.get()) {
      try {
        changed.wait(held);
      } catch (const trine::OwnerDied&) {
        held = lock.recover();
      }
    }
  }
  void make_ready() {
    auto held = hold();
    ready.set(true);
  }
};

// One of two waiters dies, perhaps when it was notified.
template <class B>
void waiter_dies() {
  Shared<B> shared;
  Thread victim([&] {
    be_mortal();
    shared.wait_until_ready();
  });
  Thread other([&] { shared.wait_until_ready(); });
  Thread notifier([&] {
    shared.make_ready();
    shared.changed.notify(2);
  });
  victim.join();
  other.join();
  notifier.join();
}

// The same with one notification for the two.
template <class B>
void notified_waiter_dies() {
  Shared<B> shared;
  Thread victim([&] {
    be_mortal();
    auto held = shared.hold();
    if (!shared.ready.get()) shared.changed.wait(held);
  });
  Thread other([&] { shared.wait_until_ready(); });
  Thread notifier([&] {
    shared.make_ready();
    shared.changed.notify();
  });
  victim.join();
  other.join();
  notifier.join();
}

// Whoever notifies may die at it, when the data have been changed; another does it again.
template <class B>
void notifier_dies() {
  Shared<B> shared;
  Thread victim([&] {
    be_mortal();
    shared.make_ready();
    shared.changed.notify();
  });
  Thread waiter([&] { shared.wait_until_ready(); });
  victim.join();
  shared.make_ready();
  shared.changed.notify();
  waiter.join();
}

// Nobody does it again: the waiter finds out by itself.
template <class B>
void last_notifier_dies() {
  Shared<B> shared;
  Thread victim([&] {
    shared.make_ready();
    be_mortal();
    shared.changed.notify();
  });
  auto held = shared.hold();
  model::check_that(shared.changed.wait(held, [&] { return shared.ready.get(); }));
  held.unlock();
  victim.join();
}

// Whoever waits without a predicate needs somebody who notifies.
template <class B>
void last_notifier_dies_without_predicate() {
  Shared<B> shared;
  Thread victim([&] {
    shared.make_ready();
    be_mortal();
    shared.changed.notify();
  });
  shared.wait_until_ready();
  victim.join();
}

TEST(ModelMortalCondition, WaiterDies) {
  prove_deaths({.threads = 4, .bound = 0}, waiter_dies<mortal_model>);
  prove_deaths({.threads = 4, .bound = 1, .weak_memory = false}, waiter_dies<mortal_model>);
}
TEST(ModelMortalCondition, NotifiedWaiterDies) { prove_deaths({.threads = 4, .bound = 0}, notified_waiter_dies<mortal_model>); }
TEST(ModelMortalCondition, NotifierDies) { prove_deaths({.threads = 3, .bound = 2}, notifier_dies<mortal_model>); }
TEST(ModelMortalCondition, LastNotifierDies) { prove_deaths({}, last_notifier_dies<mortal_model>); }

// ---- mutants ----

TEST(ModelMortalConditionMutant, NoPredicate) {
  caught_deaths({}, last_notifier_dies_without_predicate<mortal_model>, "deadlock");
}
TEST(ModelMortalConditionMutant, WaiterNotCounted) {
  caught_deaths({.file = "/condition.hpp", .function = "::begin(", .op = Op::fetch_add, .written = unchanged}, {.threads = 4, .bound = 0},
                waiter_dies<mutated_mortal>, "deadlock");
}
TEST(ModelMortalConditionMutant, NotificationNotCounted) {
  caught_deaths({.file = "/condition.hpp", .function = "::wake(", .op = Op::fetch_add, .written = unchanged}, {.threads = 4, .bound = 0},
                waiter_dies<mutated_mortal>, "deadlock");
}
TEST(ModelMortalConditionMutant, WakeDropped) {
  harmless({.file = "/condition.hpp", .function = "::wake(", .op = Op::wake, .woken = nobody}, {.threads = 4, .bound = 0},
           notified_waiter_dies<mutated_mortal>, "no sleep is longer than a slice");
}

}  // namespace
