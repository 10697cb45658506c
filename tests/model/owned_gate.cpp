// SPDX-License-Identifier: BSL-1.0
//
// The lock that belongs to one thread, who enters it without a locked instruction, both with and without a system that can put
// a fence into other threads.

#include <gtest/gtest.h>

#include <support/model.hpp>
#include <trine/coroutine/owned_gate.hpp>

namespace {

using namespace checking;

template <class B>
using Gate = trine::coroutine::OwnedGate<typename B::System>;

void count_up(Cell<int>& count) { count.set(count.get() + 1); }

template <class B>
void another_comes() {
  Gate<B> gate;
  Cell<int> count;
  Thread other([&] {
    gate.come_in();
    count_up(count);
    gate.let_go();
  });
  for (int i = 0; i < 2; ++i) {
    gate.enter();
    count_up(count);
    gate.leave();
  }
  other.join();
  model::check_that(count.get() == 3);
}

template <class B>
void another_comes_twice() {
  Gate<B> gate;
  Cell<int> count;
  Thread other([&] {
    for (int i = 0; i < 2; ++i) {
      gate.come_in();
      count_up(count);
      gate.let_go();
    }
  });
  gate.enter();
  count_up(count);
  gate.leave();
  other.join();
  model::check_that(count.get() == 3);
}

template <class B>
void two_others_come() {
  Gate<B> gate;
  typename B::ShortLock one_at_a_time;
  Cell<int> count;
  const auto come = [&] {
    one_at_a_time.lock();
    gate.come_in();
    count_up(count);
    gate.let_go();
    one_at_a_time.unlock();
  };
  Thread one(come);
  Thread other(come);
  gate.enter();
  count_up(count);
  gate.leave();
  one.join();
  other.join();
  model::check_that(count.get() == 3);
}

TEST(ModelOwnedGate, AnotherComes) { prove_two(another_comes<model>); }
TEST(ModelOwnedGate, AnotherComesTwice) { prove_three(another_comes_twice<model>, 3, 0); }
TEST(ModelOwnedGate, TwoOthersCome) { prove_three(two_others_come<model>, 2, 0); }
TEST(ModelOwnedGate, AnotherComesWithoutFences) {
  without_fences([] { prove_two(another_comes<mutated>); });
}
TEST(ModelOwnedGate, AnotherComesTwiceWithoutFences) {
  without_fences([] { prove(2, 2, another_comes_twice<mutated>, 0); });
}

constexpr std::string_view here = "/owned_gate.hpp";

TEST(ModelOwnedGateMutant, FenceDropped) {
  caught_two({.file = here, .function = "::fence(", .op = Op::fence, .dropped = true}, another_comes<mutated>, "data race");
}
TEST(ModelOwnedGateMutant, LeaveWithoutRelease) {
  caught_two({.file = here, .function = "::leave(", .op = Op::store, .order = release, .weakened = relaxed},
             another_comes<mutated>, "data race");
}
TEST(ModelOwnedGateMutant, WaitWithoutAcquire) {
  caught_two({.file = here, .function = "::wait(", .op = Op::load, .order = acquire, .weakened = relaxed},
             another_comes<mutated>, "data race");
}
TEST(ModelOwnedGateMutant, LetInWithoutAcquire) {
  caught_two({.file = here, .function = "::is_let_in(", .op = Op::load, .order = acquire, .weakened = relaxed},
             another_comes<mutated>, "data race");
}
TEST(ModelOwnedGateMutant, WaitOutsideWithoutRelease) {
  caught_two({.file = here, .function = "::wait_outside(", .op = Op::store, .order = release, .weakened = relaxed},
             another_comes<mutated>, "data race");
}
TEST(ModelOwnedGateMutant, LetGoWithoutRelease) {
  caught_two({.file = here, .function = "::let_go(", .op = Op::store, .order = release, .weakened = relaxed},
             another_comes<mutated>, "data race");
}
TEST(ModelOwnedGateMutant, EnterWithoutAcquire) {
  caught_two({.file = here, .function = "::asked(", .op = Op::load, .order = acquire, .weakened = relaxed},
             another_comes<mutated>, "data race");
}
TEST(ModelOwnedGateMutant, EnterWithoutARelationWhereThereAreNoFences) {
  without_fences([] {
    caught_two({.file = here, .function = "::asked(", .op = Op::fetch_or, .order = acq_rel, .weakened = acquire},
               another_comes<mutated>, "data race");
  });
}
TEST(ModelOwnedGateMutant, AskWithoutARelationWhereThereAreNoFences) {
  without_fences([] {
    caught_two({.file = here, .function = "::ask(", .op = Op::exchange, .order = acq_rel, .weakened = release},
               another_comes<mutated>, "data race");
  });
}

}  // namespace
