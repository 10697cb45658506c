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

TEST(ModelMortalSemaphore, PermitComesBack) { prove_deaths({}, permit_comes_back<mortal_model>); }
TEST(ModelMortalSemaphore, PlaceUsedAgain) { prove_deaths({.bound = 3}, place_used_again<mortal_model>); }
TEST(ModelMortalSemaphore, TwoRescuers) { prove_deaths({.threads = 3, .bound = 2}, two_rescuers<mortal_model>); }
TEST(ModelMortalSemaphore, RescuerDies) { prove_deaths({.threads = 3, .bound = 1, .kills = 2}, rescuer_dies<mortal_model>); }
TEST(ModelMortalSemaphore, ThreeParties) { prove_deaths({.threads = 3, .bound = 1}, three_parties<mortal_model>); }
TEST(ModelMortalSemaphore, TwoPermits) { prove_deaths({.threads = 3, .bound = 1}, two_permits<mortal_model>); }
TEST(ModelMortalSemaphore, WaiterDies) { prove_deaths({.threads = 3, .bound = 3}, waiter_dies<mortal_model>); }

}  // namespace
