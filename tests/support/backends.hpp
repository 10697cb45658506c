// SPDX-License-Identifier: BSL-1.0
//
// The backends over which every behaviour suite is instantiated, what differs between them, and how a test runs its parties
// on one.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <type_traits>

#include <trine/trine.hpp>

namespace trine_test {

/// What a test calls it.
template <class B>
inline constexpr const char* backend_name = nullptr;

// What differs between the backends, by contract. A set of backends says so beside their names.

/// Whether any party may unlock what another locked.
template <class B>
inline constexpr bool hands_over = true;

/// Whether queues take items of any type, as they are: ones that move only, have destructors, or throw. Else an item is copied
/// byte by byte, or encoded.
template <class B>
inline constexpr bool any_item = true;

/// Whether an object keeps functions, and limits of every kind: the action of a Barrier.
template <class B>
inline constexpr bool keeps_functions = true;

/// Whether its owner may destroy a lock that it holds.
template <class B>
inline constexpr bool dies_locked = true;

}  // namespace trine_test

// TRINE_TEST_BACKENDS names the set of backends that the program is for, a header of this folder that defines `Backends`.
#if !defined(TRINE_TEST_BACKENDS)
#define TRINE_TEST_BACKENDS threads
#endif
#define TRINE_TEST_TEXT(text) #text
#define TRINE_TEST_HEADER(path) TRINE_TEST_TEXT(path)
#include TRINE_TEST_HEADER(support/backends/TRINE_TEST_BACKENDS.hpp)

namespace trine_test {

struct BackendName {
  template <class B>
  static std::string GetName(int) {
    return backend_name<B>;
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
