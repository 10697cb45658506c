// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>

#include <support/model.hpp>
#include <trine/condition.hpp>
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>

namespace {

using namespace checking;

template <class B>
void with_predicate() {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  Cell<int> data;
  Thread notifier([&] {
    {
      auto held = lock.guard();
      data.set(1);
    }
    changed.notify();
  });
  {
    auto held = lock.guard();
    model::check_that(changed.wait(held, [&] { return data.get() == 1; }));
    data.set(2);
  }
  notifier.join();
}

template <class B>
void notified_with_the_lock_held() {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  Cell<int> data;
  Thread notifier([&] {
    auto held = lock.guard();
    data.set(1);
    changed.notify();
  });
  {
    auto held = lock.guard();
    while (data.get() == 0) changed.wait(held);
  }
  notifier.join();
}

// It waits already when the other can lock, so a single notification is enough.
template <class B>
void without_predicate() {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  auto held = lock.guard();
  Thread notifier([&] {
    lock.lock();
    lock.unlock();
    changed.notify();
  });
  changed.wait(held);
  model::check_that(held.lock() == &lock && lock.locked());
  held.unlock();
  notifier.join();
}

template <class B>
void recursive() {
  trine::RecursiveLock<B> lock;
  trine::Condition<B> changed;
  Cell<int> data;
  lock.lock();
  auto held = lock.guard();
  Thread notifier([&] {
    lock.lock();  // every level is free
    data.set(1);
    lock.unlock();
    changed.notify();
  });
  while (data.get() == 0) changed.wait(held);
  model::check_that(lock.depth() == 2);
  held.unlock();
  lock.unlock();
  notifier.join();
}

template <class B>
struct Tokens {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  Cell<int> tokens;

  void take() {
    auto held = lock.guard();
    while (tokens.get() == 0) changed.wait(held);
    tokens.set(tokens.get() - 1);
  }
  void add(int n) {
    auto held = lock.guard();
    tokens.set(tokens.get() + n);
  }
};

template <class B>
void one_for_each() {
  Tokens<B> state;
  Thread one([&] { state.take(); });
  Thread other([&] { state.take(); });
  state.add(1);
  state.changed.notify();
  state.add(1);
  state.changed.notify();
  one.join();
  other.join();
}

template <class B>
void two_at_once() {
  Tokens<B> state;
  Thread one([&] { state.take(); });
  Thread other([&] { state.take(); });
  state.add(2);
  state.changed.notify(2);
  one.join();
  other.join();
}

template <class B>
void all_at_once() {
  Tokens<B> state;
  Thread one([&] { state.take(); });
  Thread other([&] { state.take(); });
  state.add(2);
  state.changed.notify_all();
  one.join();
  other.join();
}

// One notification. If the hasty one has it, it says so and passes it on; if it gave up, the patient one must have it.
template <class B>
void give_up_beside_another() {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  Cell<int> token;
  Thread hasty([&] {
    bool notified = false;
    {
      auto held = lock.guard();
      if (token.get() == 1) return;
      notified = changed.wait(held, a_while);
    }
    if (notified) changed.notify();
  });
  Thread patient([&] {
    auto held = lock.guard();
    while (token.get() == 0) changed.wait(held);
  });
  {
    auto held = lock.guard();
    token.set(1);
  }
  changed.notify();
  hasty.join();
  patient.join();
}

template <class B>
void time_out() {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  Cell<int> data;
  Thread notifier([&] {
    {
      auto held = lock.guard();
      data.set(1);
    }
    changed.notify();
  });
  {
    auto held = lock.guard();
    const bool seen = changed.wait(held, [&] { return data.get() == 1; }, a_while);
    model::check_that(seen == (data.get() == 1));
    data.set(2);  // the lock is held, also after giving up
  }
  notifier.join();
}

template <class B>
void stop_request() {
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  std::stop_source stop;
  Thread stopper([&] { stop.request_stop(); });
  {
    auto held = lock.guard();
    model::check_that(!changed.wait(held, [] { return false; }, stop.get_token()));
    model::check_that(lock.locked());
  }
  stopper.join();
}

// Spurious wakes are left out: only one who was really woken may destroy it.
template <class B>
void destroyed_by_the_waiter() {
  trine::Lock<B> lock;
  std::optional<trine::Condition<B>> changed(std::in_place);
  auto held = lock.guard();
  Thread notifier([&] {
    lock.lock();
    lock.unlock();
    changed->notify();
  });
  changed->wait(held);
  changed.reset();
  held.unlock();
  notifier.join();
}

TEST(ModelCondition, WithPredicate) { prove_two(with_predicate<model>); }
TEST(ModelCondition, NotifiedWithTheLockHeld) { prove_two(notified_with_the_lock_held<model>); }
TEST(ModelCondition, WithoutPredicate) { prove_two(without_predicate<model>); }
TEST(ModelCondition, Recursive) { prove_two(recursive<model>); }
TEST(ModelCondition, OneForEach) {
  prove_three(one_for_each<model>, 1, 0);
  prove_three_in_sequence(one_for_each<model>);
}
TEST(ModelCondition, TwoAtOnce) {
  prove_three(two_at_once<model>, 2, 0);
  prove_three_in_sequence(two_at_once<model>);
}
TEST(ModelCondition, AllAtOnce) {
  prove_three(all_at_once<model>, 2, 0);
  prove_three_in_sequence(all_at_once<model>);
}
TEST(ModelCondition, GiveUpBesideAnother) {
  prove_three(give_up_beside_another<model>, 1, 0);
  prove_three_in_sequence(give_up_beside_another<model>);
}
TEST(ModelCondition, TimeOut) { prove_two(time_out<model>); }
TEST(ModelCondition, StopRequest) { prove_two(stop_request<model>); }
TEST(ModelCondition, DestroyedByTheWaiter) { prove(2, no_bound, destroyed_by_the_waiter<model>, 0); }

// ---- mutants ----

constexpr std::string_view here = "/condition.hpp";

TEST(ModelConditionMutant, WaiterNotCounted) {
  caught_two({.file = here, .function = "::begin(", .op = Op::fetch_add, .written = unchanged}, without_predicate<mutated>,
             "deadlock");
}
TEST(ModelConditionMutant, NotificationNotCounted) {
  caught_two({.file = here, .function = "::wake(", .op = Op::fetch_add, .written = unchanged}, without_predicate<mutated>,
             "deadlock");
}
TEST(ModelConditionMutant, WakeDropped) {
  caught_two({.file = here, .function = "::wake(", .op = Op::wake, .woken = nobody}, without_predicate<mutated>, "deadlock");
}
TEST(ModelConditionMutant, WakesOneOfAll) {
  caught_three({.file = here, .function = "::wake(", .op = Op::wake, .woken = one_only}, all_at_once<mutated>, "deadlock", 2);
}
// Who leaves counts itself out twice: the one who still sleeps seems not to be there.
TEST(ModelConditionMutant, CountedOutTwice) {
  caught({.file = here, .function = "::relock(", .op = Op::fetch_sub,
          .written = [](std::uint32_t before, std::uint32_t) { return before < 2 ? 0U : before - 2; }},
         3, 2, one_for_each<mutated>, "deadlock", false);
}
// The lock orders everything: without its order the data race.
TEST(ModelConditionMutant, LockWithoutRelease) {
  caught_two({.file = "/blocking.hpp", .function = "::vacate(", .op = Op::exchange, .order = release, .weakened = relaxed},
             with_predicate<mutated>, "data race");
}

}  // namespace
