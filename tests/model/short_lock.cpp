// SPDX-License-Identifier: BSL-1.0
//
// What the primitives are built of: the lock for a few instructions, both with and without a system that can put a fence into
// other threads, and the count of those inside.

#include <gtest/gtest.h>

#include <support/model.hpp>
#include <trine/backend.hpp>

namespace {

using namespace checking;

template <class B>
void three_parties() {
  typename B::ShortLock gate;
  Cell<int> count;
  const auto count_up = [&] {
    gate.lock();
    count.set(count.get() + 1);
    gate.unlock(0);
  };
  Thread one(count_up);
  Thread other(count_up);
  count_up();
  one.join();
  other.join();
  model::check_that(count.get() == 3);
}

template <class B>
void two_parties() {
  typename B::ShortLock gate;
  Cell<int> count;
  const auto count_up = [&] {
    gate.lock();
    count.set(count.get() + 1);
    gate.unlock(0);
  };
  Thread other(count_up);
  count_up();
  count_up();
  other.join();
  model::check_that(count.get() == 3);
}

// Either the owner reports the mark, or who raised it sees what the owner has done: even in relaxed accesses.
template <class B>
void raised_or_seen() {
  constexpr std::uint32_t mark = 4;
  typename B::ShortLock gate;
  Atomic<int> done{0};
  std::uint32_t reported = 0;
  Thread owner([&] {
    gate.lock();
    done.store(1, relaxed);
    reported = gate.unlock(mark);
  });
  gate.raise(mark);
  const bool seen = done.load(relaxed) == 1;
  owner.join();
  model::check_that(seen || reported == mark);
  gate.lock();
  model::check_that(gate.unlock(mark) == (reported == 0 ? mark : 0));  // once, and once only
}

// The same beside another who wants the lock.
template <class B>
void raised_or_seen_beside_another() {
  constexpr std::uint32_t mark = 4;
  typename B::ShortLock gate;
  Atomic<int> done{0};
  std::uint32_t reported = 0;
  Thread owner([&] {
    gate.lock();
    done.store(1, relaxed);
    reported = gate.unlock(mark);
  });
  Thread other([&] {
    gate.lock();
    gate.unlock(0);
  });
  gate.raise(mark);
  const bool seen = done.load(relaxed) == 1;
  owner.join();
  other.join();
  model::check_that(seen || reported == mark);
}

template <class F>
void without_fences(F&& test) {
  fences_available = false;
  test();
  fences_available = true;
}

TEST(ModelShortLock, TwoParties) { prove_two(two_parties<model>); }
TEST(ModelShortLock, ThreeParties) { prove_three(three_parties<model>); }
TEST(ModelShortLock, RaisedOrSeen) { prove_two(raised_or_seen<model>); }
TEST(ModelShortLock, RaisedOrSeenBesideAnother) { prove_three(raised_or_seen_beside_another<model>); }
TEST(ModelShortLock, TwoPartiesWithoutFences) {
  without_fences([] { prove_two(two_parties<mutated>); });
}
TEST(ModelShortLock, ThreePartiesWithoutFences) {
  without_fences([] { prove_three(three_parties<mutated>); });
}
TEST(ModelShortLock, RaisedOrSeenWithoutFences) {
  without_fences([] { prove_two(raised_or_seen<mutated>); });
}

// ---- Tally ----

/// Waits until nobody is inside.
template <class B>
class EmptyOperation : public trine::OperationOf<bool, B> {
 public:
  explicit EmptyOperation(typename B::Tally& tally) : tally_(&tally) {}
  bool attempt() { return done_ = tally_->count() == 0; }
  trine::Sleep<typename B::Word> announce() {
    const auto sleep = tally_->watch();
    if (!sleep.needless() && !attempt()) return sleep;
    tally_->unwatch();
    done_ = true;
    return {};
  }
  bool result() const { return done_; }

 private:
  typename B::Tally* tally_;
  bool done_ = false;
};

// Store, then look at the other: one of the two must see the other.
template <class B>
void one_sees_the_other() {
  typename B::Tally inside;
  Atomic<int> closed{0};
  bool entered = false;
  Thread reader([&] {
    inside.enter();
    entered = closed.load(seq_cst) == 0;
  });
  closed.exchange(1, seq_cst);
  const bool alone = inside.count() == 0;
  reader.join();
  model::check_that(!(alone && entered));
}

template <class B>
void until_all_have_left() {
  typename B::Tally inside;
  Cell<int> first;
  Cell<int> second;
  inside.enter();
  inside.enter();
  Thread one([&] {
    first.set(1);
    inside.leave();
  });
  Thread other([&] {
    second.set(1);
    inside.leave();
  });
  B::run(EmptyOperation<B>(inside), {});
  model::check_that(first.get() + second.get() == 2);
  one.join();
  other.join();
}

template <class B>
void two_watchers() {
  typename B::Tally inside;
  inside.enter();
  Thread one([&] { B::run(EmptyOperation<B>(inside), {}); });
  Thread other([&] { B::run(EmptyOperation<B>(inside), {}); });
  inside.leave();
  one.join();
  other.join();
}

template <class B>
void left_too_often() {
  typename B::Tally inside;
  inside.enter();
  bool left = false;
  Thread other([&] { left = inside.leave(); });
  const bool left_here = inside.leave();
  other.join();
  model::check_that(left != left_here && inside.count() == 0);
}

TEST(ModelTally, OneSeesTheOther) { prove_two(one_sees_the_other<model>); }
TEST(ModelTally, UntilAllHaveLeft) { prove_three(until_all_have_left<model>); }
// Two who watch are beyond its contract where one unwatches too early: each looks again after a spurious wake alone.
TEST(ModelTally, TwoWatchers) { prove_three(two_watchers<model>); }
TEST(ModelTally, LeftTooOften) { prove_two(left_too_often<model>); }

// ---- mutants ----

constexpr std::string_view here = "/blocking.hpp";
constexpr std::uint32_t sleepers = 1;

TEST(ModelShortLockMutant, UnlockWithoutRelease) {
  caught_two({.file = here, .function = "::unlock(", .op = Op::store, .order = release, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelShortLockMutant, LockWithoutAcquire) {
  caught_two({.file = here, .function = "ShortLock::lock(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelShortLockMutant, SlowLockWithoutAcquire) {
  caught_two({.file = here, .function = "::lock_slowly(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelShortLockMutant, FenceDropped) {
  caught_two({.file = here, .function = "::raise_and_fence(", .op = Op::fence, .dropped = true}, raised_or_seen<mutated>,
             "check failed");
}
TEST(ModelShortLockMutant, FenceDroppedBeforeSleep) {
  caught_two({.file = here, .function = "::raise_and_fence(", .op = Op::fence, .dropped = true}, two_parties<mutated>,
             "deadlock");
}
TEST(ModelShortLockMutant, MarkForgotten) {
  caught_two({.file = here, .function = "::raise_and_fence(", .op = Op::fetch_or, .written = without<sleepers>,
              .unmarked = sleepers},
             two_parties<mutated>, "deadlock");
}
TEST(ModelShortLockMutant, MarkNotSetAgainByTheWokenOne) {
  caught_three({.file = here, .function = "::lock_slowly(", .op = Op::fetch_or, .written = unchanged}, three_parties<mutated>,
               "deadlock");
}
TEST(ModelShortLockMutant, WakeDropped) {
  caught_two({.file = here, .function = "::clear(", .op = Op::wake, .woken = nobody}, two_parties<mutated>, "deadlock");
}
// The last look after the mark: it finds the lock still taken, whatever it holds.
TEST(ModelShortLockMutant, LastLookDropped) {
  caught_two({.file = here, .function = "::lock_slowly(", .op = Op::load, .said = [](std::uint32_t) { return 1U; }},
             two_parties<mutated>, "deadlock");
}
TEST(ModelShortLockMutant, ReportedWithoutClearing) {
  caught_two({.file = here, .function = "::clear(", .op = Op::fetch_and, .written = unchanged}, raised_or_seen<mutated>,
             "check failed");
}
TEST(ModelShortLockMutant, MarksReadWithoutAcquireWithoutFences) {
  without_fences([] {
    caught_two({.file = here, .function = "::unlock(", .op = Op::fetch_or, .order = acq_rel, .weakened = acquire},
               raised_or_seen<mutated>, "check failed");
  });
}
TEST(ModelShortLockMutant, RaisedWithoutAcquireWithoutFences) {
  without_fences([] {
    caught_two({.file = here, .function = "::raise_and_fence(", .op = Op::fetch_or, .order = acq_rel, .weakened = release},
               raised_or_seen<mutated>, "check failed");
  });
}

TEST(ModelTallyMutant, EnterNotSequential) {
  caught_two({.file = here, .function = "Tally::enter(", .op = Op::fetch_add, .order = seq_cst, .weakened = acq_rel},
             one_sees_the_other<mutated>, "check failed");
}
TEST(ModelTallyMutant, CountNotSequential) {
  caught_two({.file = here, .function = "Tally::count(", .op = Op::load, .order = seq_cst, .weakened = acquire},
             one_sees_the_other<mutated>, "check failed");
}
TEST(ModelTallyMutant, LeaveWithoutRelease) {
  caught_three({.file = here, .function = "Tally::leave(", .op = Op::compare_exchange, .order = seq_cst, .weakened = relaxed},
               until_all_have_left<mutated>, "data race");
}
TEST(ModelTallyMutant, MarkForgotten) {
  caught_three({.file = here, .function = "Tally::watch(", .op = Op::fetch_or, .written = unchanged, .unmarked = 1},
               until_all_have_left<mutated>, "deadlock");
}
TEST(ModelTallyMutant, WakeDropped) {
  caught_three({.file = here, .function = "Tally::leave(", .op = Op::wake, .woken = nobody}, until_all_have_left<mutated>,
               "deadlock");
}
TEST(ModelTallyMutant, WakesOneOnly) {
  caught_three({.file = here, .function = "Tally::leave(", .op = Op::wake, .woken = one_only}, two_watchers<mutated>,
               "deadlock");
}

}  // namespace
