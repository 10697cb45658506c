// SPDX-License-Identifier: BSL-1.0
//
// Words that threads sleep on, as the kernel has them.
#include <chrono>
#include <span>

#include "litmus/outcomes.hpp"

namespace {

using namespace trine_test;
using Word = model::Word;
using Os = trine::modelling::ModelledSleep;

bool sleeps(Word& word, std::uint32_t value, trine::Until until = {}) {
  const trine::Sleep<Word> sleep{&word, value};
  Os::Limit limit(until);
  Os::sleep(std::span(&sleep, 1), limit);
  return limit.passed();  // time was up
}

model::Report check(const std::function<void()>& body, int spurious = 0) {
  model::Options options;
  options.spurious_wakes = spurious;
  return model::check(options, body);
}

TEST(Sleeping, a_changed_word_is_not_slept_on) {
  EXPECT_TRUE(check([] {
                Word word{1};
                EXPECT_FALSE(sleeps(word, 0));
              }).complete());
}
TEST(Sleeping, nobody_wakes) {
  const auto report = check([] {
    Word word{0};
    sleeps(word, 0);
  });
  EXPECT_TRUE(report.finding().starts_with("deadlock: thread 0 sleeps")) << report.finding();
}
TEST(Sleeping, store_and_wake_are_never_missed) {
  EXPECT_TRUE(check([] {
                Word word{0};
                model::thread other([&] {
                  word.store(1, relaxed);
                  model::wake(word, 1);
                });
                while (word.load(relaxed) == 0) sleeps(word, 0);
                other.join();
              }).complete());
}
TEST(Sleeping, a_wake_without_a_change_is_lost) {
  EXPECT_TRUE(check([] {
                Word word{0};
                model::thread other([&] { model::wake(word, 1); });
                sleeps(word, 0);
                other.join();
              })
                  .finding()
                  .starts_with("deadlock"));
}
TEST(Sleeping, a_wake_before_the_store_is_lost) {
  EXPECT_TRUE(check([] {
                Word word{0};
                model::thread other([&] {
                  model::wake(word, 1);
                  word.store(1, relaxed);
                });
                while (word.load(relaxed) == 0) sleeps(word, 0);
                other.join();
              })
                  .finding()
                  .starts_with("deadlock"));
}

TEST(Sleeping, wakes_up_for_no_reason) {
  const auto body = [] {
    Word word{0};
    Atomic woken{0};
    model::thread other([&] {
      woken.store(1);
      word.store(1);
      model::wake(word, 1);
    });
    sleeps(word, 0);
    model::check_that(woken.load() == 1);
    other.join();
  };
  EXPECT_TRUE(check(body, 0).complete());
  EXPECT_TRUE(check(body, 1).finding().starts_with("check failed"));
}
TEST(Sleeping, a_limit_is_reached_or_not) {
  std::set<bool> seen;
  EXPECT_TRUE(check([&] {
                Word word{0};
                model::thread other([&] {
                  word.store(1);
                  model::wake(word, 1);
                });
                seen.insert(sleeps(word, 0, std::chrono::hours(1)));
                other.join();
              }).complete());
  EXPECT_EQ(seen, (std::set<bool>{false, true}));
}
TEST(Sleeping, the_longest_asleep_is_woken_first) {
  const auto report = check([] {
    Word word{0};
    Atomic order{0};
    const auto sleeper = [&](int me) {
      return [&word, &order, me] {
        sleeps(word, 0);
        int expected = 0;
        order.compare_exchange_strong(expected, me);
      };
    };
    model::thread first(sleeper(1));
    model::thread second(sleeper(2));
    first.join();
    model::wake(word, 1);
    second.join();
    model::check_that(order.load() == 1);
  });
  EXPECT_TRUE(report.finding().starts_with("deadlock")) << report.finding();
}
TEST(Sleeping, two_words_and_either_wakes) {
  for (const int which : {0, 1}) {
    EXPECT_TRUE(check([=] {
                  Word words[] = {0, 0};
                  model::thread other([&] {
                    words[which].store(1, relaxed);
                    model::wake(words[which], 1);
                  });
                  const trine::Sleep<Word> both[] = {{&words[0], 0}, {&words[1], 0}};
                  while (words[which].load(relaxed) == 0) {
                    Os::Limit limit{trine::Until()};
                    Os::sleep(both, limit);
                  }
                  other.join();
                }).complete());
  }
}
TEST(Sleeping, one_wake_wakes_one) {
  EXPECT_TRUE(check([] {
                Word word{0};
                model::thread one([&] {
                  while (word.load() == 0) sleeps(word, 0);
                });
                model::thread two([&] {
                  while (word.load() == 0) sleeps(word, 0);
                });
                word.store(1);
                model::wake(word, 1);
                one.join();
                two.join();
              })
                  .finding()
                  .starts_with("deadlock"));
}

}  // namespace
