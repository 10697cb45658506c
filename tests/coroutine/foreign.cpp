// SPDX-License-Identifier: BSL-1.0
//
// Awaitables in coroutines that are not trine's, and frames that are destroyed while they wait.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
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
using trine::RecursiveLock;
using trine::Scheduler;
using trine::Semaphore;
using trine::Task;
using trine_test::eventually;
using trine_test::Foreign;

/// A coroutine of another library's that a coroutine awaits: it is begun by that, and resumes whoever awaits it at its end.
class Subroutine {
 public:
  struct promise_type {
    struct Final {
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) const noexcept {
        return ended.promise().waiter;
      }
      void await_resume() const noexcept {}
    };
    Subroutine get_return_object() { return Subroutine(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    Final final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }

    std::coroutine_handle<> waiter;
  };

  Subroutine(const Subroutine&) = delete;
  Subroutine& operator=(const Subroutine&) = delete;
  ~Subroutine() { handle_.destroy(); }

  auto operator co_await() const noexcept {
    struct Awaiter {
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) const noexcept {
        begun.promise().waiter = waiter;
        return begun;
      }
      void await_resume() const noexcept {}
      std::coroutine_handle<promise_type> begun;
    };
    return Awaiter{handle_};
  }

 private:
  explicit Subroutine(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

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

// A task calls a coroutine that is not its own, and ends first. `wait(scheduler)` is what that awaits, and `let_go()` ends it.
template <class Wait, class LetGo>
void outlives_its_caller(Wait wait, LetGo let_go) {
  Event<B> go;
  Scheduler scheduler;
  std::optional<Foreign> called;
  const std::uint32_t thread = B::self();
  std::uint32_t within = 0;
  std::uint32_t after = 0;
  bool passed = false;
  const auto body = [&]() -> Foreign {
    within = B::self();
    co_await wait(scheduler);
    after = B::self();
    const bool set = co_await go.wait(1h);
    passed = set && after == B::self();
  };
  const auto caller = [&]() -> Task<void, B> {
    called.emplace(body());
    co_return;
  };
  scheduler.spawn(caller());
  scheduler.run();
  const auto other = [&]() -> Task<void, B> {
    let_go();
    for (int i = 0; i < 5000 && after == 0; ++i) co_await scheduler.sleep(1ms);
    go.set();
    co_await scheduler.hop();
  };
  scheduler.run(other());
  EXPECT_NE(within, thread) << "it is the task that calls it";
  EXPECT_EQ(after, thread) << "it goes on outside of the task";
  EXPECT_TRUE(passed);
  EXPECT_TRUE(called->done());
}

const auto nothing = [] {};

TEST(CalledByATask, OutlivesItByAHop) {
  outlives_its_caller([](Scheduler& scheduler) { return scheduler.hop(); }, nothing);
}

TEST(CalledByATask, OutlivesItWhereItWaits) {
  for (const trine::Until& until : {trine::Until(), trine::Until(1h)}) {
    Event<B> event;
    outlives_its_caller([&](Scheduler&) { return event.wait(until); }, [&] { event.set(); });
    Queue<int, B> queue;
    outlives_its_caller([&](Scheduler&) { return queue.get(until); }, [&] { EXPECT_TRUE(queue.try_put(1)); });
    Semaphore<B> slots(0);
    Event<B> never;
    outlives_its_caller([&](Scheduler&) { return trine::select(never.wait_op(), slots.acquire_op(), until); },
                        [&] { slots.release(); });
  }
}

TEST(CalledByATask, OutlivesItWhileItsLimitComes) {
  Event<B> never;
  outlives_its_caller([&](Scheduler&) { return never.wait(2ms); }, nothing);
  outlives_its_caller([&](Scheduler&) { return never.wait(0ms); }, nothing);
  const auto waits = [&]() -> Task<void, B> { co_await never.wait(2ms); };
  outlives_its_caller([&](Scheduler&) { return waits(); }, nothing);
}

TEST(CalledByATask, OutlivesItAfterWaitsThatWereOverAtOnce) {
  Semaphore<B> slots(2000);
  std::optional<Foreign> called;
  const std::uint32_t thread = B::self();
  std::uint32_t after = thread + 1;
  const auto body = [&]() -> Foreign {
    for (int i = 0; i < 1000; ++i) co_await slots.acquire();
    after = B::self();
  };
  Scheduler scheduler;
  const auto caller = [&]() -> Task<void, B> {
    called.emplace(body());
    co_return;
  };
  scheduler.spawn(caller());
  scheduler.run();
  EXPECT_TRUE(called->done());
  EXPECT_EQ(after, thread);
}

TEST(CalledByATask, IsNotCancelledWithIt) {
  Event<B> event;
  Event<B> never;
  int passed = 0;
  std::optional<Foreign> called;
  const auto caller = [&]() -> Task<void, B> {
    called.emplace(wait_for(event, passed));
    co_await never.wait();
  };
  const auto body = [&]() -> Task<void, B> {
    const bool in_time = co_await trine::with_timeout(caller(), 1ms);
    EXPECT_FALSE(in_time);
    EXPECT_FALSE(called->done());
    event.set();
    co_await Scheduler::current()->hop();
    EXPECT_EQ(passed, 1);
  };
  trine::run(body());
}

TEST(CalledByATask, WaitsForNoLockThatTheTaskWouldOwn) {
  RecursiveLock<B> lock;
  Event<B> never;
  int refused = 0;
  const auto body = [&]() -> Foreign {
    try {
      co_await lock.lock();
    } catch (const std::logic_error&) {
      ++refused;
    }
    try {
      co_await trine::select(lock.lock_op(), never.wait_op());
    } catch (const std::logic_error&) {
      ++refused;
    }
  };
  const auto caller = [&]() -> Task<void, B> {
    const Foreign called = body();
    EXPECT_TRUE(called.done());
    co_return;
  };
  EXPECT_TRUE(lock.try_lock());
  trine::run(caller());
  EXPECT_EQ(refused, 2);
  lock.unlock();
  EXPECT_FALSE(lock.locked()) << "nobody was let in";
}

TEST(AwaitedByATask, LetsItGoOnAsTheTaskThatItIs) {
  Event<B> event;
  std::uint32_t before = 0;
  std::uint32_t within = 0;
  std::uint32_t after = 0;
  int sum = 0;
  const auto waits = [&]() -> Subroutine {
    co_await event.wait(1h);
    if (within == 0) within = B::self();
  };
  const auto adds = [&](int n) -> Task<int, B> {
    co_await Scheduler::current()->hop();
    co_return n;
  };
  const auto body = [&]() -> Task<void, B> {
    before = B::self();
    co_await waits();
    after = B::self();
    sum += co_await adds(1);
    const Subroutine again = waits();
    co_await again;
    sum += co_await adds(2);
  };
  const auto sets = [&]() -> Task<void, B> {
    event.set();
    co_return;
  };
  Scheduler scheduler;
  scheduler.spawn(body());
  scheduler.spawn(sets());
  scheduler.run();
  EXPECT_EQ(within, B::self());
  EXPECT_NE(before, within);
  EXPECT_EQ(after, before);
  EXPECT_EQ(sum, 3);
}

// Frames that are destroyed where they wait: nobody stands in a list any more, and a wake goes to the next.

/// An awaiter around another, which throws where that would suspend.
struct Refusing {
  trine::Awaiting<bool>& inner;
  bool await_ready() { return inner.await_ready(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> /*coroutine*/) {
    throw std::runtime_error("not now");
  }
  bool await_resume() { return inner.await_resume(); }
};

TEST(Destroyed, OneWhoseWaitWasRefusedByAnAwaiterAroundIt) {
  trine::Event<B> event;
  bool refused = false;
  const auto body = [&]() -> trine::Task<void, B> {
    try {
      auto wait = event.wait();
      co_await Refusing{wait};
    } catch (const std::runtime_error&) {
      refused = true;
    }
  };
  trine::run(body());
  EXPECT_TRUE(refused);
}

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

// One that joins was served, and is destroyed before it goes on: the next that joins hears of the failure, or who reads what
// the group prints at its end.
TEST(Destroyed, OneThatJoinsLeavesTheFailure) {
  for (const bool choosing : {false, true}) {
    Line line;
    Scheduler scheduler;
    Event<B> never;
    ::testing::internal::CaptureStderr();
    for (const bool joined_again : {true, false}) {
      trine::TaskGroup<B> group(scheduler);
      const auto joins = [&]() -> Foreign {
        if (choosing) {
          co_await trine::on(line.executor(), trine::select(never.wait_op(), group.join_op()));
        } else {
          co_await trine::on(line.executor(), group.join());
        }
      };
      const auto joins_again = [&]() -> Task<void, B> { co_await group.join(); };
      group.spawn([]() -> Task<void, B> {
        throw std::out_of_range("lost?");
        co_return;
      });
      {
        const Foreign joiner = joins();
        scheduler.run();
        EXPECT_EQ(group.running(), 0U);
        EXPECT_FALSE(joiner.done());
        line.clear();
      }
      if (joined_again) {
        EXPECT_THROW(scheduler.run(joins_again()), std::out_of_range);
      }
    }
    const std::string printed = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(printed, "trine: TaskGroup: a task failed, and nobody joined: lost?\n");
  }
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
