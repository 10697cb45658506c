// SPDX-License-Identifier: BSL-1.0
//
// What the benchmark programs share: how contenders are enrolled, and how several threads are placed and
// timed.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

#include "contenders.hpp"

namespace bench {

/// The object as the compiler can't see through: it may be anywhere, and anyone may have changed it.
template <class T>
T& hidden(T& object) {
  T* at = &object;
  // Not DoNotOptimize: before its version 1.8, g++ may lose the value of what it is given.
  asm volatile("" : "+r"(at) : : "memory");
  return *at;
}

/// A thread that sleeps as long as this lives. glibc leaves the atomic instructions out while a process has
/// one thread.
class SleepingThread {
 public:
  SleepingThread() = default;
  SleepingThread(const SleepingThread&) = delete;
  SleepingThread& operator=(const SleepingThread&) = delete;
  ~SleepingThread() {
    {
      const std::lock_guard held(mutex_);
      over_ = true;
    }
    ended_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_{[this] {
    std::unique_lock held(mutex_);
    ended_.wait(held, [this] { return over_; });
  }};
};

/// Registers `shape` for each contender, as SHAPE/CONTENDER.
template <class... Contenders, class Shape>
std::vector<benchmark::internal::Benchmark*> enroll(const std::string& name, List<Contenders...>, Shape shape) {
  return {benchmark::RegisterBenchmark((name + "/" + Contenders::name).c_str(), [shape](benchmark::State& state) {
    shape.template operator()<Contenders>(state);
  })...};
}

/// Where the threads of a team run: all on one core, by turns on two, by turns on all that there are, or as the system likes.
enum class Placement { one_core, two_cores, all_cores, unpinned };

inline const char* name_of_placement(Placement placement) {
  switch (placement) {
    case Placement::one_core:
      return "one_core";
    case Placement::two_cores:
      return "two_cores";
    case Placement::all_cores:
      return "all_cores";
    case Placement::unpinned:
      return "unpinned";
  }
  return "";
}

/// The cores that this process may use; none where threads can't be pinned.
inline const std::vector<int>& cores() {
  static const std::vector<int> usable = [] {
    std::vector<int> found;
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
      for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(static_cast<unsigned>(core), &set)) found.push_back(core);
      }
    }
#endif
    return found;
  }();
  return usable;
}

/// The placements that this machine has, for a hand-over.
inline std::vector<Placement> placements() {
  std::vector<Placement> found;
  if (!cores().empty()) found.push_back(Placement::one_core);
  if (cores().size() > 1) found.push_back(Placement::two_cores);
  found.push_back(Placement::unpinned);
  return found;
}

/// Pins the calling thread, the one of that number in its team.
inline void pin([[maybe_unused]] Placement placement, [[maybe_unused]] std::size_t number) {
#ifdef __linux__
  if (placement == Placement::unpinned || cores().empty()) return;
  const std::size_t wanted = placement == Placement::one_core ? 1 : placement == Placement::two_cores ? 2 : cores().size();
  const std::size_t used = std::min(wanted, cores().size());
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cores()[number % used]), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
#endif
}

/// Called by each of a team before it begins: it is where it is to run. Where the system decides, that takes a while in which
/// it computes: what has just been started stands where its parent was until the system moves it, and two that hand over to
/// each other all the time are not moved for tens of milliseconds, which would be most of a measurement.
inline void take_place(Placement placement, std::size_t number) {
  pin(placement, number);
  if (placement != Placement::unpinned) return;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(40);
  while (std::chrono::steady_clock::now() < until) {
  }
}

/// Runs `work(number, operations)` in `threads` threads at once, which do `operations` together, and reports
/// the time from the first one's start to the last one's end, per operation. `work` is made anew by
/// `prepare()` for each measurement.
template <class Prepare>
void measure_team(benchmark::State& state, std::size_t threads, Placement placement, Prepare prepare) {
  using Clock = std::chrono::steady_clock;
  while (state.KeepRunningBatch(state.max_iterations)) {
    const std::int64_t operations = state.max_iterations;
    auto&& work = prepare();
    std::vector<Clock::time_point> began(threads);
    std::vector<Clock::time_point> ended(threads);
    std::atomic<std::size_t> missing{threads};
    std::vector<std::thread> team;
    for (std::size_t number = 0; number < threads; ++number) {
      team.emplace_back([&, number] {
        take_place(placement, number);
        missing.fetch_sub(1);
        while (missing.load() != 0) std::this_thread::yield();
        began[number] = Clock::now();
        work(number, operations);
        ended[number] = Clock::now();
      });
    }
    for (std::thread& each : team) each.join();
    const auto first = *std::min_element(began.begin(), began.end());
    const auto last = *std::max_element(ended.begin(), ended.end());
    state.SetIterationTime(std::chrono::duration<double>(last - first).count());
  }
}

/// How many of `total` fall to one of `parts`.
inline std::int64_t share(std::int64_t total, std::size_t part, std::size_t parts) {
  const auto count = static_cast<std::int64_t>(parts);
  return total / count + (static_cast<std::int64_t>(part) < total % count ? 1 : 0);
}

/// 2, 4, and twice as many again up to the number of cores.
inline std::vector<std::size_t> team_sizes() {
  std::vector<std::size_t> sizes{2, 4};
  while (sizes.back() * 2 <= cores().size()) sizes.push_back(sizes.back() * 2);
  return sizes;
}

/// Whether a second thread sleeps while the benchmarks run.
enum class Company { none, sleeping_thread };

/// Runs what was enrolled, as the command line says.
inline int run(int argc, char** argv, Company wanted = Company::sleeping_thread) {
  benchmark::AddCustomContext("compiler", __VERSION__);
#ifndef NDEBUG
  benchmark::AddCustomContext("build", "NOT for measuring: assertions are on");
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  std::optional<SleepingThread> company;
  if (wanted == Company::sleeping_thread) company.emplace();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace bench
