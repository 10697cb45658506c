// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

namespace trine {

/// How the workers of a pool are.
struct PoolOptions {
  /// Called once in each worker, before its first task. If it throws, every task of that worker fails with what it threw.
  std::function<void()> initializer = nullptr;

  /// After so many tasks (calls of apply and submit, chunks of map) a worker makes place for a new one. 0: never.
  std::size_t max_tasks_per_worker = 0;
};

/// How many workers a pool has if nobody says: one for each processor.
inline std::ptrdiff_t default_workers() noexcept { return std::max(1U, std::thread::hardware_concurrency()); }

/// Throws std::invalid_argument.
inline std::size_t checked_workers(std::ptrdiff_t workers) {
  constexpr std::ptrdiff_t most = 1024;
  if (workers < 1 || workers > most) {
    throw std::invalid_argument("trine: workers: " + std::to_string(workers) + " is not from 1 to " + std::to_string(most));
  }
  return static_cast<std::size_t>(workers);
}

}  // namespace trine
