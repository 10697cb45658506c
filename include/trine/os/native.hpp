// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <trine/os/pause.hpp>
#include <trine/until.hpp>

namespace trine::os {

/// What the ways of sleeping on real words have in common: the machine's atomics, memory and clocks.
struct Native {
  using Word = std::atomic<std::uint32_t>;
  template <class T>
  using Atomic = std::atomic<T>;

  /// Plain data that an algorithm guards.
  template <class T>
  class Cell {
   public:
    Cell() = default;
    explicit Cell(T value) : value_(std::move(value)) {}

    [[nodiscard]] const T& read() const noexcept { return value_; }
    [[nodiscard]] T& write() noexcept { return value_; }

   private:
    T value_{};
  };

  /// The limit of a wait that has begun.
  class Limit {
   public:
    explicit Limit(const Until& until) : until_(until.started()) {}

    [[nodiscard]] bool passed() const { return until_.passed(); }
    [[nodiscard]] const std::stop_token& stop_token() const noexcept { return until_.stop_token(); }
    [[nodiscard]] std::chrono::steady_clock::time_point sleep_until() const { return until_.sleep_until(); }

   private:
    Until until_;
  };

  /// Whether other processes wake those who sleep.
  static constexpr bool shared = false;

  /// Whether it pays to look on before sleeping.
  static constexpr bool spins = true;

  static void pause() noexcept { os::pause(); }

  /// Has the cache line at the address brought here, to be read or to be written soon. A hint: the address may be any.
  static void fetch(const void* line) noexcept { os::fetch(line); }
  static void fetch_to_write(const void* line) noexcept { os::fetch_to_write(line); }

  /// Where a choice among equals begins: somewhere else each time.
  static std::size_t turn() noexcept {
    static thread_local std::size_t turns = 0;
    return turns++;
  }
};

}  // namespace trine::os
