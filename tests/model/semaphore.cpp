// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>

#include <support/model.hpp>
#include <trine/error.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;

template <class B>
void release_publishes() {
  trine::Semaphore<B> permits(0);
  Cell<int> data;
  Thread releaser([&] {
    data.set(1);
    permits.release();
  });
  permits.acquire();
  model::check_that(data.get() == 1);
  releaser.join();
}

template <class B>
void try_acquire() {
  trine::Semaphore<B> permits(0);
  Cell<int> data;
  Thread releaser([&] {
    data.set(1);
    permits.release();
  });
  if (permits.try_acquire()) {
    model::check_that(data.get() == 1);
    permits.release();
  }
  releaser.join();
  model::check_that(permits.value() == 1);
}

template <class B>
void as_a_lock() {
  trine::Semaphore<B> permits(1);
  Cell<int> count;
  const auto count_up = [&] {
    permits.acquire();
    count.set(count.get() + 1);
    permits.release();
  };
  Thread one(count_up);
  Thread other(count_up);
  count_up();
  one.join();
  other.join();
  model::check_that(count.get() == 3 && permits.value() == 1);
}

template <class B>
void two_at_once() {
  trine::Semaphore<B> permits(0);
  Cell<int> data;
  const auto take = [&] {
    permits.acquire();
    model::check_that(data.get() == 1);
  };
  Thread one(take);
  Thread other(take);
  data.set(1);
  permits.release(2);
  one.join();
  other.join();
  model::check_that(permits.value() == 0);
}

// The second release may find the mark cleared by the first.
template <class B>
void one_after_the_other() {
  trine::Semaphore<B> permits(0);
  Thread one([&] { permits.acquire(); });
  Thread other([&] { permits.acquire(); });
  permits.release();
  permits.release();
  one.join();
  other.join();
  model::check_that(permits.value() == 0);
}

template <class B>
void time_out() {
  trine::Semaphore<B> permits(0);
  Thread releaser([&] { permits.release(); });
  const int got = permits.acquire(a_while) ? 1 : 0;
  releaser.join();
  model::check_that(permits.value() == 1 - got);
}

// One permit, two waiters: if one gives up, the other has it.
template <class B>
void time_out_beside_another() {
  trine::Semaphore<B> permits(0);
  bool in_time = false;
  Thread hasty([&] {
    in_time = permits.acquire(a_while);
    if (in_time) permits.release();
  });
  Thread patient([&] { permits.acquire(); });
  permits.release();
  hasty.join();
  patient.join();
  model::check_that(permits.value() == 0);
}

template <class B>
void stop_beside_another() {
  trine::Semaphore<B> permits(0);
  std::stop_source stop;
  Thread stopped([&] {
    if (permits.acquire(stop.get_token())) permits.release();
  });
  Thread patient([&] { permits.acquire(); });
  stop.request_stop();
  permits.release();
  stopped.join();
  patient.join();
  model::check_that(permits.value() == 0);
}

template <class B>
void over_the_maximum() {
  trine::BoundedSemaphore<B> permits(1);
  permits.acquire();
  int refused = 0;
  const auto release = [&] {
    try {
      permits.release();
      return 0;
    } catch (const trine::ReleasedTooManyTimes&) {
      return 1;
    }
  };
  Thread other([&] { refused = release(); });
  const int refused_here = release();
  other.join();
  model::check_that(refused + refused_here == 1 && permits.value() == 1);
}

// Whoever has acquired destroys it, though release() may not have returned.
template <class B>
void destroyed_by_the_waiter() {
  std::optional<trine::Semaphore<B>> permits(std::in_place, 0);
  Thread releaser([&] { permits->release(); });
  permits->acquire();
  permits.reset();
  releaser.join();
}

TEST(ModelSemaphore, ReleasePublishes) { prove_two(release_publishes<model>); }
TEST(ModelSemaphore, TryAcquire) { prove_two(try_acquire<model>); }
TEST(ModelSemaphore, AsALock) { prove_three(as_a_lock<model>, 3, 0); }
TEST(ModelSemaphore, TwoAtOnce) { prove_three(two_at_once<model>); }
TEST(ModelSemaphore, OneAfterTheOther) { prove_three(one_after_the_other<model>); }
TEST(ModelSemaphore, TimeOut) { prove_two(time_out<model>); }
TEST(ModelSemaphore, TimeOutBesideAnother) { prove_three(time_out_beside_another<model>); }
TEST(ModelSemaphore, StopBesideAnother) { prove_three(stop_beside_another<model>); }
TEST(ModelSemaphore, OverTheMaximum) { prove_two(over_the_maximum<model>); }
TEST(ModelSemaphore, DestroyedByTheWaiter) { prove_two(destroyed_by_the_waiter<model>); }

// ---- mutants ----

constexpr std::string_view here = "/semaphore.hpp";

TEST(ModelSemaphoreMutant, ReleaseWithoutRelease) {
  caught_two({.file = here, .function = "::give(", .op = Op::compare_exchange, .order = release, .weakened = relaxed},
             release_publishes<mutated>, "data race");
}
TEST(ModelSemaphoreMutant, AttemptWithoutAcquire) {
  caught_two({.file = here, .function = "::take(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             try_acquire<mutated>, "data race");
}
TEST(ModelSemaphoreMutant, AnnounceWithoutAcquire) {
  caught_two({.file = here, .function = "::take(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             release_publishes<mutated>, "data race");
}
TEST(ModelSemaphoreMutant, MarkForgotten) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .written = without<1>, .unmarked = 1},
             release_publishes<mutated>, "deadlock");
}
// A woken one takes its permit without the mark, though another may still sleep.
TEST(ModelSemaphoreMutant, MarkForgottenByTheWokenOne) {
  caught_three({.file = here, .function = "::take(", .op = Op::compare_exchange,
                .written = [](std::uint32_t before, std::uint32_t after) { return before >= 2 ? after & ~1U : after; }},
               as_a_lock<mutated>, "deadlock");
}
TEST(ModelSemaphoreMutant, WakeDropped) {
  caught_two({.file = here, .function = "::give(", .op = Op::wake, .woken = nobody}, release_publishes<mutated>, "deadlock");
}
// Slower, and no worse: the one that was woken wakes the next where a permit is left.
TEST(ModelSemaphoreMutant, WakesOneOfTwo) {
  equivalent({.file = here, .function = "::give(", .op = Op::wake, .woken = one_only}, 3, 3, two_at_once<mutated>,
             "the one that was woken wakes the next where a permit is left");
}
TEST(ModelSemaphoreMutant, WakeNotPassedOnByTheWokenOne) {
  caught_three({.file = here, .function = "::announce(", .op = Op::wake, .woken = nobody}, one_after_the_other<mutated>,
               "deadlock");
}
// As with Lock.
TEST(ModelSemaphoreMutant, WakeNotPassedOnByWhoGivesUp) {
  equivalent({.file = "/wait_loop.hpp", .function = "::pass_on(", .op = Op::wake, .woken = nobody}, 3, 2,
             time_out_beside_another<mutated>, "a woken one sets the mark again before it looks at its limit");
}

}  // namespace
