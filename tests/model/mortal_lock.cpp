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

// One who has not been told of a death finds the data whole.
template <class B>
void told() {
  trine::Lock<B> lock;
  Cell<bool> whole{true};
  Thread victim([&] {
    be_mortal();
    lock.lock();
    whole.set(false);
    mortal_model::may_die_here();
    whole.set(true);
    lock.unlock();
  });
  bool died = false;
  try {
    lock.lock();
  } catch (const trine::OwnerDied&) {
    died = true;
    lock.recover().release();
  }
  model::check_that(died || whole.get());
  lock.unlock();
  victim.join();
  // Once it has been recovered, it is an ordinary lock again.
  if (!died) return;
  model::check_that(lock.try_lock());
  lock.unlock();
}

// Everyone is told until somebody recovers.
template <class B>
void told_to_all() {
  trine::Lock<B> lock;
  Thread victim([&] {
    lock.lock();
    be_mortal();
    mortal_model::may_die_here();
    be_mortal(false);
    lock.unlock();
  });
  const auto look = [&] {
    try {
      lock.lock();
      lock.unlock();
    } catch (const trine::OwnerDied&) {
    }
  };
  Thread other(look);
  look();
  other.join();
  victim.join();
  lock.recover().unlock();
  model::check_that(lock.try_lock());
  lock.unlock();
}

template <class B>
void try_and_time_out() {
  trine::Lock<B> lock;
  Cell<int> count;
  Thread victim([&] {
    be_mortal();
    if (!lock.lock(a_while)) return;
    count.set(count.get() + 1);
    lock.unlock();
  });
  try {
    if (lock.try_lock()) {
      count.set(count.get() + 1);
      lock.unlock();
    }
  } catch (const trine::OwnerDied&) {
  }
  victim.join();
  lock.recover().unlock();
}

// Only the owner dies, with two who wait: no slice is needed, neither for those who wait nor for who comes by.
template <class B>
void owner_dies() {
  trine::Lock<B> lock;
  Cell<int> count;
  Thread victim([&] {
    lock.lock();
    be_mortal();
    count.set(count.get() + 1);
    lock.unlock();
    be_mortal(false);
  });
  Thread other([&] { count_up(lock, count); });
  count_up(lock, count);
  victim.join();
  other.join();
}

constexpr Deaths prompt{.threads = 3, .bound = 3, .slices = false};
constexpr Deaths unwatched{.bound = 3, .kernel = {.watches = false}};

TEST(ModelMortalLock, TwoParties) { prove_deaths({.spurious_wakes = 1}, two_parties<mortal_model>); }
TEST(ModelMortalLock, ThreeParties) { prove_deaths({.threads = 3, .bound = 3}, three_parties<mortal_model>); }
TEST(ModelMortalLock, TwoOfThreeDie) { prove_deaths({.threads = 3, .bound = 2, .kills = 2}, three_parties<mortal_model>); }
TEST(ModelMortalLock, Told) { prove_deaths({}, told<mortal_model>); }
TEST(ModelMortalLock, ToldToAll) { prove_deaths({.threads = 3, .bound = 3}, told_to_all<mortal_model>); }
TEST(ModelMortalLock, TryAndTimeOut) { prove_deaths({}, try_and_time_out<mortal_model>); }
TEST(ModelMortalLock, OwnerDies) { prove_deaths(prompt, owner_dies<mortal_model>); }
TEST(ModelMortalLock, TwoPartiesUnwatched) { prove_deaths(unwatched, two_parties<mortal_model>); }

// ---- mutants ----

/// What a thread is about to do is not noted.
struct NoNotes : MutableDeath {
  struct Noted {
    Noted(Self&, Owned&) noexcept {}
    void stay() noexcept {}
  };
};
struct no_notes : trine::Mortal<NoNotes> {};

/// A word is put on the list before it is taken.
struct linked_first : mutated_mortal {
  static bool claim(Owned& owned, std::uint32_t& expected, std::uint32_t desired, std::memory_order order) {
    auto& self = MutableDeath::me();
    const MutableDeath::Noted noted(self, owned);
    MutableDeath::link(self, owned);
    if (owned.word.compare_exchange_strong(expected, desired, order, relaxed)) return true;
    MutableDeath::unlink(self, owned);
    return false;
  }
};

/// A word is taken off the list after it is free.
struct unlinked_last : mutated_mortal {
  static std::uint32_t vacate(Owned& owned, std::uint32_t me, std::uint32_t /*sleepers*/, std::uint32_t count) {
    auto& self = MutableDeath::me();
    const MutableDeath::Noted noted(self, owned);
    MutableDeath::clear_and_wake(owned.word, count);
    MutableDeath::unlink(self, owned);
    return me;
  }
};

/// A contended word is freed, and then somebody is woken.
struct freed_then_woken : mutated_mortal {
  static std::uint32_t vacate(Owned& owned, std::uint32_t me, std::uint32_t sleepers, std::uint32_t count) {
    auto& self = MutableDeath::me();
    const MutableDeath::Noted noted(self, owned);
    MutableDeath::unlink(self, owned);
    const std::uint32_t held = owned.word.exchange(0, release);
    if ((held & sleepers) != 0) MutableDeath::wake(owned.word, count);
    return me;
  }
};

/// Those who wait do not look whether the owner is alive.
struct Careless : MutableDeath {
  static void look_after(Owned&) noexcept {}
};
struct careless : trine::Mortal<Careless> {};

TEST(ModelMortalLockMutant, NoNotes) { caught_deaths({}, two_parties<no_notes>, "deadlock"); }
TEST(ModelMortalLockMutant, LinkedFirst) { caught_deaths({}, two_parties<linked_first>, "two threads"); }
TEST(ModelMortalLockMutant, UnlinkedLast) { caught_deaths({}, two_parties<unlinked_last>, "two threads"); }
TEST(ModelMortalLockMutant, FreedThenWoken) { caught_deaths(prompt, owner_dies<freed_then_woken>, "deadlock"); }
TEST(ModelMortalLockMutant, OwnersNotWatched) { caught_deaths(unwatched, two_parties<careless>, "deadlock"); }
TEST(ModelMortalLockMutant, NotMarked) { caught_deaths({.kernel = {.marks = false}}, told<mortal_model>, "check failed"); }
TEST(ModelMortalLockMutant, DeathWakesNobody) {
  Deaths deaths = prompt;
  deaths.kernel.wakes = false;
  caught_deaths(deaths, owner_dies<mortal_model>, "deadlock");
}
TEST(ModelMortalLockMutant, DeathTakesTheMark) {
  Deaths deaths = prompt;
  deaths.kernel.keeps_mark = false;
  harmless(deaths, owner_dies<mortal_model>, "who is told of a death wakes all others");
}
TEST(ModelMortalLockMutant, UnlockWithoutRelease) {
  caught_deaths({.file = "/blocking.hpp", .function = "::exchange_as_owner(", .op = Op::exchange_between_fences, .weakened = relaxed},
                {.kills = 0}, two_parties<mutated_mortal>, "data race");
}
TEST(ModelMortalLockMutant, ClaimWithoutAcquire) {
  caught_deaths({.file = "/mortal.hpp", .function = "::claim(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
                {}, two_parties<mutated_mortal>, "data race");
}

}  // namespace
