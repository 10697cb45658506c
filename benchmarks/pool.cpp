// SPDX-License-Identifier: BSL-1.0
//
// What a pool's map costs for each item, and what a call of a worker costs; Python's multiprocessing.Pool in the same run, where
// there is a python3.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <trine/pool.hpp>

#include "harness.hpp"

#if __has_include(<boost/interprocess/creation_tags.hpp>)
#include <trine/backend/processes.hpp>
#endif

namespace {

constexpr int workers = 2;
constexpr int items = 1'000'000;

int twice(int number) { return number * 2; }

template <class B>
void map(benchmark::State& state) {
  trine::Pool<B> pool(workers);
  std::vector<int> numbers(items);
  std::iota(numbers.begin(), numbers.end(), 0);
  while (state.KeepRunningBatch(items)) benchmark::DoNotOptimize(pool.map(twice, numbers));
}

template <class B>
void apply(benchmark::State& state) {
  trine::Pool<B> pool(workers);
  for (auto _ : state) benchmark::DoNotOptimize(pool.apply(twice, 1));
}

// While the tasks of a window run, others are submitted.
template <class B>
void submit(benchmark::State& state) {
  constexpr int window = 1000;
  trine::Pool<B> pool(workers);
  std::vector<trine::Future<int>> futures;
  while (state.KeepRunningBatch(window)) {
    futures.clear();
    for (int i = 0; i < window; ++i) futures.push_back(pool.submit(twice, i));
    for (auto& each : futures) benchmark::DoNotOptimize(each.get());
  }
}

template <class B>
void enroll_backend(const std::string& name) {
  benchmark::RegisterBenchmark(("pool_map/" + name).c_str(), map<B>)->UseRealTime();
  benchmark::RegisterBenchmark(("pool_apply/" + name).c_str(), apply<B>)->UseRealTime();
  benchmark::RegisterBenchmark(("pool_submit/" + name).c_str(), submit<B>)->UseRealTime();
}

/// The shape and the nanoseconds of each line that pool.py prints; empty without a python3.
std::map<std::string, double> python() {
  const auto script = std::filesystem::path(__FILE__).parent_path() / "pool.py";
  const std::string command = "python3 '" + script.string() + "' " + std::to_string(workers) + " 2>/dev/null";
  std::map<std::string, double> times;
  std::FILE* const output = ::popen(command.c_str(), "r");
  if (output == nullptr) return times;
  char shape[32];
  for (double time = 0; std::fscanf(output, "%31s %lf", shape, &time) == 2;) times[shape] = time;
  ::pclose(output);
  return times;
}

// Python's own measurement, once: it takes seconds.
void python_row(benchmark::State& state, const std::string& shape) {
  const auto times = python();
  if (!times.contains(shape)) return state.SkipWithError("python3 is not here");
  while (state.KeepRunningBatch(state.max_iterations)) {
    state.SetIterationTime(times.at(shape) * 1e-9 * static_cast<double>(state.max_iterations));
  }
}

}  // namespace

int main(int argc, char** argv) {
  enroll_backend<trine::threads>("trine");
#if __has_include(<boost/interprocess/creation_tags.hpp>)
  enroll_backend<trine::processes>("trine_processes");
#endif
  for (const std::string shape : {"map", "apply"}) {
    benchmark::RegisterBenchmark(("pool_" + shape + "/python").c_str(),
                                 [shape](benchmark::State& state) { python_row(state, shape); })
        ->Iterations(1)
        ->UseManualTime();
  }
  return bench::run(argc, argv);
}
