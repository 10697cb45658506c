// SPDX-License-Identifier: BSL-1.0
//
// The backends over which every behaviour suite is instantiated, and how a test runs its parties on one.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <type_traits>

#include <trine/trine.hpp>

namespace trine_test {

/// Coroutines of which trine::run() gives two threads the care.
struct coroutines_on_two : trine::coroutines {
  static constexpr unsigned scheduler_threads = 2;
};

#if defined(TRINE_TEST_COROUTINES)
using Backends = ::testing::Types<trine::coroutines, coroutines_on_two>;
#else
using Backends = ::testing::Types<trine::threads, trine::portable_threads>;
#endif

struct BackendName {
  template <class B>
  static std::string GetName(int) {
    if constexpr (std::is_same_v<B, trine::threads>) return "threads";
    if constexpr (std::is_same_v<B, trine::portable_threads>) return "portable_threads";
    if constexpr (std::is_same_v<B, trine::coroutines>) return "coroutines";
    if constexpr (std::is_same_v<B, coroutines_on_two>) return "coroutines_on_two";
  }
};

/// Whether a wait on B returns its result itself, and not something to await.
template <class B>
inline constexpr bool blocking = std::is_same_v<typename B::template Result<bool>, bool>;

/// Long enough that a wait which should succeed has not failed for want of time, however busy the machine.
inline constexpr std::chrono::seconds plenty{20};

/// A limit that is meant to be reached.
inline constexpr std::chrono::milliseconds brief{20};

/// Makes `while (!condition()) wait a little` a check: true as soon as the condition holds, false after `plenty`.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + plenty;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace trine_test
