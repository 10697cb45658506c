// SPDX-License-Identifier: BSL-1.0
//
// Who of a scheduler's threads sleeps, and who is woken: work that is there is run as long as one of them is free.

#include <gtest/gtest.h>

#include <array>
#include <functional>

#include <support/model.hpp>
#include <trine/coroutine/rest.hpp>
#include <trine/until.hpp>

namespace {

using namespace checking;
using trine::Until;

/// A lock with as few steps as can be: those of the real ones are proved elsewhere.
template <class B>
class Gate {
 public:
  void lock() {
    while (taken_.load(relaxed) != 0 || taken_.exchange(1, acquire) != 0) B::System::yield();
  }
  void unlock() { taken_.store(0, release); }

 private:
  typename B::template Atomic<std::uint32_t> taken_{0};
};

/// What of a scheduler matters to those who sleep. Each thread has a line, in which it puts work itself, and takes it from there, or from
/// another's; work from outside comes into the inbox; and what is due is what the keeper looks after.
template <class B>
class Crew {
 public:
  using Rest = trine::coroutine::Rest<B, Gate<B>>;
  using How = typename Rest::How;
  static constexpr std::size_t members = 2;

  explicit Crew(std::size_t awake = members) {
    for (std::size_t i = 0; i < awake; ++i) rest.come();
  }

  void post_from_outside() {
    inbox_gate_.lock();
    inbox_.store(inbox_.load(relaxed) + 1, relaxed);
    inbox_gate_.unlock();
    if (rest.any()) rest.call_one();
  }

  void post(std::size_t self) {
    lines_[self].store(1, release);
    if ((rest.wants() & Rest::keeper_dozes) != 0) rest.watch_over();
  }

  void becomes_due() {
    due_.fetch_add(1, acq_rel);
    rest.rouse_keeper();
  }

  /// Sleeps, if there is nothing to do.
  void idle(std::size_t self, const std::function<bool()>& enough, bool waits = false) {
    rest.lie_down(beds_[self], waits);
    inbox_gate_.lock();
    inbox_gate_.unlock();
    for (bool comes_round = false;; comes_round = true) {
      const auto sleeping = rest.settle(beds_[self]);
      if (sleeping.how == How::not_at_all || inbox_.load(relaxed) != 0 || enough()) break;
      if (sleeping.how != How::until_called && finds_as_keeper(self, sleeping.how)) break;
      sleep(self, sleeping, comes_round);
    }
    rest.get_up(beds_[self]);
  }

  bool take_from_inbox() {
    inbox_gate_.lock();
    const std::uint32_t there = inbox_.load(relaxed);
    if (there != 0) inbox_.store(there - 1, relaxed);
    inbox_gate_.unlock();
    return there != 0;
  }
  bool take_from_line(std::size_t whose) { return lines_[whose].load(relaxed) != 0 && lines_[whose].exchange(0, acq_rel) != 0; }
  bool take_due() {
    std::uint32_t due = due_.load(relaxed);
    return due != 0 && due_.compare_exchange_strong(due, due - 1, acq_rel, relaxed);
  }

  Rest rest;

 private:
  // A keeper comes round at any time, but for ever only when there is something to find: else this would have no end.
  void sleep(std::size_t self, const typename Rest::Sleeping& sleeping, bool again) {
    if (again && sleeping.how == How::as_keeper) {
      while (sleeping.on.word->load(relaxed) == sleeping.on.value && !finds_as_keeper(self, sleeping.how)) B::System::yield();
      return;
    }
    typename B::System::Limit limit(sleeping.how == How::as_keeper ? Until(a_while) : Until::forever());
    B::System::sleep({&sleeping.on, 1}, limit);
  }

  bool finds_as_keeper(std::size_t self, How how) {
    return due_.load(relaxed) != 0 || (how == How::as_keeper && lines_[1 - self].load(relaxed) != 0);
  }

  Gate<B> inbox_gate_;
  typename B::template Atomic<std::uint32_t> inbox_{0};
  std::array<typename B::template Atomic<std::uint32_t>, members> lines_;
  typename B::template Atomic<std::uint32_t> due_{0};
  std::array<typename Rest::Bed, members> beds_;
};

/// For a thread that blocks until another has done something.
template <class B>
class Blocker {
 public:
  void block() {
    while (open_.load(acquire) == 0) {
      const trine::Sleep<typename B::Word> on{&open_, 0};
      typename B::System::Limit limit{Until::forever()};
      B::System::sleep({&on, 1}, limit);
    }
  }
  void open() {
    open_.store(1, release);
    B::wake(open_, 1);
  }

 private:
  typename B::Word open_{0};
};

template <class B>
void what_comes_from_outside_is_found() {
  Crew<B> crew(1);
  Thread worker([&] {
    while (!crew.take_from_inbox()) crew.idle(0, [] { return false; });
  });
  crew.post_from_outside();
  worker.join();
}

// Who sleeps on is not the one that was called first.
template <class B>
void each_that_comes_from_outside_is_found() {
  Crew<B> crew;
  Blocker<B> second_is_run;
  Atomic<int> run{0};
  const auto work = [&](std::size_t self) {
    while (!crew.take_from_inbox()) crew.idle(self, [] { return false; });
    run.fetch_add(1, acq_rel) == 0 ? second_is_run.block() : second_is_run.open();
  };
  Thread one([&] { work(0); });
  Thread other([&] { work(1); });
  crew.post_from_outside();
  crew.post_from_outside();
  one.join();
  other.join();
}

// All sleep, or are about to, when one thing comes from outside: who runs it puts another in its line, and blocks.
template <class B>
void what_a_blocked_thread_has_in_line_is_run() {
  Crew<B> crew;
  Blocker<B> blocker;
  Atomic<int> over{0};
  const auto work = [&](std::size_t self) {
    while (over.load(relaxed) == 0) {
      if (crew.take_from_inbox()) {
        crew.post(self);
        blocker.block();
        return;
      }
      if (crew.take_from_line(1 - self)) {
        over.store(1, relaxed);
        return blocker.open();
      }
      crew.idle(self, [&] { return false; });
    }
  };
  Thread one([&] { work(0); });
  Thread other([&] { work(1); });
  crew.post_from_outside();
  one.join();
  other.join();
}

// Of two that the keeper is to find, who finds the first blocks until the second is found.
template <class B>
void somebody_goes_on_looking() {
  Crew<B> crew;
  Blocker<B> second_is_found;
  Atomic<int> found{0};
  const auto work = [&](std::size_t self) {
    while (!crew.take_due()) crew.idle(self, [] { return false; });
    found.fetch_add(1, acq_rel) == 0 ? second_is_found.block() : second_is_found.open();
  };
  Thread one([&] { work(0); });
  Thread other([&] { work(1); });
  crew.becomes_due();
  crew.becomes_due();
  one.join();
  other.join();
}

// One sleeps until two others, who sleep then themselves, have come to an end.
template <class B>
void who_waits_for_the_last_is_told() {
  Crew<B> crew(1);
  std::array<typename B::template Atomic<std::uint32_t>, 2> ended;
  const auto all = [&] { return ended[0].load(acquire) + ended[1].load(acquire) == 2; };
  const auto end = [&](std::size_t self) {
    ended[self].store(1, release);
    if (crew.rest.somebody_waits() && all()) crew.rest.rouse_waiting();
  };
  Thread other([&] { end(1); });
  Thread waits([&] {
    while (!all()) crew.idle(0, all, true);
  });
  end(0);
  other.join();
  waits.join();
}

// The keeper, and another.
template <class B>
void all_are_roused() {
  Crew<B> crew;
  Atomic<int> over{0};
  const auto work = [&](std::size_t self) {
    while (over.load(relaxed) == 0) crew.idle(self, [&] { return over.load(relaxed) != 0; });
  };
  Thread one([&] { work(0); });
  Thread other([&] { work(1); });
  over.store(1, relaxed);
  crew.rest.rouse_all();
  one.join();
  other.join();
}

TEST(ModelRest, WhatComesFromOutsideIsFound) { prove(2, 3, what_comes_from_outside_is_found<model>, 0); }
TEST(ModelRest, EachThatComesFromOutsideIsFound) { prove_three_in_sequence(each_that_comes_from_outside_is_found<model>, 3); }
TEST(ModelRest, WhatABlockedThreadHasInLineIsRun) { prove_three_in_sequence(what_a_blocked_thread_has_in_line_is_run<model>, 3); }
TEST(ModelRest, SomebodyGoesOnLooking) { prove_three_in_sequence(somebody_goes_on_looking<model>, 3); }
TEST(ModelRest, WhoWaitsForTheLastIsTold) { prove_three(who_waits_for_the_last_is_told<model>, 1, 0); }
TEST(ModelRest, AllAreRoused) { prove_three_in_sequence(all_are_roused<model>, 3); }

constexpr std::string_view here = "/rest.hpp";
constexpr std::string_view asleep = "deadlock";

std::uint32_t none(std::uint32_t /*value*/) { return 0; }

/// All sequentially consistent, as most of what was proved above.
void caught_in_sequence(const Mutation& mutant, const std::function<void()>& body) {
  caught(mutant, 3, 3, body, asleep, false);
}
void caught_without_wake_in(std::string_view function, const std::function<void()>& body) {
  caught_in_sequence({.file = here, .function = function, .op = Op::wake, .woken = nobody}, body);
}

TEST(ModelRestMutant, KeeperGoesOnDozing) {
  caught_in_sequence({.file = here, .function = "::wants(", .op = Op::load, .said = none},
                     what_a_blocked_thread_has_in_line_is_run<mutated>);
}
TEST(ModelRestMutant, DozingKeeperIsNotWoken) {
  caught_without_wake_in("::watch_over(", what_a_blocked_thread_has_in_line_is_run<mutated>);
}
TEST(ModelRestMutant, KeeperLeavesWithoutASuccessor) {
  caught_without_wake_in("::get_up(", somebody_goes_on_looking<mutated>);
}
TEST(ModelRestMutant, KeeperIsNotRoused) { caught_without_wake_in("::rouse_keeper(", somebody_goes_on_looking<mutated>); }
TEST(ModelRestMutant, NobodyIsCalled) {
  caught_without_wake_in("::call(", each_that_comes_from_outside_is_found<mutated>);
}
TEST(ModelRestMutant, NobodySeemsToSleep) {
  caught({.file = here, .function = "::any(", .op = Op::load, .said = none}, 2, 3,
         what_comes_from_outside_is_found<mutated>, asleep);
}
TEST(ModelRestMutant, NoLastLook) {
  caught({.file = "/model/rest.cpp", .function = "::idle(", .op = Op::load, .said = none}, 2, 3,
         what_comes_from_outside_is_found<mutated>, asleep);
}
TEST(ModelRestMutant, NobodyIsRoused) { caught_without_wake_in("::rouse(", all_are_roused<mutated>); }
TEST(ModelRestMutant, WhoIsAboutToSleepIsNotRoused) {
  caught_in_sequence({.file = here, .function = "::change(", .op = Op::fetch_add, .written = unchanged}, all_are_roused<mutated>);
}
TEST(ModelRestMutant, WhoEndsLooksTooEarly) {
  caught_three({.file = here, .function = "::somebody_waits(", .op = Op::fetch_add, .order = acq_rel, .weakened = release},
               who_waits_for_the_last_is_told<mutated>, asleep, 1);
}
TEST(ModelRestMutant, WhoEndsShowsNothing) {
  caught_three({.file = here, .function = "::somebody_waits(", .op = Op::fetch_add, .order = acq_rel, .weakened = acquire},
               who_waits_for_the_last_is_told<mutated>, asleep, 1);
}
TEST(ModelRestMutant, WhoWaitsLooksTooEarly) {
  caught_three({.file = here, .function = "::lie_down(", .op = Op::fetch_add, .order = acq_rel, .weakened = release},
               who_waits_for_the_last_is_told<mutated>, asleep, 1);
}

}  // namespace
