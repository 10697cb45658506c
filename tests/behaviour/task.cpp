// SPDX-License-Identifier: BSL-1.0
//
// What Task and TaskGroup promise, on every backend.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/bodies.hpp"

namespace {

using namespace trine_test;

template <class B>
class TaskTest : public ::testing::Test {};
TYPED_TEST_SUITE(TaskTest, Backends, BackendName);

template <class B>
trine::Task<int, B> twice(int n) {
  co_return 2 * n;
}

template <class B>
trine::Task<void, B> count(int& runs) {
  ++runs;
  co_return;
}

template <class B>
trine::Task<int, B> fails(const char* text) {
  throw std::out_of_range(text);
  co_return 0;
}

TYPED_TEST(TaskTest, moves_and_does_not_copy) {
  using T = trine::Task<int, TypeParam>;
  static_assert(!std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>);
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);
  static_assert(std::is_same_v<trine::Task<>, trine::Task<void, trine::threads>>);
}

TYPED_TEST(TaskTest, begins_when_it_is_run) {
  using B = TypeParam;
  int runs = 0;
  auto task = count<B>(runs);
  EXPECT_EQ(runs, 0);
  trine::run(std::move(task));
  EXPECT_EQ(runs, 1);
}

TYPED_TEST(TaskTest, begins_when_it_is_awaited) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    int runs = 0;
    auto task = count<B>(runs);
    EXPECT_EQ(runs, 0);
    co_await std::move(task);
    EXPECT_EQ(runs, 1);
    co_await count<B>(runs);
    EXPECT_EQ(runs, 2);
  }());
}

TYPED_TEST(TaskTest, that_is_never_run_does_nothing_but_end) {
  using B = TypeParam;
  const auto held = std::make_shared<int>(0);
  {
    const auto task = [](std::shared_ptr<int> mine) -> trine::Task<void, B> {
      ++*mine;
      co_return;
    }(held);
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 0);
}

TYPED_TEST(TaskTest, gives_its_value) {
  using B = TypeParam;
  EXPECT_EQ(trine::run(twice<B>(21)), 42);
  trine::run([]() -> trine::Task<void, B> {
    const int four = co_await twice<B>(2);
    EXPECT_EQ(four, 4);
  }());
}

TYPED_TEST(TaskTest, gives_a_value_that_moves_only) {
  using B = TypeParam;
  const auto make = [](int n) -> trine::Task<std::unique_ptr<int>, B> { co_return std::make_unique<int>(n); };
  EXPECT_EQ(*trine::run(make(1)), 1);
  const auto pass_on = [](trine::Task<std::unique_ptr<int>, B> inner) -> trine::Task<std::unique_ptr<int>, B> {
    std::unique_ptr<int> value = co_await std::move(inner);
    ++*value;
    co_return value;
  };
  EXPECT_EQ(*trine::run(pass_on(make(2))), 3);
}

struct Explicit {
  explicit Explicit(int n) : value(n) {}
  Explicit(const Explicit&) = delete;
  Explicit(Explicit&&) = default;
  int value;
};

TYPED_TEST(TaskTest, gives_a_value_without_default_constructor) {
  using B = TypeParam;
  const auto make = []() -> trine::Task<Explicit, B> { co_return Explicit(5); };
  EXPECT_EQ(trine::run(make()).value, 5);
}

TYPED_TEST(TaskTest, lets_its_exception_out_where_it_is_run_or_awaited) {
  using B = TypeParam;
  EXPECT_THROW(trine::run(fails<B>("run")), std::out_of_range);
  trine::run([]() -> trine::Task<void, B> {
    std::string text;
    auto task = fails<B>("awaited");  // lazy: nothing is thrown here
    try {
      co_await std::move(task);
    } catch (const std::out_of_range& e) {
      text = e.what();
    }
    EXPECT_EQ(text, "awaited");
  }());
}

TYPED_TEST(TaskTest, lets_an_exception_through_every_level) {
  using B = TypeParam;
  struct Nested {
    static trine::Task<int, B> at(int depth, int& unwound) {
      struct Unwind {
        int& counter;
        ~Unwind() { ++counter; }
      };
      const Unwind on_exit{unwound};
      if (depth == 0) throw std::domain_error("bottom");
      const int below = co_await at(depth - 1, unwound);
      co_return below + 1;
    }
  };
  int unwound = 0;
  EXPECT_THROW(trine::run(Nested::at(50, unwound)), std::domain_error);
  EXPECT_EQ(unwound, 51);
}

TYPED_TEST(TaskTest, of_void_lets_its_exception_out) {
  using B = TypeParam;
  const auto task = []() -> trine::Task<void, B> {
    throw 42;
    co_return;
  };
  EXPECT_THROW(trine::run(task()), int);
}

TYPED_TEST(TaskTest, nests) {
  using B = TypeParam;
  struct Sum {
    static trine::Task<std::int64_t, B> down_from(std::int64_t n) {
      if (n == 0) co_return 0;
      const std::int64_t below = co_await down_from(n - 1);
      co_return below + n;
    }
  };
  EXPECT_EQ(trine::run(Sum::down_from(500)), 125250);
}

TYPED_TEST(TaskTest, a_million_awaits_of_ready_tasks_need_no_more_stack) {
  using B = TypeParam;
  const auto sum = []() -> trine::Task<std::int64_t, B> {
    std::int64_t total = 0;
    for (int i = 0; i < 1'000'000; ++i) {
      const int n = co_await twice<B>(i);
      total += n;
    }
    co_return total;
  };
  EXPECT_EQ(trine::run(sum()), std::int64_t{999'999} * 1'000'000);
}

TYPED_TEST(TaskTest, awaits_plain_values) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    int here = 1;
    int& same = co_await here;
    EXPECT_EQ(&same, &here);
    const int plain = co_await 5;
    EXPECT_EQ(plain, 5);
    const std::unique_ptr<int> moved = co_await std::make_unique<int>(6);
    EXPECT_EQ(*moved, 6);
    const std::string text = co_await std::string("long enough not to be stored in the string itself");
    EXPECT_EQ(text, "long enough not to be stored in the string itself");
  }());
}

struct Immediate {
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return 9; }
};

struct ByOperator {
  Immediate operator co_await() const noexcept { return {}; }
};

TYPED_TEST(TaskTest, awaits_what_others_made_to_be_awaited) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    const int direct = co_await Immediate{};
    EXPECT_EQ(direct, 9);
    const int by_operator = co_await ByOperator{};
    EXPECT_EQ(by_operator, 9);
  }());
}

TYPED_TEST(TaskTest, is_run_once) {
  using B = TypeParam;
  auto task = twice<B>(1);
  EXPECT_EQ(std::move(task).run(), 2);
  EXPECT_THROW(std::move(task).run(), std::logic_error);
  auto source = twice<B>(2);
  auto target = std::move(source);
  EXPECT_THROW(std::move(source).run(), std::logic_error);
  EXPECT_EQ(std::move(target).run(), 4);
}

TYPED_TEST(TaskTest, assignment_ends_what_was_there) {
  using B = TypeParam;
  const auto held = std::make_shared<int>(0);
  const auto make = [](std::shared_ptr<int> mine) -> trine::Task<void, B> {
    ++*mine;
    co_return;
  };
  auto task = make(held);
  EXPECT_EQ(held.use_count(), 2);
  task = make(std::make_shared<int>(0));
  EXPECT_EQ(held.use_count(), 1);
  trine::run(std::move(task));
  EXPECT_EQ(*held, 0);
}

TYPED_TEST(TaskTest, keeps_its_arguments_until_it_ends) {
  using B = TypeParam;
  const auto held = std::make_shared<int>(0);
  trine::run([](std::shared_ptr<int> mine) -> trine::Task<void, B> {
    EXPECT_EQ(mine.use_count(), 2);
    co_await loiter<B>();
    EXPECT_EQ(mine.use_count(), 2);
  }(held));
  EXPECT_EQ(held.use_count(), 1);
}

TYPED_TEST(TaskTest, that_awaits_what_does_not_block_is_an_error) {
  using B = TypeParam;
  if constexpr (blocking<B>) {
    const auto task = []() -> trine::Task<void, B> { co_await std::suspend_always{}; };
    EXPECT_THROW(trine::run(task()), std::logic_error);
  }
}

// TaskGroup

template <class B>
class TaskGroupTest : public ::testing::Test {};
TYPED_TEST_SUITE(TaskGroupTest, Backends, BackendName);

TYPED_TEST(TaskGroupTest, is_neither_copied_nor_moved) {
  using G = trine::TaskGroup<TypeParam>;
  static_assert(!std::is_copy_constructible_v<G> && !std::is_move_constructible_v<G>);
  static_assert(!std::is_copy_assignable_v<G> && !std::is_move_assignable_v<G>);
}

TYPED_TEST(TaskGroupTest, that_is_empty_is_joined_at_once) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::TaskGroup<B> group;
    EXPECT_EQ(group.running(), 0U);
    co_await succeeds_whatever_the_limit<B>([&](const trine::Until& until) { return group.join(until); });
  }());
}

TYPED_TEST(TaskGroupTest, join_waits_for_all_and_sees_what_they_did) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      std::vector<int> results(10, 0);
      trine::TaskGroup<B> group;
      for (std::size_t i = 0; i < results.size(); ++i) {
        group.spawn(
            [](std::vector<int>& into, std::size_t place) -> trine::Task<void, B> {
              if (place % 3 == 0) co_await loiter<B>();
              into[place] = static_cast<int>(place);
            },
            std::ref(results), i);
      }
      const bool joined = co_await group.join();
      EXPECT_TRUE(joined);
      for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i], static_cast<int>(i));
      EXPECT_EQ(group.running(), 0U);
    }
  }());
}

TYPED_TEST(TaskGroupTest, arguments_by_ref_stay_references_and_others_are_copied) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    int referred = 1;
    int copied = 1;
    const int constant = 5;
    trine::Event<B> go;
    trine::TaskGroup<B> group;
    group.spawn(
        [](trine::Event<B>& begin, int& reference, int copy, const int& seen,
           const int* address) -> trine::Task<void, B> {
          co_await begin.wait();
          EXPECT_EQ(copy, 1);
          EXPECT_EQ(&seen, address);
          ++copy;
          reference += copy;
        },
        std::ref(go), std::ref(referred), copied, std::cref(constant), &constant);
    copied = 100;
    go.set();
    co_await group.join();
    EXPECT_EQ(referred, 3);
    EXPECT_EQ(copied, 100);
  }());
}

TYPED_TEST(TaskGroupTest, arguments_and_functions_may_move_only) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    std::atomic<int> sum{0};
    trine::TaskGroup<B> group;
    group.spawn(
        [](std::unique_ptr<int> n, std::atomic<int>& total) -> trine::Task<void, B> {
          co_await loiter<B>();
          total += *n;
        },
        std::make_unique<int>(1), std::ref(sum));
    group.spawn([n = std::make_unique<int>(2), &sum] { sum += *n; });
    co_await group.join();
    EXPECT_EQ(sum, 3);
  }());
}

TYPED_TEST(TaskGroupTest, a_function_lives_as_long_as_its_task) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    std::atomic<int> seen{0};
    trine::Event<B> go;
    trine::TaskGroup<B> group;
    const auto held = std::make_shared<int>(7);
    group.spawn([held, &seen, &go]() -> trine::Task<void, B> {
      co_await go.wait();
      seen = *held;
    });
    go.set();
    co_await group.join();
    EXPECT_EQ(seen, 7);
    EXPECT_EQ(held.use_count(), 1);
  }());
}

struct Adder {
  std::atomic<int>& total;
  int operator()(int n) const { return total += n; }
};

void add_one(std::atomic<int>& total) { ++total; }

TYPED_TEST(TaskGroupTest, spawns_anything_that_can_be_called) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    std::atomic<int> total{0};
    trine::TaskGroup<B> group;
    group.spawn(add_one, std::ref(total));
    group.spawn(Adder{total}, 10);
    group.spawn(std::function<void()>([&total] { total += 100; }));
    group.spawn([](std::atomic<int>& sum) -> trine::Task<int, B> { co_return sum += 1000; }, std::ref(total));
    co_await group.join();
    EXPECT_EQ(total, 1111);
  }());
}

TYPED_TEST(TaskGroupTest, its_tasks_run_at_the_same_time) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Barrier<B> barrier(8);
    trine::TaskGroup<B> group;
    for (int i = 0; i < 8; ++i) {
      group.spawn([](trine::Barrier<B>& all) -> trine::Task<void, B> { co_await all.wait(); }, std::ref(barrier));
    }
    const bool joined = co_await group.join(plenty);
    EXPECT_TRUE(joined);
    barrier.abort();
  }());
}

TYPED_TEST(TaskGroupTest, join_gives_up_at_each_limit) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> end;
    trine::TaskGroup<B> group;
    group.spawn([](trine::Event<B>& ended) -> trine::Task<void, B> { co_await ended.wait(); }, std::ref(end));
    co_await gives_up_at_each_limit<B>([&](const trine::Until& until) { return group.join(until); });
    EXPECT_EQ(group.running(), 1U);
    EXPECT_FALSE(group.stop_token().stop_requested());
    end.set();
    const bool joined = co_await group.join();
    EXPECT_TRUE(joined);
    EXPECT_EQ(group.running(), 0U);
  }());
}

TYPED_TEST(TaskGroupTest, can_be_used_again_after_join) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    std::atomic<int> runs{0};
    trine::TaskGroup<B> group;
    for (int round = 1; round <= 20; ++round) {
      for (int i = 0; i < 3; ++i) group.spawn(add_one, std::ref(runs));
      const bool joined = co_await group.join();
      EXPECT_TRUE(joined);
      EXPECT_EQ(runs, 3 * round);
    }
  }());
}

TYPED_TEST(TaskGroupTest, a_failure_comes_out_of_join_once) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::TaskGroup<B> group;
    group.spawn([]() -> trine::Task<void, B> {
      co_await fails<B>("a task");
    });
    std::string text;
    try {
      co_await group.join();
    } catch (const std::out_of_range& e) {
      text = e.what();
    }
    EXPECT_EQ(text, "a task");
    const bool again = co_await group.join();
    EXPECT_TRUE(again);
    std::atomic<int> runs{0};
    group.spawn(add_one, std::ref(runs));
    const bool reused = co_await group.join();
    EXPECT_TRUE(reused);
    EXPECT_EQ(runs, 1);
  }());
}

TYPED_TEST(TaskGroupTest, a_failure_that_is_no_std_exception_comes_out_too) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::TaskGroup<B> group;
    group.spawn([] { throw 42; });
    const bool threw = co_await throws<int, B>([&] { return group.join(); });
    EXPECT_TRUE(threw);
  }());
}

TYPED_TEST(TaskGroupTest, the_first_failure_asks_the_others_to_stop_and_is_the_one_that_comes_out) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      trine::TaskGroup<B> group;
      std::atomic<int> stopped{0};
      const std::stop_token stop = group.stop_token();
      EXPECT_FALSE(stop.stop_requested());
      for (int i = 0; i < 3; ++i) {
        // They wait until they are asked to stop, and then fail themselves.
        group.spawn(
            [](std::stop_token asked, std::atomic<int>& number) -> trine::Task<void, B> {
              trine::Event<B> never;
              const bool set = co_await never.wait(asked);
              EXPECT_FALSE(set);
              ++number;
              throw std::domain_error("later");
            },
            stop, std::ref(stopped));
      }
      // The failure is kept before the others hear of it.
      group.spawn([]() -> trine::Task<void, B> { co_await fails<B>("first"); });
      std::string text;
      bool another = false;
      try {
        co_await group.join(plenty);
      } catch (const std::out_of_range& e) {
        text = e.what();
      } catch (const std::domain_error&) {
        another = true;
      }
      EXPECT_FALSE(another);
      EXPECT_EQ(text, "first");
      EXPECT_EQ(stopped, 3);
      EXPECT_TRUE(stop.stop_requested());
      const bool again = co_await group.join();
      EXPECT_TRUE(again);
    }
  }());
}

TYPED_TEST(TaskGroupTest, join_waits_for_the_others_after_a_failure) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::TaskGroup<B> group;
    trine::Event<B> end;
    std::atomic<bool> ended{false};
    group.spawn(
        [](trine::Event<B>& may_end, std::atomic<bool>& done) -> trine::Task<void, B> {
          co_await may_end.wait();  // it does not look at the token
          done = true;
        },
        std::ref(end), std::ref(ended));
    group.spawn([] { throw std::out_of_range("on purpose"); });
    const bool asked = co_await becomes<B>([&] { return group.stop_token().stop_requested(); });
    EXPECT_TRUE(asked);
    const bool joined = co_await group.join(moment);
    EXPECT_FALSE(joined);
    end.set();
    const bool threw = co_await throws<std::out_of_range, B>([&] { return group.join(); });
    EXPECT_TRUE(threw);
    EXPECT_TRUE(ended);
  }());
}

TYPED_TEST(TaskGroupTest, request_stop_asks_all_to_stop) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::TaskGroup<B> group;
    std::atomic<int> stopped{0};
    for (int i = 0; i < 3; ++i) {
      group.spawn(
          [](std::stop_token stop, std::atomic<int>& number) -> trine::Task<void, B> {
            trine::Event<B> never;
            co_await never.wait(stop);
            ++number;
          },
          group.stop_token(), std::ref(stopped));
    }
    EXPECT_EQ(stopped, 0);
    EXPECT_EQ(group.running(), 3U);
    group.request_stop();
    const bool joined = co_await group.join(plenty);
    EXPECT_TRUE(joined);
    EXPECT_EQ(stopped, 3);
  }());
}

/// Spawns two of the next depth into its own group.
template <class B>
trine::Task<void, B> branch(trine::TaskGroup<B>& group, std::atomic<int>& runs, int depth) {
  ++runs;
  if (depth > 0) {
    for (int i = 0; i < 2; ++i) group.spawn(branch<B>, std::ref(group), std::ref(runs), depth - 1);
  }
  co_return;
}

TYPED_TEST(TaskGroupTest, its_tasks_may_spawn_others) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 10; ++round) {
      std::atomic<int> runs{0};
      trine::TaskGroup<B> group;
      group.spawn(branch<B>, std::ref(group), std::ref(runs), 4);
      const bool joined = co_await group.join(plenty);
      EXPECT_TRUE(joined);
      EXPECT_EQ(runs, 31);
      EXPECT_EQ(group.running(), 0U);
    }
  }());
}

TYPED_TEST(TaskGroupTest, many_may_spawn_at_once) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    std::atomic<int> runs{0};
    trine::TaskGroup<B> inner;
    trine::TaskGroup<B> outer;
    for (int i = 0; i < 4; ++i) {
      outer.spawn(
          [](trine::TaskGroup<B>& shared, std::atomic<int>& total) {
            for (int j = 0; j < 25; ++j) shared.spawn(add_one, std::ref(total));
          },
          std::ref(inner), std::ref(runs));
    }
    co_await outer.join();
    const bool joined = co_await inner.join(plenty);
    EXPECT_TRUE(joined);
    EXPECT_EQ(runs, 100);
  }());
}

TYPED_TEST(TaskGroupTest, its_destructor_waits) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 10; ++round) {
      std::atomic<int> ended{0};
      {
        trine::TaskGroup<B> group;
        for (int i = 0; i < 3; ++i) {
          group.spawn(
              [](std::atomic<int>& number) -> trine::Task<void, B> {
                co_await loiter<B>();
                ++number;
              },
              std::ref(ended));
        }
      }
      EXPECT_EQ(ended, 3);
    }
    co_return;
  }());
}

TYPED_TEST(TaskGroupTest, its_destructor_prints_a_failure_that_nobody_saw) {
  using B = TypeParam;
  ::testing::internal::CaptureStderr();
  trine::run([]() -> trine::Task<void, B> {
    {
      trine::TaskGroup<B> group;
      group.spawn([] { throw std::out_of_range("nobody saw this"); });
    }
    {
      trine::TaskGroup<B> group;
      group.spawn([] { throw 42; });
    }
    {
      trine::TaskGroup<B> group;
      group.spawn([] { throw std::out_of_range("somebody saw that"); });
      co_await throws<std::out_of_range, B>([&] { return group.join(); });
    }
  }());
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(printed.find("nobody saw this"), std::string::npos) << printed;
  EXPECT_EQ(printed.find("somebody saw that"), std::string::npos) << printed;
  EXPECT_NE(printed.find('\n'), printed.rfind('\n')) << "one line for each of two failures: " << printed;
}

TYPED_TEST(TaskGroupTest, a_destructor_of_a_joined_group_may_follow_at_once) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (int round = 0; round < 200; ++round) {
      auto group = std::make_unique<trine::TaskGroup<B>>();
      group->spawn([] {});
      co_await group->join();
      group.reset();
    }
  }());
}

TEST(TaskCount, refuses_one_more_than_it_can_count) {
  trine::TaskCount<trine::threads> count;
  for (std::size_t i = 0; i < trine::TaskCount<trine::threads>::most; ++i) count.begin();
  EXPECT_THROW(count.begin(), std::system_error);
  EXPECT_EQ(count.count(), trine::TaskCount<trine::threads>::most);
  count.end();
  count.begin();
  EXPECT_THROW(count.begin(), std::system_error);
}

// CPython has neither: its coroutines run on a scheduler, and asyncio.TaskGroup is compared there.

}  // namespace
