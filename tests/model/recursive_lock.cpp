// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <support/model.hpp>
#include <trine/error.hpp>
#include <trine/recursive_lock.hpp>

namespace {

using namespace checking;

template <class B>
void two_deep() {
  trine::RecursiveLock<B> lock;
  Cell<int> count;
  const auto count_up = [&] {
    lock.lock();
    lock.lock();
    count.set(count.get() + 1);
    model::check_that(lock.depth() == 2);
    lock.unlock();
    count.set(count.get() + 1);  // still held
    lock.unlock();
  };
  Thread other(count_up);
  count_up();
  other.join();
  model::check_that(count.get() == 4 && !lock.locked());
}

template <class B>
void three_parties() {
  trine::RecursiveLock<B> lock;
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
  model::check_that(count.get() == 3);
}

// Another neither gets deeper nor unlocks, whatever the owner does meanwhile.
template <class B>
void not_the_owner() {
  trine::RecursiveLock<B> lock;
  Thread other([&] {
    model::check_that(lock.depth() == 0);
    try {
      lock.unlock();
      model::check_that(false);
    } catch (const trine::NotOwner&) {
    } catch (const trine::NotLocked&) {
    }
  });
  lock.lock();
  model::check_that(lock.try_lock());
  lock.unlock();
  lock.unlock();
  other.join();
}

template <class B>
void time_out() {
  trine::RecursiveLock<B> lock;
  Cell<int> count;
  int in_time = 0;
  Thread hasty([&] {
    if (!lock.lock(a_while)) return;
    in_time = 1;
    count.set(count.get() + 1);
    lock.unlock();
  });
  lock.lock();
  lock.lock();
  count.set(count.get() + 1);
  lock.unlock();
  lock.unlock();
  hasty.join();
  model::check_that(count.get() == 1 + in_time);
}

template <class B>
void try_lock() {
  trine::RecursiveLock<B> lock;
  Cell<int> count;
  int tried = 0;
  Thread other([&] {
    if (!lock.try_lock()) return;
    tried = 1;
    count.set(count.get() + 1);
    lock.unlock();
  });
  lock.lock();
  count.set(count.get() + 1);
  lock.unlock();
  other.join();
  model::check_that(count.get() == 1 + tried);
}

TEST(ModelRecursiveLock, TwoDeep) { prove_two(two_deep<model>); }
TEST(ModelRecursiveLock, ThreeParties) { prove_three(three_parties<model>, 3, 0); }
TEST(ModelRecursiveLock, NotTheOwner) { prove_two(not_the_owner<model>); }
TEST(ModelRecursiveLock, TimeOut) { prove_two(time_out<model>); }
TEST(ModelRecursiveLock, TryLock) { prove_two(try_lock<model>); }

// ---- mutants ----

TEST(ModelRecursiveLockMutant, UnlockWithoutRelease) {
  caught_two({.file = "/blocking.hpp", .function = "::vacate(", .op = Op::exchange, .order = release, .weakened = relaxed},
             two_deep<mutated>, "data race");
}
TEST(ModelRecursiveLockMutant, ClaimWithoutAcquire) {
  caught_two({.file = "/blocking.hpp", .function = "::claim(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             two_deep<mutated>, "data race");
}
TEST(ModelRecursiveLockMutant, MarkWithoutFence) {
  caught_two({.file = "/blocking.hpp", .function = "::mark(", .op = Op::fence, .dropped = true}, two_deep<mutated>, "deadlock");
}
TEST(ModelRecursiveLockMutant, WakeDropped) {
  caught_two({.file = "/blocking.hpp", .function = "::wake(", .op = Op::wake, .woken = nobody}, two_deep<mutated>, "deadlock");
}
// All owners have one number: then another takes the lock for its own.
TEST(ModelRecursiveLockMutant, OwnersNotTold) {
  caught_two({.file = "/lock_word.hpp", .function = "::owner(", .op = Op::load,
              .said = [](std::uint32_t value) { return value == 0 ? 0 : model::self(); }},
             two_deep<mutated>, "");
}

}  // namespace
