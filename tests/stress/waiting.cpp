// SPDX-License-Identifier: BSL-1.0
//
// What waiters learn: whether pauses pay, and whether to look away. The system here only counts what it is asked for.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

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
  EXPECT_EQ(Os::pauses, 40);
  EXPECT_EQ(Os::yields, 64);
  EXPECT_EQ(turns, 104);
  EXPECT_FALSE(spin.again());
}

TEST(Waiting, LongPausesAreFewer) {
  using Os = Counting<1>;
  EXPECT_EQ(pauses_of_wait<Os>(5, 8), 16);
  EXPECT_EQ(Os::yields, 3);
}

TEST(Waiting, FewPausesWhereThatIsAskedFor) {
  using Os = Counting<8>;
  EXPECT_EQ(pauses_of_wait<Os>(20, 0), 10);
  EXPECT_EQ(Os::yields, 10);
}

TEST(Waiting, MoreWaitersThanCoresYieldAFewTimes) {
  using Os = Counting<9>;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::unique_ptr<trine::Spin<Os>>> others;
  for (unsigned other = 0; other < cores; ++other) {
    others.push_back(std::make_unique<trine::Spin<Os>>(1));
    for (int look = 0; look < 41; ++look) EXPECT_TRUE(others.back()->again());
  }
  const int before = Os::yields;
  trine::Spin<Os> spin(1);
  while (spin.again()) {
  }
  EXPECT_EQ(Os::yields, before + 8);
  others.pop_back();
  EXPECT_FALSE(spin.again()) << "it has said no";
  trine::Spin<Os> next(1);
  while (next.again()) {
  }
  EXPECT_EQ(Os::yields, before + 8 + 64);
}

struct CountingInChildren : Counting<20> {
  static bool in_children(void (*call)()) noexcept {
    in_child = call;
    return true;
  }
  static inline void (*in_child)() = nullptr;
};

TEST(Waiting, ThoseWhoYieldInItsParentCountNothingInAChild) {
  using Os = CountingInChildren;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::unique_ptr<trine::Spin<Os>>> others;
  for (unsigned other = 0; other < cores; ++other) {
    others.push_back(std::make_unique<trine::Spin<Os>>(1));
    for (int look = 0; look < 41; ++look) EXPECT_TRUE(others.back()->again());
  }
  ASSERT_NE(Os::in_child, nullptr);
  Os::in_child();
  const int before = Os::yields;
  {
    trine::Spin<Os> spin(1);
    while (spin.again()) {
    }
  }
  EXPECT_EQ(Os::yields, before + 64);
}

TEST(Waiting, PausesThatNeverEndAWaitAreLeftOut) {
  using Os = Counting<2>;
  for (int wait = 0; wait < 8; ++wait) EXPECT_EQ(pauses_of_wait<Os>(41), 40);
  // From now on every eighth wait tries a few.
  for (int wait = 1; wait <= 24; ++wait) EXPECT_EQ(pauses_of_wait<Os>(11), wait % 8 == 0 ? 10 : 0) << wait;
  for (int wait = 1; wait < 8; ++wait) EXPECT_EQ(pauses_of_wait<Os>(3), 0);
  // This one ends among the pauses: they pay again.
  EXPECT_EQ(pauses_of_wait<Os>(3), 3);
  for (int wait = 0; wait < 8; ++wait) EXPECT_EQ(pauses_of_wait<Os>(41), 40);
  EXPECT_EQ(pauses_of_wait<Os>(11), 0);
}

// One wait, ended by its waker among the yields, or by sleep: how many yields it made.
template <class Os>
int yields_of_wait(int looks) {
  const int before = Os::yields;
  trine::Spin<Os> spin(1);
  while (Os::yields - before < looks && spin.again()) {
  }
  return Os::yields - before;
}

constexpr int until_sleep = 1000;

TEST(Waiting, LooksOnForLongerAfterASleepWhileThatHelps) {
  using Os = Counting<4>;
  EXPECT_EQ(yields_of_wait<Os>(5), 5);
  EXPECT_EQ(yields_of_wait<Os>(until_sleep), 64);
  EXPECT_EQ(yields_of_wait<Os>(200), 200);
  EXPECT_EQ(yields_of_wait<Os>(100), 100);
  EXPECT_EQ(yields_of_wait<Os>(64), 64);  // this one needed no more
  EXPECT_EQ(yields_of_wait<Os>(200), 64);
  EXPECT_EQ(yields_of_wait<Os>(until_sleep), 256);
}

TEST(Waiting, LooksOnForLongerTheMoreSeldomWhereThatIsInVain) {
  using Os = Counting<5>;
  EXPECT_EQ(yields_of_wait<Os>(until_sleep), 64);
  for (int time = 0; time < 3; ++time) {
    EXPECT_EQ(yields_of_wait<Os>(until_sleep), 256);
    for (int sleeps = 0; sleeps < 8; ++sleeps) EXPECT_EQ(yields_of_wait<Os>(until_sleep), 64);
  }
}

// Says at first that yields don't pay.
struct Impatient : Counting<6> {
  static bool yields_pay() noexcept { return pay; }

  static inline bool pay = false;
};

TEST(Waiting, AWaitThatIsCutShortTeachesNothingOfLookingOnForLonger) {
  for (int wait = 0; wait < 3; ++wait) {
    EXPECT_EQ(pauses_of_wait<Impatient>(50), 40);
    EXPECT_EQ(Impatient::yields, 0);
  }
  for (int wait = 3; wait < 8; ++wait) pauses_of_wait<Impatient>(50);
  EXPECT_EQ(pauses_of_wait<Impatient>(50), 0) << "a wait that ended by sleep was taken for one that pauses ended";
  Impatient::pay = true;
  EXPECT_EQ(yields_of_wait<Impatient>(until_sleep), 64);
  EXPECT_EQ(yields_of_wait<Impatient>(until_sleep), 256);
}

TEST(Waiting, ShortLocksPauseWhateverWasLearnt) {
  using Os = Counting<3>;
  for (int wait = 0; wait < 20; ++wait) pauses_of_wait<Os>(50);
  const int before = Os::pauses;
  {
    trine::Spin<Os> spin;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(spin.again());
  }
  EXPECT_EQ(Os::pauses, before + 3);
  EXPECT_EQ(pauses_of_wait<Os>(1), 0);  // and teach nothing
}

// An end of a queue that finds what it is told to.
template <int Test>
struct End {
  using Os = Counting<Test>;

  // A look of one who need not wait, after which all is used up; how many pauses it made before.
  int looks(std::uint32_t count, bool busy = true) {
    const int before = Os::pauses;
    patience.linger();
    const int made = Os::pauses - before;
    patience.found(count, busy, turn++);
    patience.used_up();
    return made;
  }

  // How many of so many looks were lingered before, if `brings` is what that brings, and else they find `otherwise`.
  int lingered(int looked, std::uint32_t brings, std::uint32_t otherwise = 1) {
    int times = 0;
    for (; looked > 0; --looked) {
      const int before = Os::pauses;
      patience.linger();
      const bool was = Os::pauses != before;
      times += was;
      patience.found(was ? brings : otherwise, true, turn++);
      patience.used_up();
    }
    return times;
  }

  trine::Patience<Os> patience;
  std::uint32_t turn = 0;
};

TEST(Waiting, AnEndWhoseWaitsBringOneItemLooksAllTheTime) {
  trine::Patience<Counting<10>> end;
  int away = 0;
  for (std::uint32_t round = 0; round < 160; ++round) {
    end.found(0, true, round);
    if (end.pauses() != 1) ++away;
    end.found(1, true, round);
    end.used_up();
    end.linger();
  }
  EXPECT_EQ(away, 9);  // every sixteenth tries what the other way brings; the last of them was not waited with
  EXPECT_EQ(Counting<10>::pauses, 0) << "it lingered";
}

TEST(Waiting, AnEndWhoseWaitsBringSeveralLooksAway) {
  trine::Patience<Counting<11>> end;
  end.found(0, true, 0);
  EXPECT_EQ(end.pauses(), 1U);
  end.found(3, true, 0);
  EXPECT_GT(end.pauses(), 1U);
  end.found(0, true, 3);
  end.found(1, true, 3);
  EXPECT_EQ(end.pauses(), 1U);
}

TEST(Waiting, AnEndLingersWhereThatBringsSeveral) {
  End<12> end;
  EXPECT_GT(end.lingered(1000, 10), 900);
}

TEST(Waiting, AnEndDoesNotLingerWhereManyCome) {
  End<13> end;
  EXPECT_LT(end.lingered(1000, 1000), 600);
  EXPECT_EQ(End<13>().lingered(1000, 1000, 1000), 0);
}

TEST(Waiting, AnEndSeldomLingersInVain) {
  End<14> end;
  EXPECT_LT(end.lingered(1000, 1), 10);
  EXPECT_LT(end.lingered(100'000, 1), 40);
  EXPECT_GT(end.lingered(5000, 10), 800) << "it does not learn again";
}

TEST(Waiting, AnEndDoesNotLingerWhereSeveralComeAnyway) {
  EXPECT_EQ(End<15>().lingered(1000, 10, 10), 0);
  End<16> end;
  end.lingered(1000, 10);
  EXPECT_LT(end.lingered(10'000, 10, 10), 130) << "it does not notice that they come anyway";
  EXPECT_EQ(end.lingered(1000, 10, 10), 0);
}

TEST(Waiting, AnEndDoesNotLingerForOneThatIsIdle) {
  End<17> end;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(end.looks(i % 2 == 0 ? 1 : 8, false), 0);
}

}  // namespace
