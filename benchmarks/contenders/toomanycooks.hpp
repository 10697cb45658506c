// SPDX-License-Identifier: BSL-1.0
//
// TooManyCooks, for coroutine_peers.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#define TMC_IMPL
#include <tmc/all_headers.hpp>

namespace bench {

/// On its executor of one thread. On the one that runs on the calling thread, a task that reschedules itself keeps all others
/// waiting.
struct TooManyCooks {
  static constexpr const char* name = "toomanycooks";
  static constexpr bool posts = true;
  static constexpr bool release_suspends = false;
  static constexpr bool spawns_on_pool = true;

  template <class T>
  using Task = tmc::task<T>;
  using Lock = tmc::mutex;
  using Event = tmc::manual_reset_event;
  using Semaphore = tmc::semaphore;

  struct Line {
    static auto hop() { return tmc::reschedule(); }
  };

  struct Pool {
    Pool() { executor.set_thread_count(2).init(); }
    void run(Task<void> task) { tmc::post_waitable(executor, std::move(task)).wait(); }
    static auto hop() { return tmc::reschedule(); }
    tmc::ex_cpu executor;
  };

  template <std::size_t Capacity>
  struct Queue {
    auto put(const std::int64_t& item) { return queue.push(item); }
    auto get() { return queue.pull(); }
    tmc::qu_spsc_bounded<std::int64_t> queue{Capacity};
  };

  static void run(Task<void> task) {
    tmc::ex_cpu_st executor;
    executor.init();
    tmc::post_waitable(executor, std::move(task)).wait();
  }
  static auto all(std::vector<Task<void>>& tasks) { return tmc::spawn_many(tasks.begin(), tasks.end()); }
  static auto pause() { return tmc::reschedule(); }
  static Lock& lock(Lock& lock) { return lock; }
  static Semaphore empty_semaphore() { return Semaphore(0); }
  static Semaphore& acquire(Semaphore& semaphore) { return semaphore; }
  static void release(Semaphore& semaphore) { semaphore.release(); }
  template <class Got>
  static std::int64_t item(Got&& got) {
    return got.value();
  }
};

}  // namespace bench
