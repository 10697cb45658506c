// SPDX-License-Identifier: BSL-1.0
//
// One that waits in several lists of the table of coroutines, as select() does there: what others give at the same time is
// neither lost nor taken twice, and nobody sleeps on beside it.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include <support/wait_table.hpp>
#include <trine/event.hpp>
#include <trine/queue.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;
using B = tabled<trine::modelling::ModelledSleep>;
using Mutated = tabled<MutableSleep>;

// Whoever chooses puts back what it took, for another who waits for nothing else.
template <class W>
void an_item_is_put_back() {
  trine::Queue<int, W> queue;
  trine::Event<W> event;
  Thread chooser([&] {
    const auto done = trine::select(queue.get_op(), event.wait_op());
    if (done.index() == 0) queue.try_put(done.template get<0>());
  });
  Thread putter([&] { queue.try_put(7); });
  Thread setter([&] { event.set(); });
  model::check_that(queue.get() == 7);
  chooser.join();
  putter.join();
  setter.join();
  model::check_that(queue.empty());
}

// The same, if the one that chooses asks for the event first.
template <class W>
void an_item_is_left_or_put_back() {
  trine::Queue<int, W> queue;
  trine::Event<W> event;
  Thread chooser([&] {
    const auto done = trine::select(event.wait_op(), queue.get_op());
    if (done.index() == 1) queue.try_put(done.template get<1>());
  });
  Thread both([&] {
    queue.try_put(7);
    event.set();
  });
  model::check_that(queue.get() == 7);
  chooser.join();
  both.join();
  model::check_that(queue.empty());
}

template <class W>
void a_permit_is_put_back() {
  trine::Semaphore<W> permits(0);
  trine::Event<W> event;
  Thread chooser([&] {
    if (trine::select(event.wait_op(), permits.acquire_op()).index() == 1) permits.release();
  });
  Thread releaser([&] { permits.release(); });
  Thread setter([&] { event.set(); });
  permits.acquire();
  chooser.join();
  releaser.join();
  setter.join();
  model::check_that(permits.value() == 0);
}

// Two permits, of which the one that chooses takes one at most. The other waiter gets one before that one goes on.
template <class W>
void two_permits_while_it_is_in_hand() {
  trine::Semaphore<W> permits(0);
  trine::Event<W> event;
  typename W::Word resumes{0};
  W::World::current->resumes = &resumes;
  std::size_t chosen = 2;
  Thread chooser([&] { chosen = trine::select(event.wait_op(), permits.acquire_op()).index(); });
  Thread releaser([&] {
    permits.release();
    permits.release();
  });
  Thread setter([&] { event.set(); });
  permits.acquire();
  W::World::go_on(resumes);
  chooser.join();
  releaser.join();
  setter.join();
  model::check_that(permits.value() == (chosen == 1 ? 0 : 1));
}

// One permit each: nobody takes both, nobody gets none.
template <class W>
void two_choose_in_opposite_order() {
  trine::Semaphore<W> one(0);
  trine::Semaphore<W> other(0);
  Thread first([&] { trine::select(one.acquire_op(), other.acquire_op()); });
  Thread releaser([&] { one.release(); });
  Thread second([&] { trine::select(other.acquire_op(), one.acquire_op()); });
  other.release();
  first.join();
  second.join();
  releaser.join();
  model::check_that(one.value() == 0 && other.value() == 0);
}

// A limit comes at any moment: it takes a permit or leaves it, and nobody waits for the other event in vain.
template <class W>
void it_is_called_off() {
  trine::Semaphore<W> permits(0);
  trine::Event<W> event;
  std::size_t chosen = 2;
  Thread chooser([&] { chosen = trine::select(event.wait_op(), permits.acquire_op(), trine::Until(a_while)).index(); });
  Thread setter([&] { event.set(); });
  permits.release();
  chooser.join();
  setter.join();
  model::check_that(permits.value() == (chosen == 1 ? 0 : 1));
}

template <class W>
void the_patient_is_served() {
  trine::Semaphore<W> one(0);
  trine::Semaphore<W> other(0);
  Thread chooser([&] {
    if (trine::select(other.acquire_op(), one.acquire_op(), trine::Until(a_while)).index() == 1) one.release();
  });
  Thread releaser([&] { one.release(); });
  one.acquire();
  chooser.join();
  releaser.join();
  model::check_that(one.value() == 0 && other.value() == 0);
}

// Both its nodes are in one list.
template <class W>
void the_same_object_twice() {
  trine::Semaphore<W> permits(0);
  Thread chooser([&] { trine::select(permits.acquire_op(), permits.acquire_op()); });
  Thread releaser([&] {
    permits.release();
    permits.release();
  });
  permits.acquire();
  chooser.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

template <class W>
void two_wait_for_the_same_twice() {
  trine::Semaphore<W> permits(0);
  const auto choose = [&] { trine::select(permits.acquire_op(), permits.acquire_op()); };
  Thread chooser(choose);
  Thread releaser([&] { permits.release(2); });
  choose();
  chooser.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// Whoever has it finds that another was faster, and puts it back; meanwhile it is called off, or the other permit comes.
template <class W>
void it_is_called_off_in_hand() {
  trine::Semaphore<W> one(0);
  trine::Semaphore<W> other(0);
  std::size_t chosen = 2;
  Thread chooser([&] { chosen = trine::select(one.acquire_op(), other.acquire_op(), trine::Until(a_while)).index(); });
  Thread releaser([&] { one.release(); });
  const bool stolen = one.try_acquire();
  chooser.join();
  releaser.join();
  model::check_that(one.value() + (stolen ? 1 : 0) + (chosen == 0 ? 1 : 0) == 1);
}

template <class W>
void one_is_stolen_and_the_other_comes() {
  trine::Semaphore<W> one(0);
  trine::Semaphore<W> other(0);
  Thread chooser([&] { trine::select(one.acquire_op(), other.acquire_op()); });
  Thread releaser([&] { one.release(); });
  const bool stolen = one.try_acquire();
  other.release();
  chooser.join();
  releaser.join();
  model::check_that(one.value() + other.value() + (stolen ? 1 : 0) == 1);
}

// It is destroyed where it waits, tried for, or served: what it took it took, all else is there for another.
template <class W>
void it_is_destroyed() {
  trine::Semaphore<W> permits(0);
  trine::Event<W> event;
  Thread chooser([&] {
    if (W::choose_and_be_destroyed(event.wait_op(), permits.acquire_op()) == 1) permits.release();
  });
  Thread setter([&] { event.set(); });
  Thread releaser([&] { permits.release(); });
  permits.acquire();
  chooser.join();
  setter.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

template <class W>
void one_of_two_comes() {
  trine::Semaphore<W> one(0);
  trine::Semaphore<W> other(0);
  Thread releaser([&] { one.release(); });
  trine::select(one.acquire_op(), other.acquire_op());
  releaser.join();
  model::check_that(one.value() == 0);
}

template <class W>
void two_events() {
  trine::Event<W> one;
  trine::Event<W> other;
  Cell<int> data;
  Thread setter([&] {
    data.set(1);
    other.set();
  });
  const auto done = trine::select(one.wait_op(), other.wait_op());
  model::check_that(done.index() == 1 && data.get() == 1);
  setter.join();
}

// Relaxed operations make too many executions of four threads: those are explored as if all were sequentially consistent.
constexpr bool in_sequence = false;

TEST(WaitInSeveral, AnItemIsPutBack) { prove_tabled(4, an_item_is_put_back<B>, 1); }
TEST(WaitInSeveral, AnItemIsPutBackInSequence) { prove_tabled(4, an_item_is_put_back<B>, 2, in_sequence); }
TEST(WaitInSeveral, AnItemIsLeftOrPutBack) { prove_tabled(3, an_item_is_left_or_put_back<B>, 1); }
TEST(WaitInSeveral, APermitIsPutBack) { prove_tabled(4, a_permit_is_put_back<B>, 2, in_sequence); }
TEST(WaitInSeveral, TwoPermitsWhileItIsInHand) { prove_tabled(4, two_permits_while_it_is_in_hand<B>, 2, in_sequence); }
TEST(WaitInSeveral, TwoChooseInOppositeOrder) { prove_tabled(4, two_choose_in_opposite_order<B>, 2, in_sequence); }
TEST(WaitInSeveral, ItIsCalledOff) { prove_tabled(3, it_is_called_off<B>, 1); }
TEST(WaitInSeveral, ThePatientIsServed) { prove_tabled(3, the_patient_is_served<B>, 2, in_sequence); }
TEST(WaitInSeveral, TheSameObjectTwice) { prove_tabled(3, the_same_object_twice<B>, 1); }
TEST(WaitInSeveral, TwoWaitForTheSameTwice) { prove_tabled(3, two_wait_for_the_same_twice<B>, 2, in_sequence); }
TEST(WaitInSeveral, ItIsCalledOffInHand) { prove_tabled(3, it_is_called_off_in_hand<B>, 1); }
TEST(WaitInSeveral, OneIsStolenAndTheOtherComes) { prove_tabled(3, one_is_stolen_and_the_other_comes<B>, 1); }
TEST(WaitInSeveral, ItIsDestroyed) { prove_tabled(4, it_is_destroyed<B>, 2, in_sequence); }
TEST(WaitInSeveral, OneOfTwoComes) { prove_tabled(2, one_of_two_comes<B>, 2); }
TEST(WaitInSeveral, TwoEvents) { prove_tabled(2, two_events<B>, 2); }

// ---- mutants ----

constexpr const char* file = "/several.hpp";
constexpr const char* table_file = "/wait_lists.hpp";
constexpr std::uint32_t calling_off = 1;
constexpr std::uint32_t again = 4;

std::uint32_t marked(std::uint32_t /*value*/) { return 1; }

class WaitInSeveralMutant : public ::testing::Test {
 protected:
  ~WaitInSeveralMutant() override { in_hand_uses_up_wakes = false; }
};

TEST_F(WaitInSeveralMutant, InHandItUsesUpAWake) {
  in_hand_uses_up_wakes = true;
  caught_tabled({.file = "none"}, 4, an_item_is_put_back<Mutated>, 2, "deadlock", in_sequence);
}

// A permit comes between the comparison and the moment at which it lets go.
TEST_F(WaitInSeveralMutant, NotLookedAgain) {
  caught_tabled({.file = table_file, .function = "::claim(", .op = Op::fetch_or, .written = without<again>}, 2,
                one_of_two_comes<Mutated>, 1, "deadlock");
}

TEST_F(WaitInSeveralMutant, LooksForEver) {
  caught_tabled({.file = file, .function = "::announce_each(", .op = Op::fetch_and, .written = unchanged}, 3,
                the_same_object_twice<Mutated>, 1, "does not end");
}

TEST_F(WaitInSeveralMutant, NotComparedUnderTheLock) {
  caught_tabled({.file = table_file, .function = "::enqueue(", .op = Op::load, .order = relaxed, .said = marked},
                2, one_of_two_comes<Mutated>, 1, "deadlock");
}

TEST_F(WaitInSeveralMutant, NothingIsPassedOn) {
  caught_tabled({.file = file, .function = "::leave_lists(", .op = Op::wake, .woken = nobody}, 4,
                two_permits_while_it_is_in_hand<Mutated>, 2, "deadlock", in_sequence);
}

TEST_F(WaitInSeveralMutant, ItStaysInItsLists) {
  caught_tabled({.file = file, .function = "::leave_lists(", .op = Op::take_out}, 3, it_is_called_off<Mutated>, 1,
                "after its destruction");
}

// Its limit comes while somebody has it, who then lets go.
TEST_F(WaitInSeveralMutant, CallingOffIsForgotten) {
  caught_tabled({.file = file, .function = "::call_off(", .op = Op::fetch_or, .written = without<calling_off>}, 3,
                it_is_called_off_in_hand<Mutated>, 2, "deadlock", in_sequence);
}

}  // namespace
