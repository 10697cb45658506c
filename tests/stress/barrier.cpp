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

// The barrier is all that orders the plain data. Two generations use different halves of it, so that whoever writes for the
// next one does not disturb those who still read this one.
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
  std::uint64_t turns = 0;
  std::atomic<bool> wrong{false};
  const std::stop_source never;
  const auto action = [&] {
    Half& half = halves[++turns % 2];
    for (const std::uint64_t each : half.came) {
      if (each != turns) wrong = true;
    }
    half.turn = turns;
  };
  Barrier<B> barrier(parties, with_action ? std::function<void()>(action) : std::function<void()>());
  Storm storm;
  storm.show([&] { return "waiting " + std::to_string(barrier.waiting()); });
  storm.add(parties, "party", [&](Party& me) {
    for (std::uint64_t mine = 1;; ++mine) {
      Half& half = halves[mine % 2];
      half.came[me.number()] = mine;
      if (me.number() == 0) half.last = me.over();
      me.dawdle();
      me.at("wait");
      const std::ptrdiff_t place = barrier.wait(far(me, never.get_token()));
      me.must(place >= 0 && place < static_cast<std::ptrdiff_t>(parties), "the place is out of range");
      for (const std::uint64_t each : half.came) me.must(each == mine, "passed before all had come");
      if (with_action) me.must(half.turn == mine, "the action did not run once in this generation");
      half.place[static_cast<std::size_t>(place)] = mine;
      const bool last = half.last;
      me.at("wait for the places");
      barrier.wait();
      if (with_action) ++mine;
      // All have written their places.
      for (const std::uint64_t each : half.place) me.must(each == mine - with_action, "a place was given twice");
      if (!with_action) barrier.wait();
      if (last) return;
    }
  });
  storm.run();
  EXPECT_FALSE(wrong);
  EXPECT_EQ(barrier.waiting(), 0);
  EXPECT_FALSE(barrier.broken());
}

}  // namespace
