// SPDX-License-Identifier: BSL-1.0
//
// cppcoro, for coroutine_peers.cpp.
#pragma once

#include <utility>
#include <vector>

#include <cppcoro/async_auto_reset_event.hpp>
#include <cppcoro/async_manual_reset_event.hpp>
#include <cppcoro/async_mutex.hpp>
#include <cppcoro/static_thread_pool.hpp>
#include <cppcoro/sync_wait.hpp>
#include <cppcoro/task.hpp>
#include <cppcoro/when_all.hpp>

namespace bench {

/// Its semaphore is an event that resets itself. Whoever is woken runs at once, inside of the call that woke it.
struct Cppcoro {
  static constexpr const char* name = "cppcoro";
  static constexpr bool posts = false;
  static constexpr bool release_suspends = false;
  static constexpr bool spawns_on_pool = false;

  template <class T>
  using Task = cppcoro::task<T>;
  using Lock = cppcoro::async_mutex;
  using Event = cppcoro::async_manual_reset_event;
  using Semaphore = cppcoro::async_auto_reset_event;

  struct Line {
    auto hop() { return pool.schedule(); }
    cppcoro::static_thread_pool pool{1};
  };

  struct Pool {
    static void run(Task<void> task) { cppcoro::sync_wait(std::move(task)); }
    auto hop() { return pool.schedule(); }
    cppcoro::static_thread_pool pool{2};
  };

  static void run(Task<void> task) { cppcoro::sync_wait(std::move(task)); }
  static auto all(std::vector<Task<void>>& tasks) { return cppcoro::when_all(std::move(tasks)); }
  static auto lock(Lock& lock) { return lock.lock_async(); }
  static Semaphore empty_semaphore() { return {}; }
  static auto acquire(Semaphore& semaphore) { return semaphore.operator co_await(); }
  static void release(Semaphore& semaphore) { semaphore.set(); }
};

}  // namespace bench
