// SPDX-License-Identifier: BSL-1.0
//
// What an Event promises, on every backend.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include <trine/event.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

#include "support/backends.hpp"
#include "support/limits.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Task;
using trine::TaskGroup;
using trine_test::brief;
using trine_test::plenty;

template <class B>
class EventTest : public ::testing::Test {};

TYPED_TEST_SUITE(EventTest, trine_test::Backends, trine_test::BackendName);

TYPED_TEST(EventTest, StaysWhereItIs) {
  using E = Event<TypeParam>;
  static_assert(!std::is_copy_constructible_v<E> && !std::is_copy_assignable_v<E>);
  static_assert(!std::is_move_constructible_v<E> && !std::is_move_assignable_v<E>);
  static_assert(!std::is_convertible_v<bool, E>);
  static_assert(noexcept(std::declval<E&>().set()) && noexcept(std::declval<E&>().clear()));
  static_assert(noexcept(std::declval<const E&>().is_set()));
}

TYPED_TEST(EventTest, StartsClear) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    EXPECT_FALSE(event.is_set());
    const bool let_go = co_await event.wait(0ms);
    EXPECT_FALSE(let_go);
    Event<B> clear(false);
    EXPECT_FALSE(clear.is_set());
  };
  trine::run(body());
}

TYPED_TEST(EventTest, StartsSetIfAsked) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event(true);
    EXPECT_TRUE(event.is_set());
    const bool let_go = co_await event.wait();
    EXPECT_TRUE(let_go);
    EXPECT_TRUE(event.is_set());
    event.clear();
    const bool again = co_await event.wait(0ms);
    EXPECT_FALSE(again);
  };
  trine::run(body());
}

TYPED_TEST(EventTest, IsSetFromSetToClear) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    for (int round = 0; round < 3; ++round) {
      event.set();
      EXPECT_TRUE(event.is_set());
      const bool first = co_await event.wait();
      const bool second = co_await event.wait();
      EXPECT_TRUE(first && second) << "a wait does not clear";
      EXPECT_TRUE(event.is_set());
      event.clear();
      EXPECT_FALSE(event.is_set());
      const bool third = co_await event.wait(0ms);
      EXPECT_FALSE(third);
    }
  };
  trine::run(body());
}

TYPED_TEST(EventTest, SetAndClearMayBeRepeated) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    event.clear();
    EXPECT_FALSE(event.is_set());
    event.set();
    event.set();
    event.set();
    EXPECT_TRUE(event.is_set());
    event.clear();
    EXPECT_FALSE(event.is_set()) << "one clear undoes any number of sets";
    event.clear();
    EXPECT_FALSE(event.is_set());
    const bool let_go = co_await event.wait(0ms);
    EXPECT_FALSE(let_go);
    event.set();
    const bool later = co_await event.wait(0ms);
    EXPECT_TRUE(later) << "clears do not add up";
  };
  trine::run(body());
}

TYPED_TEST(EventTest, KeepsEveryLimit) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event(true);
    const auto wait = [&](auto limit) -> Task<bool, B> { co_return co_await event.wait(limit); };
    const trine_test::Block<B> block = [&](Event<B>& blocked, Event<B>& unblock) -> Task<void, B> {
      event.clear();
      blocked.set();
      co_await unblock.wait();
      event.set();
    };
    const trine_test::Undo undo = [] {};
    co_await trine_test::expect_keeps_limits<B>(wait, block, undo);
  };
  trine::run(body());
}

TYPED_TEST(EventTest, GivingUpChangesNothing) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    for (int i = 0; i < 3; ++i) {
      const bool let_go = co_await event.wait(2ms);
      EXPECT_FALSE(let_go);
      EXPECT_FALSE(event.is_set());
    }
    event.set();
    const bool let_go = co_await event.wait(brief);
    EXPECT_TRUE(let_go);
  };
  trine::run(body());
}

TYPED_TEST(EventTest, OneGivesUpAndTheOthersWaitOn) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    std::array<bool, 3> let_go{};
    TaskGroup<B> group;
    const auto waiter = [&](bool& result) -> Task<void, B> { result = co_await event.wait(plenty); };
    for (bool& result : let_go) group.spawn(std::ref(waiter), std::ref(result));
    const bool impatient = co_await event.wait(brief);
    EXPECT_FALSE(impatient);
    event.set();
    co_await group.join();
    for (const bool result : let_go) EXPECT_TRUE(result);
  };
  trine::run(body());
}

TYPED_TEST(EventTest, AWaitWithoutLimitLastsUntilTheSet) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 50 && !::testing::Test::HasFailure(); ++round) {
      Event<B> event;
      Event<B> begun;
      std::atomic<bool> is_set = false;
      bool let_go = false;
      bool after_set = false;
      TaskGroup<B> group;
      const auto waiter = [&]() -> Task<void, B> {
        begun.set();
        let_go = co_await event.wait();
        after_set = is_set;
      };
      group.spawn(std::ref(waiter));
      co_await begun.wait();
      trine_test::dither(round);
      is_set = true;
      event.set();
      co_await group.join();
      EXPECT_TRUE(let_go);
      EXPECT_TRUE(after_set);
    }
  };
  trine::run(body());
}

// The first attempt of an operation starts it: here is a waiter of which we know that it has begun to wait.
TYPED_TEST(EventTest, APulseLetsGoWhoHasBegunToWait) {
  using B = TypeParam;
  Event<B> event;
  auto begun = event.wait_op();
  EXPECT_FALSE(begun.attempt());
  event.set();
  event.clear();
  auto late = event.wait_op();
  EXPECT_FALSE(late.attempt()) << "a pulse is not for those who come later";
  EXPECT_TRUE(begun.attempt());
  EXPECT_TRUE(begun.result());
  EXPECT_FALSE(event.is_set());
  EXPECT_TRUE(late.give_up());
  EXPECT_FALSE(late.result());
}

TYPED_TEST(EventTest, SeveralPulsesLetGoWhoHasBegunToWait) {
  using B = TypeParam;
  for (const int pulses : {1, 2, 3, 4, 1000}) {
    Event<B> event;
    auto operation = event.wait_op();
    EXPECT_FALSE(operation.attempt());
    for (int i = 0; i < pulses; ++i) {
      event.set();
      event.clear();
    }
    EXPECT_TRUE(operation.attempt()) << pulses;
  }
}

TYPED_TEST(EventTest, AClearWithoutSetLetsNobodyGo) {
  using B = TypeParam;
  Event<B> event;
  auto operation = event.wait_op();
  EXPECT_FALSE(operation.attempt());
  event.clear();
  event.clear();
  EXPECT_FALSE(operation.attempt());
  EXPECT_TRUE(operation.give_up());
  EXPECT_FALSE(operation.result());
}

TYPED_TEST(EventTest, APulseIsNotForThoseWhoComeLater) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    event.set();
    event.clear();
    const bool let_go = co_await event.wait(brief);
    EXPECT_FALSE(let_go);
  };
  trine::run(body());
}

// Pulses until everyone has passed: whoever waits during one of them must see it, though it is never set for long.
TYPED_TEST(EventTest, PulsesLetEveryoneGo) {
  using B = TypeParam;
  static constexpr int parties = 4;
  static constexpr int waits = 50;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    std::atomic<int> left{parties};
    std::array<int, parties> passed{};
    TaskGroup<B> group;
    const auto waiter = [&](int& mine) -> Task<void, B> {
      for (int i = 0; i < waits; ++i) {
        const bool let_go = co_await event.wait(plenty);
        if (let_go) ++mine;
      }
      --left;
    };
    for (int& mine : passed) group.spawn(std::ref(waiter), std::ref(mine));
    bool idle = false;
    while (!idle) {
      event.set();
      event.clear();
      idle = co_await group.join(0ms);
      std::this_thread::yield();
    }
    EXPECT_EQ(left, 0);
    EXPECT_FALSE(event.is_set());
    for (const int mine : passed) EXPECT_EQ(mine, waits);
  };
  trine::run(body());
}

// Each side waits for the other by an event that it clears before it sets its own: any lost wake-up ends in the limit.
TYPED_TEST(EventTest, PingPong) {
  using B = TypeParam;
  static constexpr int rounds = 2000;
  const auto body = []() -> Task<void, B> {
    Event<B> ping;
    Event<B> pong;
    int ball = 0;  // plain: the events order the accesses
    const auto player = [&](Event<B>& mine, Event<B>& other, int first) -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        const bool let_go = co_await mine.wait(plenty);
        mine.clear();
        EXPECT_TRUE(let_go);
        EXPECT_EQ(ball, 2 * i + first);
        ++ball;
        other.set();
      }
    };
    TaskGroup<B> group;
    group.spawn(std::ref(player), std::ref(ping), std::ref(pong), 0);
    group.spawn(std::ref(player), std::ref(pong), std::ref(ping), 1);
    ping.set();
    co_await group.join();
    EXPECT_EQ(ball, 2 * rounds);
  };
  trine::run(body());
}

TYPED_TEST(EventTest, WhatWasWrittenBeforeSetIsVisible) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 1; round <= 100; ++round) {
      Event<B> event;
      int written = 0;
      int read_by_waiter = 0;
      int read_by_watcher = 0;
      TaskGroup<B> group;
      const auto waiter = [&]() -> Task<void, B> {
        const bool let_go = co_await event.wait(plenty);
        EXPECT_TRUE(let_go);
        if (let_go) read_by_waiter = written;
      };
      group.spawn(std::ref(waiter));
      const auto watcher = [&]() -> Task<void, B> {
        Event<B> never;
        while (!event.is_set()) co_await never.wait(0ms);
        read_by_watcher = written;
      };
      group.spawn(std::ref(watcher));
      written = round;
      event.set();
      co_await group.join();
      EXPECT_EQ(read_by_waiter, round);
      EXPECT_EQ(read_by_watcher, round);
    }
  };
  trine::run(body());
}

// The waiter's memory is freed at once: the sanitizers see a setter that touches the event after it let the waiter go.
TYPED_TEST(EventTest, MayBeDestroyedWhenTheWaitReturns) {
  using B = TypeParam;
  static constexpr int rounds = 400;
  const auto body = []() -> Task<void, B> {
    std::vector<std::unique_ptr<Event<B>>> events(rounds);
    std::vector<std::unique_ptr<Event<B>>> ready(rounds);
    for (auto& event : events) event = std::make_unique<Event<B>>();
    for (auto& event : ready) event = std::make_unique<Event<B>>();
    TaskGroup<B> group;
    const auto setter = [&]() -> Task<void, B> {
      for (int i = 0; i < rounds; ++i) {
        const auto at = static_cast<std::size_t>(i);
        Event<B>& event = *events[at];
        co_await ready[at]->wait();
        trine_test::dither(i);
        event.set();
      }
    };
    group.spawn(std::ref(setter));
    int let_go = 0;
    for (int i = 0; i < rounds; ++i) {
      const auto at = static_cast<std::size_t>(i);
      ready[at]->set();
      const bool passed = co_await events[at]->wait(plenty);
      events[at].reset();
      if (passed) ++let_go;
    }
    co_await group.join();
    EXPECT_EQ(let_go, rounds);
  };
  trine::run(body());
}

TYPED_TEST(EventTest, MayBeDestroyedByTheLastOfSeveralWaiters) {
  using B = TypeParam;
  static constexpr int parties = 3;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 100 && !::testing::Test::HasFailure(); ++round) {
      auto event = std::make_unique<Event<B>>();
      Event<B>& reference = *event;
      std::atomic<int> left{parties};
      TaskGroup<B> group;
      const auto waiter = [&]() -> Task<void, B> {
        const bool let_go = co_await reference.wait(plenty);
        EXPECT_TRUE(let_go);
        if (--left == 0) event.reset();
      };
      for (int i = 0; i < parties; ++i) group.spawn(std::ref(waiter));
      trine_test::dither(round);
      reference.set();
      co_await group.join();
      EXPECT_EQ(event, nullptr);
    }
  };
  trine::run(body());
}

std::atomic<Event<trine::threads>*> signalled_event{nullptr};

extern "C" void set_signalled_event(int) { signalled_event.load()->set(); }

// Only where `threads` sleeps by futex: elsewhere a wake takes a mutex.
TYPED_TEST(EventTest, MayBeSetInASignalHandler) {
  using B = TypeParam;
  if constexpr (!std::is_same_v<B, trine::threads>) {
    GTEST_SKIP() << "this backend does not promise it";
  } else {
    const auto body = []() -> Task<void, B> {
      for (int round = 0; round < 50 && !::testing::Test::HasFailure(); ++round) {
        Event<B> event;
        Event<B> begun;
        bool let_go = false;
        TaskGroup<B> group;
        const auto waiter = [&]() -> Task<void, B> {
          begun.set();
          let_go = co_await event.wait(plenty);
        };
        group.spawn(std::ref(waiter));
        co_await begun.wait();
        trine_test::dither(round);
        signalled_event = &event;
        const auto before = std::signal(SIGUSR1, set_signalled_event);
        std::raise(SIGUSR1);
        std::signal(SIGUSR1, before);
        EXPECT_TRUE(event.is_set());
        co_await group.join();
        EXPECT_TRUE(let_go);
      }
    };
    trine::run(body());
  }
}

#if __has_include(<pthread.h>)
extern "C" void ignore_signal(int) {}

// A signal interrupts the system call in which the thread sleeps; the wait goes on.
TYPED_TEST(EventTest, ASignalDoesNotEndAWait) {
  using B = TypeParam;
  if constexpr (!trine_test::blocking<B>) {
    GTEST_SKIP() << "no thread sleeps in a wait";
  } else {
    struct sigaction action = {};
    struct sigaction before = {};
    action.sa_handler = ignore_signal;  // and no SA_RESTART: the call fails with EINTR
    sigaction(SIGUSR2, &action, &before);
    for (const auto& limit : {trine::Until(), trine::Until(plenty)}) {
      Event<B> event;
      Event<B> begun;
      std::atomic<bool> is_set = false;
      bool let_go = false;
      bool after_set = false;
      std::thread waiter([&] {
        begun.set();
        let_go = event.wait(limit);
        after_set = is_set;
      });
      begun.wait();
      for (int i = 0; i < 40; ++i) {
        trine_test::dither(i);
        pthread_kill(waiter.native_handle(), SIGUSR2);
      }
      is_set = true;
      event.set();
      waiter.join();
      EXPECT_TRUE(let_go);
      EXPECT_TRUE(after_set);
    }
    sigaction(SIGUSR2, &before, nullptr);
  }
}
#endif

TYPED_TEST(EventTest, CPython_EventTests_test_is_set) {
  using B = TypeParam;
  Event<B> event;
  EXPECT_FALSE(event.is_set());
  event.set();
  EXPECT_TRUE(event.is_set());
  event.set();
  EXPECT_TRUE(event.is_set());
  event.clear();
  EXPECT_FALSE(event.is_set());
  event.clear();
  EXPECT_FALSE(event.is_set());
}

// N parties wait twice; none passes before the set, all pass twice after it.
template <class B>
Task<void, B> check_notify(Event<B>& event) {
  static constexpr int parties = 5;
  std::atomic<int> begun{0};
  std::atomic<int> early{0};
  std::atomic<bool> is_set{false};
  std::array<bool, parties> first{};
  std::array<bool, parties> second{};
  TaskGroup<B> group;
  const auto waiter = [&](bool& one, bool& two) -> Task<void, B> {
    ++begun;
    one = co_await event.wait();
    if (!is_set) ++early;
    two = co_await event.wait();
  };
  for (std::size_t i = 0; i < parties; ++i) group.spawn(std::ref(waiter), std::ref(first[i]), std::ref(second[i]));
  const bool gone = co_await group.join(brief);
  EXPECT_FALSE(gone);
  is_set = true;
  event.set();
  co_await group.join();
  EXPECT_EQ(begun, parties);
  EXPECT_EQ(early, 0);
  for (std::size_t i = 0; i < parties; ++i) EXPECT_TRUE(first[i] && second[i]);
}

TYPED_TEST(EventTest, CPython_EventTests_test_notify) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    co_await check_notify(event);
    event.set();
    event.clear();
    co_await check_notify(event);
  };
  trine::run(body());
}

TYPED_TEST(EventTest, CPython_EventTests_test_timeout) {
  using B = TypeParam;
  static constexpr int parties = 5;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    std::atomic<int> passed{0};
    std::atomic<int> too_early{0};
    const auto waiter = [&]() -> Task<void, B> {
      const bool at_once = co_await event.wait(0s);
      if (at_once) ++passed;
      const auto begin = trine_test::Clock::now();
      const bool later = co_await event.wait(50ms);
      if (later) ++passed;
      if (trine_test::Clock::now() - begin < 50ms && !later) ++too_early;
    };
    {
      TaskGroup<B> group;
      for (int i = 0; i < parties; ++i) group.spawn(std::ref(waiter));
      co_await group.join();
      EXPECT_EQ(passed, 0);
      EXPECT_EQ(too_early, 0);
    }
    event.set();
    TaskGroup<B> group;
    for (int i = 0; i < parties; ++i) group.spawn(std::ref(waiter));
    co_await group.join();
    EXPECT_EQ(passed, 2 * parties);
  };
  trine::run(body());
}

// All have begun to wait before the one pulse: it comes after each party's wait has lasted for a while, and whoever
// had not begun by then is let go by a later pulse.
TYPED_TEST(EventTest, CPython_EventTests_test_set_and_clear) {
  using B = TypeParam;
  static constexpr int parties = 5;
  const auto body = []() -> Task<void, B> {
    Event<B> event;
    std::atomic<int> let_go{0};
    TaskGroup<B> group;
    const auto waiter = [&]() -> Task<void, B> {
      const bool passed = co_await event.wait(plenty);
      if (passed) ++let_go;
    };
    for (int i = 0; i < parties; ++i) group.spawn(std::ref(waiter));
    bool idle = co_await group.join(brief);
    EXPECT_FALSE(idle);
    while (!idle) {
      event.set();
      event.clear();
      idle = co_await group.join(brief);
    }
    EXPECT_EQ(let_go, parties);
    EXPECT_FALSE(event.is_set());
  };
  trine::run(body());
}

// CPython's EventTests that are left out: test_at_fork_reinit (reinitialises the lock inside; there is none),
// test_repr (no text form).

}  // namespace
