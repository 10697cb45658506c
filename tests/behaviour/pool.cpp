// SPDX-License-Identifier: BSL-1.0
//
// What a Pool promises, on every backend that has one.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <numeric>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/bodies.hpp"

namespace {

using namespace trine_test;

template <class B>
class PoolTest : public ::testing::Test {};
TYPED_TEST_SUITE(PoolTest, PoolBackends, BackendName);

int add(int a, int b) { return a + b; }

int square(int n) { return n * n; }

int fail_at_seven(int n) {
  if (n == 7) throw std::out_of_range("seven");
  return n;
}

/// Waits, and so is a task.
template <class B>
trine::Task<bool, B> pass(trine::Event<B>& gate) {
  co_return co_await gate.wait();
}

template <class B>
trine::Task<int, B> square_later(int n) {
  co_await loiter<B>();
  co_return n * n;
}

template <class B>
trine::Task<int, B> fail_later_at_seven(int n) {
  co_await loiter<B>();
  co_return fail_at_seven(n);
}

/// Whether terminate() can't end a function that waits: nobody can end a thread from outside.
template <class B>
inline constexpr bool finishes_what_it_has_begun = requires { requires std::same_as<typename B::Worker, std::thread>; };

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<int> squares(int count) {
  std::vector<int> all = numbers(count);
  std::ranges::transform(all, all.begin(), square);
  return all;
}

TYPED_TEST(PoolTest, applies_functions_of_all_kinds) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    int three = 3;
    const int sum = co_await pool.apply(add, 1, 2);
    const int other = co_await pool.apply(&add, three, 2);
    const int product = co_await pool.apply([three](int n) { return n * three; }, 4);
    const int plus = co_await pool.apply(std::plus<>(), 4, 5);
    const bool nothing = co_await pool.apply([] {});
    const int task = co_await pool.apply(square_later<B>, 5);
    const bool void_task = co_await pool.apply([]() -> trine::Task<void, B> { co_await loiter<B>(); });
    EXPECT_EQ((std::array{sum, other, product, plus, task}), (std::array{3, 5, 12, 9, 25}));
    EXPECT_TRUE(nothing && void_task);
  }());
}

TYPED_TEST(PoolTest, carries_text_and_containers) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    const std::string text = co_await pool.apply(
        [](const std::string& a, std::string_view b) { return a + std::string(b); }, "left ", std::string("right"));
    EXPECT_EQ(text, "left right");
    const std::vector<std::vector<std::string>> words{{"a", ""}, {}, {"b"}};
    const auto same = co_await pool.apply([](const std::vector<std::vector<std::string>>& all) { return all; }, words);
    EXPECT_EQ(same, words);
    const std::vector<bool> bits{true, false, true};
    const auto same_bits = co_await pool.apply([](const std::vector<bool>& all) { return all; }, bits);
    EXPECT_EQ(same_bits, bits);
    const auto pair = co_await pool.apply([](int n) { return std::pair(n, std::to_string(n)); }, 12);
    EXPECT_EQ(pair, std::pair(12, std::string("12")));
  }());
}

TYPED_TEST(PoolTest, carries_what_is_large) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    const std::string large(std::size_t{8} << 20, 'x');
    const std::string twice = co_await pool.apply([](std::string text) { return text + text; }, large);
    EXPECT_EQ(twice.size(), 2 * large.size());
    EXPECT_EQ(twice.find_first_not_of('x'), std::string::npos);
    for (std::size_t size = (std::size_t{1} << 20) - 64; size < (std::size_t{1} << 20) + 64; size += 7) {
      const std::string again = co_await pool.apply([](std::string text) { return text; }, std::string(size, 'y'));
      EXPECT_EQ(again.size(), size);
    }
    std::vector<std::string> several;
    for (char c = 'a'; c < 'i'; ++c) several.emplace_back(std::size_t{3} << 20, c);
    const auto same = co_await pool.map([](std::string text) { return text; }, several, 1);
    EXPECT_EQ(same, several);
  }());
}

TYPED_TEST(PoolTest, map_keeps_the_order_whatever_the_chunk) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    for (const std::size_t chunk : {0U, 1U, 2U, 7U, 99U, 100U, 101U, 100000U}) {
      const auto plain = co_await pool.map(square, numbers(100), chunk);
      EXPECT_EQ(plain, squares(100)) << chunk;
      const auto tasks = co_await pool.map(square_later<B>, numbers(20), chunk);
      EXPECT_EQ(tasks, squares(20)) << chunk;
      auto later = pool.map_async(square, numbers(100), chunk);
      const auto async = co_await later.get();
      EXPECT_EQ(async, squares(100)) << chunk;
    }
    const auto many = co_await pool.map(square, std::views::iota(0, 10000), 1);
    EXPECT_EQ(many, squares(10000));
  }());
}

TYPED_TEST(PoolTest, maps_in_one_chunk_and_by_members) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(2);
    const auto all = co_await pool.map(square, numbers(10), std::numeric_limits<std::size_t>::max());
    EXPECT_EQ(all, squares(10));
    auto later = pool.map_async(square, numbers(10), std::numeric_limits<std::size_t>::max());
    const auto same = co_await later.get();
    EXPECT_EQ(same, squares(10));
    const std::vector<std::string> words{"a", "", "three"};
    const auto sizes = co_await pool.map(&std::string::size, words);
    EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 0, 5}));
  }());
}

TYPED_TEST(PoolTest, map_of_nothing_and_of_one) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    const auto none = co_await pool.map(square, std::vector<int>());
    EXPECT_TRUE(none.empty());
    const std::array<int, 1> three{3};
    const auto one = co_await pool.map(square, three);
    EXPECT_EQ(one, std::vector{9});
    const auto no_tuples = co_await pool.starmap(add, std::vector<std::tuple<int, int>>());
    EXPECT_TRUE(no_tuples.empty());
    auto none_later = pool.map_async(square, std::vector<int>(), 7);
    EXPECT_TRUE(none_later.ready());
    const auto still_none = co_await none_later.get();
    EXPECT_TRUE(still_none.empty());
  }());
}

TYPED_TEST(PoolTest, map_of_ranges_of_all_kinds) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    const auto of_view = co_await pool.map(square, std::views::iota(0, 20));
    EXPECT_EQ(of_view, squares(20));
    const std::list<int> list{0, 1, 2};
    const auto of_list = co_await pool.map(square, list);
    EXPECT_EQ(of_list, squares(3));
    std::istringstream text("0 1 2 3 4 5");
    const auto of_stream = co_await pool.map(square, std::views::istream<int>(text));
    EXPECT_EQ(of_stream, squares(6));
    const std::vector<bool> bits{true, false};
    const auto of_bits = co_await pool.map([](bool b) { return !b; }, bits);
    EXPECT_EQ(of_bits, (std::vector<bool>{false, true}));
    const std::array<const char*, 2> words{"one", "three"};
    const auto of_words = co_await pool.map([](std::string_view word) { return word.size(); }, words);
    EXPECT_EQ(of_words, (std::vector<std::size_t>{3, 5}));
    const bool of_nothing = co_await pool.map([](int) {}, numbers(10));
    EXPECT_TRUE(of_nothing);
    const bool of_void_tasks = co_await pool.map([](int) -> trine::Task<void, B> { co_await loiter<B>(); }, numbers(10), 2);
    EXPECT_TRUE(of_void_tasks);
    auto later = pool.map_async([](int) {}, std::views::iota(0, 10));
    const bool void_later = co_await later.get();
    EXPECT_TRUE(void_later);
  }());
}

TYPED_TEST(PoolTest, starmap) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    const std::vector<std::tuple<int, int>> tuples{{1, 2}, {3, 4}, {5, 6}};
    const auto sums = co_await pool.starmap(add, tuples);
    EXPECT_EQ(sums, (std::vector{3, 7, 11}));
    auto later = pool.starmap_async(add, tuples);
    const auto same = co_await later.get();
    EXPECT_EQ(same, sums);
    const std::vector<std::pair<std::string, int>> pairs{{"a", 1}, {"b", 2}};
    const auto texts = co_await pool.starmap([](const std::string& text, int n) { return text + std::to_string(n); }, pairs, 1);
    EXPECT_EQ(texts, (std::vector<std::string>{"a1", "b2"}));
  }());
}

TYPED_TEST(PoolTest, ten_thousand_tasks) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    std::vector<trine::Future<int, B>> futures;
    for (int i = 0; i < 10000; ++i) futures.push_back(pool.submit(add, i, 1));
    for (int i = 0; i < 10000; ++i) {
      const int sum = co_await futures[static_cast<std::size_t>(i)].get();
      if (sum != i + 1) ADD_FAILURE() << sum;
    }
  }());
}

TYPED_TEST(PoolTest, an_exception_comes_with_its_type_and_text) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    for (const bool task : {false, true}) {
      try {
        if (task) {
          co_await pool.apply(fail_later_at_seven<B>, 7);
        } else {
          co_await pool.apply(fail_at_seven, 7);
        }
        ADD_FAILURE() << "nothing was thrown";
      } catch (const trine::RemoteError& e) {
        EXPECT_EQ(e.type(), typeid(std::out_of_range).name());
        EXPECT_EQ(std::string(e.what()), e.type() + ": seven");
      }
    }
    try {
      co_await pool.apply([] { throw 3; });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const trine::RemoteError& e) {
      EXPECT_NE(std::string(e.what()).find("not a std::exception"), std::string::npos);
    }
    const int eight = co_await pool.apply(fail_at_seven, 8);
    EXPECT_EQ(eight, 8);
  }());
}

TYPED_TEST(PoolTest, an_exception_in_the_middle_of_a_map) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    for (const std::size_t chunk : {1U, 4U, 100U}) {
      const bool failed =
          co_await throws<trine::RemoteError, B>([&] { return pool.map(fail_at_seven, std::views::iota(0, 50), chunk); });
      EXPECT_TRUE(failed);
      const bool tasks_failed =
          co_await throws<trine::RemoteError, B>([&] { return pool.map(fail_later_at_seven<B>, std::views::iota(0, 9), chunk); });
      EXPECT_TRUE(tasks_failed);
      auto later = pool.map_async(fail_at_seven, numbers(50), chunk);
      const bool failed_later = co_await throws<trine::RemoteError, B>([&] { return later.get(); });
      EXPECT_TRUE(failed_later);
      EXPECT_FALSE(later.successful());
      const auto others = co_await pool.map(square, numbers(5));
      EXPECT_EQ(others, squares(5));
    }
  }());
}

TYPED_TEST(PoolTest, an_exception_in_the_middle_of_an_imap) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    auto results = pool.imap(fail_at_seven, numbers(10));
    for (int i = 0; i < 10; ++i) {
      if (i == 7) {
        const bool failed = co_await throws<trine::RemoteError, B>([&] { return results.next(); });
        EXPECT_TRUE(failed);
        continue;
      }
      const auto result = co_await results.next();
      EXPECT_EQ(result, i);
    }
    for (int i = 0; i < 2; ++i) {
      const auto end = co_await results.next();
      EXPECT_EQ(end, std::nullopt);
    }
  }());
}

TYPED_TEST(PoolTest, imap_in_order_and_unordered) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    for (const std::size_t chunk : {1U, 3U, 1000U}) {
      std::vector<int> found;
      auto results = pool.imap(square, std::views::iota(0, 200), chunk);
      while (const auto n = co_await results.next()) found.push_back(*n);
      EXPECT_EQ(found, squares(200));
    }
    std::multiset<int> found;
    auto results = pool.imap_unordered(square, numbers(200), 3);
    while (const auto n = co_await results.next()) found.insert(*n);
    const auto all = squares(200);
    EXPECT_EQ(found, std::multiset<int>(all.begin(), all.end()));
  }());
}

TYPED_TEST(PoolTest, imap_is_a_range_for_those_who_block) {
  if constexpr (blocking<TypeParam>) {
    trine::Pool<TypeParam> pool(3);
    std::vector<int> found;
    for (const int n : pool.imap(square, std::views::iota(0, 200), 3)) found.push_back(n);
    EXPECT_EQ(found, squares(200));
    found.clear();
    for (const int n : pool.imap(square, std::views::iota(0)) | std::views::take(20)) found.push_back(n);
    EXPECT_EQ(found, squares(20));
    auto first = pool.imap(square, numbers(10));
    EXPECT_EQ(first.next(), 0);
    auto moved = std::move(first);
    EXPECT_EQ(moved.next(), 1);
  }
}

TYPED_TEST(PoolTest, a_function_that_can_only_be_moved_goes_to_a_worker_of_the_same_memory) {
  using B = TypeParam;
  if constexpr (requires(trine::ThreadCrew<B>* crew, typename trine::PoolCrew<B>::type* same) { crew == same; }) {
    trine::run([]() -> trine::Task<void, B> {
      trine::Pool<B> pool(2);
      auto future = pool.submit([number = std::make_unique<int>(6)](int factor) { return *number * factor; }, 7);
      const int product = co_await future.get();
      EXPECT_EQ(product, 42);
    }());
  }
}

TYPED_TEST(PoolTest, imap_reads_an_endless_range_a_few_chunks_ahead) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    int read = 0;
    auto endless = std::views::iota(0) | std::views::transform([&read](int n) {
                     ++read;
                     return n;
                   });
    auto results = pool.imap(square, endless, 2);
    EXPECT_LE(read, 3 * 4 * 2);
    for (int i = 0; i < 100; ++i) {
      const auto result = co_await results.next();
      EXPECT_EQ(result, i * i);
    }
    EXPECT_LE(read, 100 + 2 * 3 * 4 * 2);
  }());
}

TYPED_TEST(PoolTest, what_a_range_throws_comes_after_the_results_of_what_it_gave) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    auto broken = std::views::iota(0) | std::views::transform([](int n) {
                    if (n == 20) throw std::domain_error("no more");
                    return n;
                  });
    for (const std::size_t chunk : {1U, 3U, 100U}) {
      auto results = pool.imap(square, broken, chunk);
      for (int i = 0; i < 20; ++i) {
        const auto result = co_await results.next();
        EXPECT_EQ(result, i * i);
      }
      const bool thrown = co_await throws<std::domain_error, B>([&] { return results.next(); });
      EXPECT_TRUE(thrown);
      const auto end = co_await results.next();
      EXPECT_EQ(end, std::nullopt);
      std::multiset<int> found;
      auto unordered = pool.imap_unordered(square, broken, chunk);
      const bool thrown_last = co_await throws<std::domain_error, B>([&]() -> trine::Task<void, B> {
        while (const auto n = co_await unordered.next()) found.insert(*n);
      });
      EXPECT_TRUE(thrown_last);
      const auto all = squares(20);
      EXPECT_EQ(found, std::multiset<int>(all.begin(), all.end()));
    }
    const int four = co_await pool.apply(square, 2);
    EXPECT_EQ(four, 4);
  }());
}

TYPED_TEST(PoolTest, an_imap_goes_on_after_close) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    for (const std::size_t chunk : {1U, 7U}) {
      trine::Pool<B> pool(2);
      auto results = pool.imap(square, std::views::iota(0, 100), chunk);
      for (int i = 0; i < 100; ++i) {
        const auto result = co_await results.next();
        EXPECT_EQ(result, i * i);
        if (i == 0) pool.close();
      }
      EXPECT_THROW(pool.submit(square, 1), trine::Error);
      EXPECT_THROW(pool.imap(square, numbers(3)), trine::Error);
      const auto end = co_await results.next();
      EXPECT_EQ(end, std::nullopt);
      const bool ended = co_await pool.join();
      EXPECT_TRUE(ended);
    }
  }());
}

TYPED_TEST(PoolTest, an_imap_of_a_pool_that_is_joined_gives_what_was_read_and_then_one_error) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(2);
    auto results = pool.imap(square, std::views::iota(0), 3);
    const auto first = co_await results.next();
    EXPECT_EQ(first, 0);
    pool.close();
    const bool ended = co_await pool.join();
    EXPECT_TRUE(ended);
    int count = 1;
    const bool thrown = co_await throws<trine::Error, B>([&]() -> trine::Task<void, B> {
      for (;; ++count) {
        const auto result = co_await results.next();
        EXPECT_EQ(result, count * count);
      }
    });
    EXPECT_TRUE(thrown);
    EXPECT_EQ(count, 3 * (2 * 4 + 1));
    const auto end = co_await results.next();
    EXPECT_EQ(end, std::nullopt);
  }());
}

TYPED_TEST(PoolTest, an_imap_of_a_pool_that_is_terminated_ends) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(2);
    auto results = pool.imap(square, std::views::iota(0));
    pool.terminate();
    int died = 0;
    int errors = 0;
    for (bool more = true; more;) {
      try {
        const auto result = co_await results.next();
        more = result.has_value();
      } catch (const trine::WorkerDied&) {
        ++died;
      } catch (const trine::Error&) {
        ++errors;
      }
    }
    EXPECT_LE(died, 2 * 4);
    EXPECT_EQ(errors, 1);
  }());
}

TYPED_TEST(PoolTest, the_first_result_of_imap_unordered_is_the_first_that_is_there) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> go;
    trine::Pool<B> pool(2);
    trine::Event<B>* const gate = &go;
    auto results = pool.imap_unordered(
        [gate](int n) -> trine::Task<int, B> {
          if (n == 0) co_await gate->wait();
          co_return n;
        },
        numbers(2));
    const auto first = co_await results.next();
    EXPECT_EQ(first, 1);
    const bool late = co_await throws<trine::TimedOut, B>([&] { return results.next(brief); });
    EXPECT_TRUE(late);
    go.set();
    const auto second = co_await results.next();
    EXPECT_EQ(second, 0);
    const auto end = co_await results.next();
    EXPECT_EQ(end, std::nullopt);
  }());
}

TYPED_TEST(PoolTest, a_future_tells_how_far_it_is) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> go;
    trine::Pool<B> pool(1);
    auto first = pool.submit(pass<B>, std::ref(go));
    auto second = pool.submit(fail_at_seven, 7);
    EXPECT_FALSE(first.ready());
    const bool in_time = co_await first.wait(brief);
    EXPECT_FALSE(in_time);
    EXPECT_THROW((void)first.successful(), trine::Error);
    const bool late = co_await throws<trine::TimedOut, B>([&] { return first.get(brief); });
    EXPECT_TRUE(late);
    EXPECT_FALSE(second.ready());
    go.set();
    for (int i = 0; i < 2; ++i) {
      const bool passed = co_await first.get();
      EXPECT_TRUE(passed);
      EXPECT_TRUE(first.ready());
      EXPECT_TRUE(first.successful());
    }
    const bool done = co_await second.wait();
    EXPECT_TRUE(done);
    EXPECT_FALSE(second.successful());
    for (int i = 0; i < 2; ++i) {
      const bool failed = co_await throws<trine::RemoteError, B>([&] { return second.get(); });
      EXPECT_TRUE(failed);
    }
  }());
}

TYPED_TEST(PoolTest, tasks_go_on_while_nobody_waits) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Semaphore<B> done(0);
    trine::Pool<B> pool(1);
    std::vector<trine::Future<void, B>> futures;
    for (int i = 0; i < 5; ++i) {
      futures.push_back(pool.submit([](trine::Semaphore<B>& count) { count.release(); }, std::ref(done)));
    }
    for (int i = 0; i < 5; ++i) {
      const bool released = co_await done.acquire(plenty);
      EXPECT_TRUE(released);
    }
  }());
}

TYPED_TEST(PoolTest, callbacks_are_called_once) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    std::atomic<int> sum{0};
    std::atomic<int> failures{0};
    trine::Pool<B> pool(3);
    const auto count_failure = [&](const std::exception_ptr& failure) {
      EXPECT_THROW(std::rethrow_exception(failure), trine::RemoteError);
      ++failures;
    };
    for (int i = 0; i < 10; ++i) pool.submit(fail_at_seven, i).on_success([&](int n) { sum += n; }).on_error(count_failure);
    pool.map_async(square, numbers(4), 1).on_success([&](const std::vector<int>& all) { sum += all.back(); });
    pool.map_async(fail_at_seven, numbers(9), 1).on_error(count_failure);
    const bool called = co_await becomes<B>([&] { return sum == 45 - 7 + 9 && failures == 2; });
    EXPECT_TRUE(called);
    auto late = pool.submit([] {});
    co_await late.wait();
    bool at_once = false;
    late.on_success([&] { at_once = true; }).on_error([&](const std::exception_ptr&) { ADD_FAILURE(); });
    EXPECT_TRUE(at_once);
  }());
}

TYPED_TEST(PoolTest, callbacks_may_submit_and_fail) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    std::atomic<int> result{0};
    trine::Pool<B> pool(3);
    pool.submit(square, 3).on_success([&](int n) {
      pool.submit(square, n).on_success([&](int m) { result = m; });
      throw std::runtime_error("printed");
    });
    const bool called = co_await becomes<B>([&] { return result == 81; });
    EXPECT_TRUE(called);
  }());
}

TYPED_TEST(PoolTest, many_use_one_pool) {
  using B = TypeParam;
  using Users = std::conditional_t<blocking<B>, trine::threads, B>;
  trine::run([]() -> trine::Task<void, Users> {
    trine::Pool<B> pool(3);
    trine::TaskGroup<Users> users;
    for (int t = 0; t < 4; ++t) {
      users.spawn(
          [](trine::Pool<B>& shared, int me) -> trine::Task<void, Users> {
            for (int i = 0; i < 50; ++i) {
              const int sum = co_await shared.apply(add, me, i);
              EXPECT_EQ(sum, me + i);
              auto future = shared.submit(add, me, i);
              if (i % 10 == 0) {
                const auto all = co_await shared.map(square, numbers(30));
                EXPECT_EQ(all, squares(30));
              }
              const int same = co_await future.get();
              EXPECT_EQ(same, me + i);
            }
          },
          std::ref(pool), t);
    }
    co_await users.join();
  }());
}

TYPED_TEST(PoolTest, the_initializer_runs_once_in_each_worker_before_its_tasks) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Semaphore<B> begun(0);
    trine::PoolOptions options;
    options.initializer = [&] { begun.release(); };
    trine::Pool<B> pool(2, options);
    co_await pool.map(square, numbers(50), 1);
    pool.close();
    const bool ended = co_await pool.join();
    EXPECT_TRUE(ended);
    EXPECT_EQ(begun.value(), 2);
  }());
}

TYPED_TEST(PoolTest, what_the_initializer_throws_is_what_every_task_fails_with) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::PoolOptions options;
    options.initializer = [] { throw std::domain_error("not today"); };
    trine::Pool<B> pool(2, options);
    for (int i = 0; i < 5; ++i) {
      try {
        co_await pool.apply(square, 1);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const trine::RemoteError& e) {
        EXPECT_EQ(e.type(), typeid(std::domain_error).name());
      }
    }
  }());
}

TYPED_TEST(PoolTest, after_so_many_tasks_a_worker_is_replaced) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Semaphore<B> begun(0);
    trine::PoolOptions options;
    options.initializer = [&] { begun.release(); };
    options.max_tasks_per_worker = 2;
    trine::Pool<B> pool(1, options);
    const auto results = co_await pool.map(square, numbers(10), 1);
    EXPECT_EQ(results, squares(10));
    for (int i = 0; i < 6; ++i) {  // the sixth waits for tasks
      const bool released = co_await begun.acquire(plenty);
      EXPECT_TRUE(released);
    }
    pool.close();
    const bool ended = co_await pool.join();
    EXPECT_TRUE(ended);
    EXPECT_FALSE(begun.try_acquire());
  }());
}

TYPED_TEST(PoolTest, close_lets_the_tasks_be_done) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool(3);
    std::vector<trine::Future<int, B>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(square, i));
    const bool too_early = co_await throws<trine::Error, B>([&] { return pool.join(); });
    EXPECT_TRUE(too_early);
    pool.close();
    pool.close();
    EXPECT_THROW(pool.submit(square, 1), trine::Error);
    EXPECT_THROW(pool.map_async(square, numbers(3)), trine::Error);
    EXPECT_THROW(pool.imap(square, numbers(3)), trine::Error);
    const bool applied = co_await throws<trine::Error, B>([&] { return pool.apply(square, 1); });
    const bool mapped = co_await throws<trine::Error, B>([&] { return pool.map(square, numbers(3)); });
    EXPECT_TRUE(applied && mapped);
    for (int i = 0; i < 2; ++i) {
      const bool ended = co_await pool.join();
      EXPECT_TRUE(ended);
    }
    for (int i = 0; i < 100; ++i) {
      const int result = co_await futures[static_cast<std::size_t>(i)].get();
      EXPECT_EQ(result, i * i);
    }
  }());
}

TYPED_TEST(PoolTest, join_gives_up_at_its_limit) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> go;
    trine::Pool<B> pool(1);
    auto task = pool.submit(pass<B>, std::ref(go));
    pool.close();
    const bool in_time = co_await pool.join(brief);
    EXPECT_FALSE(in_time);
    go.set();
    const bool ended = co_await pool.join();
    EXPECT_TRUE(ended);
    const bool passed = co_await task.get();
    EXPECT_TRUE(passed);
  }());
}

TYPED_TEST(PoolTest, terminate_fails_what_is_not_done) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> begun;
    trine::Event<B> go;
    trine::Pool<B> pool(1);
    auto running = pool.submit(
        [](trine::Event<B>& started, trine::Event<B>& gate) -> trine::Task<bool, B> {
          started.set();
          co_return co_await gate.wait();
        },
        std::ref(begun), std::ref(go));
    auto waiting = pool.submit(square, 2);
    co_await begun.wait();
    if (finishes_what_it_has_begun<B>) go.set();
    pool.terminate();
    EXPECT_TRUE(running.ready());
    EXPECT_TRUE(waiting.ready());
    if (!finishes_what_it_has_begun<B>) {
      const bool died = co_await throws<trine::WorkerDied, B>([&] { return running.get(); });
      EXPECT_TRUE(died);
      const bool never_begun = co_await throws<trine::WorkerDied, B>([&] { return waiting.get(); });
      EXPECT_TRUE(never_begun);
    }
    EXPECT_THROW(pool.submit(square, 1), trine::Error);
    const bool ended = co_await pool.join();
    EXPECT_TRUE(ended);
  }());
}

/// Whether the workers are in the caller's memory, and may call the pool.
template <class B>
inline constexpr bool shares_memory = requires { typename B::Worker; };

TYPED_TEST(PoolTest, a_worker_cannot_wait_for_the_workers) {
  using B = TypeParam;
  if constexpr (shares_memory<B>) {
    trine::run([]() -> trine::Task<void, B> {
      trine::Pool<B> pool(2);
      const auto refused = [](auto call) -> trine::Task<bool, B> {
        try {
          co_await call();
        } catch (const trine::RemoteError& e) {
          co_return e.type() == typeid(std::logic_error).name() && std::string(e.what()).find("worker") != std::string::npos;
        }
        co_return false;
      };
      const bool ends = co_await refused([&] { return pool.apply([&pool] { pool.terminate(); }); });
      EXPECT_TRUE(ends);
      const bool task_ends = co_await refused([&] {
        return pool.apply([&pool]() -> trine::Task<void, B> {
          pool.terminate();
          co_return;
        });
      });
      EXPECT_TRUE(task_ends);
      const bool waits = co_await refused([&] {
        return pool.apply([&pool]() -> trine::Task<void, B> { co_await pool.join(); });
      });
      EXPECT_TRUE(waits);
      const auto all = co_await pool.map(square, numbers(20), 1);
      EXPECT_EQ(all, squares(20));
    }());
  }
}

TYPED_TEST(PoolTest, a_callback_cannot_wait_for_the_workers_if_it_is_called_by_one) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> go;
    std::atomic<int> called{0};
    trine::Pool<B> pool(1);
    auto future = pool.submit(pass<B>, std::ref(go));
    future.on_success([&](bool) {
      if (shares_memory<B>) {
        EXPECT_THROW(pool.terminate(), std::logic_error);
      }
      ++called;
    });
    future.on_success([&](bool) {
      EXPECT_THROW((void)pool.join(), std::logic_error);
      ++called;
    });
    go.set();
    co_await future.wait();
    EXPECT_EQ(called, 2);
    const int four = co_await pool.apply(square, 2);
    EXPECT_EQ(four, 4);
  }());
}

TYPED_TEST(PoolTest, a_pool_that_goes_away_fails_what_is_not_done) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Event<B> gate;
    auto kept = [](trine::Event<B>& go) {
      trine::Pool<B> pool(2);
      auto waiting = pool.submit(pass<B>, std::ref(go));
      if (finishes_what_it_has_begun<B>) go.set();
      return waiting;
    }(gate);
    EXPECT_TRUE(kept.ready());
    if (!finishes_what_it_has_begun<B>) {
      const bool died = co_await throws<trine::WorkerDied, B>([&] { return kept.get(); });
      EXPECT_TRUE(died);
    }
  }());
}

TYPED_TEST(PoolTest, a_future_may_outlive_its_pool) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    auto pool = std::make_unique<trine::Pool<B>>(1);
    auto kept = pool->submit(square, 3);
    co_await kept.wait();
    pool.reset();
    const int nine = co_await kept.get();
    EXPECT_EQ(nine, 9);
  }());
}

TYPED_TEST(PoolTest, refuses_bad_arguments_by_name) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    EXPECT_TRUE(names_argument("workers", [] { trine::Pool<B> none(0); }));
    EXPECT_TRUE(names_argument("workers", [] { trine::Pool<B> none(-1); }));
    EXPECT_TRUE(names_argument("workers", [] { trine::Pool<B> none(100000); }));
    trine::Pool<B> pool(1);
    EXPECT_TRUE(names_argument("chunk", [&] { pool.imap(square, numbers(3), 0); }));
    co_return;
  }());
}

TYPED_TEST(PoolTest, needs_a_scheduler_where_workers_are_tasks) {
  if constexpr (blocking<TypeParam>) {
    EXPECT_NO_THROW(trine::Pool<TypeParam>(1));
  } else {
    EXPECT_THROW(trine::Pool<TypeParam>(1), std::logic_error);
  }
}

TYPED_TEST(PoolTest, has_a_worker_for_each_processor_if_nobody_says) {
  using B = TypeParam;
  trine::run([]() -> trine::Task<void, B> {
    trine::Pool<B> pool;
    EXPECT_EQ(pool.workers(), std::max(1U, std::thread::hardware_concurrency()));
    co_return;
  }());
}

}  // namespace
