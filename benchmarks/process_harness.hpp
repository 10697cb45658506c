// SPDX-License-Identifier: BSL-1.0
//
// What benchmarks of several processes need beside harness.hpp: memory that they share, and a way to start, place and time
// them.
#pragma once

#include <benchmark/benchmark.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "harness.hpp"

namespace bench {

/// A T in memory that this process shares with those which it starts, at the same address in all of them.
template <class T>
class Shared {
 public:
  template <class... Arguments>
  explicit Shared(Arguments&&... arguments) {
    void* const at = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
    object_ = new (at) T(std::forward<Arguments>(arguments)...);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    object_->~T();
    ::munmap(object_, sizeof(T));
  }

  T* operator->() noexcept { return object_; }
  T& operator*() noexcept { return *object_; }

 private:
  T* object_;
};

/// Where the processes of a team meet, and note their times.
struct Meeting {
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t most = 8;

  std::atomic<std::size_t> missing{0};
  std::array<Clock::time_point, most> began;
  std::array<Clock::time_point, most> ended;
};

/// What a started process does. Never returns.
template <class Work>
[[noreturn]] void be_one_of(Meeting& meeting, std::size_t number, Placement placement, const Work& work) {
  try {
    take_place(placement, number);
    meeting.missing.fetch_sub(1);
    while (meeting.missing.load() != 0) ::sched_yield();
    meeting.began[number] = Meeting::Clock::now();
    work(number);
    meeting.ended[number] = Meeting::Clock::now();
    ::_exit(0);
  } catch (const std::exception&) {
    ::_exit(1);
  }
}

/// As measure_team(), in processes that are started by fork(): work(shared, number, operations), where `shared` is a new S
/// in shared memory for each measurement. The last S is handed to `look` afterwards.
template <class S, class Work, class Look>
void measure_processes(benchmark::State& state, std::size_t parties, Placement placement, Work work, Look look) {
  while (state.KeepRunningBatch(state.max_iterations)) {
    const std::int64_t operations = state.max_iterations;
    Shared<Meeting> meeting;
    meeting->missing = parties;
    Shared<S> shared;
    std::array<pid_t, Meeting::most> team{};
    for (std::size_t number = 0; number < parties; ++number) {
      team[number] = ::fork();
      if (team[number] == -1) throw std::system_error(errno, std::system_category(), "fork");
      if (team[number] == 0) be_one_of(*meeting, number, placement, [&](std::size_t me) { work(*shared, me, operations); });
    }
    for (std::size_t number = 0; number < parties; ++number) {
      int status = 0;
      while (::waitpid(team[number], &status, 0) == -1 && errno == EINTR) {
      }
      if (status != 0) state.SkipWithError("a process failed");
    }
    const auto parts = static_cast<std::ptrdiff_t>(parties);
    const auto first = *std::min_element(meeting->began.begin(), meeting->began.begin() + parts);
    const auto last = *std::max_element(meeting->ended.begin(), meeting->ended.begin() + parts);
    state.SetIterationTime(std::chrono::duration<double>(last - first).count());
    look(*shared);
  }
}

template <class S, class Work>
void measure_processes(benchmark::State& state, std::size_t parties, Placement placement, Work work) {
  measure_processes<S>(state, parties, placement, work, [](S&) {});
}

}  // namespace bench
