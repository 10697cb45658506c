// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <support/mortal.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>

namespace {

using namespace checking;

// Takes the lock, after its owner's death as well, and adds one. Says whether the owner had died.
template <class L>
bool count_up(L& lock, Cell<int>& count) {
  bool died = false;
  try {
    lock.lock();
  } catch (const trine::OwnerDied&) {
    died = true;
    lock.recover().release();
  }
  count.set(count.get() + 1);
  mortal_model::may_die_here();
  lock.unlock();
  return died;
}

// The survivor gets the lock, whatever becomes of the other, and the data are in order.
template <class B>
void two_parties() {
  trine::Lock<B> lock;
  Cell<int> count;
  Thread victim([&] {
    be_mortal();
    count_up(lock, count);
  });
  count_up(lock, count);
  victim.join();
  const int counted = count.get();
  model::check_that(counted == 1 || counted == 2);
}

template <class B>
void three_parties() {
  trine::Lock<B> lock;
  Cell<int> count;
  const auto die = [&] {
    be_mortal();
    count_up(lock, count);
  };
  Thread victim(die);
  Thread other(die);
  count_up(lock, count);
  victim.join();
  other.join();
}

TEST(ModelMortalLock, TwoParties) { prove_deaths({}, two_parties<mortal_model>); }
TEST(ModelMortalLock, ThreeParties) { prove_deaths({.threads = 3, .bound = 2}, three_parties<mortal_model>); }

}  // namespace
