// SPDX-License-Identifier: BSL-1.0
//
// The table in which coroutines wait, with words that one thread changes without locked instructions until another comes along:
// the sole thread tries for those whom it wakes in a row that nobody interrupts.
#include <gtest/gtest.h>

#include <support/event_bodies.hpp>
#include <support/sole_word.hpp>
#include <support/wait_table.hpp>
#include <trine/event.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;
using Sleeps = SleepOnSole<trine::modelling::ModelledSleep>;
using B = tabled<Sleeps>;
using World = Modelled<trine::modelling::ModelledSleep>::World;

void an_event_lets_go() {
  const World world;
  an_event_lets_one_go<B>();
}

// The setter may be the sole thread, or one of those who wait, and the ring of two.
void an_event_lets_two_go() {
  const World world;
  an_event_lets_all_go<B>();
}

void one_permit_serves_one() {
  const World world;
  trine::Semaphore<B> permits(0);
  Thread releaser([&] { permits.release(); });
  permits.acquire();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// A limit comes at any moment, and finds its sleeper in the hand of the sole thread.
void a_waiter_that_gives_up_passes_its_wake_on() {
  const World world;
  trine::Semaphore<B> permits(0);
  bool served = false;
  Thread impatient([&] { served = permits.acquire(a_while); });
  permits.release();
  impatient.join();
  model::check_that(permits.value() == (served ? 0 : 1));
}

TEST(WaitAlone, AnEventLetsGo) { prove_tabled<Sleeps>(2, an_event_lets_go, 2); }
TEST(WaitAlone, AnEventLetsTwoGo) { prove_tabled<Sleeps>(3, an_event_lets_two_go, 2, false); }
TEST(WaitAlone, OnePermitServesOne) { prove_tabled<Sleeps>(2, one_permit_serves_one, 2); }
TEST(WaitAlone, AWaiterThatGivesUp) { prove_tabled<Sleeps>(2, a_waiter_that_gives_up_passes_its_wake_on, 2); }

}  // namespace
