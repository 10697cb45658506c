// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <support/mortal.hpp>
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

// Arrives, and may be killed from then on.
template <class B>
void arrive_and_die(trine::Barrier<B>& barrier) {
  try {
    auto operation = barrier.wait_op();
    operation.attempt();
    be_mortal();
    mortal_model::may_die_here();
    B::run(std::move(operation), {});
  } catch (const trine::BrokenBarrier&) {
  }
}

// The survivors have passed or find it broken, and it can be used again.
template <class B>
void used_again(trine::Barrier<B>& barrier) {
  barrier.reset();
  Thread other([&] { model::check_that(arrive(barrier) != broken); });
  model::check_that(arrive(barrier) != broken);
  other.join();
}

template <class B>
void dies_while_it_waits() {
  trine::Barrier<B> barrier(2);
  Thread victim([&] { arrive_and_die(barrier); });
  arrive(barrier);
  victim.join();
  barrier.reset();
  model::check_that(!barrier.broken() && barrier.waiting() == 0);
}

template <class B>
void one_of_three_dies() {
  trine::Barrier<B> barrier(3);
  Thread victim([&] { arrive_and_die(barrier); });
  int place = 0;
  Thread other([&] { place = arrive(barrier); });
  const int place_here = arrive(barrier);
  victim.join();
  other.join();
  model::check_that((place == broken) == (place_here == broken));
}

// One that dies before it has arrived is nobody's concern: the others need a limit, or somebody who ends it.
template <class B>
void dies_as_it_arrives() {
  trine::Barrier<B> barrier(2);
  Thread victim([&] {
    be_mortal();
    arrive(barrier);
  });
  Thread ender([&] {
    victim.join();
    barrier.abort();
  });
  arrive(barrier);
  ender.join();
  used_again(barrier);
}

template <class B>
void dies_as_it_resets() {
  trine::Barrier<B> barrier(2);
  Thread victim([&] {
    be_mortal();
    barrier.reset();
  });
  Thread ender([&] {
    victim.join();
    barrier.abort();
  });
  arrive(barrier);
  ender.join();
  model::check_that(barrier.broken());
}

// Two generations, of which the victim may see one, with the data that belong to them.
template <class B>
void publishes() {
  trine::Barrier<B> barrier(2);
  Cell<int> data;
  Thread victim([&] {
    data.set(1);
    arrive_and_die(barrier);
  });
  if (arrive(barrier) != broken) model::check_that(data.get() == 1);
  victim.join();
}

template <class B>
void two_generations() {
  trine::Barrier<B> barrier(2);
  Cell<int> data;
  Thread victim([&] {
    arrive(barrier);
    data.set(1);  // between the first generation and the second
    arrive_and_die(barrier);
  });
  arrive(barrier);
  if (arrive(barrier) != broken) model::check_that(data.get() == 1);
  victim.join();
}

constexpr Deaths in_sequence{.threads = 3, .bound = 2, .weak_memory = false};

TEST(ModelMortalBarrier, DiesWhileItWaits) { prove_deaths({}, dies_while_it_waits<mortal_model>); }
TEST(ModelMortalBarrier, Publishes) { prove_deaths({}, publishes<mortal_model>); }
TEST(ModelMortalBarrier, TwoGenerations) { prove_deaths({.bound = 1}, two_generations<mortal_model>); }
TEST(ModelMortalBarrier, OneOfThreeDies) {
  prove_deaths({.threads = 3, .bound = 0}, one_of_three_dies<mortal_model>);
  prove_deaths(in_sequence, one_of_three_dies<mortal_model>);
}
TEST(ModelMortalBarrier, DiesAsItArrives) {
  prove_deaths({.threads = 3, .bound = 0}, dies_as_it_arrives<mortal_model>);
  prove_deaths(in_sequence, dies_as_it_arrives<mortal_model>);
}
TEST(ModelMortalBarrier, DiesAsItResets) { prove_deaths({.threads = 3, .bound = 1}, dies_as_it_resets<mortal_model>); }

// ---- mutants ----

constexpr std::uint32_t died = trine::owner_word::died;

// A party that died inside counts as one that has left.
TEST(ModelMortalBarrierMutant, DeadNotSeen) {
  caught_deaths({.file = "/mortal.hpp", .function = "::for_each(", .op = Op::load, .said = [](std::uint32_t word) { return word & ~died; }},
                {}, dies_while_it_waits<mutated_mortal>, "deadlock");
}
// The phase stays whole though a party died.
TEST(ModelMortalBarrierMutant, NotBroken) {
  caught_deaths({.file = "/barrier_state.hpp", .function = "::become(", .op = Op::exchange, .written = unchanged}, {},
                dies_while_it_waits<mutated_mortal>, "");
}
// A party does not say which generation it belongs to.
TEST(ModelMortalBarrierMutant, GenerationNotSaid) {
  caught_deaths({.file = "/mortal.hpp", .function = "::enter_where(", .op = Op::store, .written = unchanged}, {.bound = 2},
                two_generations<mutated_mortal>, "");
}
// Those who sleep are not woken: a slice later they find out.
TEST(ModelMortalBarrierMutant, WakeDropped) {
  harmless({.file = "/barrier_state.hpp", .function = "", .op = Op::wake, .woken = nobody}, {},
           dies_while_it_waits<mutated_mortal>, "no sleep is longer than a slice");
}
TEST(ModelMortalBarrierMutant, NextWithoutRelease) {
  caught_deaths({.file = "/barrier_state.hpp", .function = "::begin_next(", .op = Op::exchange, .order = release, .weakened = relaxed},
                {}, publishes<mutated_mortal>, "data race");
}

}  // namespace
