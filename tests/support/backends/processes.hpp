// SPDX-License-Identifier: BSL-1.0
//
// The set `processes`: the backends for processes, with threads of one process for parties.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>

#include <trine/backend/processes.hpp>
#include <trine/trine.hpp>

namespace trine_test {

/// Objects that place their state in shared memory, between threads.
struct processes_here : trine::processes {
  using Worker = std::thread;

 private:
  using Child = void;  // a TaskGroup has Workers, and no children
};

/// Objects that are their state, between threads. A queue has room for many items in itself, of which it uses as many as its
/// constructor is asked for: so the suites need not say each capacity twice. Queue<T, shared_memory, N> is another suite's.
struct shared_memory_here : trine::shared_memory {
  using Worker = std::thread;
  static constexpr std::size_t room = 4096;

  template <class Items>
  struct Asked : Items {
    using Items::Items;
    static constexpr bool fixed = false;
    static std::uint32_t places(std::size_t capacity) noexcept {
      return static_cast<std::uint32_t>(capacity == 0 ? room : std::min(capacity, room));
    }
  };

  template <class T, std::size_t>
  using FifoItems = Asked<trine::shared_memory::FifoItems<T, room>>;
  template <class T, std::size_t>
  using LifoItems = Asked<trine::shared_memory::LifoItems<T, room>>;
  template <class T, class Compare, std::size_t>
  using PriorityItems = Asked<trine::shared_memory::PriorityItems<T, Compare, room>>;

 private:
  using Child = void;
};

#if defined(TRINE_TEST_FIRST_ONLY)
using Backends = ::testing::Types<processes_here>;
#else
using Backends = ::testing::Types<processes_here, shared_memory_here>;
#endif

/// Those that have pools: these workers are processes indeed.
using PoolBackends = ::testing::Types<trine::processes>;

template <>
inline constexpr const char* backend_name<trine::processes> = "processes";
template <>
inline constexpr const char* backend_name<processes_here> = "processes_here";
template <>
inline constexpr const char* backend_name<shared_memory_here> = "shared_memory";

template <>
inline constexpr bool hands_over<processes_here> = false;
template <>
inline constexpr bool hands_over<shared_memory_here> = false;

template <>
inline constexpr bool any_item<processes_here> = false;
template <>
inline constexpr bool any_item<shared_memory_here> = false;

template <>
inline constexpr bool keeps_functions<shared_memory_here> = false;

template <>
inline constexpr bool dies_locked<shared_memory_here> = false;

}  // namespace trine_test
