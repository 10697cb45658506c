// SPDX-License-Identifier: BSL-1.0
//
// Ends a program that hangs: prints what it knows and aborts when a count has not moved for a while.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace trine_test {

/// A thread that reads `progress` four times a second, and nothing else: those whom it watches count where they like, and
/// take no lock. When `progress` has stood still for `patience` it prints `state` and aborts.
class Watchdog {
 public:
  Watchdog(std::function<std::uint64_t()> progress, std::function<std::string()> state,
           std::chrono::seconds patience = std::chrono::seconds(30))
      : progress_(std::move(progress)),
        state_(std::move(state)),
        patience_(patience),
        thread_([this](const std::stop_token& stop) { watch(stop); }) {}

 private:
  using Clock = std::chrono::steady_clock;

  void watch(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::unique_lock hold(mutex);
    std::uint64_t last = progress_();
    Clock::time_point moved = Clock::now();
    while (!stop.stop_requested()) {
      ended.wait_for(hold, stop, std::chrono::milliseconds(250), [] { return false; });
      if (const std::uint64_t now = progress_(); now != last) {
        last = now;
        moved = Clock::now();
      } else if (!stop.stop_requested() && Clock::now() - moved > patience_) {
        std::fprintf(stderr, "watchdog: no progress for %lld s\n%s\n", static_cast<long long>(patience_.count()),
                     state_().c_str());
        std::abort();
      }
    }
  }

  std::function<std::uint64_t()> progress_;
  std::function<std::string()> state_;
  std::chrono::seconds patience_;
  std::jthread thread_;
};

}  // namespace trine_test
