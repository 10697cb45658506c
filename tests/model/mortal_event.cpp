// SPDX-License-Identifier: BSL-1.0
//
// Event and Latch, whose one word nobody owns: a death loses a wake-up at most, and no sleep is longer than a slice.
#include <gtest/gtest.h>

#include <support/mortal.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>

namespace {

using namespace checking;

// Whoever sees the event set sees what was done before, though who set it died over it.
template <class B>
void setter_dies() {
  trine::Event<B> go;
  Cell<int> data;
  Thread victim([&] {
    be_mortal();
    data.set(1);
    go.set();
  });
  Thread waiter([&] {
    go.wait();
    model::check_that(data.get() == 1);
  });
  victim.join();
  if (!go.is_set()) {
    data.set(1);
    go.set();
  }
  waiter.join();
}

template <class B>
void waiter_dies() {
  trine::Event<B> go;
  Thread victim([&] {
    be_mortal();
    go.wait();
  });
  Thread other([&] { go.wait(); });
  go.set();
  victim.join();
  other.join();
}

template <class B>
void counter_dies() {
  trine::Latch<B> latch(1);
  Cell<int> data;
  Thread victim([&] {
    be_mortal();
    data.set(1);
    latch.count_down();
  });
  Thread waiter([&] {
    latch.wait();
    model::check_that(data.get() == 1);
  });
  victim.join();
  if (!latch.try_wait()) {
    data.set(1);
    latch.count_down();
  }
  waiter.join();
}

template <class B>
void latch_waiter_dies() {
  trine::Latch<B> latch(2);
  Thread victim([&] {
    be_mortal();
    latch.wait();
  });
  Thread other([&] {
    latch.count_down();
    latch.wait();
  });
  latch.count_down();
  victim.join();
  other.join();
}

TEST(ModelMortalEvent, SetterDies) { prove_deaths({.threads = 3, .bound = 3}, setter_dies<mortal_model>); }
TEST(ModelMortalEvent, WaiterDies) { prove_deaths({.threads = 3, .bound = 3}, waiter_dies<mortal_model>); }
TEST(ModelMortalLatch, CounterDies) { prove_deaths({.threads = 3, .bound = 3}, counter_dies<mortal_model>); }
TEST(ModelMortalLatch, WaiterDies) { prove_deaths({.threads = 3, .bound = 3}, latch_waiter_dies<mortal_model>); }

// ---- mutants ----

TEST(ModelMortalEventMutant, SetWithoutRelease) {
  caught_deaths({.file = "/event.hpp", .function = "::set(", .op = Op::compare_exchange, .order = release, .weakened = relaxed},
                {.threads = 3, .bound = 3}, setter_dies<mutated_mortal>, "data race");
}
TEST(ModelMortalEventMutant, WakeDropped) {
  harmless({.file = "/event.hpp", .function = "::set(", .op = Op::wake, .woken = nobody}, {.threads = 3, .bound = 3},
           setter_dies<mutated_mortal>, "no sleep is longer than a slice");
}
// Without slices a death in set() would leave a sleeper behind.
TEST(ModelMortalEventMutant, NoSlices) {
  caught_deaths({.threads = 3, .bound = 3, .slices = false}, setter_dies<mortal_model>, "deadlock");
}

}  // namespace
