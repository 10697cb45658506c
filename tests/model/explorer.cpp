// SPDX-License-Identifier: BSL-1.0
//
// What model::check() finds and reports, and how it is bounded.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <trine/backend/model.hpp>
#include <trine/trine.hpp>

namespace {

using trine::model;
using Atomic = trine::modelling::Atomic<int>;

constexpr auto relaxed = std::memory_order_relaxed;

void locked_increments() {
  trine::Lock<model> lock;
  model::Cell<int> data{0};
  const auto add = [&] {
    const auto held = lock.guard();
    data.set(data.get() + 1);
  };
  model::thread other(add);
  add();
  other.join();
  model::check_that(data.get() == 2);
}

void lost_update() {
  Atomic data{0};
  const auto add = [&] { data.store(data.load() + 1); };
  model::thread other(add);
  add();
  other.join();
  model::check_that(data.load() == 2);
}

// Found from two preemptions on: a thread must be interrupted between its two steps, and the other between its own.
void two_preemptions() {
  Atomic a{0};
  Atomic b{0};
  Atomic bad{0};
  model::thread one([&] {
    a.store(1);
    if (b.load() == 1) bad.store(1);
    a.store(2);
  });
  model::thread two([&] {
    if (a.load() != 1) return;
    b.store(1);
    b.store(0);
  });
  one.join();
  two.join();
  model::check_that(bad.load() == 0);
}

std::string finding(const std::function<void()>& body, model::Options options = {}) {
  const auto report = model::check(options, body);
  EXPECT_FALSE(report.ok());
  EXPECT_FALSE(report.complete());
  EXPECT_NE(report.trace().find("*** " + report.finding()), std::string::npos) << report.trace();
  EXPECT_FALSE(report.replay().empty());
  options.replay = report.replay();
  const auto again = model::check(options, body);
  EXPECT_EQ(again.finding(), report.finding());
  EXPECT_EQ(again.executions(), 1U);
  EXPECT_EQ(again.trace(), report.trace());
  return report.finding();
}

TEST(Explorer, a_sound_body) {
  const auto report = model::check({}, locked_increments);
  EXPECT_TRUE(report.ok()) << report.trace();
  EXPECT_TRUE(report.complete());
  EXPECT_GT(report.executions(), 10U);
  EXPECT_GT(report.steps(), report.executions());
  EXPECT_GT(report.states(), 10U);
  EXPECT_TRUE(report.finding().empty() && report.trace().empty() && report.replay().empty());
}

// ---- findings ----

TEST(Explorer, failed_check) {
  EXPECT_TRUE(finding(lost_update).starts_with("check failed at line "));
  EXPECT_NE(model::check({}, lost_update).trace().find("explorer.cpp:"), std::string::npos);
}
TEST(Explorer, exception_that_leaves_a_thread) {
  EXPECT_EQ(finding([] { throw std::runtime_error("so"); }), "an exception left a thread: so");
  EXPECT_EQ(finding([] {
              model::thread other([] { throw 1; });
              other.join();
            }),
            "an exception left a thread");
}
TEST(Explorer, deadlock) {
  EXPECT_TRUE(finding([] {
                trine::Lock<model> one;
                trine::Lock<model> two;
                model::thread other([&] {
                  const auto first = two.guard();
                  const auto second = one.guard();
                });
                {
                  const auto first = one.guard();
                  const auto second = two.guard();
                }
                other.join();
              }).starts_with("deadlock: thread 0 sleeps on"));
}
TEST(Explorer, livelock) {
  model::Options options;
  options.steps = 100;
  EXPECT_EQ(finding(
                [] {
                  Atomic flag{0};
                  while (flag.load() == 0) model::yield();
                },
                options),
            "the execution does not end: 100 steps (a livelock?)");
}
TEST(Explorer, leaked_thread) {
  EXPECT_EQ(finding([] { model::thread other([] {}); }), "thread 1 was not joined: it is leaked");
}
// The order of the destruction and the use is found, whatever other steps are near.
TEST(Explorer, use_after_destruction) {
  EXPECT_EQ(finding([] {
              std::optional<Atomic> object(0);
              Atomic other_object{0};
              model::thread other([&] { object->store(1); });
              other_object.store(1);
              object.reset();
              other.join();
            }),
            "an object is used after its destruction");
}
TEST(Explorer, join_of_a_thread_that_is_not_joinable) {
  EXPECT_TRUE(finding([] { model::thread().join(); }).starts_with("an exception left a thread"));
}
TEST(Explorer, a_body_that_is_not_deterministic) {
  int runs = 0;
  const auto report = model::check({}, [&] {
    Atomic a{0};
    Atomic b{0};
    if (++runs % 2 == 0) b.store(3);
    model::thread other([&] { a.store(1); });
    a.store(2);
    b.store(2);
    other.join();
  });
  EXPECT_TRUE(report.finding().starts_with("the body is not deterministic"))
      << report.finding() << report.executions() << report.complete();
}

// ---- misuse ----

TEST(Explorer, outside_a_check) {
  EXPECT_THROW(trine::Lock<model>(), std::logic_error);
  EXPECT_THROW(Atomic(1), std::logic_error);
  EXPECT_THROW(model::Cell<int>(1), std::logic_error);
  EXPECT_THROW(model::yield(), std::logic_error);
}
TEST(Explorer, check_inside_a_check) {
  const auto report = model::check({}, [] { EXPECT_THROW(model::check({}, [] {}), std::logic_error); });
  EXPECT_TRUE(report.complete());
}
TEST(Explorer, garbage_to_replay) {
  for (const char* text : {"x", "$", "0,1:", "1,2,3,4,5:6", "0,1,10,1,1:9999999999*$1", "0,1,10,1,1:1.2.$"}) {
    model::Options options;
    options.replay = text;
    EXPECT_THROW(model::check(options, lost_update), std::invalid_argument) << text;
  }
  EXPECT_TRUE(model::check({}, locked_increments).ok());  // nothing of it remains
}
TEST(Explorer, replay_of_another_body) {
  model::Options options;
  options.replay = model::check({}, lost_update).replay();
  for (const auto& body : {std::function<void()>(locked_increments), std::function<void()>([] {})}) {
    EXPECT_TRUE(model::check(options, body).finding().starts_with("the replay string is that of another body"));
  }
}

// ---- bounds ----

TEST(Explorer, limits_make_it_incomplete) {
  model::Options few;
  few.executions = 5;
  const auto report = model::check(few, locked_increments);
  EXPECT_TRUE(report.ok());
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.executions(), 5U);
  model::Options brief;
  brief.time = std::chrono::nanoseconds(1);
  EXPECT_FALSE(model::check(brief, locked_increments).complete());
}
TEST(Explorer, more_preemptions_see_more) {
  std::uint64_t before = 0;
  for (const int bound : {0, 1, 2, 3, model::Options::unbounded}) {
    model::Options options;
    options.preemptions = bound;
    options.merge_states = options.reduce = false;
    const auto report = model::check(options, locked_increments);
    EXPECT_TRUE(report.complete());
    EXPECT_GT(report.executions(), before) << bound;
    before = report.executions();
  }
}
TEST(Explorer, a_bug_of_two_preemptions) {
  for (const int bound : {0, 1, 2, 3, model::Options::unbounded}) {
    model::Options options;
    options.preemptions = bound;
    EXPECT_EQ(model::check(options, two_preemptions).complete(), bound == 0 || bound == 1) << bound;
  }
}
TEST(Explorer, random_walks) {
  model::Options options;
  options.random_seed = 7;
  EXPECT_THROW(model::check(options, lost_update), std::invalid_argument);
  options.executions = 10'000;
  const auto report = model::check(options, lost_update);
  ASSERT_TRUE(report.finding().starts_with("check failed")) << report.executions();
  EXPECT_EQ(model::check(options, lost_update).executions(), report.executions());
  model::Options again;
  again.replay = report.replay();
  EXPECT_EQ(model::check(again, lost_update).finding(), report.finding());
  const auto sound = model::check(options, locked_increments);
  EXPECT_TRUE(sound.ok());
  EXPECT_FALSE(sound.complete());
  EXPECT_EQ(sound.executions(), 10'000U);
}

// ---- yields ----

// Each waits for the other's word, and may see it late.
TEST(Explorer, two_that_yield_to_each_other_come_to_an_end) {
  const auto report = model::check({}, [] {
    Atomic mine{0};
    Atomic others{0};
    model::thread other([&] {
      others.store(1, relaxed);
      while (mine.load(relaxed) == 0) model::yield();
    });
    mine.store(1, relaxed);
    while (others.load(relaxed) == 0) model::yield();
    other.join();
  });
  EXPECT_TRUE(report.complete()) << report.finding() << report.trace();
}

// A number goes to and fro: each change comes while the other yields.
TEST(Explorer, two_that_take_turns_and_yield_come_to_an_end) {
  const auto report = model::check({}, [] {
    Atomic turn{0};
    const auto take = [&turn](int first) {
      for (int mine = first; mine < 4; mine += 2) {
        while (turn.load(relaxed) != mine) model::yield();
        turn.store(mine + 1, relaxed);
      }
    };
    model::thread other([&] { take(1); });
    take(0);
    other.join();
    model::check_that(turn.load(relaxed) == 4);
  });
  EXPECT_TRUE(report.complete()) << report.finding() << report.trace();
}

// ---- exceptions and threads ----

TEST(Explorer, a_thread_waits_while_it_handles_an_exception) {
  const auto report = model::check({}, [] {
    trine::Event<model> event;
    const auto handle = [&](int mine) {
      try {
        throw mine;
      } catch (const int& caught) {
        event.wait();
        try {
          throw std::runtime_error("another");
        } catch (const std::runtime_error&) {
          model::yield();
        }
        EXPECT_EQ(caught, mine);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        try {
          throw;
        } catch (const int& again) {
          EXPECT_EQ(again, mine);
        }
      }
    };
    model::thread one([&] { handle(1); });
    model::thread two([&] { handle(2); });
    event.set();
    one.join();
    two.join();
  });
  EXPECT_TRUE(report.complete()) << report.finding() << report.trace();
}
TEST(Explorer, a_thread_owns_its_function) {
  const auto report = model::check({}, [] {
    auto data = std::make_unique<int>(1);
    model::thread other([data = std::move(data)] { model::check_that(*data == 1); });
    other.join();
  });
  EXPECT_TRUE(report.complete());
}
TEST(Explorer, a_thousand_checks) {
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(model::check({}, [] {
                  auto data = std::make_unique<Atomic>(0);
                  model::thread other([&] { data->store(1, relaxed); });
                  data->store(2, relaxed);
                  other.join();
                }).complete());
}

}  // namespace
