// SPDX-License-Identifier: BSL-1.0
//
// The table in which coroutines wait, explored with modelled threads in the place of coroutines: each suspends once for a wait,
// by sleeping on a word of its own, and goes on when it was delivered.
#include <gtest/gtest.h>

#include <cstdint>

#include <support/event_bodies.hpp>
#include <support/wait_table.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;
using B = tabled<trine::modelling::ModelledSleep>;
using Mutated = tabled<MutableSleep>;

template <class W>
void a_lock_is_handed_on() {
  trine::Lock<W> lock;
  Cell<int> count;
  const auto count_up = [&] {
    lock.lock();
    count.set(count.get() + 1);
    lock.unlock();
  };
  Thread one(count_up);
  Thread other(count_up);
  count_up();
  one.join();
  other.join();
  model::check_that(count.get() == 3 && !lock.locked());
}

// Two permits at once: who is served by the waker wakes the next within that waker's work.
template <class W>
void two_permits_serve_two() {
  trine::Semaphore<W> permits(0);
  Thread one([&] { permits.acquire(); });
  Thread releaser([&] {
    permits.release();
    permits.release();
  });
  permits.acquire();
  one.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// One gives its permit after the other has taken the mark and before that one wakes: who is served wakes the next.
template <class W>
void two_release() {
  trine::Semaphore<W> permits(0);
  const auto acquire = [&] { permits.acquire(); };
  const auto release = [&] { permits.release(); };
  Thread waiter(acquire);
  Thread one(release);
  Thread other(release);
  acquire();
  waiter.join();
  one.join();
  other.join();
  model::check_that(permits.value() == 0);
}

// A limit comes at any moment: the permit is taken by one of the two, or is left.
template <class W>
void a_waiter_that_gives_up_passes_its_wake_on() {
  trine::Semaphore<W> permits(0);
  bool first = false;
  Thread impatient([&] { first = permits.acquire(a_while); });
  Thread releaser([&] { permits.release(); });
  releaser.join();
  impatient.join();
  model::check_that(permits.value() == (first ? 0 : 1));
}

template <class W>
void the_patient_is_served_whether_or_not_the_impatient_gives_up() {
  trine::Semaphore<W> permits(0);
  Thread impatient([&] {
    if (permits.acquire(a_while)) permits.release();
  });
  Thread releaser([&] { permits.release(); });
  permits.acquire();
  impatient.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// One is woken for a permit that another has taken before, and its limit comes while it is put back.
template <class W>
void one_is_late() {
  trine::Semaphore<W> permits(0);
  bool served = false;
  Thread impatient([&] { served = permits.acquire(a_while); });
  Thread releaser([&] { permits.release(); });
  const bool stolen = permits.try_acquire();
  releaser.join();
  impatient.join();
  model::check_that(permits.value() + (stolen ? 1 : 0) + (served ? 1 : 0) == 1);
}

TEST(WaitTable, AnEventLetsTwoGo) { prove_tabled(3, an_event_lets_all_go<B>, 1); }
TEST(WaitTable, ALockIsHandedOn) { prove_tabled(3, a_lock_is_handed_on<B>, 2); }
TEST(WaitTable, TwoPermitsServeTwo) { prove_tabled(3, two_permits_serve_two<B>, 1); }
TEST(WaitTable, AWaiterThatGivesUpPassesItsWakeOn) { prove_tabled(3, a_waiter_that_gives_up_passes_its_wake_on<B>, 2); }
TEST(WaitTable, ThePatientIsServed) { prove_tabled(3, the_patient_is_served_whether_or_not_the_impatient_gives_up<B>, 1); }

TEST(WaitTable, OneIsLate) { prove_tabled(3, one_is_late<B>, 2); }

// ---- mutants ----

constexpr const char* table_file = "/wait_lists.hpp";

// Two threads, of which one waits for the other.
template <class W>
void one_permit_serves_one() {
  trine::Semaphore<W> permits(0);
  Thread releaser([&] { permits.release(); });
  permits.acquire();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// The word is not compared again with the list locked.
TEST(WaitTableMutant, NotComparedUnderTheLock) {
  caught_tabled({.file = table_file, .function = "::enqueue(", .op = Op::load, .order = relaxed, .said = [](std::uint32_t) { return 1U; }},
         2, one_permit_serves_one<Mutated>, 2, "deadlock");
}

// Who wakes looks before it has changed the word: the change comes too late for the comparison.
TEST(WaitTableMutant, WokenBeforePublished) {
  caught_tabled({.file = "/semaphore.hpp", .function = "::give(", .op = Op::compare_exchange, .written = unchanged},
         2, one_permit_serves_one<Mutated>, 2, "deadlock");
}

// In the list, and whether it is called off was looked at before others could see that.
TEST(WaitTableMutant, InTheListAfterTheLook) {
  caught_tabled({.file = table_file, .function = "::enqueue(", .op = Op::store, .order = seq_cst, .weakened = relaxed},
         3, one_is_late<Mutated>, 2, "deadlock");
}

TEST(WaitTableMutant, CallingOffNotSeen) {
  caught_tabled({.file = table_file, .function = "::enqueue(", .op = Op::load, .order = seq_cst, .said = [](std::uint32_t) { return 0U; }},
         3, one_is_late<Mutated>, 2, "deadlock");
}

// Who takes one permit of two does not wake the next.
TEST(WaitTableMutant, ServedAndNotPassedOn) {
  caught_tabled({.file = "/semaphore.hpp", .function = "::announce(", .op = Op::wake, .woken = nobody}, 4, two_release<Mutated>, 1,
         "deadlock");
}

// Who sleeps compares the word with a mark that is not there, again and again.
TEST(WaitTableMutant, NotMarked) {
  caught_tabled({.file = "/semaphore.hpp", .function = "::announce(", .op = Op::compare_exchange, .written = without<1>},
         2, one_permit_serves_one<Mutated>, 2, "does not end");
}

TEST(WaitTableMutant, NotWoken) {
  caught_tabled({.file = "/semaphore.hpp", .function = "::give(", .op = Op::wake, .woken = nobody}, 2, one_permit_serves_one<Mutated>, 2,
         "deadlock");
}

}  // namespace
