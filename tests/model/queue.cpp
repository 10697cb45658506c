// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <cstddef>

#include <support/model.hpp>
#include <trine/error.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>

namespace {

using namespace checking;

// What the producer did before put() is visible to whoever gets the item.
template <class Q>
void put_publishes(std::size_t capacity) {
  Q queue(capacity);
  Cell<int> data;
  Thread producer([&] {
    data.set(1);
    queue.put(7);
  });
  model::check_that(queue.get() == 7);
  model::check_that(data.get() == 1);
  producer.join();
  model::check_that(queue.empty());
}

// More items than there is room for, in order.
template <class B>
void two_through_one_place() {
  trine::Queue<int, B> queue(1);
  Thread producer([&] {
    queue.put(1);
    queue.put(2);
  });
  const int first = queue.get();
  const int second = queue.get();
  producer.join();
  model::check_that(first == 1 && second == 2);
}

template <class Q>
void two_producers(std::size_t capacity) {
  Q queue(capacity);
  Thread one([&] { queue.put(1); });
  Thread other([&] { queue.put(2); });
  const int first = queue.get();
  const int second = queue.get();
  one.join();
  other.join();
  model::check_that(first + second == 3 && first != second);
}

template <class Q>
void two_consumers(std::size_t capacity) {
  Q queue(capacity);
  int first = 0;
  int second = 0;
  Thread one([&] { first = queue.get(); });
  Thread other([&] { second = queue.get(); });
  queue.put(1);
  queue.put(2);
  one.join();
  other.join();
  model::check_that(first + second == 3 && first != second);
}

// Two items become available at once for two who wait.
template <class B>
void put_many() {
  trine::Queue<int, B> queue(2);
  Thread one([&] { queue.get(); });
  Thread other([&] { queue.get(); });
  const int items[] = {1, 2};
  queue.put_many(items);
  one.join();
  other.join();
  model::check_that(queue.empty());
}

template <class B>
void get_gives_up() {
  trine::Queue<int, B> queue(1);
  Thread producer([&] { queue.put(1); });
  const bool got = queue.get(a_while).has_value();
  producer.join();
  model::check_that(queue.size() == (got ? 0U : 1U));
}

template <class B>
void put_gives_up() {
  trine::Queue<int, B> queue(1);
  queue.put(1);
  bool put = false;
  Thread producer([&] { put = queue.put(2, a_while); });
  const int first = queue.get();
  producer.join();
  model::check_that(first == 1 && queue.size() == (put ? 1U : 0U));
}

// One item, two consumers, of whom one may give up.
template <class B>
void get_gives_up_beside_another() {
  trine::Queue<int, B> queue(1);
  Thread hasty([&] {
    if (const auto item = queue.get(a_while)) queue.put(*item);
  });
  Thread patient([&] { queue.get(); });
  queue.put(1);
  hasty.join();
  patient.join();
  model::check_that(queue.empty());
}

// Returns 1 if the queue was shut down.
template <class F>
int shut(F&& call) {
  try {
    call();
    return 0;
  } catch (const trine::QueueShutdown&) {
    return 1;
  }
}

template <class B>
void shutdown_releases_getters() {
  trine::Queue<int, B> queue;
  int released = 0;
  Thread one([&] { released = shut([&] { queue.get(); }); });
  queue.shutdown();
  one.join();
  model::check_that(released == 1);
}

template <class B>
void shutdown_releases_two() {
  trine::Queue<int, B> queue(1);
  int released = 0;
  int released_too = 0;
  Thread one([&] { released = shut([&] { queue.get(); }); });
  Thread other([&] { released_too = shut([&] { queue.get(); }); });
  queue.shutdown();
  one.join();
  other.join();
  model::check_that(released + released_too == 2);
}

template <class B>
void shutdown_releases_putters() {
  trine::Queue<int, B> queue(1);
  queue.put(1);
  int released = 0;
  Thread producer([&] { released = shut([&] { queue.put(2); }); });
  queue.shutdown();
  producer.join();
  model::check_that(released == 1 && queue.get() == 1);
}

// Whatever put() returned from before the shutdown is still got.
template <class B>
void drained_after_shutdown() {
  trine::Queue<int, B> queue(1);
  int refused = 0;
  Thread producer([&] { refused = shut([&] { queue.put(1); }); });
  queue.shutdown();
  const int empty = shut([&] { model::check_that(queue.get() == 1); });
  producer.join();
  model::check_that(refused == empty);
}

template <class B>
void immediate_shutdown() {
  trine::Queue<int, B> queue(2);
  queue.put(1);
  int got = 0;
  Thread consumer([&] { shut([&] { got = queue.get(); }); });
  queue.shutdown(true);
  consumer.join();
  model::check_that(queue.empty());
  if (got == 1) queue.task_done();
  model::check_that(queue.join(a_while));
}

template <class B>
void join() {
  trine::Queue<int, B> queue;
  Cell<int> data;
  queue.put(1);
  Thread consumer([&] {
    queue.get();
    data.set(1);
    queue.task_done();
  });
  queue.join();
  model::check_that(data.get() == 1);
  consumer.join();
}

template <class B>
void two_join() {
  trine::Queue<int, B> queue(1);
  queue.put(1);
  Thread one([&] { queue.join(); });
  Thread other([&] { queue.join(); });
  queue.get();
  queue.task_done();
  one.join();
  other.join();
}

template <class B>
void done_too_often() {
  trine::Queue<int, B> queue(1);
  queue.put(1);
  queue.get();
  int refused = 0;
  const auto done = [&] {
    try {
      queue.task_done();
      return 0;
    } catch (const trine::TaskDoneTooOften&) {
      return 1;
    }
  };
  Thread other([&] { refused = done(); });
  const int refused_here = done();
  other.join();
  model::check_that(refused + refused_here == 1);
}

template <class B>
using Fifo = trine::Queue<int, B>;
template <class B>
using Lifo = trine::LifoQueue<int, B>;
template <class B>
using Priority = trine::PriorityQueue<int, B>;

TEST(ModelQueue, PutPublishesOnePlace) { prove_two([] { put_publishes<Fifo<model>>(1); }); }
TEST(ModelQueue, PutPublishesTwoPlaces) { prove_two([] { put_publishes<Fifo<model>>(2); }); }
TEST(ModelQueue, PutPublishesUnbounded) { prove_two([] { put_publishes<Fifo<model>>(0); }); }
TEST(ModelQueue, TwoThroughOnePlace) { prove(2, 3, two_through_one_place<model>, 0); }
TEST(ModelQueue, TwoProducers) {
  prove_three([] { two_producers<Fifo<model>>(1); }, 2, 0);
}
TEST(ModelQueue, TwoProducersUnbounded) {
  prove_three([] { two_producers<Fifo<model>>(0); }, 2, 0);
}
TEST(ModelQueue, TwoConsumers) {
  prove_three([] { two_consumers<Fifo<model>>(1); }, 2, 0);
}
TEST(ModelQueue, TwoConsumersUnbounded) {
  prove_three([] { two_consumers<Fifo<model>>(0); }, 2, 0);
}
TEST(ModelQueue, PutMany) { prove_three(put_many<model>, 2, 0); }
TEST(ModelQueue, GetGivesUp) { prove_two(get_gives_up<model>); }
TEST(ModelQueue, PutGivesUp) { prove_two(put_gives_up<model>); }
TEST(ModelQueue, GetGivesUpBesideAnother) { prove_three(get_gives_up_beside_another<model>, 2, 0); }
TEST(ModelQueue, ShutdownReleasesGetters) { prove_two(shutdown_releases_getters<model>); }
TEST(ModelQueue, ShutdownReleasesTwo) { prove_three(shutdown_releases_two<model>, 2, 0); }
TEST(ModelQueue, ShutdownReleasesPutters) { prove(2, 3, shutdown_releases_putters<model>); }
TEST(ModelQueue, DrainedAfterShutdown) { prove(2, 3, drained_after_shutdown<model>); }
TEST(ModelQueue, ImmediateShutdown) { prove(2, 3, immediate_shutdown<model>); }
TEST(ModelQueue, Join) { prove_two(join<model>); }
TEST(ModelQueue, TwoJoin) { prove_three(two_join<model>, 3, 0); }
TEST(ModelQueue, DoneTooOften) { prove_two(done_too_often<model>); }
TEST(ModelLifoQueue, PutPublishes) {
  prove(2, 3, [] { put_publishes<Lifo<model>>(1); }, 0);
}
TEST(ModelLifoQueue, TwoProducers) {
  prove_three([] { two_producers<Lifo<model>>(1); }, 1, 0);
}
TEST(ModelLifoQueue, TwoConsumers) {
  prove_three([] { two_consumers<Lifo<model>>(0); }, 1, 0);
}
TEST(ModelPriorityQueue, PutPublishes) {
  prove(2, 3, [] { put_publishes<Priority<model>>(1); }, 0);
}

// ---- mutants ----

constexpr std::string_view state = "/queue_state.hpp";

TEST(ModelQueueMutant, PublishedWithoutRelease) {
  caught_two({.file = state, .function = "~Holding(", .op = Op::store, .order = release, .weakened = relaxed},
             [] { put_publishes<Fifo<mutated>>(1); }, "data race");
}
TEST(ModelQueueMutant, GetWithoutAcquire) {
  caught_two({.file = state, .function = "::get(", .op = Op::load, .order = acquire, .weakened = relaxed},
             [] { put_publishes<Fifo<mutated>>(1); }, "data race");
}
TEST(ModelQueueMutant, PutWithoutAcquire) {
  caught_two({.file = state, .function = "::put(", .op = Op::load, .order = acquire, .weakened = relaxed},
             two_through_one_place<mutated>, "data race");
}
TEST(ModelQueueMutant, LastLookMissesTheClosing) {
  caught_two({.file = "/queue_index.hpp", .function = "::inside(", .op = Op::load,
              .said = [](std::uint32_t index) { return index & ~1U; }},
             shutdown_releases_getters<mutated>, "deadlock");
}
TEST(ModelQueueMutant, LastLookMissesAnItem) {
  caught_two({.file = "/queue_index.hpp", .function = "::inside(", .op = Op::load, .said = [](std::uint32_t) { return 0U; }},
             [] { put_publishes<Fifo<mutated>>(1); }, "deadlock");
}
TEST(ModelQueueMutant, GateWithoutRelease) {
  caught_three({.file = "/blocking.hpp", .function = "::abandon(", .op = Op::store, .order = release, .weakened = relaxed},
               [] { two_producers<Fifo<mutated>>(0); }, "deadlock", 2);
}
TEST(ModelQueueMutant, FenceDropped) {
  caught_two({.file = "/blocking.hpp", .function = "Flag::raise(", .op = Op::fence, .dropped = true},
             [] { put_publishes<Fifo<mutated>>(1); }, "deadlock");
}
TEST(ModelQueueMutant, WakeDropped) {
  caught_two({.file = "/blocking.hpp", .function = "Flag::wake(", .op = Op::wake, .woken = nobody},
             [] { put_publishes<Fifo<mutated>>(1); }, "deadlock");
}
TEST(ModelQueueMutant, FlagNotRaised) {
  caught_two({.file = "/blocking.hpp", .function = "Flag::raise(", .op = Op::fetch_or, .written = unchanged, .unmarked = 1},
             [] { put_publishes<Fifo<mutated>>(1); }, "deadlock");
}
TEST(ModelQueueMutant, ShutdownWakesNobody) {
  caught_two({.file = "/blocking.hpp", .function = "Flag::wake_all(", .op = Op::wake, .woken = nobody},
             shutdown_releases_getters<mutated>, "deadlock");
}
TEST(ModelQueueMutant, ShutdownWakesOneOnly) {
  caught_three({.file = "/blocking.hpp", .function = "Flag::wake_all(", .op = Op::wake, .woken = one_only},
               shutdown_releases_two<mutated>, "deadlock", 2);
}
TEST(ModelQueueMutant, NotClosed) {
  caught_two({.file = state, .function = "::shut(", .op = Op::fetch_or, .written = unchanged}, shutdown_releases_getters<mutated>,
             "deadlock");
}
TEST(ModelQueueMutant, JoinWithoutAcquire) {
  caught_two({.file = "/queue_join.hpp", .function = "::attempt(", .op = Op::load, .order = acquire, .weakened = relaxed},
             join<mutated>, "data race");
}
TEST(ModelQueueMutant, TaskDoneWithoutRelease) {
  caught_two({.file = state, .function = "::finish_one(", .op = Op::compare_exchange, .order = release, .weakened = relaxed},
             join<mutated>, "data race");
}
TEST(ModelQueueMutant, JoinMarkForgotten) {
  caught_two({.file = "/queue_join.hpp", .function = "::announce(", .op = Op::compare_exchange, .written = without<1>,
              .unmarked = 1},
             join<mutated>, "deadlock");
}
TEST(ModelQueueMutant, TaskDoneWakesNobody) {
  caught_two({.file = state, .function = "::finish_one(", .op = Op::wake, .woken = nobody}, join<mutated>, "deadlock");
}
TEST(ModelQueueMutant, TaskDoneWakesOneOnly) {
  caught_three({.file = state, .function = "::finish_one(", .op = Op::wake, .woken = one_only}, two_join<mutated>, "deadlock", 2);
}

}  // namespace
