// SPDX-License-Identifier: BSL-1.0
//
// The queues of the tests that kill: of which items, how one is made, and a record of which came out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>

#include <trine/lifo_queue.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>

#include "process/killing/children.hpp"

#if __has_include(<cereal/cereal.hpp>)
#include <trine/codec.hpp>
#define TRINE_TEST_STRINGS 1
#endif

namespace trine_test {

/// The n-th item, which tells its number, and whether it is damaged.
template <class T>
struct Numbered {
  static constexpr std::size_t bytes = sizeof(T);
  static T make(int n) { return T(n); }
  static int number(const T& item) { return static_cast<int>(item); }
};
template <>
struct Numbered<std::string> {
  static constexpr std::size_t bytes = 192;  // in three blocks, encoded
  static std::string make(int n) {
    std::array<char, 16> text;
    std::snprintf(text.data(), text.size(), "%09d", n);
    return text.data() + std::string(141, static_cast<char>('a' + n % 26));
  }
  static int number(const std::string& item) {
    const int n = std::atoi(item.c_str());
    require(item == make(n), "an item is damaged");
    return n;
  }
};

/// Which items came out, and in which order.
struct Record {
  static constexpr std::size_t most = 64;
  std::array<std::atomic<int>, most> seen{};
  std::array<std::atomic<int>, most> order{};
  std::atomic<std::size_t> count{0};

  void came_out(int n) {
    require(n >= 0 && static_cast<std::size_t>(n) < most, "an item that nobody put");
    seen[static_cast<std::size_t>(n)]++;
    order[count++ % most] = n;
  }
  [[nodiscard]] int times(int n) const { return seen[static_cast<std::size_t>(n)]; }
};

}  // namespace trine_test
