// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>

#include <support/model.hpp>
#include <trine/latch.hpp>

namespace {

using namespace checking;

template <class B>
void count_down_publishes() {
  trine::Latch<B> latch(1);
  Cell<int> data;
  Thread counter([&] {
    data.set(1);
    latch.count_down();
  });
  latch.wait();
  model::check_that(data.get() == 1);
  counter.join();
}

template <class B>
void try_wait() {
  trine::Latch<B> latch(1);
  Cell<int> data;
  Thread counter([&] {
    data.set(1);
    latch.count_down();
  });
  if (latch.try_wait()) model::check_that(data.get() == 1);
  counter.join();
}

// The waiter sees what both have done, though it reads only the last one's store.
template <class B>
void two_counters() {
  trine::Latch<B> latch(2);
  Cell<int> first;
  Cell<int> second;
  Thread one([&] {
    first.set(1);
    latch.count_down();
  });
  Thread other([&] {
    second.set(1);
    latch.count_down();
  });
  latch.wait();
  model::check_that(first.get() + second.get() == 2);
  one.join();
  other.join();
}

template <class B>
void two_waiters() {
  trine::Latch<B> latch(1);
  Thread one([&] { latch.wait(); });
  Thread other([&] { latch.wait(); });
  latch.count_down();
  one.join();
  other.join();
}

template <class B>
void all_arrive() {
  trine::Latch<B> latch(3);
  Cell<int> data;
  Thread one([&] { latch.arrive_and_wait(); });
  Thread other([&] {
    data.set(1);
    latch.arrive_and_wait();
  });
  latch.arrive_and_wait();
  model::check_that(data.get() == 1);
  one.join();
  other.join();
}

template <class B>
void time_out() {
  trine::Latch<B> latch(2);
  Thread hasty([&] { latch.arrive_and_wait(a_while); });
  latch.arrive_and_wait();  // who gives up has counted down all the same
  hasty.join();
  model::check_that(latch.try_wait());
}

template <class B>
void too_many() {
  trine::Latch<B> latch(1);
  int refused = 0;
  const auto count_down = [&] {
    try {
      latch.count_down();
      return 0;
    } catch (const std::invalid_argument&) {
      return 1;
    }
  };
  Thread other([&] { refused = count_down(); });
  const int refused_here = count_down();
  other.join();
  model::check_that(refused + refused_here == 1 && latch.try_wait());
}

// The waiter destroys it, though count_down() may not have returned.
template <class B>
void destroyed_by_the_waiter() {
  std::optional<trine::Latch<B>> latch(std::in_place, 2);
  Thread one([&] { latch->count_down(); });
  Thread other([&] { latch->count_down(); });
  latch->wait();
  latch.reset();
  one.join();
  other.join();
}

TEST(ModelLatch, CountDownPublishes) { prove_two(count_down_publishes<model>); }
TEST(ModelLatch, TryWait) { prove_two(try_wait<model>); }
TEST(ModelLatch, TwoCounters) { prove_three(two_counters<model>); }
TEST(ModelLatch, TwoWaiters) { prove_three(two_waiters<model>); }
TEST(ModelLatch, AllArrive) {
  prove_three(all_arrive<model>, 1, 0);
  prove_three_in_sequence(all_arrive<model>);
}
TEST(ModelLatch, TimeOut) { prove_two(time_out<model>); }
TEST(ModelLatch, TooMany) { prove_two(too_many<model>); }
TEST(ModelLatch, DestroyedByTheWaiter) { prove_three(destroyed_by_the_waiter<model>); }

// ---- mutants ----

constexpr std::string_view here = "/latch.hpp";

TEST(ModelLatchMutant, CountDownWithoutRelease) {
  caught_two({.file = here, .function = "::count_down(", .op = Op::compare_exchange, .order = release, .weakened = relaxed},
             count_down_publishes<mutated>, "data race");
}
TEST(ModelLatchMutant, AttemptWithoutAcquire) {
  caught_two({.file = here, .function = "::attempt(", .op = Op::load, .order = acquire, .weakened = relaxed},
             count_down_publishes<mutated>, "data race");
}
TEST(ModelLatchMutant, AnnounceLoadsWithoutAcquire) {
  caught_two({.file = here, .function = "::announce(", .op = Op::load, .order = acquire, .weakened = relaxed},
             count_down_publishes<mutated>, "data race");
}
TEST(ModelLatchMutant, AnnounceMarksWithoutAcquire) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             count_down_publishes<mutated>, "data race");
}
TEST(ModelLatchMutant, TryWaitWithoutAcquire) {
  caught_two({.file = here, .function = "::try_wait(", .op = Op::load, .order = acquire, .weakened = relaxed},
             try_wait<mutated>, "data race");
}
TEST(ModelLatchMutant, MarkForgotten) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .written = without<1>, .unmarked = 1},
             count_down_publishes<mutated>, "deadlock");
}
TEST(ModelLatchMutant, WakeDropped) {
  caught_two({.file = here, .function = "::count_down(", .op = Op::wake, .woken = nobody}, count_down_publishes<mutated>,
             "deadlock");
}
TEST(ModelLatchMutant, WakesOneOnly) {
  caught_three({.file = here, .function = "::count_down(", .op = Op::wake, .woken = one_only}, two_waiters<mutated>, "deadlock");
}

}  // namespace
