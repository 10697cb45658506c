// SPDX-License-Identifier: BSL-1.0
//
// Awaitables in coroutines that are not trine's, and frames that are destroyed while they wait.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using B = trine::coroutines;
using trine::Event;
using trine::Lock;
using trine::Queue;
using trine::Semaphore;
using trine::Task;
using trine_test::eventually;
using trine_test::Foreign;

/// The simplest executor: a list of coroutines, which somebody resumes.
class Line {
 public:
  auto executor() {
    return [this](std::coroutine_handle<> coroutine) {
      const std::lock_guard hold(mutex_);
      line_.push_back(coroutine);
    };
  }

  /// Drops all that it has: those coroutines are to be destroyed.
  void clear() {
    const std::lock_guard hold(mutex_);
    line_.clear();
  }

  bool run_one() {
    std::coroutine_handle<> first;
    {
      const std::lock_guard hold(mutex_);
      if (line_.empty()) return false;
      first = line_.front();
      line_.pop_front();
    }
    first.resume();
    return true;
  }

 private:
  std::mutex mutex_;
  std::deque<std::coroutine_handle<>> line_;
};

Foreign wait_for(Event<B>& event, int& passed) {
  const bool set = co_await event.wait();
  if (set) ++passed;
}

TEST(Foreign, WaitsAndIsResumedByTheWaker) {
  Event<B> event;
  int passed = 0;
  const Foreign first = wait_for(event, passed);
  const Foreign second = wait_for(event, passed);
  EXPECT_EQ(passed, 0);
  event.set();
  EXPECT_EQ(passed, 2);
  EXPECT_TRUE(first.done() && second.done());
}

// Each coroutine wakes the next: they are resumed one after the other, not one within the other.
TEST(Foreign, IsNeverResumedWithinAnother) {
  Semaphore<B> slots(0);
  int depth = 0;
  int deepest = 0;
  int passed = 0;
  const auto waiter = [&]() -> Foreign {
    co_await slots.acquire();
    ++depth;
    deepest = std::max(deepest, depth);
    slots.release();
    ++passed;
    --depth;
  };
  std::vector<Foreign> all;
  for (int i = 0; i < 10'000; ++i) all.push_back(waiter());
  slots.release();
  EXPECT_EQ(passed, 10'000);
  EXPECT_EQ(deepest, 1);
}

TEST(Foreign, IsResumedByTheExecutorThatItNames) {
  Line line;
  Event<B> event;
  Queue<int, B> queue;
  int got = 0;
  const auto body = [&]() -> Foreign {
    co_await trine::on(line.executor(), event.wait());
    got = co_await trine::on(line.executor(), queue.get());
  };
  const Foreign coroutine = body();
  event.set();
  EXPECT_EQ(got, 0);
  EXPECT_TRUE(line.run_one());
  EXPECT_FALSE(line.run_one()) << "it waits again";
  EXPECT_TRUE(queue.try_put(5));
  EXPECT_EQ(got, 0) << "put() resumes nobody";
  EXPECT_TRUE(line.run_one());
  EXPECT_EQ(got, 5);
  EXPECT_TRUE(coroutine.done());
}

TEST(Foreign, KeepsLimitsWithoutAScheduler) {
  Line line;
  Event<B> never;
  std::atomic<int> gave_up{0};
  std::stop_source stop;
  const auto body = [&]() -> Foreign {
    if (!co_await trine::on(line.executor(), never.wait(2ms))) ++gave_up;
    if (!co_await trine::on(line.executor(), never.wait(stop.get_token()))) ++gave_up;
    if (!co_await never.wait(0ms)) ++gave_up;
  };
  const Foreign coroutine = body();
  EXPECT_TRUE(eventually([&] { return line.run_one(); }));
  EXPECT_EQ(gave_up, 1);
  stop.request_stop();
  EXPECT_TRUE(eventually([&] { return line.run_one(); }));
  EXPECT_EQ(gave_up, 3);
  EXPECT_TRUE(coroutine.done());
}

TEST(Foreign, AwaitsTasks) {
  Event<B> event;
  int sum = 0;
  const auto adds = [&](int n) -> Task<int, B> {
    co_await event.wait();
    co_return n;
  };
  const auto fails = []() -> Task<void, B> {
    throw std::out_of_range("task");
    co_return;
  };
  const auto body = [&]() -> Foreign {
    sum += co_await adds(1);
    for (int i = 0; i < 100'000; ++i) sum += co_await adds(1);  // none of these has to wait
    try {
      co_await fails();
    } catch (const std::out_of_range&) {
      ++sum;
    }
  };
  const Foreign coroutine = body();
  EXPECT_EQ(sum, 0);
  event.set();
  EXPECT_EQ(sum, 100'002);
  EXPECT_TRUE(coroutine.done());
}

TEST(Foreign, WaitsWithAPredicateAndWithSelect) {
  Lock<B> lock;
  trine::Condition<B> changed;
  Event<B> event;
  int value = 0;
  bool said = false;
  std::size_t index = 9;
  const auto body = [&]() -> Foreign {
    auto held = co_await lock.guard();
    said = co_await changed.wait(held, [&] { return value == 2; });
    held.unlock();
    const auto first = co_await trine::select(lock.guard_op(), event.wait_op());
    index = first.index();
  };
  const Foreign coroutine = body();
  value = 1;
  changed.notify();
  EXPECT_FALSE(said);
  value = 2;
  changed.notify();
  EXPECT_TRUE(said);
  EXPECT_LT(index, 2U);
  EXPECT_TRUE(coroutine.done());
}

// Frames that are destroyed where they wait: nobody stands in a list any more, and a wake goes to the next.

TEST(Destroyed, OneThatWaitsIsTakenOffTheList) {
  Event<B> event;
  int passed = 0;
  {
    std::optional<Foreign> first(wait_for(event, passed));
    const Foreign second = wait_for(event, passed);
    first.reset();
    event.set();
    EXPECT_EQ(passed, 1);
  }
  event.clear();
  { const Foreign third = wait_for(event, passed); }
  event.set();
  EXPECT_EQ(passed, 1);
}

// Of two that the same call woke, the one that goes on first destroys the other.
TEST(Destroyed, ByAnotherThatWasWokenWithIt) {
  for (const bool choosing : {false, true}) {
    Event<B> event;
    Event<B> never;
    int passed = 0;
    std::optional<Foreign> second;
    std::optional<Foreign> third;
    const auto destroys = [&]() -> Foreign {
      co_await event.wait();
      second.reset();
    };
    const auto waits = [&]() -> Foreign {
      if (choosing) {
        co_await trine::select(never.wait_op(), event.wait_op());
      } else {
        co_await event.wait();
      }
      ++passed;
    };
    const Foreign first = destroys();
    second.emplace(waits());
    third.emplace(waits());
    event.set();
    EXPECT_EQ(passed, 1) << "the third, and not the second";
    never.set();
  }
}

TEST(Destroyed, LeavesEveryKindOfList) {
  Lock<B> lock;
  Queue<int, B> queue(1);
  trine::Condition<B> changed;
  trine::SharedLock<B> shared;
  trine::Barrier<B> barrier(2);
  EXPECT_TRUE(lock.try_lock() && queue.try_put(1) && shared.try_lock());
  int item = 2;
  const auto body = [&](int kind) -> Foreign {
    if (kind == 0) co_await lock.guard();
    if (kind == 1) co_await queue.put(item, 1h);
    if (kind == 2) co_await shared.lock();
    if (kind == 3) co_await shared.lock_shared();
    if (kind == 4) {
      co_await trine::select(lock.guard_op(), queue.put_op(item), shared.lock_shared_op());
    }
    if (kind == 5) co_await barrier.wait();
  };
  for (int kind = 0; kind < 6; ++kind) {
    std::vector<Foreign> waiting;
    for (int i = 0; i < 3; ++i) {
      if (kind != 5 || i == 0) waiting.push_back(body(kind));
    }
    for (const Foreign& each : waiting) EXPECT_FALSE(each.done()) << kind;
  }
  lock.unlock();
  shared.unlock();
  EXPECT_TRUE(lock.try_lock()) << "nobody got it";
  EXPECT_TRUE(shared.try_lock());
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_TRUE(barrier.broken()) << "a party that leaves breaks it";
}

// A frame is destroyed by one thread while another wakes it: the permit goes to the next all the same.
TEST(Destroyed, WhileItIsWokenLosesNoPermit) {
  for (int round = 0; round < 500 && !::testing::Test::HasFailure(); ++round) {
    Line of_first;
    Line of_second;
    Semaphore<B> slots(0);
    int got = 0;
    const auto body = [&](Line& line) -> Foreign {
      auto permit = co_await trine::on(line.executor(), slots.permit());
      ++got;
    };
    std::optional<Foreign> first(body(of_first));
    const Foreign second = body(of_second);
    std::atomic<int> ready{0};
    const auto meet = [&ready] {
      ++ready;
      while (ready != 2) std::this_thread::yield();
    };
    std::jthread waker([&] {
      meet();
      slots.release();
    });
    meet();
    first.reset();
    EXPECT_TRUE(eventually([&] { return of_second.run_one(); }));
    waker.join();
    of_first.clear();
    EXPECT_TRUE(second.done());
    EXPECT_EQ(got, 1);
    EXPECT_EQ(slots.value(), 1);
  }
}

}  // namespace
