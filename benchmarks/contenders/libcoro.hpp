// SPDX-License-Identifier: BSL-1.0
//
// libcoro, for coroutine_peers.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <coro/event.hpp>
#include <coro/mutex.hpp>
#include <coro/queue.hpp>
#include <coro/ring_buffer.hpp>
#include <coro/semaphore.hpp>
#include <coro/sync_wait.hpp>
#include <coro/task.hpp>
#include <coro/thread_pool.hpp>
#include <coro/when_all.hpp>

namespace bench {

/// Whoever is woken runs at once, inside of the call that woke it.
struct Libcoro {
  static constexpr const char* name = "libcoro";
  static constexpr bool posts = false;
  static constexpr bool release_suspends = true;
  static constexpr bool spawns_on_pool = false;

  template <class T>
  using Task = coro::task<T>;
  using Lock = coro::mutex;
  using Event = coro::event;
  using Semaphore = coro::semaphore<1000>;

  struct Line {
    auto hop() { return pool->schedule(); }
    std::unique_ptr<coro::thread_pool> pool = coro::thread_pool::make_unique({.thread_count = 1});
  };

  struct Pool {
    static void run(Task<void> task) { coro::sync_wait(std::move(task)); }
    auto hop() { return pool->schedule(); }
    std::unique_ptr<coro::thread_pool> pool = coro::thread_pool::make_unique({.thread_count = 2});
  };

  template <std::size_t Capacity>
  struct Queue {
    auto put(std::int64_t item) { return ring.produce(item); }
    auto get() { return ring.consume(); }
    coro::ring_buffer<std::int64_t, Capacity> ring;
  };

  static void run(Task<void> task) { coro::sync_wait(std::move(task)); }
  static auto all(std::vector<Task<void>>& tasks) { return coro::when_all(std::move(tasks)); }
  static auto lock(Lock& lock) { return lock.lock(); }
  static Semaphore empty_semaphore() { return Semaphore(0); }
  static auto acquire(Semaphore& semaphore) { return semaphore.acquire(); }
  static auto release(Semaphore& semaphore) { return semaphore.release(); }
  template <class Got>
  static std::int64_t item(Got&& got) {
    return *got;
  }
};

}  // namespace bench
