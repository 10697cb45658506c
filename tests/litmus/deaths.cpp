// SPDX-License-Identifier: BSL-1.0
//
// What a death does: what of the dead thread's is left, and what the system does for the words that it owned.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <trine/backend/mortal_model.hpp>

#include "litmus/outcomes.hpp"

namespace {

using namespace trine_test;
using trine::mortal_model;
using Os = trine::modelling::ModelledDeath;
using Word = Os::Word;
using Owned = Os::Owned;
template <class T>
using Cell = trine::modelling::Cell<T>;

constexpr std::uint32_t died = trine::owner_word::died;
constexpr std::uint32_t sleepers = 1U << 31;

model::Options deaths(int kills = 1) {
  model::Options options;
  options.kills = kills;
  options.spurious_wakes = 0;
  options.slices = false;
  return options;
}

void sleep_while(Word& word, std::uint32_t value) {
  const trine::Sleep<Word> sleep{&word, value};
  Os::Limit never{trine::Until()};
  Os::sleep(std::span(&sleep, 1), never);
}

bool take(Owned& owned, std::memory_order order = acquire) {
  std::uint32_t free = 0;
  return mortal_model::claim(owned, free, mortal_model::self(), order);
}

/// All that the two words of a body can hold at its end.
Outcomes left_by(const model::Options& options, const std::function<void(Word&, Word&)>& body) {
  Outcomes all;
  const auto report = model::check(options, [&] {
    Word x{0};
    Word y{0};
    body(x, y);
    const Outcome outcome{static_cast<int>(x.load(relaxed)), static_cast<int>(y.load(relaxed))};
    if (trine::modelling::Explorer::current().exploring()) all.insert(outcome);
  });
  EXPECT_TRUE(report.complete()) << report.finding() << "\n" << report.trace();
  return all;
}

TEST(Deaths, what_was_done_before_is_done_and_no_more) {
  const auto body = [](Word& x, Word& y) {
    mortal_model::thread victim([&] {
      mortal_model::be_mortal();
      x.store(1, relaxed);
      y.store(1, relaxed);
    });
    victim.join();
  };
  EXPECT_EQ(left_by(deaths(), body), (Outcomes{{0, 0}, {1, 0}, {1, 1}}));
  EXPECT_EQ(left_by(deaths(0), body), (Outcomes{{1, 1}}));
}
TEST(Deaths, others_may_see_it_out_of_order) {
  EXPECT_EQ(left_by(deaths(), [](Word& x, Word& y) {
              Word u{0};
              Word v{0};
              mortal_model::thread victim([&] {
                mortal_model::be_mortal();
                u.store(1, relaxed);
                v.store(1, relaxed);
              });
              y.store(v.load(relaxed), relaxed);
              x.store(u.load(relaxed), relaxed);
              victim.join();
            }),
            all_pairs());
}
TEST(Deaths, no_more_than_allowed) {
  EXPECT_EQ(left_by(deaths(1), [](Word& x, Word& y) {
              const auto set = [](Word& word) {
                mortal_model::be_mortal();
                word.store(1, relaxed);
              };
              mortal_model::thread one([&] { set(x); });
              mortal_model::thread other([&] { set(y); });
              one.join();
              other.join();
            }),
            (Outcomes{{0, 1}, {1, 0}, {1, 1}}));
}
TEST(Deaths, those_who_are_not_mortal_live) {
  EXPECT_EQ(left_by(deaths(), [](Word& x, Word&) {
              mortal_model::thread other([&] {
                mortal_model::be_mortal();
                mortal_model::be_mortal(false);
                x.store(1, relaxed);
              });
              other.join();
            }),
            (Outcomes{{1, 0}}));
}

struct Farewell {
  Word& word;
  ~Farewell() { word.store(1, relaxed); }
};
TEST(Deaths, no_destructors_run) {
  EXPECT_EQ(left_by(deaths(), [](Word& x, Word& y) {
              mortal_model::thread victim([&] {
                const Farewell farewell{x};
                mortal_model::be_mortal();
                mortal_model::may_die_here();
                mortal_model::be_mortal(false);
                y.store(1, relaxed);
              });
              victim.join();
            }),
            (Outcomes{{0, 0}, {1, 1}}));
}

TEST(Deaths, what_it_owned_says_so) {
  EXPECT_EQ(left_by(deaths(), [](Word& x, Word& y) {
              Owned one;
              Owned two;
              mortal_model::thread victim([&] {
                take(one);
                take(two);
                mortal_model::be_mortal();
                mortal_model::vacate(one, mortal_model::self(), sleepers, 1);
              });
              victim.join();
              x.store(one.word.load(relaxed) / died, relaxed);
              y.store(two.word.load(relaxed) / died, relaxed);
            }),
            (Outcomes{{0, 1}, {1, 1}}));
}
// A thread that ends in the ordinary way is gone through as well.
TEST(Deaths, an_end_is_one) {
  EXPECT_EQ(left_by(deaths(0), [](Word& x, Word&) {
              Owned owned;
              mortal_model::thread other([&] { take(owned); });
              other.join();
              x.store(owned.word.load(relaxed) / died, relaxed);
            }),
            (Outcomes{{1, 0}}));
}
TEST(Deaths, nothing_is_taken_and_not_known) {
  EXPECT_EQ(left_by(deaths(), [](Word& x, Word&) {
              Owned owned;
              mortal_model::thread victim([&] {
                mortal_model::be_mortal();
                take(owned);
              });
              victim.join();
              x.store(owned.word.load(relaxed) / died, relaxed);
            }),
            (Outcomes{{0, 0}, {1, 0}}));
}

// Whoever reads the mark sees all that the dead did, if it acquires.
void read_after_death(std::memory_order order) {
  Owned owned;
  Cell<int> data;
  mortal_model::thread victim([&] {
    take(owned);
    data.set(1);
    mortal_model::be_mortal();
    mortal_model::may_die_here();
    mortal_model::be_mortal(false);
    mortal_model::vacate(owned, mortal_model::self(), sleepers, 1);
  });
  if ((owned.word.load(order) & died) != 0) (void)data.get();
  victim.join();
}
TEST(Deaths, the_mark_publishes) {
  EXPECT_TRUE(model::check(deaths(), [] { read_after_death(acquire); }).complete());
  EXPECT_NE(model::check(deaths(), [] { read_after_death(relaxed); }).finding().find("data race"), std::string::npos);
}

// One who sleeps on the word of a dead owner is woken, and the mark of the sleepers is kept for the others.
void sleep_on_the_dead() {
  Owned owned;
  mortal_model::thread victim([&] {
    take(owned);
    mortal_model::be_mortal();
    mortal_model::may_die_here();
    mortal_model::be_mortal(false);
    mortal_model::vacate(owned, mortal_model::self(), sleepers, 2);
  });
  const auto wait = [&] {
    std::uint32_t seen = owned.word.load(relaxed);
    while (trine::owner_word::owner_of(seen) != 0) {
      const auto sleep = mortal_model::mark(owned.word, seen, sleepers, relaxed, trine::everyone);
      if (!sleep.needless()) sleep_while(owned.word, sleep.value);
      seen = owned.word.load(relaxed);
      if (sleep.needless()) continue;
      model::check_that((seen & died) == 0 || (seen & sleepers) != 0);
      if ((seen & died) != 0) Os::wake(owned.word, 1);
    }
  };
  mortal_model::thread other(wait);
  wait();
  victim.join();
  other.join();
}
TEST(Deaths, wakes_one_who_sleeps_on_it) {
  EXPECT_TRUE(model::check(deaths(), sleep_on_the_dead).complete());
  model::Options options = deaths();
  options.kernel.wakes = false;
  EXPECT_TRUE(model::check(options, sleep_on_the_dead).finding().starts_with("deadlock"));
  options = deaths();
  options.kernel.keeps_mark = false;
  EXPECT_TRUE(model::check(options, sleep_on_the_dead).finding().starts_with("check failed"));
}

// In this order: it is noted, freed, and its owner dies before it can wake anybody.
void freed_by_the_dead() {
  Owned owned;
  mortal_model::thread victim([&] {
    auto& self = Os::me();
    take(owned);
    const Os::Noted noted(self, owned);
    Os::unlink(self, owned);
    owned.word.store(0, release);
    mortal_model::be_mortal();
    mortal_model::may_die_here();
    mortal_model::be_mortal(false);
    Os::wake(owned.word, 1);
  });
  const std::uint32_t seen = owned.word.load(relaxed);
  if (seen != 0) sleep_while(owned.word, seen);
  victim.join();
}
TEST(Deaths, wakes_for_what_was_noted_and_is_free) {
  EXPECT_TRUE(model::check(deaths(), freed_by_the_dead).complete());
  model::Options options = deaths();
  options.kernel.wakes_for_noted = false;
  EXPECT_TRUE(model::check(options, freed_by_the_dead).finding().starts_with("deadlock"));
}

// One who dies in its sleep takes no wake-up with it; one who was woken does.
void two_sleep(bool may_die_when_woken) {
  Word word{0};
  mortal_model::thread victim([&] {
    mortal_model::be_mortal();
    sleep_while(word, 0);
    mortal_model::be_mortal(may_die_when_woken);
    Os::wake(word, 1);
  });
  mortal_model::thread other([&] {
    sleep_while(word, 0);
    Os::wake(word, 1);
  });
  word.store(1, relaxed);
  Os::wake(word, 1);
  victim.join();
  other.join();
}
TEST(Deaths, in_its_sleep) {
  EXPECT_TRUE(model::check(deaths(), [] { two_sleep(false); }).complete());
  EXPECT_TRUE(model::check(deaths(), [] { two_sleep(true); }).finding().starts_with("deadlock: thread 0 waits for thread 2"));
}

TEST(Deaths, slices) {
  const auto body = [] {
    Word word{0};
    mortal_model::thread sleeper([&] {
      while (word.load(relaxed) == 0) sleep_while(word, 0);
    });
    word.store(1, relaxed);  // and no wake
    sleeper.join();
  };
  model::Options options = deaths();
  EXPECT_TRUE(model::check(options, body).finding().starts_with("deadlock"));
  options.slices = true;
  EXPECT_TRUE(model::check(options, body).complete());
}
// A loop of slices in which nothing changes is no progress.
TEST(Deaths, slices_that_lead_to_nothing) {
  model::Options options = deaths();
  options.slices = true;
  const auto report = model::check(options, [] {
    Word word{0};
    Word other{0};
    mortal_model::thread sleeper([&] {
      while (word.load(relaxed) == 0) {
        other.fetch_or(1, relaxed);
        sleep_while(word, 0);
      }
    });
    while (word.load(relaxed) == 0) sleep_while(word, 0);
    sleeper.join();
  });
  EXPECT_TRUE(report.finding().starts_with("deadlock")) << report.finding();
  EXPECT_LT(report.steps(), 100U);
}

TEST(Deaths, without_the_system_who_waits_finds_out) {
  model::Options options = deaths();
  options.kernel.watches = false;
  EXPECT_EQ(left_by(options, [](Word& x, Word&) {
              Owned owned;
              mortal_model::thread victim([&] {
                take(owned);
                mortal_model::be_mortal();
                mortal_model::vacate(owned, mortal_model::self(), sleepers, 1);
              });
              victim.join();
              const std::uint32_t before = owned.word.load(relaxed);
              Os::look_after(owned);
              const std::uint32_t after = owned.word.load(relaxed);
              model::check_that((before == 0 && after == 0) || (before == 2 && after == died));
              x.store(after / died, relaxed);
            }),
            (Outcomes{{0, 0}, {1, 0}}));
}

TEST(Deaths, what_is_destroyed_must_not_be_owned) {
  const auto report = model::check(deaths(0), [] {
    std::optional<Owned> owned(std::in_place);
    Word gone{0};
    mortal_model::thread other([&] {
      take(*owned);
      while (gone.load(relaxed) == 0) model::yield();
    });
    while (owned->word.load(relaxed) == 0) model::yield();
    owned.reset();
    gone.store(1, relaxed);
    other.join();
  });
  EXPECT_EQ(report.finding(), "a thread ended that owned something which is destroyed");
}

// The same choices lead to the same death.
TEST(Deaths, replay) {
  const auto body = [] {
    Word word{0};
    mortal_model::thread victim([&] {
      mortal_model::be_mortal();
      word.store(1, relaxed);
      word.store(2, relaxed);
    });
    victim.join();
    model::check_that(word.load(relaxed) != 1);
  };
  const auto report = model::check(deaths(), body);
  EXPECT_TRUE(report.finding().starts_with("check failed"));
  EXPECT_NE(report.trace().find("thread 1  is killed"), std::string::npos) << report.trace();
  model::Options again;
  again.replay = report.replay();
  EXPECT_EQ(model::check(again, body).finding(), report.finding());
}

}  // namespace
