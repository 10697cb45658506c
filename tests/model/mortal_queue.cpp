// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <support/mortal.hpp>
#include <trine/basic_queue.hpp>
#include <trine/error.hpp>
#include <trine/process/heap_items.hpp>
#include <trine/process/items.hpp>

namespace {

using namespace checking;

template <class B, std::size_t N>
using Fifo = trine::BasicQueue<int, trine::RingItems<int, B, N>, B>;
template <class B, std::size_t N>
using Lifo = trine::BasicQueue<int, trine::StackItems<int, B, N>, B>;
template <class B, std::size_t N>
using Priority = trine::BasicQueue<int, trine::HeapItems<int, B, std::less<int>, N>, B>;

// An item that a dying producer puts is there or not, and never half of it; a later one comes after it.
template <class Q>
void producer_dies() {
  Q queue(1);
  Cell<bool> was_put{false};
  Thread victim([&] {
    be_mortal();
    queue.put(1);
    was_put.set(true);
  });
  Thread consumer([&] {
    int got = queue.get();
    while (got != 2) {
      model::check_that(got == 1);
      got = queue.get();
    }
  });
  victim.join();
  queue.put(2);
  consumer.join();
  model::check_that(queue.empty());
}

// What put() returned from is got, by the one who dies or by another.
template <class Q>
void consumer_dies() {
  Q queue(2);
  model::Atomic<int> got{0};
  Thread victim([&] {
    be_mortal();
    got.store(queue.get(), relaxed);
  });
  queue.put(1);
  queue.put(2);
  victim.join();
  const auto first = queue.try_get();
  const auto second = queue.try_get();
  const int left = first.value_or(0) + second.value_or(0);
  model::check_that(left == 3 || left == 2 || left == 1);
  model::check_that(got.load(relaxed) == 0 || got.load(relaxed) + left == 3);
}

// One who waits for room, and one who waits for items, beside one who dies.
template <class Q>
void two_producers() {
  Q queue(1);
  Thread victim([&] {
    be_mortal();
    queue.put(1);
  });
  Thread other([&] { queue.put(2); });
  int got = queue.get();
  if (got != 2) got = queue.get();
  model::check_that(got == 2);
  other.join();
  victim.join();
  (void)queue.try_get();
  model::check_that(queue.empty());
}

template <class Q>
void two_consumers() {
  Q queue(1);
  Thread victim([&] {
    be_mortal();
    (void)queue.get();
  });
  Thread other([&] { (void)queue.get(); });
  queue.put(1);
  queue.put(2);
  victim.join();
  other.join();
}

template <class Q>
void shut_down_by_the_dead() {
  Q queue(1);
  Thread victim([&] {
    be_mortal();
    queue.shutdown();
  });
  Thread consumer([&] {
    try {
      (void)queue.get();
      model::check_that(false);
    } catch (const trine::QueueShutdown&) {
    }
  });
  victim.join();
  queue.shutdown();
  consumer.join();
}

// The order of a heap is mended: all that was put comes out, the smallest first.
void mended() {
  Priority<mortal_model, 3> queue(3);
  Thread victim([&] {
    be_mortal();
    queue.put(1);
    (void)queue.try_get();
  });
  queue.put(3);
  queue.put(2);
  victim.join();
  int last = 0;
  int sum = 0;
  while (const auto item = queue.try_get()) {
    model::check_that(*item > last);
    last = *item;
    sum += last;
  }
  model::check_that(sum >= 3 && sum <= 6 && sum != 4);
}

using M = mortal_model;

TEST(ModelMortalQueue, ProducerDies) { prove_deaths({.threads = 3, .bound = 1}, producer_dies<Fifo<M, 1>>); }
TEST(ModelMortalQueue, ConsumerDies) { prove_deaths({.bound = 3}, consumer_dies<Fifo<M, 2>>); }
TEST(ModelMortalQueue, TwoProducers) { prove_deaths({.threads = 3, .bound = 1}, two_producers<Fifo<M, 1>>); }
TEST(ModelMortalQueue, TwoConsumers) { prove_deaths({.threads = 3, .bound = 1}, two_consumers<Fifo<M, 1>>); }
TEST(ModelMortalQueue, ShutDownByTheDead) { prove_deaths({.threads = 3, .bound = 1}, shut_down_by_the_dead<Fifo<M, 1>>); }
TEST(ModelMortalLifoQueue, ConsumerDies) { prove_deaths({.bound = 3}, consumer_dies<Lifo<M, 2>>); }
TEST(ModelMortalLifoQueue, ProducerDies) { prove_deaths({.threads = 3, .bound = 1}, producer_dies<Lifo<M, 1>>); }
TEST(ModelMortalPriorityQueue, Mended) { prove_deaths({.bound = 3}, mended); }
TEST(ModelMortalPriorityQueue, ConsumerDies) { prove_deaths({.bound = 3}, consumer_dies<Priority<M, 2>>); }

// ---- mutants ----

using X = mutated_mortal;

TEST(ModelMortalQueueMutant, PublishedWithoutRelease) {
  caught_deaths({.file = "/queue_state.hpp", .function = "::~Holding(", .op = Op::store, .order = release, .weakened = relaxed},
                {.threads = 3, .bound = 0}, producer_dies<Fifo<X, 1>>, "data race");
}
TEST(ModelMortalQueueMutant, NotPublished) {
  caught_deaths({.file = "/queue_state.hpp", .function = "::~Holding(", .op = Op::store, .written = [](std::uint32_t, std::uint32_t after) { return after & ~2U; }},
                {.threads = 3, .bound = 0}, producer_dies<Fifo<X, 1>>, "");
}
TEST(ModelMortalQueueMutant, WakeDropped) {
  harmless({.file = "/blocking.hpp", .function = "::wake(", .op = Op::wake, .woken = nobody}, {.threads = 3, .bound = 0},
           producer_dies<Fifo<X, 1>>, "no sleep is longer than a slice");
}
// Without slices a death between the store of an index and the wake leaves a sleeper behind.
TEST(ModelMortalQueueMutant, NoSlices) {
  caught_deaths({.threads = 3, .bound = 0, .slices = false}, two_consumers<Fifo<M, 1>>, "deadlock");
}
// Who gets the lock of a dead owner is told nothing, and mends nothing.
TEST(ModelMortalPriorityQueueMutant, NotMended) {
  caught_deaths({.bound = 2, .kernel = {.marks = false}}, mended, "check failed");
}

}  // namespace
