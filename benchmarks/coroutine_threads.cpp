// SPDX-License-Identifier: BSL-1.0
//
// Coroutines on a scheduler with two threads. What they do is far too short for a second thread to be of use. A program of its own:
// where a second thread has run coroutines, no later one has the words of coroutines to itself.
#include <benchmark/benchmark.h>

#include <functional>

#include <trine/trine.hpp>

#include "harness.hpp"

namespace {

using B = trine::coroutines;
using trine::Scheduler;
using trine::Task;

void two_threads_hop(benchmark::State& state) {
  const auto body = [&]() -> Task<void, B> {
    for (auto each : state) {
      (void)each;
      co_await Scheduler::current()->hop();
    }
  };
  Scheduler(2).run(body());
}
BENCHMARK(two_threads_hop)->Name("coroutine_two_threads_hop/trine")->UseRealTime();

// Each round so many tasks take so many turns; the time is that of a turn.
template <class Turn>
void two_threads_take_turns(benchmark::State& state, int tasks, Turn turn) {
  static constexpr int turns = 1000;
  const auto task = [&]() -> Task<void, B> {
    for (int i = 0; i < turns; ++i) co_await turn();
  };
  const auto body = [&]() -> Task<void, B> {
    while (state.KeepRunningBatch(turns * tasks)) {
      trine::TaskGroup<B> group;
      for (int i = 0; i < tasks; ++i) group.spawn(std::ref(task));
      co_await group.join();
    }
  };
  Scheduler(2).run(body());
}

void two_threads_eight_hop(benchmark::State& state) {
  two_threads_take_turns(state, 8, [] { return Scheduler::current()->hop(); });
}
BENCHMARK(two_threads_eight_hop)->Name("coroutine_two_threads_eight_hop/trine")->UseRealTime();

void two_threads_lock_and_hop(benchmark::State& state) {
  trine::Lock<B> lock;
  two_threads_take_turns(state, 2, [&]() -> Task<void, B> {
    co_await lock.lock();
    lock.unlock();
    co_await Scheduler::current()->hop();
  });
}
BENCHMARK(two_threads_lock_and_hop)->Name("coroutine_two_threads_lock_and_hop/trine")->UseRealTime();

void two_threads_spawn_and_join(benchmark::State& state) {
  static constexpr int tasks = 1000;
  const auto nothing = []() -> Task<void, B> { co_return; };
  const auto body = [&]() -> Task<void, B> {
    while (state.KeepRunningBatch(tasks)) {
      trine::TaskGroup<B> group;
      for (int i = 0; i < tasks; ++i) group.spawn(std::ref(nothing));
      co_await group.join();
    }
  };
  Scheduler(2).run(body());
}
BENCHMARK(two_threads_spawn_and_join)->Name("coroutine_two_threads_spawn_1000_and_join/trine")->UseRealTime();

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv); }
