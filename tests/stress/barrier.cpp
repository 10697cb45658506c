// SPDX-License-Identifier: BSL-1.0
//
// Barrier and Latch under many threads: nobody passes before all have come, and nothing that breaks a barrier makes one hang.
#include <trine/barrier.hpp>
#include <trine/latch.hpp>

#include <array>
#include <deque>

#include "stress/storm.hpp"
#include "support/backends.hpp"

namespace {

using trine::Barrier;
using trine::BrokenBarrier;
using trine::Latch;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;

template <class B>
class BarrierStress : public ::testing::Test {};
TYPED_TEST_SUITE(BarrierStress, trine_test::Backends, trine_test::BackendName);

// A limit that isn't reached, of any kind.
Until far(Party& me, const std::stop_token& never) {
  switch (me.below(4)) {
    case 0: return std::chrono::hours(1);
    case 1: return {std::chrono::system_clock::now() + std::chrono::hours(1), never};
    case 2: return never;
    default: return {};
  }
}

// The barrier is all that orders the plain data. Each round is two generations: one for who came, one for the places they
// got. Two rounds use different halves of the data: who writes for the next one does not disturb those who still read.
template <class B>
void all_or_none(bool with_action) {
  static constexpr std::size_t parties = 8;
  struct Half {
    std::array<std::uint64_t, parties> came{};
    std::array<std::uint64_t, parties> place{};
    std::uint64_t turn = 0;
    bool last = false;
  };
  std::array<Half, 2> halves;
  std::uint64_t turn = 0;
  bool wrong = false;
  const std::stop_source never;
  const auto action = [&] {
    ++turn;
    const std::uint64_t round = (turn + 1) / 2;
    Half& half = halves[round % 2];
    for (const std::uint64_t each : half.came) wrong = wrong || each != round;
    half.turn = turn;
  };
  Barrier<B> barrier(parties, with_action ? std::function<void()>(action) : std::function<void()>());
  Storm storm;
  storm.show([&] { return "waiting " + std::to_string(barrier.waiting()); });
  storm.add(parties, "party", [&](Party& me) {
    for (std::uint64_t round = 1;; ++round) {
      Half& half = halves[round % 2];
      half.came[me.number()] = round;
      if (me.number() == 0) half.last = me.over();
      me.dawdle();
      me.at("wait");
      const std::ptrdiff_t place = barrier.wait(far(me, never.get_token()));
      for (const std::uint64_t each : half.came) me.must(each == round, "passed before all had come");
      me.must(!with_action || half.turn == 2 * round - 1, "the action did not run once for this generation");
      me.must(place >= 0 && place < static_cast<std::ptrdiff_t>(parties), "the place is out of range");
      half.place[static_cast<std::size_t>(place)] = round;
      me.at("wait for the places");
      barrier.wait();
      for (const std::uint64_t each : half.place) me.must(each == round, "a place was given twice");
      if (half.last) return;
    }
  });
  storm.run();
  EXPECT_FALSE(wrong);
  EXPECT_EQ(barrier.waiting(), 0);
  EXPECT_FALSE(barrier.broken());
}

TYPED_TEST(BarrierStress, all_or_none) { all_or_none<TypeParam>(false); }
TYPED_TEST(BarrierStress, all_or_none_with_action) { all_or_none<TypeParam>(true); }

// Parties give up, actions throw, others abort and reset in between. Nobody hangs, and a generation that passed has passed
// for all its parties: each place was given as often as the others.
template <class B>
void broken_at_any_time(std::size_t count, std::ptrdiff_t parties, bool with_action) {
  struct Thrown {};
  std::atomic<std::uint64_t> actions{0};
  std::atomic<std::uint64_t> failures{0};
  const auto action = [&] {
    if (actions.fetch_add(1, std::memory_order_relaxed) % 16 == 15) {
      failures.fetch_add(1, std::memory_order_relaxed);
      throw Thrown();
    }
  };
  std::vector<std::atomic<std::uint64_t>> places(static_cast<std::size_t>(parties));
  std::atomic<std::uint64_t> thrown{0};
  std::atomic<std::size_t> left{count};
  Barrier<B> barrier(parties, with_action ? std::function<void()>(action) : std::function<void()>());
  Storm storm;
  storm.show([&] {
    return "waiting " + std::to_string(barrier.waiting()) + ", broken " + std::to_string(barrier.broken());
  });
  storm.add(count, "party", [&](Party& me) {
    while (!me.over()) {
      me.at("wait");
      try {
        const std::ptrdiff_t place = barrier.wait(me.one_in(8) ? me.limit() : Until());
        const bool in_range = place >= 0 && place < parties;
        me.must(in_range, "the place is out of range");
        if (in_range) places[static_cast<std::size_t>(place)].fetch_add(1, std::memory_order_relaxed);
      } catch (const BrokenBarrier&) {
        me.at("reset");
        if (me.one_in(4)) barrier.reset();
      } catch (const Thrown&) {
        thrown.fetch_add(1, std::memory_order_relaxed);
        me.at("reset after the action");
        barrier.reset();
      }
      const std::ptrdiff_t waiting = barrier.waiting();
      me.must(waiting >= 0 && waiting <= parties, "waiting() is out of range");
    }
    left.fetch_sub(1);
  });
  storm.add(1, "disturbs", [&](Party& me) {
    while (!me.over()) {
      me.at("disturb");
      for (int i = 0; i < 20; ++i) me.dawdle();
      if (me.one_in(2)) {
        barrier.reset();
      } else {
        barrier.abort();
        me.dawdle();
        if (!me.one_in(3)) barrier.reset();
      }
    }
    barrier.abort();
    me.at("until all have left");
    while (left.load() != 0) {
      if (!barrier.broken()) barrier.abort();  // one of them has reset it since
      std::this_thread::yield();
    }
  });
  storm.run();
  for (const auto& each : places) EXPECT_EQ(each, places.front());
  EXPECT_EQ(thrown, failures);
  barrier.reset();
  EXPECT_FALSE(barrier.broken());
  EXPECT_EQ(barrier.waiting(), 0);
}

TYPED_TEST(BarrierStress, broken_at_any_time) { broken_at_any_time<TypeParam>(7, 7, false); }
TYPED_TEST(BarrierStress, broken_at_any_time_with_action) { broken_at_any_time<TypeParam>(7, 7, true); }
TYPED_TEST(BarrierStress, broken_with_more_threads_than_parties) { broken_at_any_time<TypeParam>(7, 3, false); }
TYPED_TEST(BarrierStress, broken_with_more_threads_than_parties_and_action) {
  broken_at_any_time<TypeParam>(7, 3, true);
}

constexpr std::size_t threads = 8;

template <class B>
struct LatchRound {
  Latch<B> latch{threads + 2};
  std::array<std::size_t, threads> came{};
  bool last = false;
};

// The latch of each round is all that orders the plain data.
TYPED_TEST(BarrierStress, latch_opens_when_all_have_counted) {
  static constexpr std::size_t most = 1 << 14;
  std::deque<LatchRound<TypeParam>> rounds(most);
  Storm storm;
  storm.add(threads, "party", [&](Party& me) {
    for (std::size_t r = 0;; ++r) {
      auto& round = rounds[r];
      me.dawdle();
      round.came[me.number()] = r + 1;
      if (me.number() == 0) {
        round.last = me.over() || r + 1 == most;
        round.latch.count_down(2);
      }
      bool open = false;
      if (me.one_in(2)) {
        me.at("arrive and wait");
        open = round.latch.arrive_and_wait(me.limit_or_never());
      } else {
        me.at("count down");
        round.latch.count_down();
      }
      while (!open) {
        me.at("wait");
        open = me.one_in(4) ? round.latch.try_wait() : round.latch.wait(me.limit_or_never());
      }
      for (const std::size_t each : round.came) me.must(each == r + 1, "open before all had counted");
      if (round.last) return;
    }
  });
  storm.run();
}

TYPED_TEST(BarrierStress, latch_destroyed_by_the_waiter) {
  trine_test::destroy_after_wait([] { return new Latch<TypeParam>(2); },
                                 [](auto& latch) {
                                   latch.count_down();
                                   latch.count_down();
                                 },
                                 [](auto& latch, Party& me) {
                                   while (!latch.wait(me.limit_or_never())) me.at("wait again");
                                 });
}

}  // namespace
