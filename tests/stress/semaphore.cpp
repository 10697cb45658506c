// SPDX-License-Identifier: BSL-1.0
//
// Semaphore under many threads: permits are conserved, whoever gives up has taken none, and a waiter may destroy it.
#include <trine/semaphore.hpp>

#include "stress/storm.hpp"
#include "support/backends.hpp"

namespace {

using trine::BoundedSemaphore;
using trine::Semaphore;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;

template <class B>
class SemaphoreStress : public ::testing::Test {};
TYPED_TEST_SUITE(SemaphoreStress, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(SemaphoreStress, permits_are_conserved) {
  static constexpr int permits = 3;
  BoundedSemaphore<TypeParam> slots(permits);
  std::atomic<int> inside{0};
  Storm storm;
  storm.show([&] { return "value " + std::to_string(slots.value()) + ", inside " + std::to_string(inside); });
  storm.add(8, "party", [&](Party& me) {
    const auto use = [&] {
      me.must(inside.fetch_add(1, std::memory_order_relaxed) < permits, "more are inside than there are permits");
      me.dawdle();
      inside.fetch_sub(1, std::memory_order_relaxed);
    };
    while (!me.over()) {
      switch (me.below(4)) {
        case 0: {
          me.at("acquire");
          if (!slots.acquire(me.limit_or_never())) continue;
          use();
          slots.release();
          break;
        }
        case 1: {
          me.at("try_acquire");
          if (!slots.try_acquire()) continue;
          use();
          slots.release();
          break;
        }
        case 2: {
          me.at("permit");
          if (const auto permit = slots.permit(me.limit_or_never())) use();
          break;
        }
        default: {
          me.at("several");
          std::ptrdiff_t mine = 0;
          while (mine < permits && slots.acquire(me.limit())) ++mine;
          if (mine == 0) continue;
          use();
          slots.release(mine);
        }
      }
    }
  });
  storm.run();
  EXPECT_EQ(slots.value(), permits);
  EXPECT_THROW(slots.release(), trine::ReleasedTooManyTimes);
  EXPECT_EQ(slots.value(), permits);
}

TYPED_TEST(SemaphoreStress, one_permit_is_a_lock) {
  Semaphore<TypeParam> semaphore(1);
  std::uint64_t count = 0;  // plain: the permit alone guards it
  std::atomic<std::uint64_t> total{0};
  Storm storm;
  storm.add(8, "party", [&](Party& me) {
    std::uint64_t mine = 0;
    while (!me.over()) {
      me.at("permit");
      if (const auto permit = semaphore.permit(me.limit_or_never())) {
        ++count;
        ++mine;
        if (me.one_in(8)) me.dawdle();
      }
    }
    total += mine;
  });
  storm.run();
  EXPECT_EQ(count, total);
  EXPECT_EQ(semaphore.value(), 1);
}

// Some consumers have no limit: one permit that is lost, or one wake-up, and they sleep for ever at the end.
TYPED_TEST(SemaphoreStress, released_here_and_acquired_there) {
  static constexpr int producers = 3;
  static constexpr int consumers = 5;
  Semaphore<TypeParam> items(0);
  std::atomic<int> producing{producers};
  std::atomic<bool> closed{false};
  std::atomic<std::ptrdiff_t> released{0};
  std::atomic<std::ptrdiff_t> acquired{0};
  Storm storm;
  storm.show([&] {
    return "value " + std::to_string(items.value()) + ", released " + std::to_string(released) + ", acquired " +
           std::to_string(acquired);
  });
  storm.add(producers, "releases", [&](Party& me) {
    while (!me.over()) {
      me.at("release");
      const std::ptrdiff_t n = 1 + me.below(3);
      items.release(n);
      released.fetch_add(n, std::memory_order_relaxed);
      do {
        me.dawdle();
      } while (items.value() > consumers && !me.over());
    }
    if (producing.fetch_sub(1) > 1) return;
    closed.store(true);
    for (int i = 0; i < consumers; ++i) items.release();
    released.fetch_add(consumers, std::memory_order_relaxed);
  });
  storm.add(consumers, "acquires", [&](Party& me) {
    const bool patient = me.number() % 2 == 0;
    std::ptrdiff_t mine = 0;
    for (;;) {
      me.at(patient ? "acquire" : "acquire with a limit");
      if (!items.acquire(patient ? Until() : me.limit())) {
        me.must(!patient, "a wait without a limit gave up");
        continue;
      }
      ++mine;
      if (closed.load(std::memory_order_relaxed)) break;
      if (me.one_in(8)) me.dawdle();
    }
    acquired.fetch_add(mine, std::memory_order_relaxed);
  });
  storm.run();
  EXPECT_EQ(released, acquired + items.value());
}

// There is exactly one permit in a ring of semaphores: if it is lost anywhere, everything stands still.
TYPED_TEST(SemaphoreStress, a_permit_goes_round) {
  static constexpr std::size_t places = 4;
  struct Places {
    Semaphore<TypeParam> at[places] = {Semaphore<TypeParam>(1, 1), Semaphore<TypeParam>(0, 1), Semaphore<TypeParam>(0, 1),
                                       Semaphore<TypeParam>(0, 1)};
  } ring;
  std::uint64_t hops = 0;  // plain: who has the permit owns it
  bool closed = false;
  Storm storm;
  storm.add(2 * places, "passes on", [&](Party& me) {
    const std::size_t place = me.number() % places;
    for (;;) {
      me.at("acquire");
      if (!ring.at[place].acquire(me.limit_or_never())) continue;
      ++hops;
      const bool last = closed;
      closed = closed || me.over();
      ring.at[(place + 1) % places].release();
      if (last) return;  // the other one of this place has the permit when it comes round again
    }
  });
  storm.run();
  EXPECT_GT(hops, 0U);
}

TYPED_TEST(SemaphoreStress, destroyed_by_the_waiter) {
  trine_test::destroy_after_wait([] { return new Semaphore<TypeParam>(0); },
                                 [](auto& semaphore) { semaphore.release(); },
                                 [](auto& semaphore, Party& me) {
                                   while (!semaphore.acquire(me.limit_or_never())) me.at("wait again");
                                 });
}

}  // namespace
