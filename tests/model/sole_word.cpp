// SPDX-License-Identifier: BSL-1.0
//
// The words of coroutines, which one thread changes without locked instructions until another comes along: modelled threads
// of which the first to change one is that thread.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>

#include <support/event_bodies.hpp>
#include <support/sole_word.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/shared_lock.hpp>

namespace {

using namespace checking;

template <class Os>
struct on_sole_words : trine::Blocking<SleepOnSole<Os>> {
  using Gate = trine::coroutine::SoleGate<Modelled<Os>, typename trine::Blocking<SleepOnSole<Os>>::ShortLock>;
  using World = typename Modelled<Os>::World;
  static std::uint32_t self() { return model::self(); }
};

template <class Os>
struct by_number : trine::Blocking<Os> {
  using Gate = trine::coroutine::SoleGate<Numbered<Os>, typename trine::Blocking<Os>::ShortLock>;
  using World = typename Numbered<Os>::World;
};

/// The system refuses fences that it had granted, and has long done so: a fence is nothing then, unless who calls waits each time.
struct RefusedSince : trine::modelling::ModelledSleep {
  static void fence_others() noexcept {}
};

using B = on_sole_words<trine::modelling::ModelledSleep>;
using Refused = on_sole_words<RefusedSince>;
using Mutated = on_sole_words<MutableSleep>;
using ByNumber = by_number<trine::modelling::ModelledSleep>;

template <class W>
void two_count() {
  const typename W::World world;
  typename W::Word word{0};
  const auto count_up = [&] { word.fetch_add(1, relaxed); };
  Thread other(count_up);
  count_up();
  count_up();
  other.join();
  model::check_that(word.load(relaxed) == 3);
}

template <class W>
void three_count() {
  const typename W::World world;
  typename W::Word word{0};
  const auto count_up = [&] { word.fetch_add(1, relaxed); };
  Thread one(count_up);
  Thread other(count_up);
  count_up();
  one.join();
  other.join();
  model::check_that(word.load(relaxed) == 3);
}

// A store is not lost in a change that the other has begun.
template <class W>
void one_stores() {
  const typename W::World world;
  typename W::Word word{0};
  Thread other([&] { word.store(4, relaxed); });
  word.fetch_or(1, relaxed);
  word.fetch_or(2, relaxed);
  other.join();
  model::check_that((word.load(relaxed) & 4) != 0);
}

// What the sole thread did before is visible to who comes along.
template <class W>
void a_short_lock_guards() {
  const typename W::World world;
  typename W::ShortLock gate;
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

/// A count that a gate guards, which each call counts up.
template <class W>
struct CountWithinAGate {
  void operator()() {
    const bool sole = gate.lock();
    count.set(count.get() + 1);
    gate.unlock(sole);
  }

  typename W::Gate gate;
  Cell<int> count;
};

// It is no lock at all where one thread is the sole one.
template <class W>
void a_gate_guards() {
  const typename W::World world;
  CountWithinAGate<W> count_up;
  Thread other(std::ref(count_up));
  count_up();
  count_up();
  other.join();
  model::check_that(count_up.count.get() == 3);
}

// One who has not seen the sole thread leave learns of it from one who has.
template <class W>
void a_gate_guards_three() {
  const typename W::World world;
  CountWithinAGate<W> count_up;
  Thread one(std::ref(count_up));
  Thread other(std::ref(count_up));
  count_up();
  one.join();
  other.join();
  model::check_that(count_up.count.get() == 3);
}

// One that retires may be followed by another, and may come again.
template <class W>
void one_retires() {
  const typename W::World world;
  CountWithinAGate<W> count_up;
  Thread other([&] {
    count_up();
    W::World::current->sole.retire();
  });
  count_up();
  W::World::current->sole.retire();
  count_up();
  other.join();
  model::check_that(count_up.count.get() == 3);
}

template <class W>
void three_retire() {
  const typename W::World world;
  CountWithinAGate<W> count_up;
  const auto once = [&] {
    count_up();
    W::World::current->sole.retire();
  };
  Thread one(once);
  Thread other(once);
  once();
  one.join();
  other.join();
  model::check_that(count_up.count.get() == 3);
}

// A row of changes is one for all others, and each change in it is as ever.
template <class W>
void a_row_is_one_change() {
  const typename W::World world;
  CountWithinAGate<W> count_up;
  Thread other(std::ref(count_up));
  count_up();
  if (W::Gate::hold()) {
    count_up();
    count_up.count.set(count_up.count.get() + 1);
    W::Gate::let_go();
  } else {
    count_up();
    count_up();
  }
  other.join();
  model::check_that(count_up.count.get() == 4);
}

// A third finds that somebody comes along already, and that one waits.
template <class W>
void a_row_is_one_change_for_three() {
  const typename W::World world;
  CountWithinAGate<W> count_up;
  count_up();
  Thread one(std::ref(count_up));
  Thread other(std::ref(count_up));
  if (W::Gate::hold()) {
    count_up();
    count_up.count.set(count_up.count.get() + 1);
    W::Gate::let_go();
  } else {
    count_up();
    count_up();
  }
  one.join();
  other.join();
  model::check_that(count_up.count.get() == 5);
}

// The same where what is changed without the gate is a word.
template <class W>
void a_row_of_words_is_one_change() {
  const typename W::World world;
  typename W::Word word{0};
  const auto count_up = [&] { word.fetch_add(1, relaxed); };
  Thread other(count_up);
  count_up();
  if (W::Gate::hold()) {
    const std::uint32_t before = word.load(relaxed);
    count_up();
    count_up();
    model::check_that(word.load(relaxed) == before + 2);
    W::Gate::let_go();
  } else {
    count_up();
    count_up();
  }
  other.join();
  model::check_that(word.load(relaxed) == 4);
}

// Each writes its own and looks at the other's: one of the two sees the other.
template <class W>
void one_sees_the_other() {
  const typename W::World world;
  typename W::Word mine{0};
  typename W::Word others{0};
  bool seen = false;
  Thread other([&] {
    others.fetch_add(1, seq_cst);
    seen = mine.load(seq_cst) != 0;
  });
  mine.fetch_add(1, seq_cst);
  const bool saw = others.load(seq_cst) != 0;
  other.join();
  model::check_that(saw || seen);
}

template <class W>
void a_lock_is_handed_on() {
  const typename W::World world;
  trine::Lock<W> lock;
  Cell<int> count;
  const auto count_up = [&] {
    lock.lock();
    count.set(count.get() + 1);
    lock.unlock();
  };
  Thread other(count_up);
  count_up();
  other.join();
  model::check_that(count.get() == 2 && !lock.locked());
}

template <class W>
void an_event_lets_go() {
  const typename W::World world;
  an_event_lets_one_go<W>();
}

TEST(SoleWord, TwoCount) { prove_two(two_count<B>); }
TEST(SoleWord, ThreeCount) { prove_three(three_count<B>, 2); }
TEST(SoleWord, TwoCountWhereFencesAreRefused) { prove_two(two_count<Refused>); }
TEST(SoleWord, OneStores) { prove_two(one_stores<B>); }
TEST(SoleWord, AShortLockGuards) { prove(2, 2, a_short_lock_guards<B>); }
TEST(SoleWord, AGateGuards) { prove(2, 2, a_gate_guards<B>); }
TEST(SoleWord, AGateGuardsThree) { prove(3, 1, a_gate_guards_three<B>); }
TEST(SoleWord, AGateGuardsByNumber) { prove(2, 2, a_gate_guards<ByNumber>); }
TEST(SoleWord, AGateGuardsThreeByNumber) { prove(3, 1, a_gate_guards_three<ByNumber>); }
TEST(SoleWord, OneRetires) { prove(2, 2, one_retires<B>); }
TEST(SoleWord, ThreeRetire) { prove(3, 1, three_retire<B>); }
TEST(SoleWord, ARowIsOneChange) { prove(2, 2, a_row_is_one_change<B>); }
TEST(SoleWord, ARowIsOneChangeForThree) { prove(3, 1, a_row_is_one_change_for_three<B>); }
TEST(SoleWord, ARowOfWordsIsOneChange) { prove(2, 5, a_row_of_words_is_one_change<B>); }
TEST(SoleWord, OneSeesTheOther) { prove_two(one_sees_the_other<B>); }
TEST(SoleWord, ALockIsHandedOn) { prove(2, 3, a_lock_is_handed_on<B>); }
TEST(SoleWord, AnEventLetsGo) { prove(2, 3, an_event_lets_go<B>); }

// ---- mutants ----

constexpr const char* file = "/sole_word.hpp";

TEST(SoleWordMutant, NoFence) {
  caught_two({.file = file, .function = "::close(", .op = Op::fence, .dropped = true}, two_count<Mutated>, "check failed");
}

// Who comes along does not wait for the sole one to leave.
TEST(SoleWordMutant, InsideNotSeen) {
  caught_two({.file = file, .function = "::close(", .op = Op::load, .said = [](std::uint32_t) { return 0U; }}, two_count<Mutated>,
             "check failed");
}

// The sole one does not say that it is inside.
TEST(SoleWordMutant, InsideNotSaid) {
  caught_two({.file = file, .function = "::say(", .op = Op::store, .written = [](std::uint32_t, std::uint32_t) { return 0U; }},
             two_count<Mutated>, "check failed");
}

// A third does not wait until the second has seen the sole one leave.
TEST(SoleWordMutant, ThirdDoesNotWait) {
  caught_three({.file = file, .function = "::settle_first(", .op = Op::compare_exchange,
                .written = [](std::uint32_t, std::uint32_t after) { return (after & 1) != 0 ? 1U : after; }},
               three_count<Mutated>, "check failed");
}

// The gate is open while the sole one is inside.
TEST(SoleWordMutant, GateWithoutSaying) {
  caught_two({.file = file, .function = "::say(", .op = Op::store, .written = [](std::uint32_t, std::uint32_t) { return 0U; }},
             a_gate_guards<Mutated>, "data race");
}

TEST(SoleWordMutant, LeavesWithoutRelease) {
  caught_two({.file = file, .function = "::leave(", .op = Op::store, .order = release, .weakened = relaxed},
             a_gate_guards<Mutated>, "data race");
}

TEST(SoleWordMutant, LeavingSeenWithoutAcquire) {
  caught_two({.file = file, .function = "::close(", .op = Op::load, .order = acquire, .weakened = relaxed},
             a_gate_guards<Mutated>, "data race");
}

TEST(SoleWordMutant, StoresWithoutComingAlong) {
  caught_two({.file = file, .function = "::admit(", .op = Op::load, .said = [](std::uint32_t) { return 1U; }},
             one_stores<Mutated>, "check failed");
}

TEST(SoleWordMutant, RetiresWithoutRelease) {
  caught_two({.file = file, .function = "::retire(", .op = Op::compare_exchange, .order = release, .weakened = relaxed},
             one_retires<Mutated>, "data race");
}

// Who comes along does not wait for a row of changes to end.
TEST(SoleWordMutant, RowNotSeen) {
  caught_two({.file = file, .function = "::in_a_row(", .op = Op::load, .said = [](std::uint32_t) { return 0U; }},
             a_row_is_one_change<Mutated>, "data race");
}

TEST(SoleWordMutant, RowOfWordsNotSeen) {
  caught_two({.file = file, .function = "::in_a_row(", .op = Op::load, .said = [](std::uint32_t) { return 0U; }},
             a_row_of_words_is_one_change<Mutated>, "check failed");
}

// In a row the sole one learns that somebody comes along, and lets all others.
TEST(SoleWordMutant, RowForgotten) {
  caught_three({.file = file, .function = "::settle_first(", .op = Op::load, .order = relaxed,
                .said = [](std::uint32_t) { return 0U; }},
               a_row_is_one_change_for_three<Mutated>, "data race");
}

TEST(SoleWordMutant, RowEndsWithoutRelease) {
  caught_two({.file = file, .function = "::let_go(", .op = Op::store, .order = release, .weakened = relaxed},
             a_row_is_one_change<Mutated>, "data race");
}

TEST(SoleWordMutant, EndOfRowSeenWithoutAcquire) {
  caught_two({.file = file, .function = "::in_a_row(", .op = Op::load, .order = acquire, .weakened = relaxed},
             a_row_is_one_change<Mutated>, "data race");
}

}  // namespace
