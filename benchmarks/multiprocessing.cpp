// SPDX-License-Identifier: BSL-1.0
//
// What a pool's map costs for each item and what a call of a worker costs; what it takes to start a process and to join it, beside
// fork() and waitpid() alone; what a manager's dict takes. Python's multiprocessing in the same run, where there is a python3.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <trine/pool.hpp>

#include "harness.hpp"

#if defined(__linux__) && __has_include(<boost/interprocess/creation_tags.hpp>)
#define TRINE_HAVE_PROCESSES
#include <sys/wait.h>
#include <unistd.h>

#include <trine/backend/processes.hpp>
#include <trine/manager.hpp>
#include <trine/process.hpp>
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

#if defined(TRINE_HAVE_PROCESSES)

void start_join(benchmark::State& state) {
  for (auto _ : state) {
    trine::Process child([] {});
    child.join();
  }
}

void fork_waitpid(benchmark::State& state) {
  for (auto _ : state) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
  }
}

constexpr int keys = 100;

void dict_set(benchmark::State& state) {
  trine::Manager manager;
  auto dict = manager.dict<int, int>();
  for (int n = 0; auto _ : state) {
    dict.set(n % keys, n);
    ++n;
  }
}

void dict_get(benchmark::State& state) {
  trine::Manager manager;
  auto dict = manager.dict<int, int>();
  for (int n = 0; n < keys; ++n) dict.set(n, n);
  for (int n = 0; auto _ : state) benchmark::DoNotOptimize(dict.at(n++ % keys));
}

void enroll_processes() {
  enroll_backend<trine::processes>("trine_processes");
  benchmark::RegisterBenchmark("process_start_join/trine", start_join)->UseRealTime();
  benchmark::RegisterBenchmark("process_start_join/fork_waitpid", fork_waitpid)->UseRealTime();
  benchmark::RegisterBenchmark("manager_dict_set/trine", dict_set)->UseRealTime();
  benchmark::RegisterBenchmark("manager_dict_get/trine", dict_get)->UseRealTime();
}

#else

void enroll_processes() {}

#endif

/// The shape and the nanoseconds of each line that pythons.py prints; empty without a python3. It takes seconds, once.
const std::map<std::string, double>& python() {
  static const std::map<std::string, double> times = [] {
    const auto script = std::filesystem::path(__FILE__).parent_path() / "pythons.py";
    const std::string command = "python3 '" + script.string() + "' " + std::to_string(workers) + " 2>/dev/null";
    std::map<std::string, double> found;
    std::FILE* const output = ::popen(command.c_str(), "r");
    if (output == nullptr) return found;
    char shape[32];
    for (double time = 0; std::fscanf(output, "%31s %lf", shape, &time) == 2;) found[shape] = time;
    ::pclose(output);
    return found;
  }();
  return times;
}

void python_row(benchmark::State& state, const std::string& shape) {
  if (!python().contains(shape)) return state.SkipWithError("python3 is not here");
  while (state.KeepRunningBatch(state.max_iterations)) {
    state.SetIterationTime(python().at(shape) * 1e-9 * static_cast<double>(state.max_iterations));
  }
}

}  // namespace

int main(int argc, char** argv) {
  enroll_backend<trine::threads>("trine");
  enroll_processes();
  for (const std::string shape : {"pool_map", "pool_apply", "process_start_join", "manager_dict_set", "manager_dict_get"}) {
    benchmark::RegisterBenchmark((shape + "/python").c_str(), [shape](benchmark::State& state) { python_row(state, shape); })
        ->Iterations(1)
        ->UseManualTime();
  }
  return bench::run(argc, argv);
}
