// SPDX-License-Identifier: BSL-1.0
//
// What a Pool promises on every backend that has one.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <numeric>
#include <optional>
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

#include <trine/backend/processes.hpp>
#include <trine/codec.hpp>
#include <trine/event.hpp>
#include <trine/pool.hpp>
#include <trine/semaphore.hpp>

#include "support/backends.hpp"
#include "support/bodies.hpp"

namespace {

using trine_test::brief;
using trine_test::eventually;
using trine_test::plenty;

struct Name {
  template <class B>
  static std::string GetName(int) {
    if constexpr (std::is_same_v<B, trine::processes>) {
      return "processes";
    } else {
      return trine_test::BackendName::GetName<B>(0);
    }
  }
};

template <class B>
class Pool : public ::testing::Test {
 protected:
  trine::Pool<B> pool{3};
};
using PoolBackends = ::testing::Types<trine::threads, trine::portable_threads, trine::processes>;
TYPED_TEST_SUITE(Pool, PoolBackends, Name);

int add(int a, int b) { return a + b; }

int square(int n) { return n * n; }

int fail_at_seven(int n) {
  if (n == 7) throw std::out_of_range("seven");
  return n;
}

struct Point {
  int x = 0;
  std::string name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(x, name);
  }
};

Point moved(Point point, int by) { return {point.x + by, point.name + "'"}; }

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

TYPED_TEST(Pool, AppliesFunctionsOfAllKinds) {
  int three = 3;
  EXPECT_EQ(this->pool.apply(add, 1, 2), 3);
  EXPECT_EQ(this->pool.apply(&add, three, 2), 5);
  EXPECT_EQ(this->pool.apply([three](int n) { return n * three; }, 4), 12);
  EXPECT_EQ(this->pool.apply(std::plus<>(), 4, 5), 9);
  EXPECT_TRUE((std::is_same_v<decltype(this->pool.apply([] {})), void>));
  this->pool.apply([] {});
}

TYPED_TEST(Pool, CarriesTextContainersAndTypesOfOnesOwn) {
  EXPECT_EQ(this->pool.apply([](const std::string& a, std::string_view b) { return a + std::string(b); }, "left ",
                             std::string("right")),
            "left right");
  const auto point = this->pool.apply(moved, Point{1, "p"}, 2);
  EXPECT_EQ(point.x, 3);
  EXPECT_EQ(point.name, "p'");
  const std::vector<std::vector<std::string>> words{{"a", ""}, {}, {"b"}};
  EXPECT_EQ(this->pool.apply([](const std::vector<std::vector<std::string>>& all) { return all; }, words), words);
  const std::vector<bool> bits{true, false, true};
  EXPECT_EQ(this->pool.apply([](const std::vector<bool>& all) { return all; }, bits), bits);
  const auto pair = this->pool.apply([](int n) { return std::pair(n, std::to_string(n)); }, 12);
  EXPECT_EQ(pair, std::pair(12, std::string("12")));
  const auto nothing = this->pool.apply([](std::optional<std::string> text) { return text; }, std::optional<std::string>());
  EXPECT_FALSE(nothing.has_value());
}

TYPED_TEST(Pool, CarriesWhatCanOnlyBeMoved) {
  auto boxed = this->pool.submit([](int n) { return std::make_unique<int>(n); }, 5);
  EXPECT_EQ(*boxed.get(), 5);
}

TYPED_TEST(Pool, CarriesWhatIsLargerThanAPiece) {
  const std::string large(std::size_t{8} << 20, 'x');
  const auto twice = this->pool.apply([](std::string text) { return text + text; }, large);
  EXPECT_EQ(twice.size(), 2 * large.size());
  EXPECT_EQ(twice.find_first_not_of('x'), std::string::npos);
  // At and around the size of a piece.
  for (std::size_t size = (std::size_t{1} << 20) - 64; size < (std::size_t{1} << 20) + 64; size += 7) {
    EXPECT_EQ(this->pool.apply([](std::string text) { return text; }, std::string(size, 'y')).size(), size);
  }
}

TYPED_TEST(Pool, LargeOnesOfSeveralWorkersAtATime) {
  std::vector<std::string> large;
  for (char c = 'a'; c < 'i'; ++c) large.emplace_back(std::size_t{3} << 20, c);
  EXPECT_EQ(this->pool.map([](std::string text) { return text; }, large, 1), large);
}

TYPED_TEST(Pool, MapKeepsTheOrderWhateverTheChunk) {
  for (const std::size_t chunk : {0U, 1U, 2U, 7U, 99U, 100U, 101U, 100000U}) {
    EXPECT_EQ(this->pool.map(square, numbers(100), chunk), squares(100)) << chunk;
  }
}

TYPED_TEST(Pool, MapOfNothingAndOfOne) {
  EXPECT_TRUE(this->pool.map(square, std::vector<int>()).empty());
  EXPECT_EQ(this->pool.map(square, std::array{3}), std::vector{9});
  EXPECT_TRUE(this->pool.starmap(add, std::vector<std::tuple<int, int>>()).empty());
}

TYPED_TEST(Pool, MapOfRangesOfAllKinds) {
  EXPECT_EQ(this->pool.map(square, std::views::iota(0, 20)), squares(20));
  EXPECT_EQ(this->pool.map(square, std::list{0, 1, 2}), squares(3));
  std::istringstream text("0 1 2 3");
  EXPECT_EQ(this->pool.map(square, std::views::istream<int>(text)), squares(4));
  EXPECT_EQ(this->pool.map([](bool b) { return !b; }, std::vector<bool>{true, false}), (std::vector<bool>{false, true}));
  const std::array<const char*, 2> words{"one", "three"};
  EXPECT_EQ(this->pool.map([](std::string_view word) { return word.size(); }, words), (std::vector<std::size_t>{3, 5}));
  this->pool.map([](int) {}, numbers(10));
  EXPECT_TRUE((std::is_same_v<decltype(this->pool.map([](int) {}, numbers(10))), void>));
}

TYPED_TEST(Pool, Starmap) {
  const std::vector<std::tuple<int, int>> tuples{{1, 2}, {3, 4}, {5, 6}};
  EXPECT_EQ(this->pool.starmap(add, tuples), (std::vector{3, 7, 11}));
  const std::vector<std::pair<std::string, int>> pairs{{"a", 1}, {"b", 2}};
  EXPECT_EQ(this->pool.starmap([](const std::string& text, int n) { return text + std::to_string(n); }, pairs, 1),
            (std::vector<std::string>{"a1", "b2"}));
}

TYPED_TEST(Pool, ManyItems) {
  const auto results = this->pool.map(square, std::views::iota(0, 10000), 1);
  EXPECT_EQ(results, squares(10000));
}

TYPED_TEST(Pool, AHundredThousandTasks) {
  std::vector<trine::Future<int>> futures;
  futures.reserve(100000);
  for (int i = 0; i < 100000; ++i) futures.push_back(this->pool.submit(add, i, 1));
  for (int i = 0; i < 100000; ++i) ASSERT_EQ(futures[static_cast<std::size_t>(i)].get(), i + 1);
}

TYPED_TEST(Pool, AnExceptionComesWithItsTypeAndText) {
  try {
    this->pool.apply(fail_at_seven, 7);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const trine::RemoteError& e) {
    EXPECT_EQ(e.type(), typeid(std::out_of_range).name());
    EXPECT_EQ(std::string(e.what()), e.type() + ": seven");
  }
  try {
    this->pool.apply([] { throw 3; });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const trine::RemoteError& e) {
    EXPECT_NE(std::string(e.what()).find("not a std::exception"), std::string::npos);
  }
  EXPECT_EQ(this->pool.apply(fail_at_seven, 8), 8);
}

TYPED_TEST(Pool, AnExceptionInTheMiddleOfAMap) {
  for (const std::size_t chunk : {1U, 4U, 100U}) {
    EXPECT_THROW(this->pool.map(fail_at_seven, numbers(50), chunk), trine::RemoteError);
    EXPECT_EQ(this->pool.map(square, numbers(5)), squares(5));
  }
}

TYPED_TEST(Pool, AnExceptionInTheMiddleOfAnImap) {
  auto results = this->pool.imap(fail_at_seven, numbers(10));
  for (int i = 0; i < 7; ++i) EXPECT_EQ(results.next(), i);
  EXPECT_THROW(results.next(), trine::RemoteError);
  for (int i = 8; i < 10; ++i) EXPECT_EQ(results.next(), i);
  EXPECT_EQ(results.next(), std::nullopt);
  EXPECT_EQ(results.next(), std::nullopt);
}

TYPED_TEST(Pool, ImapInOrder) {
  for (const std::size_t chunk : {1U, 3U, 1000U}) {
    std::vector<int> found;
    for (const int n : this->pool.imap(square, std::views::iota(0, 200), chunk)) found.push_back(n);
    EXPECT_EQ(found, squares(200));
  }
}

TYPED_TEST(Pool, ImapUnorderedFindsAll) {
  std::multiset<int> found;
  for (const int n : this->pool.imap_unordered(square, numbers(200), 3)) found.insert(n);
  const auto all = squares(200);
  EXPECT_EQ(found, std::multiset<int>(all.begin(), all.end()));
}

TYPED_TEST(Pool, ImapReadsAnEndlessRangeAFewChunksAhead) {
  int read = 0;
  auto endless = std::views::iota(0) | std::views::transform([&read](int n) {
                   ++read;
                   return n;
                 });
  auto results = this->pool.imap(square, endless, 2);
  EXPECT_LE(read, 3 * 4 * 2);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results.next(), i * i);
  EXPECT_LE(read, 100 + 2 * 3 * 4 * 2);
}

TYPED_TEST(Pool, WhatARangeThrowsReachesTheCaller) {
  auto broken = std::views::iota(0) | std::views::transform([](int n) {
                  if (n == 20) throw std::logic_error("no more");
                  return n;
                });
  const auto read_all = [&] {
    for (const int n : this->pool.imap(square, broken)) EXPECT_LT(n, 400);
  };
  EXPECT_THROW(read_all(), std::logic_error);
  EXPECT_EQ(this->pool.apply(square, 2), 4);
}

TYPED_TEST(Pool, TheFirstResultOfImapUnorderedIsTheFirstThatIsThere) {
  trine::Event<TypeParam> go;
  trine::Pool<TypeParam> two(2);
  trine::Event<TypeParam>* const gate = &go;
  auto results = two.imap_unordered(
      [gate](int n) {
        if (n == 0) gate->wait();
        return n;
      },
      numbers(2));
  EXPECT_EQ(results.next(), 1);
  EXPECT_THROW(results.next(brief), trine::TimedOut);
  go.set();
  EXPECT_EQ(results.next(), 0);
  EXPECT_EQ(results.next(), std::nullopt);
}

TYPED_TEST(Pool, AFutureTellsHowFarItIs) {
  trine::Event<TypeParam> go;
  trine::Pool<TypeParam> one(1);
  auto first = one.submit([](trine::Event<TypeParam>& gate) { return gate.wait(); }, std::ref(go));
  auto second = one.submit(fail_at_seven, 7);
  EXPECT_FALSE(first.ready());
  EXPECT_FALSE(first.wait(brief));
  EXPECT_THROW((void)first.successful(), trine::Error);
  EXPECT_THROW(first.get(brief), trine::TimedOut);
  EXPECT_FALSE(second.ready());
  go.set();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(first.ready());
  EXPECT_TRUE(first.successful());
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.wait());
  EXPECT_FALSE(second.successful());
  EXPECT_THROW(second.get(), trine::RemoteError);
  EXPECT_THROW(second.get(), trine::RemoteError);
}

TYPED_TEST(Pool, TasksGoOnWhileNobodyWaits) {
  trine::Semaphore<TypeParam> done(0);
  trine::Pool<TypeParam> one(1);
  std::vector<trine::Future<void>> futures;
  for (int i = 0; i < 5; ++i) {
    futures.push_back(one.submit([](trine::Semaphore<TypeParam>& count) { count.release(); }, std::ref(done)));
  }
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(done.acquire(plenty));
}

TYPED_TEST(Pool, CallbacksAreCalledOnce) {
  std::atomic<int> sum{0};
  std::atomic<int> failures{0};
  for (int i = 0; i < 10; ++i) {
    this->pool.submit(fail_at_seven, i)
        .on_success([&](int n) { sum += n; })
        .on_error([&](const std::exception_ptr& failure) {
          EXPECT_THROW(std::rethrow_exception(failure), trine::RemoteError);
          ++failures;
        });
  }
  EXPECT_TRUE(eventually([&] { return sum == 45 - 7 && failures == 1; }));
  auto late = this->pool.submit([] {});
  late.wait();
  bool called = false;
  late.on_success([&] { called = true; }).on_error([&](const std::exception_ptr&) { ADD_FAILURE(); });
  EXPECT_TRUE(called);
}

TYPED_TEST(Pool, CallbacksMaySubmitAndFail) {
  std::atomic<int> result{0};
  this->pool.submit(square, 3).on_success([&](int n) {
    this->pool.submit(square, n).on_success([&](int m) { result = m; });
    throw std::runtime_error("printed");
  });
  EXPECT_TRUE(eventually([&] { return result == 81; }));
}

TYPED_TEST(Pool, ManyThreadsUseOnePool) {
  std::vector<std::jthread> users;
  for (int t = 0; t < 4; ++t) {
    users.emplace_back([this, t] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(this->pool.apply(add, t, i), t + i);
        auto future = this->pool.submit(add, t, i);
        if (i % 10 == 0) {
          EXPECT_EQ(this->pool.map(square, numbers(30)), squares(30));
        }
        EXPECT_EQ(future.get(), t + i);
      }
    });
  }
}

TYPED_TEST(Pool, TheInitializerRunsOnceInEachWorkerBeforeItsTasks) {
  trine::Semaphore<TypeParam> begun(0);
  trine::Pool<TypeParam> two(2, {.initializer = [&] { begun.release(); }});
  two.map(square, numbers(50), 1);
  two.close();
  EXPECT_TRUE(two.join());
  EXPECT_EQ(begun.value(), 2);
}

TYPED_TEST(Pool, WhatTheInitializerThrowsIsWhatEveryTaskFailsWith) {
  trine::Pool<TypeParam> two(2, {.initializer = [] { throw std::domain_error("not today"); }});
  for (int i = 0; i < 5; ++i) {
    try {
      two.apply(square, 1);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const trine::RemoteError& e) {
      EXPECT_EQ(e.type(), typeid(std::domain_error).name());
    }
  }
}

TYPED_TEST(Pool, AfterSoManyTasksAWorkerIsReplaced) {
  trine::Semaphore<TypeParam> begun(0);
  trine::Pool<TypeParam> one(1, {.initializer = [&] { begun.release(); }, .max_tasks_per_worker = 2});
  EXPECT_EQ(one.map(square, numbers(10), 1), squares(10));
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(begun.acquire(plenty));  // the sixth waits for tasks
  one.close();
  EXPECT_TRUE(one.join());
  EXPECT_FALSE(begun.try_acquire());
}

TYPED_TEST(Pool, CloseLetsTheTasksBeDone) {
  std::vector<trine::Future<int>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(this->pool.submit(square, i));
  EXPECT_THROW(this->pool.join(), trine::Error);
  this->pool.close();
  this->pool.close();
  EXPECT_THROW(this->pool.submit(square, 1), trine::Error);
  EXPECT_THROW(this->pool.apply(square, 1), trine::Error);
  EXPECT_THROW(this->pool.map(square, numbers(3)), trine::Error);
  EXPECT_THROW(this->pool.imap(square, numbers(3)), trine::Error);
  EXPECT_TRUE(this->pool.join());
  EXPECT_TRUE(this->pool.join());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i * i);
}

TYPED_TEST(Pool, JoinGivesUpAtItsLimit) {
  trine::Event<TypeParam> go;
  trine::Pool<TypeParam> one(1);
  auto task = one.submit([](trine::Event<TypeParam>& gate) { return gate.wait(); }, std::ref(go));
  one.close();
  EXPECT_FALSE(one.join(brief));
  go.set();
  EXPECT_TRUE(one.join());
  EXPECT_TRUE(task.get());
}

TYPED_TEST(Pool, TerminateFailsWhatIsNotDone) {
  trine::Event<TypeParam> begun;
  trine::Event<TypeParam> go;
  trine::Pool<TypeParam> one(1);
  auto running = one.submit(
      [](trine::Event<TypeParam>& started, trine::Event<TypeParam>& gate) {
        started.set();
        return gate.wait();
      },
      std::ref(begun), std::ref(go));
  auto waiting = one.submit(square, 2);
  begun.wait();
  if (!std::is_same_v<TypeParam, trine::processes>) go.set();  // a thread can't be ended from outside
  one.terminate();
  EXPECT_TRUE(running.ready());
  EXPECT_TRUE(waiting.ready());
  if (std::is_same_v<TypeParam, trine::processes>) {
    EXPECT_THROW(running.get(), trine::WorkerDied);
    EXPECT_THROW(waiting.get(), trine::WorkerDied);
  }
  EXPECT_THROW(one.submit(square, 1), trine::Error);
  EXPECT_TRUE(one.join());
}

TYPED_TEST(Pool, AFutureMayOutliveItsPool) {
  auto kept = [] {
    trine::Pool<TypeParam> one(1);
    auto done = one.submit(square, 3);
    done.wait();
    return done;
  }();
  EXPECT_EQ(kept.get(), 9);
}

TYPED_TEST(Pool, BadArguments) {
  using trine_test::names_argument;
  EXPECT_TRUE(names_argument("workers", [] { trine::Pool<TypeParam> none(0); }));
  EXPECT_TRUE(names_argument("workers", [] { trine::Pool<TypeParam> none(-1); }));
  EXPECT_TRUE(names_argument("workers", [] { trine::Pool<TypeParam> none(100000); }));
  EXPECT_TRUE(names_argument("chunk", [this] { this->pool.imap(square, numbers(3), 0); }));
}

TYPED_TEST(Pool, HasAWorkerForEachProcessorIfNobodySays) {
  trine::Pool<TypeParam> whole;
  EXPECT_EQ(whole.workers(), std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace
