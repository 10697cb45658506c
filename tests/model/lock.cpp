// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>

#include <support/model.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>

namespace {

using namespace checking;

// Plain lock() and unlock(): the guard of a mutant that finds its lock unlocked would terminate the program.
template <class L>
void count_up(L& lock, Cell<int>& count) {
  lock.lock();
  count.set(count.get() + 1);
  lock.unlock();
}

template <class B>
void two_parties() {
  trine::Lock<B> lock;
  Cell<int> count;
  Thread other([&] { count_up(lock, count); });
  count_up(lock, count);
  other.join();
  model::check_that(count.get() == 2 && !lock.locked());
}

template <class B>
void twice_each() {
  trine::Lock<B> lock;
  Cell<int> count;
  const auto twice = [&] {
    count_up(lock, count);
    count_up(lock, count);
  };
  Thread other(twice);
  twice();
  other.join();
  model::check_that(count.get() == 4);
}

template <class B>
void three_parties() {
  trine::Lock<B> lock;
  Cell<int> count;
  Thread one([&] { count_up(lock, count); });
  Thread other([&] { count_up(lock, count); });
  count_up(lock, count);
  one.join();
  other.join();
  model::check_that(count.get() == 3);
}

template <class B>
void try_lock() {
  trine::Lock<B> lock;
  Cell<int> count;
  int tried = 0;
  Thread other([&] {
    if (!lock.try_lock()) return;
    tried = 1;
    count.set(count.get() + 1);
    lock.unlock();
  });
  count_up(lock, count);
  other.join();
  model::check_that(count.get() == 1 + tried);
  model::check_that(lock.try_lock() && !lock.try_lock());
  lock.unlock();
}

template <class B>
void time_out() {
  trine::Lock<B> lock;
  Cell<int> count;
  int in_time = 0;
  Thread hasty([&] {
    if (!lock.lock(a_while)) return;
    in_time = 1;
    count.set(count.get() + 1);
    lock.unlock();
  });
  count_up(lock, count);
  hasty.join();
  model::check_that(count.get() == 1 + in_time);
}

// The one who gives up may have been woken for the lock: then the other has to hear of it.
template <class B>
void time_out_beside_another() {
  trine::Lock<B> lock;
  Cell<int> count;
  Thread hasty([&] {
    if (!lock.lock(a_while)) return;
    count.set(count.get() + 1);
    lock.unlock();
  });
  Thread patient([&] { count_up(lock, count); });
  count_up(lock, count);
  hasty.join();
  patient.join();
  model::check_that(count.get() >= 2 && !lock.locked());
}

template <class B>
void stop_request() {
  trine::Lock<B> lock;
  std::stop_source stop;
  lock.lock();
  Thread stopper([&] { stop.request_stop(); });
  model::check_that(!lock.lock(stop.get_token()));
  stopper.join();
  lock.unlock();
}

// Another unlocks what the main thread has locked.
template <class B>
void hand_off() {
  trine::Lock<B> lock;
  Cell<int> data;
  lock.lock();
  Thread other([&] {
    data.set(1);
    lock.unlock();
  });
  lock.lock();
  model::check_that(data.get() == 1);
  lock.unlock();
  other.join();
}

// Two unlock at once what was locked once. Whether the second is told depends on how late it is; the lock is free then.
template <class B>
void unlocked_twice() {
  trine::Lock<B> lock;
  int refused = 0;
  lock.lock();
  const auto unlock = [&] {
    try {
      lock.unlock();
      return 0;
    } catch (const trine::NotLocked&) {
      return 1;
    }
  };
  Thread other([&] { refused = unlock(); });
  const int refused_here = unlock();
  other.join();
  model::check_that(refused + refused_here <= 1 && !lock.locked());
}

// The last owner destroys it, though the unlock() before its own has not returned.
template <class B>
void destroyed_by_the_last() {
  std::optional<trine::Lock<B>> lock(std::in_place);
  Cell<int> data;
  lock->lock();
  Thread other([&] {
    data.set(1);
    lock->unlock();
  });
  lock->lock();
  const bool last = data.get() == 1;
  lock->unlock();
  lock.reset();
  other.join();
  model::check_that(last);
}

TEST(ModelLock, TwoParties) { prove_two(two_parties<model>); }
TEST(ModelLock, TwiceEach) { prove_two(twice_each<model>); }
TEST(ModelLock, ThreeParties) { prove_three(three_parties<model>); }
TEST(ModelLock, TryLock) { prove_two(try_lock<model>); }
TEST(ModelLock, TimeOut) { prove_two(time_out<model>); }
TEST(ModelLock, TimeOutBesideAnother) { prove_three(time_out_beside_another<model>); }
TEST(ModelLock, StopRequest) { prove_two(stop_request<model>); }
TEST(ModelLock, HandOff) { prove_two(hand_off<model>); }
TEST(ModelLock, UnlockedTwice) { prove_two(unlocked_twice<model>); }
TEST(ModelLock, TwoPartiesWithoutFences) {
  without_fences([] { prove_two(two_parties<mutated>); });
}
TEST(ModelLock, ThreePartiesWithoutFences) {
  without_fences([] { prove_three(three_parties<mutated>); });
}
TEST(ModelLock, DestroyedByTheLast) { prove_two(destroyed_by_the_last<model>); }

// ---- mutants ----

constexpr std::uint32_t sleepers = trine::LockWord<model>::sleepers;

TEST(ModelLockMutant, UnlockWithoutRelease) {
  caught_two({.file = "/blocking.hpp", .function = "::vacate(", .op = Op::exchange, .order = release, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelLockMutant, ClaimWithoutAcquire) {
  caught_two({.file = "/blocking.hpp", .function = "::claim(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelLockMutant, TryLockWithoutAcquire) {
  caught_two({.file = "/blocking.hpp", .function = "::claim(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             try_lock<mutated>, "data race");
}
// The word does not hold the mark, and is slept on all the same.
TEST(ModelLockMutant, MarkNotLookedAtAgain) {
  equivalent({.file = "/blocking.hpp", .function = "::mark(", .op = Op::load,
              .said = [](std::uint32_t) { return sleepers | model::holder(); }},
             3, 2, three_parties<mutated>, "who falls asleep compares the word as well");
}
// The owner frees the word with what it held before the mark, and then the mark is taken for one that it has seen.
TEST(ModelLockMutant, MarkWithoutFence) {
  caught_two({.file = "/blocking.hpp", .function = "::mark(", .op = Op::fence, .dropped = true}, two_parties<mutated>, "deadlock");
}
TEST(ModelLockMutant, StepBetweenFencesWithoutRelease) {
  caught_two({.file = "/blocking.hpp", .function = "::exchange_as_owner(", .op = Op::exchange_between_fences, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelLockMutant, UnlockWithoutReleaseNorFences) {
  without_fences([] {
    caught_two({.file = "/blocking.hpp", .function = "::exchange_as_owner(", .op = Op::compare_exchange, .order = release,
                .weakened = relaxed},
               two_parties<mutated>, "data race");
  });
}
// The owner who slept before clears the mark of the one who still does.
TEST(ModelLockMutant, MarkForgottenByOwner) {
  caught_three({.file = "/blocking.hpp", .function = "::claim(", .op = Op::compare_exchange, .written = without<sleepers>},
               three_parties<mutated>, "deadlock");
}
TEST(ModelLockMutant, WakeDropped) {
  caught_two({.file = "/blocking.hpp", .function = "::wake(", .op = Op::wake, .woken = nobody}, two_parties<mutated>, "deadlock");
}
// Needed in select() alone: one that waits for a single lock announces itself again after each sleep, before it looks at
// its limit, and so has set the mark again when it gives up; and no sleep ends by a wake and a time-out at once.
TEST(ModelLockMutant, WakeNotPassedOnByWhoGivesUp) {
  equivalent({.file = "/wait_loop.hpp", .function = "::pass_on(", .op = Op::wake, .woken = nobody}, 3, 2,
             time_out_beside_another<mutated>, "a woken one sets the mark again before it looks at its limit");
}

}  // namespace
