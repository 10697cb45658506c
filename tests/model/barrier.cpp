// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <stdexcept>

#include <support/model.hpp>
#include <trine/barrier.hpp>
#include <trine/error.hpp>

namespace {

using namespace checking;

constexpr int broken = -1;

template <class B, class... U>
int arrive(trine::Barrier<B>& barrier, const U&... until) {
  try {
    return static_cast<int>(barrier.wait(until...));
  } catch (const trine::BrokenBarrier&) {
    return broken;
  }
}

// Each sees what the other did before, and they have different places.
template <class B>
void two_parties() {
  trine::Barrier<B> barrier(2);
  Cell<int> first;
  Cell<int> second;
  int place = broken;
  Thread other([&] {
    second.set(1);
    place = arrive(barrier);
    model::check_that(first.get() == 1);
  });
  first.set(1);
  const int place_here = arrive(barrier);
  model::check_that(second.get() == 1);
  other.join();
  model::check_that(place + place_here == 1 && place != place_here);
}

template <class B>
void two_generations() {
  trine::Barrier<B> barrier(2);
  Cell<int> data;
  Thread other([&] {
    arrive(barrier);
    data.set(1);  // between the first generation and the second
    arrive(barrier);
  });
  arrive(barrier);
  arrive(barrier);
  model::check_that(data.get() == 1 && barrier.waiting() == 0);
  other.join();
}

template <class B>
void three_parties() {
  trine::Barrier<B> barrier(3);
  Cell<int> data;
  Thread one([&] { arrive(barrier); });
  Thread other([&] {
    data.set(1);
    arrive(barrier);
  });
  arrive(barrier);
  model::check_that(data.get() == 1);
  one.join();
  other.join();
}

// The action runs once, sees what all did, and all see what it did.
template <class B>
void action() {
  Cell<int> first;
  Cell<int> second;
  Cell<int> sum;
  trine::Barrier<B> barrier(2, [&] { sum.set(sum.get() + first.get() + second.get()); });
  Thread other([&] {
    second.set(2);
    arrive(barrier);
    model::check_that(sum.get() == 3);
  });
  first.set(1);
  arrive(barrier);
  model::check_that(sum.get() == 3);
  other.join();
}

template <class B>
void action_throws() {
  trine::Barrier<B> barrier(2, [] { throw std::runtime_error("no"); });
  int place = 0;
  const auto wait = [&] {
    try {
      barrier.wait();
      return 2;
    } catch (const trine::BrokenBarrier&) {
      return 0;
    } catch (const std::runtime_error&) {
      return 1;
    }
  };
  Thread other([&] { place = wait(); });
  const int place_here = wait();
  other.join();
  model::check_that(place + place_here == 1 && barrier.broken());
}

// Both pass, or both find it broken.
template <class B>
void time_out() {
  trine::Barrier<B> barrier(2);
  int place = 0;
  Thread patient([&] { place = arrive(barrier); });
  const int place_here = arrive(barrier, a_while);
  patient.join();
  model::check_that((place == broken) == (place_here == broken) && barrier.broken() == (place == broken));
}

template <class B>
void time_out_breaks_for_all() {
  trine::Barrier<B> barrier(3);
  int first = 0;
  int second = 0;
  Thread one([&] { first = arrive(barrier); });
  Thread other([&] { second = arrive(barrier); });
  const int third = arrive(barrier, a_while);
  one.join();
  other.join();
  const int went = (first == broken ? 0 : 1) + (second == broken ? 0 : 1) + (third == broken ? 0 : 1);
  model::check_that(went == 0 || went == 3);
}

template <class B>
void abort() {
  trine::Barrier<B> barrier(3);
  Thread one([&] { model::check_that(arrive(barrier) == broken); });
  Thread other([&] { model::check_that(arrive(barrier) == broken); });
  barrier.abort();
  one.join();
  other.join();
  model::check_that(barrier.broken());
  barrier.reset();
  model::check_that(!barrier.broken() && barrier.waiting() == 0);
}

// Who waits at a reset() finds it broken; who comes later does not, and waits until its limit.
template <class B>
void reset() {
  trine::Barrier<B> barrier(2);
  Thread other([&] { model::check_that(arrive(barrier, a_while) == broken); });
  barrier.reset();
  other.join();
  barrier.reset();
  model::check_that(!barrier.broken() && barrier.waiting() == 0);
}

// A party that arrives after the reset waits for another that does, and not for those who leave.
template <class B>
void reset_beside_a_new_party() {
  trine::Barrier<B> barrier(2);
  auto early = barrier.wait_op();
  early.attempt();
  Thread leaves([&] {
    try {
      B::run(early, {});
      model::check_that(false);
    } catch (const trine::BrokenBarrier&) {
    }
  });
  barrier.reset();
  Thread comes([&] { model::check_that(arrive(barrier) != broken); });
  model::check_that(arrive(barrier) != broken);
  leaves.join();
  comes.join();
}

// Three for two places: those who pass are two, or nobody.
template <class B>
void more_threads_than_parties() {
  trine::Barrier<B> barrier(2);
  int first = 0;
  int second = 0;
  Thread one([&] { first = arrive(barrier, a_while); });
  Thread other([&] { second = arrive(barrier, a_while); });
  const int third = arrive(barrier, a_while);
  one.join();
  other.join();
  const int went = (first == broken ? 0 : 1) + (second == broken ? 0 : 1) + (third == broken ? 0 : 1);
  model::check_that(went == 0 || went == 2);
}

// Two generations, whoever meets whom.
template <class B>
void four_for_two_places() {
  trine::Barrier<B> barrier(2);
  Thread one([&] { arrive(barrier); });
  Thread other([&] { arrive(barrier); });
  Thread third([&] { arrive(barrier); });
  arrive(barrier);
  one.join();
  other.join();
  third.join();
  model::check_that(!barrier.broken() && barrier.waiting() == 0);
}

TEST(ModelBarrier, TwoParties) { prove_two(two_parties<model>); }
TEST(ModelBarrier, TwoGenerations) { prove(2, 2, two_generations<model>, 0); }
TEST(ModelBarrier, ThreeParties) { prove_three(three_parties<model>, 1, 0); }
TEST(ModelBarrier, Action) { prove_two(action<model>); }
TEST(ModelBarrier, ActionThrows) { prove(2, 2, action_throws<model>, 0); }
TEST(ModelBarrier, TimeOut) { prove(2, 3, time_out<model>); }
TEST(ModelBarrier, TimeOutBreaksForAll) {
  prove_three(time_out_breaks_for_all<model>, 0, 0);
  prove_three_in_sequence(time_out_breaks_for_all<model>, 3);
}
TEST(ModelBarrier, Abort) {
  prove_three(abort<model>, 0, 0);
  prove_three_in_sequence(abort<model>, 3);
}
TEST(ModelBarrier, Reset) { prove(2, 3, reset<model>); }
TEST(ModelBarrier, ResetBesideANewParty) { prove_three_in_sequence(reset_beside_a_new_party<model>, 3); }
TEST(ModelBarrier, MoreThreadsThanParties) {
  prove_three(more_threads_than_parties<model>, 0, 0);
  prove_three_in_sequence(more_threads_than_parties<model>, 3);
}

TEST(ModelBarrier, FourForTwoPlaces) { prove(4, 0, four_for_two_places<model>, 0); }

// ---- mutants ----

constexpr std::string_view here = "/barrier_operation.hpp";
constexpr std::string_view state = "/barrier_state.hpp";

TEST(ModelBarrierMutant, NextWithoutRelease) {
  caught_two({.file = state, .function = "::begin_next(", .op = Op::exchange, .order = release, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelBarrierMutant, LookWithoutAcquire) {
  caught_two({.file = here, .function = "::look(", .op = Op::load, .order = acquire, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
// For two parties alone: a third could miss the store that clears the count, which is not sequentially consistent.
TEST(ModelBarrierMutant, GateWithoutAcquire) {
  equivalent({.file = "/blocking.hpp", .function = "::claim(", .op = Op::compare_exchange, .order = acquire,
              .weakened = relaxed},
             2, 2, two_generations<mutated>, "the sequentially consistent count inside orders what two parties do");
}
TEST(ModelBarrierMutant, MarkForgotten) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .written = without<1>, .unmarked = 1},
             two_parties<mutated>, "deadlock");
}
TEST(ModelBarrierMutant, WakeDropped) {
  caught_two({.file = state, .function = "::open_gate_and_wake(", .op = Op::wake, .woken = nobody}, two_parties<mutated>,
             "deadlock");
}
TEST(ModelBarrierMutant, WakesOneOnly) {
  caught_three({.file = state, .function = "::open_gate_and_wake(", .op = Op::wake, .woken = one_only}, three_parties<mutated>,
               "deadlock", 1);
}
TEST(ModelBarrierMutant, GenerationNotCounted) {
  caught_two({.file = state, .function = "::begin_next(", .op = Op::exchange, .written = unchanged}, two_parties<mutated>,
             "deadlock");
}
TEST(ModelBarrierMutant, NotBroken) {
  caught_three({.file = state, .function = "::become(", .op = Op::exchange, .written = unchanged}, abort<mutated>, "", 2);
}

}  // namespace
