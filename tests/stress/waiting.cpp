// SPDX-License-Identifier: BSL-1.0
//
// What waiters learn: whether pauses pay, and whether to look away. The system here only counts what it is asked for.

#include <gtest/gtest.h>

#include <cstdint>
#include <trine/backend/patience.hpp>
#include <trine/spin.hpp>

namespace {

// Each test has one of its own, and with it what its thread has learnt.
template <int Test>
struct Counting {
  static constexpr bool spins = true;
  static void pause() noexcept { ++pauses; }
  static void yield() noexcept { ++yields; }

  static inline int pauses = 0;
  static inline int yields = 0;
};

// Waits until `looks` looks were made; how many pauses that took.
template <class Os>
int pauses_of_wait(int looks, std::uint32_t between = 1) {
  const int before = Os::pauses;
  trine::Spin<Os> spin(between);
  for (int i = 0; i < looks; ++i) {
    if (!spin.again()) break;
  }
  return Os::pauses - before;
}

TEST(Waiting, PausesThenYieldsThenSleeps) {
  using Os = Counting<0>;
  trine::Spin<Os> spin(1);
  int turns = 0;
  while (spin.again()) ++turns;
  EXPECT_EQ(Os::pauses, 10);
  EXPECT_EQ(Os::yields, 64);
  EXPECT_EQ(turns, 74);
  EXPECT_FALSE(spin.again());
}

TEST(Waiting, LongPausesAreFewer) {
  using Os = Counting<1>;
  EXPECT_EQ(pauses_of_wait<Os>(5, 8), 16);
  EXPECT_EQ(Os::yields, 3);
}

TEST(Waiting, PausesThatNeverEndAWaitAreLeftOut) {
  using Os = Counting<2>;
  for (int wait = 0; wait < 8; ++wait) EXPECT_EQ(pauses_of_wait<Os>(11), 10);
  // From now on every eighth wait tries them.
  for (int wait = 1; wait <= 24; ++wait) EXPECT_EQ(pauses_of_wait<Os>(11), wait % 8 == 0 ? 10 : 0) << wait;
  for (int wait = 1; wait < 8; ++wait) EXPECT_EQ(pauses_of_wait<Os>(3), 0);
  // This one ends among the pauses: they pay again.
  EXPECT_EQ(pauses_of_wait<Os>(3), 3);
  for (int wait = 0; wait < 8; ++wait) EXPECT_EQ(pauses_of_wait<Os>(11), 10);
  EXPECT_EQ(pauses_of_wait<Os>(11), 0);
}

TEST(Waiting, ShortLocksPauseWhateverWasLearnt) {
  using Os = Counting<3>;
  for (int wait = 0; wait < 20; ++wait) pauses_of_wait<Os>(20);
  const int before = Os::pauses;
  {
    trine::Spin<Os> spin;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(spin.again());
  }
  EXPECT_EQ(Os::pauses, before + 3);
  EXPECT_EQ(pauses_of_wait<Os>(1), 0);  // and teach nothing
}

TEST(Waiting, AnEndWhoseWaitsBringOneItemLooksAllTheTime) {
  trine::Patience end;
  int away = 0;
  for (int round = 0; round < 160; ++round) {
    end.found(0);
    if (end.pauses() != 1) ++away;
    end.found(1);
  }
  EXPECT_EQ(away, 9);  // every sixteenth tries what the other way brings; the last of them was not waited with
}

TEST(Waiting, AnEndWhoseWaitsBringSeveralLooksAway) {
  trine::Patience end;
  end.found(0);
  EXPECT_EQ(end.pauses(), 1U);
  end.found(3);
  EXPECT_GT(end.pauses(), 1U);
  end.found(0);
  end.found(1);
  EXPECT_EQ(end.pauses(), 1U);
}

}  // namespace
