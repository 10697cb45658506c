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
    gate.unlock();
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
    gate.unlock();
  };
  Thread other(count_up);
  count_up();
  count_up();
  other.join();
  model::check_that(count.get() == 3);
}

/// Waits until `data` is 1, with a flag that says that somebody does.
template <class B>
class ChangedOperation : public trine::OperationOf<bool, B> {
 public:
  ChangedOperation(typename B::Flag& flag, Atomic<int>& data) : flag_(&flag), data_(&data) {}
  bool attempt() { return done_ = data_->load(relaxed) == 1; }
  trine::Sleep<typename B::Word> announce() {
    const auto sleep = flag_->raise();
    if (attempt()) return {};
    return sleep;
  }
  bool result() const { return done_; }

 private:
  typename B::Flag* flag_;
  Atomic<int>* data_;
  bool done_ = false;
};

template <class B>
void waits_for_a_change() {
  typename B::Flag flag;
  Atomic<int> data{0};
  Thread changer([&] {
    data.store(1, relaxed);
    flag.wake(1);
  });
  B::run(ChangedOperation<B>(flag, data), {});
  changer.join();
}

template <class B>
void two_wait_for_a_change() {
  typename B::Flag flag;
  Atomic<int> data{0};
  Thread one([&] { B::run(ChangedOperation<B>(flag, data), {}); });
  Thread other([&] { B::run(ChangedOperation<B>(flag, data), {}); });
  data.store(1, relaxed);
  flag.wake(2);
  one.join();
  other.join();
}

template <class B>
void two_wait_for_the_end() {
  typename B::Flag flag;
  Atomic<int> data{0};
  Thread one([&] { B::run(ChangedOperation<B>(flag, data), {}); });
  Thread other([&] { B::run(ChangedOperation<B>(flag, data), {}); });
  data.store(1, relaxed);
  flag.wake_all();
  one.join();
  other.join();
}

TEST(ModelShortLock, TwoParties) { prove_two(two_parties<model>); }
TEST(ModelShortLock, ThreeParties) { prove_three(three_parties<model>, 3, 0); }
TEST(ModelShortLock, TwoPartiesWithoutFences) {
  without_fences([] { prove_two(two_parties<mutated>); });
}
TEST(ModelShortLock, ThreePartiesWithoutFences) {
  without_fences([] { prove_three(three_parties<mutated>, 2, 0); });
}
TEST(ModelFlag, WaitsForAChange) { prove_two(waits_for_a_change<model>); }
TEST(ModelFlag, TwoWaitForAChange) { prove_three(two_wait_for_a_change<model>); }
TEST(ModelFlag, TwoWaitForTheEnd) { prove_three(two_wait_for_the_end<model>); }
TEST(ModelFlag, WaitsForAChangeWithoutFences) {
  without_fences([] { prove_two(waits_for_a_change<mutated>); });
}
TEST(ModelFlag, TwoWaitForAChangeWithoutFences) {
  without_fences([] { prove_three(two_wait_for_a_change<mutated>); });
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

// One who was not inside leaves while another enters. If it hears that it was not, that other is inside and is seen.
template <class B>
void left_by_one_outside() {
  typename B::Tally inside;
  Atomic<int> closed{0};
  bool entered = false;
  bool left = false;
  Thread outsider([&] { left = inside.leave(); });
  Thread reader([&] {
    inside.enter();
    entered = closed.load(seq_cst) == 0;
  });
  closed.exchange(1, seq_cst);
  const bool alone = inside.count() == 0;
  outsider.join();
  reader.join();
  model::check_that(left || !(alone && entered));
  model::check_that(inside.count() == (left ? 0U : 1U));
}

template <class B>
void left_by_one_outside_while_two_enter() {
  typename B::Tally inside;
  bool left = false;
  Thread outsider([&] { left = inside.leave(); });
  Thread reader([&] { inside.enter(); });
  inside.enter();
  const bool seen = inside.count() != 0;
  outsider.join();
  reader.join();
  model::check_that(left || seen);
  model::check_that(inside.count() == (left ? 1U : 2U));
}

template <class B>
void left_by_two_outside() {
  typename B::Tally inside;
  bool left[2] = {};
  Thread one([&] { left[0] = inside.leave(); });
  Thread other([&] { left[1] = inside.leave(); });
  inside.enter();
  one.join();
  other.join();
  model::check_that(!(left[0] && left[1]));
  model::check_that(inside.count() == (left[0] || left[1] ? 0U : 1U));
}

template <class B>
void watched_while_one_outside_leaves() {
  typename B::Tally inside;
  Thread outsider([&] { model::check_that(!inside.leave()); });
  B::run(EmptyOperation<B>(inside), {});
  outsider.join();
  model::check_that(inside.count() == 0);
}

// Whoever looks meanwhile finds nobody inside.
template <class B>
void empty_while_one_outside_leaves() {
  typename B::Tally inside;
  Thread outside([&] { model::check_that(!inside.leave()); });
  model::check_that(inside.count() == 0);
  model::check_that(inside.watch().needless());
  inside.unwatch();
  outside.join();
  model::check_that(inside.count() == 0);
}

TEST(ModelTally, EmptyWhileOneOutsideLeaves) { prove_two(empty_while_one_outside_leaves<model>); }
TEST(ModelTally, OneSeesTheOther) { prove_two(one_sees_the_other<model>); }
TEST(ModelTally, UntilAllHaveLeft) { prove_three(until_all_have_left<model>); }
TEST(ModelTally, TwoWatchers) { prove_three(two_watchers<model>); }
TEST(ModelTally, LeftTooOften) { prove_two(left_too_often<model>); }
TEST(ModelTally, LeftByOneOutside) { prove_three(left_by_one_outside<model>); }
TEST(ModelTally, LeftByOneOutsideWhileTwoEnter) { prove_three(left_by_one_outside_while_two_enter<model>); }
TEST(ModelTally, LeftByTwoOutside) { prove_three(left_by_two_outside<model>); }
TEST(ModelTally, WatchedWhileOneOutsideLeaves) { prove_two(watched_while_one_outside_leaves<model>); }

// ---- mutants ----

constexpr std::string_view here = "/blocking.hpp";

TEST(ModelShortLockMutant, UnlockWithoutRelease) {
  caught_two({.file = here, .function = "::abandon(", .op = Op::store, .order = release, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelShortLockMutant, LockWithoutAcquire) {
  caught_two({.file = here, .function = "::claim(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             two_parties<mutated>, "data race");
}
TEST(ModelShortLockMutant, FenceDropped) {
  caught_two({.file = here, .function = "Flag::raise(", .op = Op::fence, .dropped = true}, two_parties<mutated>, "deadlock");
}
TEST(ModelShortLockMutant, FlagNotKeptRaisedByTheWokenOne) {
  caught_three({.file = here, .function = "::keep_raised(", .op = Op::fetch_or, .written = unchanged}, three_parties<mutated>,
               "deadlock");
}
TEST(ModelShortLockMutant, WakeDropped) {
  caught_two({.file = here, .function = "Flag::wake(", .op = Op::wake, .woken = nobody}, two_parties<mutated>, "deadlock");
}
// The last look: it finds the lock still taken, whatever it holds.
TEST(ModelShortLockMutant, LastLookDropped) {
  caught_two({.file = "/short_lock.hpp", .function = "::sleep(", .op = Op::load, .said = [](std::uint32_t) { return 1U; }},
             two_parties<mutated>, "deadlock");
}

TEST(ModelFlagMutant, FenceDropped) {
  caught_two({.file = here, .function = "Flag::raise(", .op = Op::fence, .dropped = true}, waits_for_a_change<mutated>,
             "deadlock");
}
TEST(ModelFlagMutant, NotRaised) {
  caught_two({.file = here, .function = "Flag::raise(", .op = Op::fetch_or, .written = unchanged, .unmarked = 1},
             waits_for_a_change<mutated>, "deadlock");
}
TEST(ModelFlagMutant, WakeDropped) {
  caught_two({.file = here, .function = "Flag::wake(", .op = Op::wake, .woken = nobody}, waits_for_a_change<mutated>, "deadlock");
}
TEST(ModelFlagMutant, WakesOneOnly) {
  caught_three({.file = here, .function = "Flag::wake(", .op = Op::wake, .woken = one_only}, two_wait_for_a_change<mutated>,
               "deadlock");
}
// Lowered without another generation: one that is about to sleep does so when another has raised it again.
TEST(ModelFlagMutant, GenerationNotCounted) {
  caught_three({.file = here, .function = "Flag::wake(", .op = Op::compare_exchange,
                .written = [](std::uint32_t before, std::uint32_t) { return before & ~1U; }},
               two_wait_for_a_change<mutated>, "deadlock");
}
TEST(ModelFlagMutant, WakeAllDropped) {
  caught_three({.file = here, .function = "Flag::wake_all(", .op = Op::wake, .woken = nobody}, two_wait_for_the_end<mutated>,
               "deadlock");
}
TEST(ModelFlagMutant, WakeAllWakesOneOnly) {
  caught_three({.file = here, .function = "Flag::wake_all(", .op = Op::wake, .woken = one_only}, two_wait_for_the_end<mutated>,
               "deadlock");
}
TEST(ModelFlagMutant, WakeAllCountsNoGeneration) {
  caught_three({.file = here, .function = "Flag::wake_all(", .op = Op::fetch_add, .written = unchanged},
               two_wait_for_the_end<mutated>, "deadlock");
}
TEST(ModelFlagMutant, RaisedWithoutAcquireWithoutFences) {
  without_fences([] {
    caught_two({.file = here, .function = "Flag::raise(", .op = Op::fetch_or, .order = acq_rel, .weakened = release},
               waits_for_a_change<mutated>, "deadlock");
  });
}
TEST(ModelFlagMutant, WakeWithoutReleaseWithoutFences) {
  without_fences([] {
    caught_two({.file = here, .function = "Flag::wake(", .op = Op::compare_exchange, .order = acq_rel, .weakened = acquire},
               waits_for_a_change<mutated>, "deadlock");
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
  caught_three({.file = here, .function = "Tally::leave(", .op = Op::fetch_sub, .order = seq_cst, .weakened = relaxed},
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
// Made good twice: by whoever enters as well.
TEST(ModelTallyMutant, MadeGoodByTwo) {
  caught_three({.file = here, .function = "Tally::enter(", .op = Op::fetch_add,
                .written = [](std::uint32_t before, std::uint32_t after) { return before >= 1U << 31 ? after + 2 : after; }},
               left_by_one_outside<mutated>, "check failed");
}
TEST(ModelTallyMutant, WakesOneOnly) {
  caught_three({.file = here, .function = "Tally::leave(", .op = Op::wake, .woken = one_only}, two_watchers<mutated>,
               "deadlock");
}

}  // namespace
