// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>

#include <support/event_bodies.hpp>
#include <support/model.hpp>
#include <trine/event.hpp>

namespace {

using namespace checking;

template <class B>
void is_set_publishes() {
  trine::Event<B> event;
  Cell<int> data;
  Thread setter([&] {
    data.set(1);
    event.set();
  });
  if (event.is_set()) model::check_that(data.get() == 1);
  setter.join();
}

// Set already, but what the second setter did must be visible to whoever sees the event set after that: here the waiter knows
// of the second set() by another way, which tells it nothing about the data.
template <class B>
void set_again_publishes() {
  trine::Event<B> event(true);
  Cell<int> data;
  Atomic<int> told{0};
  Thread setter([&] {
    data.set(1);
    event.set();
    told.store(1, relaxed);
  });
  if (told.load(relaxed) == 1) {
    event.clear();  // a read-modify-write reads the newest
    model::check_that(data.get() == 1);
  }
  setter.join();
}

// Whoever waits when set() is called goes, though clear() follows at once.
template <class B>
void pulse() {
  trine::Event<B> event;
  Cell<int> data;
  auto operation = event.wait_op();
  operation.attempt();  // it waits from here on
  Thread pulser([&] {
    data.set(1);
    event.set();
    event.clear();
  });
  B::run(operation, {});
  model::check_that(data.get() == 1);
  pulser.join();
}

template <class B>
void pulse_for_two() {
  trine::Event<B> event;
  auto first = event.wait_op();
  auto second = event.wait_op();
  first.attempt();
  second.attempt();
  Thread one([&] { B::run(first, {}); });
  Thread other([&] { B::run(second, {}); });
  event.set();
  event.clear();
  one.join();
  other.join();
}

template <class B>
void set_for_two() {
  trine::Event<B> event;
  Thread one([&] { event.wait(); });
  Thread other([&] { event.wait(); });
  event.set();
  one.join();
  other.join();
}

template <class B>
void two_setters() {
  trine::Event<B> event;
  Cell<int> data;
  Thread one([&] { event.set(); });
  Thread other([&] {
    data.set(1);
    event.set();
    event.clear();
    event.set();
  });
  event.wait();
  one.join();
  other.join();
  model::check_that(event.is_set() && data.get() == 1);
}

// clear() of a clear event leaves the waiter's mark.
template <class B>
void clear_beside_a_waiter() {
  trine::Event<B> event;
  auto operation = event.wait_op();
  operation.attempt();
  Thread clearer([&] { event.clear(); });
  Thread setter([&] { event.set(); });
  B::run(operation, {});
  clearer.join();
  setter.join();
}

// A wait that succeeds has seen the data; one that gives up may not touch them. Two waiters, of which one may give up.
template <class B>
void time_out() {
  trine::Event<B> event;
  Cell<int> data;
  Thread setter([&] {
    data.set(1);
    event.set();
  });
  if (event.wait(a_while)) model::check_that(data.get() == 1);
  setter.join();
  model::check_that(event.wait(a_while));
}

template <class B>
void time_out_beside_another() {
  trine::Event<B> event;
  Thread patient([&] { event.wait(); });
  Thread hasty([&] { event.wait(a_while); });
  event.set();
  patient.join();
  hasty.join();
}

template <class B>
void stop_request() {
  trine::Event<B> event;
  std::stop_source stop;
  Thread stopper([&] { stop.request_stop(); });
  model::check_that(!event.wait(stop.get_token()));
  stopper.join();
}

template <class B>
void stop_against_set() {
  trine::Event<B> event;
  Cell<int> data;
  std::stop_source stop;
  Thread stopper([&] { stop.request_stop(); });
  Thread setter([&] {
    data.set(1);
    event.set();
  });
  if (event.wait(stop.get_token())) model::check_that(data.get() == 1);
  stopper.join();
  setter.join();
}

// The waiter destroys it, though set() may not have returned.
template <class B>
void destroyed_by_the_waiter() {
  std::optional<trine::Event<B>> event(std::in_place);
  Thread setter([&] { event->set(); });
  event->wait();
  event.reset();
  setter.join();
}

TEST(ModelEvent, SetPublishes) { prove_two(an_event_lets_one_go<model>); }
TEST(ModelEvent, IsSetPublishes) { prove_two(is_set_publishes<model>); }
TEST(ModelEvent, SetAgainPublishes) { prove_two(set_again_publishes<model>); }
TEST(ModelEvent, Pulse) { prove_two(pulse<model>); }
TEST(ModelEvent, PulseForTwo) { prove_three(pulse_for_two<model>); }
TEST(ModelEvent, SetForTwo) { prove_three(set_for_two<model>); }
TEST(ModelEvent, ClearBesideAWaiter) { prove_three(clear_beside_a_waiter<model>); }
TEST(ModelEvent, TwoSetters) { prove_three(two_setters<model>); }
TEST(ModelEvent, TimeOut) { prove_two(time_out<model>); }
TEST(ModelEvent, TimeOutBesideAnother) { prove_three(time_out_beside_another<model>); }
TEST(ModelEvent, StopRequest) { prove_two(stop_request<model>); }
TEST(ModelEvent, StopAgainstSet) { prove_three(stop_against_set<model>); }
TEST(ModelEvent, DestroyedByTheWaiter) { prove_two(destroyed_by_the_waiter<model>); }

// ---- mutants ----

constexpr std::string_view here = "/event.hpp";

TEST(ModelEventMutant, SetWithoutRelease) {
  caught_two({.file = here, .function = "::set(", .op = Op::compare_exchange, .order = release, .weakened = relaxed},
             an_event_lets_one_go<mutated>, "data race");
}
TEST(ModelEventMutant, AttemptWithoutAcquire) {
  caught_two({.file = here, .function = "::attempt(", .op = Op::load, .order = acquire, .weakened = relaxed},
             an_event_lets_one_go<mutated>, "data race");
}
TEST(ModelEventMutant, AnnounceLoadsWithoutAcquire) {
  caught_two({.file = here, .function = "::announce(", .op = Op::load, .order = acquire, .weakened = relaxed},
             an_event_lets_one_go<mutated>, "data race");
}
TEST(ModelEventMutant, AnnounceMarksWithoutAcquire) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             an_event_lets_one_go<mutated>, "data race");
}
TEST(ModelEventMutant, IsSetWithoutAcquire) {
  caught_two({.file = here, .function = "::is_set(", .op = Op::load, .order = acquire, .weakened = relaxed},
             is_set_publishes<mutated>, "data race");
}
TEST(ModelEventMutant, ClearWithoutAcquire) {
  caught_two({.file = here, .function = "::clear(", .op = Op::fetch_and, .order = acq_rel, .weakened = release},
             set_again_publishes<mutated>, "data race");
}
TEST(ModelEventMutant, MarkForgotten) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .written = without<2>, .unmarked = 2},
             an_event_lets_one_go<mutated>, "deadlock");
}
TEST(ModelEventMutant, WakeDropped) {
  caught_two({.file = here, .function = "::set(", .op = Op::wake, .woken = nobody}, an_event_lets_one_go<mutated>, "deadlock");
}
TEST(ModelEventMutant, WakesOneOnly) {
  caught_three({.file = here, .function = "::set(", .op = Op::wake, .woken = one_only}, set_for_two<mutated>, "deadlock");
}
TEST(ModelEventMutant, GenerationNotCounted) {
  caught_two({.file = here, .function = "::set(", .op = Op::compare_exchange, .written = keeping<~3U>}, pulse<mutated>,
             "deadlock");
}
TEST(ModelEventMutant, ClearTakesTheMark) {
  caught_three({.file = here, .function = "::clear(", .op = Op::fetch_and, .written = without<3>}, clear_beside_a_waiter<mutated>,
               "deadlock");
}
TEST(ModelEventMutant, StopRequestWakesNobody) {
  caught_two({.file = "model.hpp", .function = "set_and_wake(", .op = Op::rouse}, stop_request<mutated>, "deadlock");
}

}  // namespace
