// SPDX-License-Identifier: BSL-1.0
//
// How fast the model explores: executions and scheduling points a second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <trine/backend/model.hpp>
#include <trine/trine.hpp>

namespace {

using trine::model;

void two_lock_once() {
  trine::Lock<model> lock;
  model::Cell<int> data{0};
  const auto add = [&] {
    const auto held = lock.guard();
    data.set(data.get() + 1);
  };
  model::thread other(add);
  add();
  other.join();
}

void three_lock_once() {
  trine::Lock<model> lock;
  model::Cell<int> data{0};
  const auto add = [&] {
    const auto held = lock.guard();
    data.set(data.get() + 1);
  };
  model::thread one(add);
  model::thread two(add);
  add();
  one.join();
  two.join();
}

void explore(benchmark::State& state, const std::function<void()>& body, bool merges) {
  model::Options options;
  options.merge_states = options.reduce = merges;
  options.executions = 200'000;
  std::uint64_t executions = 0;
  std::uint64_t points = 0;
  for (auto _ : state) {
    const auto report = model::check(options, body);
    if (!report.ok()) state.SkipWithError(report.finding().c_str());
    executions += report.executions();
    points += report.steps();
  }
  state.counters["executions"] = benchmark::Counter(static_cast<double>(executions), benchmark::Counter::kIsRate);
  state.counters["scheduling_points"] = benchmark::Counter(static_cast<double>(points), benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(explore, two_threads, two_lock_once, true);
BENCHMARK_CAPTURE(explore, two_threads_every_order, two_lock_once, false);
BENCHMARK_CAPTURE(explore, three_threads, three_lock_once, true);
BENCHMARK_CAPTURE(explore, three_threads_every_order, three_lock_once, false)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
