// SPDX-License-Identifier: BSL-1.0
//
// What Latch promises, on every backend.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include <trine/trine.hpp>

#include "support/bodies.hpp"

namespace {

using namespace trine_test;

template <class B>
class LatchTest : public ::testing::Test {};
TYPED_TEST_SUITE(LatchTest, Backends, BackendName);

template <class B>
struct Start {
  explicit Start(std::ptrdiff_t count) : latch(count) {}
  trine::Latch<B> latch;
  std::atomic<int> arrived{0};
  std::atomic<int> passed{0};
  int data = 0;  // written before the last count_down(), read after the wait
};

template <class B>
trine::Task<void, B> wait_and_pass(Start<B>& start) {
  ++start.arrived;
  const bool open = co_await start.latch.wait();
  EXPECT_TRUE(open);
  EXPECT_EQ(start.data, 42);
  ++start.passed;
}

TYPED_TEST(LatchTest, is_neither_copied_nor_moved) {
  using L = trine::Latch<TypeParam>;
  static_assert(!std::is_copy_constructible_v<L> && !std::is_move_constructible_v<L>);
  static_assert(!std::is_copy_assignable_v<L> && !std::is_move_assignable_v<L>);
}

TYPED_TEST(LatchTest, refuses_bad_counts_by_name) {
  using L = trine::Latch<TypeParam>;
  EXPECT_TRUE(names_argument("count", [] { L latch(-1); }));
  EXPECT_TRUE(names_argument("count", [] { L latch(std::numeric_limits<std::ptrdiff_t>::min()); }));
  EXPECT_TRUE(names_argument("count", [] { L latch(L::largest + 1); }));
}

TYPED_TEST(LatchTest, of_zero_is_open) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Latch<B> latch(0);
    EXPECT_TRUE(latch.try_wait());
    const bool open = co_await latch.wait();
    EXPECT_TRUE(open);
  }());
}

TYPED_TEST(LatchTest, opens_when_the_count_is_zero_and_stays_open) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Latch<B> latch(4);
    EXPECT_FALSE(latch.try_wait());
    latch.count_down();
    EXPECT_FALSE(latch.try_wait());
    latch.count_down(0);
    EXPECT_FALSE(latch.try_wait());
    latch.count_down(2);
    EXPECT_FALSE(latch.try_wait());
    latch.count_down(1);
    EXPECT_TRUE(latch.try_wait());
    for (int i = 0; i < 3; ++i) {
      const bool open = co_await latch.wait();
      EXPECT_TRUE(open);
    }
  }());
}

TYPED_TEST(LatchTest, the_largest_count_can_be_counted_down) {
  using L = trine::Latch<TypeParam>;
  L latch(L::largest);
  latch.count_down(L::largest - 1);
  EXPECT_FALSE(latch.try_wait());
  latch.count_down();
  EXPECT_TRUE(latch.try_wait());
}

TYPED_TEST(LatchTest, refuses_to_count_more_than_is_left_and_counts_nothing) {
  using L = trine::Latch<TypeParam>;
  L latch(3);
  EXPECT_TRUE(names_argument("n is", [&] { latch.count_down(4); }));
  EXPECT_TRUE(names_argument("n is", [&] { latch.count_down(-1); }));
  EXPECT_TRUE(names_argument("n is", [&] { latch.count_down(std::numeric_limits<std::ptrdiff_t>::max()); }));
  EXPECT_TRUE(names_argument("n is", [&] { latch.count_down(std::numeric_limits<std::ptrdiff_t>::min()); }));
  EXPECT_FALSE(latch.try_wait());
  latch.count_down(2);
  EXPECT_TRUE(names_argument("n is", [&] { latch.count_down(2); }));
  EXPECT_FALSE(latch.try_wait());
  latch.count_down();
  EXPECT_TRUE(latch.try_wait());
  EXPECT_TRUE(names_argument("n is", [&] { latch.count_down(); }));
  EXPECT_TRUE(latch.try_wait());
}

TYPED_TEST(LatchTest, arrive_and_wait_of_an_open_one_is_one_too_many) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Latch<B> latch(0);
    const bool refused = co_await throws<std::invalid_argument, B>([&] { return latch.arrive_and_wait(); });
    EXPECT_TRUE(refused);
    EXPECT_TRUE(latch.try_wait());
  }());
}

TYPED_TEST(LatchTest, lets_everyone_go_at_zero_and_nobody_before) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 30; ++round) {
      Start<B> start(2);
      trine::TaskGroup<B> group;
      for (int i = 0; i < 4; ++i) group.spawn(wait_and_pass<B>, std::ref(start));
      if (round % 2 == 0) co_await becomes<B>([&] { return start.arrived == 4; });
      start.latch.count_down();
      if (round % 4 == 0) co_await loiter<B>();
      EXPECT_EQ(start.passed, 0);
      start.data = 42;
      start.latch.count_down();
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(start.passed, 4);
    }
  }());
}

TYPED_TEST(LatchTest, the_counts_may_come_from_many) {
  using B = TypeParam;
  struct Shared {
    trine::Latch<B> latch{8};
    std::array<int, 8> data{};
  };
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      Shared shared;
      trine::TaskGroup<B> group;
      for (std::size_t i = 0; i < shared.data.size(); ++i) {
        group.spawn(
            [](Shared& s, std::size_t place) {
              s.data[place] = static_cast<int>(place) + 1;
              s.latch.count_down();
            },
            std::ref(shared), i);
      }
      const bool open = co_await shared.latch.wait();
      EXPECT_TRUE(open);
      int sum = 0;
      for (const int n : shared.data) sum += n;
      EXPECT_EQ(sum, 36);
      co_await group.join();
    }
  }());
}

TYPED_TEST(LatchTest, arrive_and_wait_brings_all_together) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 30; ++round) {
      Start<B> start(5);
      trine::TaskGroup<B> group;
      for (int i = 0; i < 5; ++i) {
        group.spawn(
            [](Start<B>& s) -> trine::Task<void, B> {
              ++s.arrived;
              const bool open = co_await s.latch.arrive_and_wait();
              EXPECT_TRUE(open);
              EXPECT_EQ(s.arrived, 5);
              ++s.passed;
            },
            std::ref(start));
      }
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(start.passed, 5);
      EXPECT_TRUE(start.latch.try_wait());
    }
  }());
}

TYPED_TEST(LatchTest, wait_gives_up_at_each_limit_and_counts_nothing) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Latch<B> latch(1);
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return latch.wait(until); });
    EXPECT_FALSE(latch.try_wait());
    latch.count_down();
    EXPECT_TRUE(latch.try_wait());
  }());
}

TYPED_TEST(LatchTest, wait_succeeds_whatever_the_limit_if_it_is_open) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Latch<B> latch(0);
    co_await succeeds_whatever_the_limit<B>([&](const trine::Until& until) { return latch.wait(until); });
  }());
}

TYPED_TEST(LatchTest, arrive_and_wait_gives_up_at_each_limit_having_counted) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    constexpr std::ptrdiff_t many = 1000;
    trine::Latch<B> latch(many);
    std::ptrdiff_t arrivals = 0;
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) {
      ++arrivals;
      return latch.arrive_and_wait(until);
    });
    EXPECT_THROW(latch.count_down(many - arrivals + 1), std::invalid_argument);
    EXPECT_FALSE(latch.try_wait());
    latch.count_down(many - arrivals);
    EXPECT_TRUE(latch.try_wait());
  }());
}

TYPED_TEST(LatchTest, the_last_to_arrive_needs_no_time) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (const Limit& limit : limits_that_have_come()) {
      trine::Latch<B> latch(1);
      const trine::Until until = limit.make();
      const bool open = co_await latch.arrive_and_wait(until);
      EXPECT_TRUE(open) << limit.name;
    }
  }());
}

TYPED_TEST(LatchTest, those_who_give_up_do_not_hold_up_the_others) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 50; ++round) {
      Start<B> start(1);
      trine::TaskGroup<B> group;
      for (int i = 0; i < 2; ++i) group.spawn(wait_and_pass<B>, std::ref(start));
      for (int i = 0; i < 2; ++i) {
        group.spawn(
            [](Start<B>& s) -> trine::Task<void, B> {
              ++s.arrived;
              const bool open = co_await s.latch.wait(std::chrono::microseconds{400});
              if (open) {
                EXPECT_EQ(s.data, 42);
              }
            },
            std::ref(start));
      }
      co_await becomes<B>([&] { return start.arrived == 4; });
      start.data = 42;
      start.latch.count_down();
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(start.passed, 2);
    }
  }());
}

TYPED_TEST(LatchTest, who_has_waited_may_destroy_it) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::TaskGroup<B> group;
    for (int i = 0; i < 300; ++i) {
      auto latch = std::make_unique<trine::Latch<B>>(1);
      group.spawn([](trine::Latch<B>& l) { l.count_down(); }, std::ref(*latch));
      co_await latch->wait();
      latch.reset();
    }
    co_await group.join();
  }());
}

// CPython has no latch.

}  // namespace
