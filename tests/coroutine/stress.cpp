// SPDX-License-Identifier: BSL-1.0
//
// Many coroutines on several threads, with limits, stops and cancelled tasks at every turn: nothing is lost or done twice,
// and everybody comes through. For the sanitizers as well.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
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
using trine::Scheduler;
using trine::Semaphore;
using trine::Task;

constexpr int parties = 12;
constexpr int turns = 400;

class Stress : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Threads, Stress, ::testing::Values(1U, 2U, 4U));

// `party` must outlive its tasks.
template <class Party>
void spawn_all(Scheduler& scheduler, const Party& party) {
  for (int i = 0; i < parties; ++i) scheduler.spawn(party(i));
}

// A limit that may come at any moment of a wait.
std::chrono::microseconds some_time(int turn) { return std::chrono::microseconds(turn * 7 % 60); }

TEST_P(Stress, LockWithLimits) {
  Scheduler scheduler(GetParam());
  Lock<B> lock;
  int count = 0;  // plain: the lock orders the accesses
  std::atomic<int> taken{0};
  const auto party = [&](int me) -> Task<void, B> {
    for (int i = 0; i < turns; ++i) {
      auto held = co_await lock.guard(i % 3 == 0 ? trine::Until(some_time(i + me)) : trine::Until());
      if (!held) continue;
      ++count;
      ++taken;
      if (i % 5 == 0) co_await scheduler.hop();
    }
  };
  spawn_all(scheduler, party);
  scheduler.run();
  EXPECT_EQ(count, taken);
  EXPECT_GE(taken, parties * turns * 2 / 3);
  EXPECT_FALSE(lock.locked());
}

TEST_P(Stress, SemaphoreWithStops) {
  Scheduler scheduler(GetParam());
  Semaphore<B> slots(3);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const auto party = [&](int me) -> Task<void, B> {
    for (int i = 0; i < turns; ++i) {
      std::stop_source stop;
      if ((i + me) % 4 == 0) scheduler.post([stop]() mutable { stop.request_stop(); });
      auto permit = co_await slots.permit(stop.get_token());
      if (!permit) continue;
      const int now = ++inside;
      if (now > most) most = now;
      if (i % 3 == 0) co_await scheduler.hop();
      --inside;
    }
  };
  spawn_all(scheduler, party);
  scheduler.run();
  EXPECT_LE(most, 3);
  EXPECT_EQ(slots.value(), 3);
}

TEST_P(Stress, QueueWithLimitsAndCancelledTasks) {
  Scheduler scheduler(GetParam());
  Queue<int, B> queue(2);
  std::atomic<int> put{0};
  std::atomic<int> got{0};
  std::atomic<int> producers{parties / 2};
  const auto get_one = [&]() -> Task<void, B> {
    const auto item = co_await queue.get(1h);
    if (item) got += *item;
  };
  const auto party = [&](int me) -> Task<void, B> {
    if (me % 2 == 0) {
      for (int i = 0; i < turns; ++i) {
        const bool done = co_await queue.put(1, i % 4 == 0 ? trine::Until(some_time(i)) : trine::Until());
        if (done) ++put;
      }
      if (--producers == 0) queue.shutdown();
      co_return;
    }
    try {
      for (int i = 0;; ++i) {
        if (i % 4 == 0) {
          // Cancelled while it waits or while it is served; what it got it counted.
          co_await trine::with_timeout(get_one(), some_time(i));
        } else if (i % 4 == 1) {
          const auto item = co_await queue.get(some_time(i));
          if (item) got += *item;
        } else {
          got += co_await queue.get();
        }
      }
    } catch (const trine::QueueShutdown&) {
    }
  };
  spawn_all(scheduler, party);
  scheduler.run();
  // A getter that was served before it was cancelled goes on, and counts its item.
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(got, put);
}

TEST_P(Stress, SelectOfQueuesAndSemaphores) {
  Scheduler scheduler(GetParam());
  Queue<int, B> first(1);
  Queue<int, B> second;
  Semaphore<B> third(0);
  std::atomic<int> given{0};
  std::atomic<int> taken{0};
  Event<B> over;
  std::atomic<int> givers{parties / 2};
  const auto party = [&](int me) -> Task<void, B> {
    if (me % 2 == 0) {
      for (int i = 0; i < turns; ++i) {
        if (i % 3 == 0) co_await first.put(i);
        if (i % 3 == 1) co_await second.put(i);
        if (i % 3 == 2) third.release();
        ++given;
      }
      if (--givers == 0) over.set();
      co_return;
    }
    for (int i = 0;; ++i) {
      const auto got = co_await trine::select(first.get_op(), second.get_op(), third.acquire_op(), over.wait_op(),
                                              i % 2 == 0 ? trine::Until(some_time(i)) : trine::Until());
      if (got.index() < 3) ++taken;
      if (got.index() == 3 && taken == given) co_return;
    }
  };
  spawn_all(scheduler, party);
  scheduler.run();
  EXPECT_EQ(taken, given);
  EXPECT_EQ(given, parties / 2 * turns);
}

TEST_P(Stress, ConditionWithLimits) {
  Scheduler scheduler(GetParam());
  Lock<B> lock;
  trine::Condition<B> changed;
  int items = 0;
  int taken = 0;
  const auto party = [&](int me) -> Task<void, B> {
    for (int i = 0; i < turns; ++i) {
      auto held = co_await lock.guard();
      if (me % 2 == 0) {
        ++items;
        changed.notify();
      } else {
        while (!co_await changed.wait(
            held, [&] { return items > 0; }, some_time(i))) {
        }
        --items;
        ++taken;
      }
    }
  };
  spawn_all(scheduler, party);
  scheduler.run();
  EXPECT_EQ(items, 0);
  EXPECT_EQ(taken, parties / 2 * turns);
}

TEST_P(Stress, BarrierOfAll) {
  Scheduler scheduler(GetParam());
  int generations = 0;
  trine::Barrier<B> barrier(parties, [&] { ++generations; });
  std::atomic<std::int64_t> places{0};
  const auto party = [&](int) -> Task<void, B> {
    for (int i = 0; i < turns; ++i) places += co_await barrier.wait();
  };
  spawn_all(scheduler, party);
  scheduler.run();
  EXPECT_EQ(generations, turns);
  EXPECT_EQ(places, std::int64_t{turns} * parties * (parties - 1) / 2);
}

TEST_P(Stress, PulsesOfAnEventFromThreads) {
  Scheduler scheduler(GetParam());
  Event<B> event;
  std::atomic<int> left{parties};
  const auto party = [&](int) -> Task<void, B> {
    for (int i = 0; i < 100; ++i) co_await event.wait(i % 2 == 0 ? trine::Until() : trine::Until(some_time(i)));
    --left;
  };
  spawn_all(scheduler, party);
  std::jthread pulser([&] {
    while (left > 0) {
      event.set();
      event.clear();
      std::this_thread::yield();
    }
  });
  scheduler.run();
  EXPECT_EQ(left, 0);
}

// Two schedulers, each on threads of its own, pass items to each other.
TEST_P(Stress, BetweenSchedulers) {
  Scheduler first(GetParam());
  Scheduler second(GetParam());
  Queue<int, B> there(3);
  Queue<int, B> back(3);
  std::int64_t sum = 0;
  const auto echo = [&]() -> Task<void, B> {
    for (int i = 0; i < 5 * turns; ++i) {
      const int item = co_await there.get();
      co_await back.put(item);
    }
  };
  const auto sender = [&]() -> Task<void, B> {
    for (int i = 0; i < 5 * turns; ++i) co_await there.put(i);
  };
  const auto receiver = [&]() -> Task<void, B> {
    for (int i = 0; i < 5 * turns; ++i) sum += co_await back.get();
  };
  second.spawn(echo());
  std::jthread other([&] { second.run(); });
  first.spawn(sender());
  first.spawn(receiver());
  first.run();
  EXPECT_EQ(sum, std::int64_t{5 * turns} * (5 * turns - 1) / 2);
}

// What a scheduler ran has ended, and it is gone, while the call that woke it has not returned.
TEST_P(Stress, ASchedulerGoesBesideWhoWokeIt) {
  constexpr int rounds = 5 * turns;
  std::atomic<Event<B>*> shared{nullptr};
  std::jthread setter([&] {
    for (int i = 0; i < rounds; ++i) {
      Event<B>* event = nullptr;
      while ((event = shared.exchange(nullptr)) == nullptr) std::this_thread::yield();
      event->set();
    }
  });
  for (int i = 0; i < rounds; ++i) {
    Event<B> event;
    const auto waits = [&]() -> Task<bool, B> {
      shared = &event;
      co_return co_await event.wait();
    };
    const auto scheduler = std::make_unique<Scheduler>(GetParam());
    EXPECT_TRUE(scheduler->run(waits()));
  }
}

}  // namespace
