// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>

#include <support/model.hpp>
#include <trine/task_count.hpp>

namespace {

using namespace checking;

template <class B>
void wait(trine::TaskCount<B>& count) {
  B::run(count.none_op(), {});
}

// Who `looks` and is told that nobody runs sees what the task has done.
template <class B, class Look>
void a_task_publishes(Look looks) {
  trine::TaskCount<B> count;
  Cell<int> data;
  count.begin();
  Thread task([&] {
    data.set(1);
    count.end();
  });
  if (looks(count)) model::check_that(data.get() == 1);
  task.join();
}

template <class B>
void the_end_publishes() {
  a_task_publishes<B>([](auto& count) {
    wait(count);
    return true;
  });
}

template <class B>
void none_is_seen() {
  a_task_publishes<B>([](auto& count) { return count.count() == 0; });
}

// The waiter sees what both have done, though it reads only the last one's store; the second begins while the first may end.
template <class B>
void two_tasks() {
  trine::TaskCount<B> count;
  Cell<int> first;
  Cell<int> second;
  count.begin();
  Thread one([&] {
    first.set(1);
    count.end();
  });
  count.begin();
  Thread other([&] {
    second.set(1);
    count.end();
  });
  wait(count);
  model::check_that(first.get() + second.get() == 2);
  one.join();
  other.join();
}

template <class B>
void two_waiters() {
  trine::TaskCount<B> count;
  count.begin();
  Thread one([&] { wait(count); });
  Thread other([&] { wait(count); });
  count.end();
  one.join();
  other.join();
}

// A task begins another before it ends itself: who waits waits for both.
template <class B>
void a_task_begins_another() {
  trine::TaskCount<B> count;
  Cell<int> data;
  count.begin();
  Thread task([&] {
    count.begin();
    count.end();
    data.set(1);
    count.end();
  });
  wait(count);
  model::check_that(data.get() == 1);
  task.join();
}

// One who waits when the last one ends goes, though another begins at once.
template <class B>
void pulse() {
  trine::TaskCount<B> count;
  Cell<int> data;
  count.begin();
  auto operation = count.none_op();
  operation.attempt();  // it waits from here on
  Thread task([&] {
    data.set(1);
    count.end();
    count.begin();
  });
  B::run(operation, {});
  model::check_that(data.get() == 1);
  task.join();
  model::check_that(count.count() == 1);
}

template <class B>
void time_out() {
  trine::TaskCount<B> count;
  count.begin();
  Thread task([&] { count.end(); });
  B::run(count.none_op(), a_while);
  wait(count);
  task.join();
}

// The waiter destroys it, though end() may not have returned.
template <class B>
void destroyed_by_the_waiter() {
  std::optional<trine::TaskCount<B>> count(std::in_place);
  count->begin();
  count->begin();
  Thread one([&] { count->end(); });
  Thread other([&] { count->end(); });
  wait(*count);
  count.reset();
  one.join();
  other.join();
}

TEST(ModelTaskCount, TheEndPublishes) { prove_two(the_end_publishes<model>); }
TEST(ModelTaskCount, NoneIsSeen) { prove_two(none_is_seen<model>); }
TEST(ModelTaskCount, TwoTasks) { prove_three(two_tasks<model>); }
TEST(ModelTaskCount, TwoWaiters) { prove_three(two_waiters<model>); }
TEST(ModelTaskCount, ATaskBeginsAnother) { prove_two(a_task_begins_another<model>); }
TEST(ModelTaskCount, Pulse) { prove_two(pulse<model>); }
TEST(ModelTaskCount, TimeOut) { prove_two(time_out<model>); }
TEST(ModelTaskCount, DestroyedByTheWaiter) { prove_three(destroyed_by_the_waiter<model>); }

// ---- mutants ----

constexpr std::string_view here = "/task_count.hpp";

TEST(ModelTaskCountMutant, EndWithoutRelease) {
  caught_two({.file = here, .function = "::end(", .op = Op::compare_exchange, .order = release, .weakened = relaxed},
             the_end_publishes<mutated>, "data race");
}
TEST(ModelTaskCountMutant, CountWithoutAcquire) {
  caught_two({.file = here, .function = "::count(", .op = Op::load, .order = acquire, .weakened = relaxed},
             none_is_seen<mutated>, "data race");
}
TEST(ModelTaskCountMutant, AttemptWithoutAcquire) {
  caught_two({.file = here, .function = "::attempt(", .op = Op::load, .order = acquire, .weakened = relaxed},
             the_end_publishes<mutated>, "data race");
}
TEST(ModelTaskCountMutant, AnnounceLoadsWithoutAcquire) {
  caught_two({.file = here, .function = "::announce(", .op = Op::load, .order = acquire, .weakened = relaxed},
             the_end_publishes<mutated>, "data race");
}
TEST(ModelTaskCountMutant, AnnounceMarksWithoutAcquire) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .order = acquire, .weakened = relaxed},
             the_end_publishes<mutated>, "data race");
}
TEST(ModelTaskCountMutant, MarkForgotten) {
  caught_two({.file = here, .function = "::announce(", .op = Op::compare_exchange, .written = without<1>, .unmarked = 1},
             the_end_publishes<mutated>, "deadlock");
}
TEST(ModelTaskCountMutant, GenerationForgotten) {
  caught_two({.file = here, .function = "::end(", .op = Op::compare_exchange, .written = without<62>}, pulse<mutated>, "deadlock");
}
TEST(ModelTaskCountMutant, WakeDropped) {
  caught_two({.file = here, .function = "::end(", .op = Op::wake, .woken = nobody}, the_end_publishes<mutated>, "deadlock");
}
TEST(ModelTaskCountMutant, WakesOneOnly) {
  caught_three({.file = here, .function = "::end(", .op = Op::wake, .woken = one_only}, two_waiters<mutated>, "deadlock");
}

}  // namespace
