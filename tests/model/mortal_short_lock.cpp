// SPDX-License-Identifier: BSL-1.0
//
// ShortLock and RecursiveLock.
#include <gtest/gtest.h>

#include <support/mortal.hpp>
#include <trine/error.hpp>
#include <trine/recursive_lock.hpp>

namespace {

using namespace checking;

// One who gets the lock after its owner's death is told so: the data may be half changed.
template <class B>
void change(typename B::ShortLock& gate, Cell<int>& first, Cell<int>& second) {
  const bool clean = gate.lock();
  model::check_that(!clean || first.get() == second.get());
  if (!clean) second.set(first.get());
  first.set(first.get() + 1);
  mortal_model::may_die_here();
  second.set(first.get());
  gate.unlock();
}

template <class B>
void two_parties() {
  typename B::ShortLock gate;
  Cell<int> first;
  Cell<int> second;
  Thread victim([&] {
    be_mortal();
    change<B>(gate, first, second);
  });
  change<B>(gate, first, second);
  victim.join();
  model::check_that(gate.lock() || first.get() != 0);
  gate.unlock();
}

template <class B>
void three_parties() {
  typename B::ShortLock gate;
  Cell<int> first;
  Cell<int> second;
  const auto party = [&] {
    be_mortal();
    change<B>(gate, first, second);
  };
  Thread victim(party);
  Thread other(party);
  change<B>(gate, first, second);
  victim.join();
  other.join();
}

template <class B>
void lock_twice(trine::RecursiveLock<B>& lock, Cell<int>& count) {
  try {
    lock.lock();
  } catch (const trine::OwnerDied&) {
    lock.recover().release();
  }
  model::check_that(lock.depth() == 1);
  lock.lock();
  model::check_that(lock.depth() == 2);
  count.set(count.get() + 1);
  lock.unlock();
  lock.unlock();
}

template <class B>
void recursive() {
  trine::RecursiveLock<B> lock;
  Cell<int> count;
  Thread victim([&] {
    be_mortal();
    lock_twice(lock, count);
  });
  lock_twice(lock, count);
  victim.join();
  lock_twice(lock, count);
}

template <class B>
void recursive_three() {
  trine::RecursiveLock<B> lock;
  Cell<int> count;
  const auto party = [&] {
    be_mortal();
    lock_twice(lock, count);
  };
  Thread victim(party);
  Thread other(party);
  lock_twice(lock, count);
  victim.join();
  other.join();
}

TEST(ModelMortalShortLock, TwoParties) { prove_deaths({}, two_parties<mortal_model>); }
TEST(ModelMortalShortLock, ThreeParties) { prove_deaths({.threads = 3, .bound = 2}, three_parties<mortal_model>); }
TEST(ModelMortalShortLock, TwoOfThreeDie) { prove_deaths({.threads = 3, .bound = 1, .kills = 2}, three_parties<mortal_model>); }
TEST(ModelMortalRecursiveLock, TwoParties) { prove_deaths({}, recursive<mortal_model>); }
TEST(ModelMortalRecursiveLock, ThreeParties) {
  prove_deaths({.threads = 3, .bound = 1}, recursive_three<mortal_model>);
  prove_deaths({.threads = 3, .bound = 3, .weak_memory = false}, recursive_three<mortal_model>);
}

// ---- mutants ----

// Who gets the lock of a dead owner is told nothing.
TEST(ModelMortalShortLockMutant, NotMarked) {
  caught_deaths({.kernel = {.marks = false}}, two_parties<mortal_model>, "check failed");
}
TEST(ModelMortalShortLockMutant, UnlockWithoutRelease) {
  caught_deaths({.file = "/mortal.hpp", .function = "::abandon(", .op = Op::store, .order = release, .weakened = relaxed},
                {.kills = 0}, two_parties<mutated_mortal>, "data race");
}
TEST(ModelMortalShortLockMutant, WakeDropped) {
  harmless({.file = "/blocking.hpp", .function = "::wake(", .op = Op::wake, .woken = nobody}, {}, two_parties<mutated_mortal>,
           "no sleep is longer than a slice");
}
TEST(ModelMortalRecursiveLockMutant, UnlockWithoutRelease) {
  caught_deaths({.file = "/blocking.hpp", .function = "::exchange_as_owner(", .op = Op::exchange_between_fences, .weakened = relaxed},
                {.kills = 0}, recursive<mutated_mortal>, "data race");
}

}  // namespace
