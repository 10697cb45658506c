// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace trine::modelling {

inline constexpr std::size_t most_threads = 8;
inline constexpr std::size_t most_locations = 56;
inline constexpr std::size_t nowhere = most_locations;

inline std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
  hash ^= value + 0x9e3779b97f4a7c15U + (hash << 6U) + (hash >> 2U);
  hash *= 0xff51afd7ed558ccdU;
  return hash ^ hash >> 29U;
}

/// What a thread knows, or a store tells: for each thread, how far it has come (a vector clock: what happens before); for
/// each location, the oldest store that may still be read (an index in its modification order: coherence).
struct View {
  std::array<std::uint16_t, most_threads + most_locations> at{};

  std::uint16_t& clock(std::size_t thread) noexcept { return at[thread]; }
  [[nodiscard]] std::uint16_t clock(std::size_t thread) const noexcept { return at[thread]; }
  std::uint16_t& seen(std::size_t location) noexcept { return at[most_threads + location]; }
  [[nodiscard]] std::uint16_t seen(std::size_t location) const noexcept { return at[most_threads + location]; }

  void join(const View& other) noexcept { join_from<0>(other); }

  /// Coherence alone: a fence that creates no happens-before.
  void join_locations(const View& other) noexcept { join_from<most_threads>(other); }

  /// Whether this teaches one who has `known` nothing that the other does not.
  [[nodiscard]] bool within(const View& other, const View& known) const noexcept {
    unsigned beyond = 0;
    for (std::size_t i = 0; i < most_threads + most_locations; ++i) {
      beyond |= static_cast<unsigned>(at[i] > other.at[i]) & static_cast<unsigned>(at[i] > known.at[i]);
    }
    return beyond == 0;
  }

  /// Locations from `locations` on are not in use: they are zero, and zeros do not count.
  [[nodiscard]] std::uint64_t hash(std::size_t locations) const noexcept {
    std::uint64_t result = 0;
    const std::size_t words = (most_threads + locations + 3) / 4;
    for (std::size_t i = 0; i < words; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, at.data() + 4 * i, sizeof word);
      word *= 0x9e3779b97f4a7c15U;
      word ^= word >> 32U;
      result += word * (0xd6e8feb86659fd93U + 0x2545f4914f6cdd1eU * i);
    }
    return result ^ result >> 31U;
  }

 private:
  template <std::size_t first> void join_from(const View& other) noexcept {
    for (std::size_t i = first; i < most_threads + most_locations; ++i) {
      const std::uint16_t theirs = other.at[i];
      at[i] = at[i] < theirs ? theirs : at[i];
    }
  }
};

}  // namespace trine::modelling
