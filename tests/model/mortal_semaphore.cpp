// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <support/mortal.hpp>
#include <trine/error.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;

template <class B>
void use(trine::Semaphore<B>& permits, std::uint64_t time = 1) {
  permits.permit().release();
  mortal_model::forget(time);
}

// One permit, which comes back when its holder dies, whatever it was doing; never two.
template <class B>
void permit_comes_back() {
  trine::Semaphore<B> permits(1);
  Thread victim([&] {
    be_mortal();
    use(permits);
  });
  use(permits);
  victim.join();
  model::check_that(permits.value() == 1);
  use(permits);
  model::check_that(permits.value() == 1);
}

// One who looks at the word while a permit is given or taken may go on much later, when the same place is turned again.
template <class B>
void place_used_again() {
  trine::Semaphore<B> permits(1);
  Thread victim([&] {
    be_mortal();
    use(permits);
    use(permits, 2);
  });
  use(permits);
  victim.join();
  use(permits);
  model::check_that(permits.value() == 1);
}

// The same with two who may die: the one that brings the permit back may be killed over it.
template <class B>
void rescuer_dies() {
  trine::Semaphore<B> permits(1);
  const auto use_it = [&] {
    be_mortal();
    use(permits);
  };
  Thread victim(use_it);
  Thread rescuer(use_it);
  victim.join();
  rescuer.join();
  use(permits);
  model::check_that(permits.value() == 1);
}

// Two find that the holder of a permit has died.
template <class B>
void two_rescuers() {
  trine::Semaphore<B> permits(1);
  Thread victim([&] {
    be_mortal();
    use(permits);
  });
  victim.join();
  Thread rescuer([&] { use(permits); });
  use(permits);
  rescuer.join();
  model::check_that(permits.value() == 1);
}

// All at once.
template <class B>
void three_parties() {
  trine::Semaphore<B> permits(1);
  const auto use_it = [&] {
    be_mortal();
    use(permits);
  };
  Thread victim(use_it);
  Thread other(use_it);
  use(permits);
  victim.join();
  other.join();
  use(permits);
  model::check_that(permits.value() == 1);
}

// Two permits, one of which the dead may hold: the other is not lost, and there are never three.
template <class B>
void two_permits() {
  trine::Semaphore<B> permits(2);
  model::Atomic<int> inside{0};
  const auto use_it = [&] {
    auto permit = permits.permit();
    model::check_that(inside.fetch_add(1, relaxed) < 2);
    inside.fetch_sub(1, relaxed);
  };
  Thread victim([&] {
    be_mortal();
    auto permit = permits.permit();
  });
  Thread other(use_it);
  use_it();
  victim.join();
  other.join();
  auto one = permits.permit();
  auto two = permits.permit();
  model::check_that(one && two && permits.value() == 0 && !permits.try_acquire());
}

// Permits that are nobody's: one that was woken for a permit is killed, and another has it.
template <class B>
void waiter_dies() {
  trine::Semaphore<B> permits(0);
  Thread victim([&] {
    be_mortal();
    permits.acquire();
  });
  Thread other([&] { permits.acquire(); });
  permits.release();
  permits.release();
  victim.join();
  other.join();
}

// What the dead did with the permit is visible to the next.
template <class B>
void publishes() {
  trine::Semaphore<B> permits(1);
  Cell<int> count;
  const auto count_up = [&] {
    be_mortal();
    auto permit = permits.permit();
    count.set(count.get() + 1);
  };
  Thread victim(count_up);
  Thread other(count_up);
  victim.join();
  other.join();
}

constexpr Deaths weak{.bound = 2};
constexpr Deaths weak_three{.threads = 3, .bound = 0};
constexpr Deaths in_sequence{.bound = 4, .weak_memory = false};
constexpr Deaths three_in_sequence{.threads = 3, .bound = 2, .weak_memory = false};

TEST(ModelMortalSemaphore, PermitComesBack) {
  prove_deaths(weak, permit_comes_back<mortal_model>);
  prove_deaths(in_sequence, permit_comes_back<mortal_model>);
}
TEST(ModelMortalSemaphore, Publishes) { prove_deaths({.threads = 3, .bound = 0}, publishes<mortal_model>); }
TEST(ModelMortalSemaphore, PlaceUsedAgain) {
  prove_deaths({.bound = 0}, place_used_again<mortal_model>);
  prove_deaths({.bound = 3, .weak_memory = false}, place_used_again<mortal_model>);
}
TEST(ModelMortalSemaphore, TwoRescuers) {
  prove_deaths(weak_three, two_rescuers<mortal_model>);
  prove_deaths(three_in_sequence, two_rescuers<mortal_model>);
}
TEST(ModelMortalSemaphore, RescuerDies) {
  prove_deaths({.threads = 3, .bound = 0, .kills = 2}, rescuer_dies<mortal_model>);
  prove_deaths({.threads = 3, .bound = 2, .kills = 2, .weak_memory = false}, rescuer_dies<mortal_model>);
}
TEST(ModelMortalSemaphore, ThreeParties) { prove_deaths({.threads = 3, .bound = 1, .weak_memory = false}, three_parties<mortal_model>); }
TEST(ModelMortalSemaphore, TwoPermits) { prove_deaths({.threads = 3, .bound = 1, .weak_memory = false}, two_permits<mortal_model>); }
TEST(ModelMortalSemaphore, WaiterDies) { prove_deaths({.threads = 3, .bound = 3}, waiter_dies<mortal_model>); }

// ---- mutants ----

constexpr std::string_view mortal = "/mortal.hpp";

TEST(ModelMortalSemaphoreMutant, NameReadWithoutAcquire) {
  caught_deaths({.file = mortal, .function = "::settle(", .op = Op::load, .order = acquire, .weakened = relaxed},
                {.bound = 2}, place_used_again<mutated_mortal>, "check failed");
}
// The place that the word names stays as it is.
TEST(ModelMortalSemaphoreMutant, NotTurned) {
  caught_deaths({.file = mortal, .function = "::settle(", .op = Op::compare_exchange,
                 .written = [](std::uint32_t before, std::uint32_t after) { return after == before + 1 ? before : after; }},
                in_sequence, permit_comes_back<mutated_mortal>, "check failed");
}
// The name is taken as settled.
TEST(ModelMortalSemaphoreMutant, NotSettled) {
  caught_deaths({.file = mortal, .function = "::settle(", .op = Op::load, .wide_said = [](std::uint64_t seen) { return seen & 0xFFFFFFFFU; }},
                in_sequence, permit_comes_back<mutated_mortal>, "does not end");
}
// Nobody looks for the permits of the dead.
TEST(ModelMortalSemaphoreMutant, DeadNotSeen) {
  caught_deaths({.file = mortal, .function = "::dead(", .op = Op::load, .said = [](std::uint32_t word) { return word & ~(1U << 30); }},
                in_sequence, permit_comes_back<mutated_mortal>, "check failed");
}
TEST(ModelMortalSemaphoreMutant, DeadSeenWithoutAcquire) {
  caught_deaths({.file = mortal, .function = "::dead(", .op = Op::load, .order = acquire, .weakened = relaxed}, {.bound = 0},
                publishes<mutated_mortal>, "data race");
}
// Who brings a permit back does not say whose it was, and dies over it.
TEST(ModelMortalSemaphoreMutant, BroughtBackWithoutAName) {
  caught_deaths({.file = mortal, .function = "::bring_back(", .op = Op::compare_exchange,
                 .wide_written = [](std::uint64_t, std::uint64_t after) { return after & 0xFFFFFFFFU; }},
                {.threads = 3, .bound = 2, .kills = 2, .weak_memory = false}, rescuer_dies<mutated_mortal>, "check failed");
}

// One who was stopped over the name of a place takes out another, which looks the same: it has the same bits of the turns. Only
// their number keeps this from happening.
TEST(ModelMortalSemaphoreMutant, TurnsComeAgainAfterTwo) {
  caught_deaths({.bound = 4, .weak_memory = false}, place_used_again<few_turns<1>>, "check failed");
}
TEST(ModelMortalSemaphore, TurnsComeAgainAfterFour) {
  prove_deaths({.bound = 4, .weak_memory = false}, place_used_again<few_turns<2>>);
}

}  // namespace
