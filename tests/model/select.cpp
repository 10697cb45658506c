// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>

#include <support/model.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/queue.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;

template <class B>
void two_events() {
  trine::Event<B> first;
  trine::Event<B> second;
  Cell<int> data_of_first;
  Cell<int> data_of_second;
  Thread setter([&] {
    data_of_first.set(1);
    first.set();
    data_of_second.set(1);
    second.set();
  });
  const auto done = trine::select(first.wait_op(), second.wait_op());
  if (done.index() == 0) model::check_that(data_of_first.get() == 1);
  if (done.index() == 1) model::check_that(data_of_second.get() == 1);
  model::check_that(done.index() <= 1);
  setter.join();
}

// Both become ready; exactly one is done.
template <class B>
void exactly_one() {
  trine::Semaphore<B> first(0);
  trine::Semaphore<B> second(0);
  Thread releaser([&] {
    first.release();
    second.release();
  });
  const auto done = trine::select(first.acquire_op(), second.acquire_op());
  releaser.join();
  model::check_that(first.value() == (done.index() == 0 ? 0 : 1));
  model::check_that(second.value() == (done.index() == 1 ? 0 : 1));
}

template <class B>
void event_or_time_out() {
  trine::Event<B> event;
  trine::Semaphore<B> permits(0);
  Thread releaser([&] { permits.release(); });
  const auto done = trine::select(event.wait_op(), permits.acquire_op(), trine::Until(a_while));
  releaser.join();
  model::check_that(done.index() != 0);
  model::check_that(permits.value() == (done.index() == 1 ? 0 : 1));
}

template <class B>
void queue_or_permit() {
  trine::Queue<int, B> queue(1);
  trine::Semaphore<B> permits(0);
  Thread producer([&] {
    queue.put(1);
    permits.release();
  });
  const auto done = trine::select(queue.get_op(), permits.acquire_op());
  producer.join();
  model::check_that(queue.size() == (done.index() == 0 ? 0U : 1U));
  model::check_that(permits.value() == (done.index() == 1 ? 0 : 1));
}

template <class B>
void stop_request() {
  trine::Event<B> first;
  trine::Event<B> second;
  std::stop_source stop;
  Thread stopper([&] { stop.request_stop(); });
  const auto done = trine::select(first.wait_op(), second.wait_op(), trine::Until(stop.get_token()));
  model::check_that(done.index() > 1);
  stopper.join();
}

// The wake for the second semaphore may go to the one that takes the first: then it is passed on.
template <class B>
void against_another_waiter() {
  trine::Semaphore<B> first(0);
  trine::Semaphore<B> second(0);
  Thread chooser([&] {
    const auto done = trine::select(first.acquire_op(), second.acquire_op());
    if (done.index() == 1) second.release();
  });
  Thread other([&] { second.acquire(); });
  second.release();
  first.release();
  chooser.join();
  other.join();
}

template <class B>
void give_up_against_another_waiter() {
  trine::Event<B> never;
  trine::Semaphore<B> permits(0);
  Thread chooser([&] {
    const auto done = trine::select(never.wait_op(), permits.acquire_op(), trine::Until(a_while));
    if (done.index() == 1) permits.release();
  });
  Thread other([&] { permits.acquire(); });
  permits.release();
  chooser.join();
  other.join();
  model::check_that(permits.value() == 0);
}

// Two who choose among the same two, in opposite orders.
template <class B>
void crossed() {
  trine::Semaphore<B> first(0);
  trine::Semaphore<B> second(0);
  Thread one([&] { trine::select(first.acquire_op(), second.acquire_op()); });
  Thread other([&] { trine::select(second.acquire_op(), first.acquire_op()); });
  first.release();
  second.release();
  one.join();
  other.join();
  model::check_that(first.value() + second.value() == 0);
}

// Destroyed by the chooser as soon as the event is set, though set() may not have returned.
template <class B>
void destroyed_by_the_chooser() {
  std::optional<trine::Event<B>> event(std::in_place);
  trine::Semaphore<B> permits(0);
  Thread setter([&] { event->set(); });
  trine::select(permits.acquire_op(), event->wait_op());
  event.reset();
  setter.join();
}

TEST(ModelSelect, TwoEvents) { prove_two(two_events<model>); }
TEST(ModelSelect, ExactlyOne) { prove_two(exactly_one<model>); }
TEST(ModelSelect, EventOrTimeOut) { prove_two(event_or_time_out<model>); }
TEST(ModelSelect, QueueOrPermit) { prove(2, no_bound, queue_or_permit<model>); }
TEST(ModelSelect, StopRequest) { prove_two(stop_request<model>); }
TEST(ModelSelect, AgainstAnotherWaiter) { prove_three(against_another_waiter<model>, 3, 0); }
TEST(ModelSelect, GiveUpAgainstAnotherWaiter) { prove_three(give_up_against_another_waiter<model>, 3, 0); }
TEST(ModelSelect, Crossed) { prove_three(crossed<model>, 3, 0); }
TEST(ModelSelect, DestroyedByTheChooser) { prove_two(destroyed_by_the_chooser<model>); }

// ---- mutants ----

TEST(ModelSelectMutant, WakeNotPassedOn) {
  caught_three({.file = "/wait_loop.hpp", .function = "::pass_on(", .op = Op::wake, .woken = nobody},
               against_another_waiter<mutated>, "deadlock", 2);
}
TEST(ModelSelectMutant, StopRequestWakesNobody) {
  caught_two({.file = "model.hpp", .function = "set_and_wake(", .op = Op::rouse}, stop_request<mutated>, "deadlock");
}
TEST(ModelSelectMutant, EventMarkForgotten) {
  caught_two({.file = "/event.hpp", .function = "::announce(", .op = Op::compare_exchange, .written = without<2>, .unmarked = 2},
             two_events<mutated>, "deadlock");
}
TEST(ModelSelectMutant, SemaphoreMarkForgotten) {
  caught_two({.file = "/semaphore.hpp", .function = "::announce(", .op = Op::compare_exchange, .written = without<1>, .unmarked = 1},
             exactly_one<mutated>, "deadlock");
}

}  // namespace
