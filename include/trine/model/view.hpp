// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace trine::modelling {

inline constexpr std::size_t most_threads = 8;
inline constexpr std::size_t most_locations = 56;

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

  void join(const View& other) noexcept { join_from(other, 0); }

  /// Coherence alone: a fence that creates no happens-before.
  void join_locations(const View& other) noexcept { join_from(other, most_threads); }

  [[nodiscard]] std::uint64_t hash() const noexcept {
    std::uint64_t words[sizeof(at) / 8];
    std::copy_n(reinterpret_cast<const unsigned char*>(at.data()), sizeof(at), reinterpret_cast<unsigned char*>(words));
    std::uint64_t result = 7;
    for (const std::uint64_t word : words) {
      if (word != 0) result = mix(result, word);
      result = result << 1U | result >> 63U;
    }
    return result;
  }

 private:
  void join_from(const View& other, std::size_t first) noexcept {
    for (std::size_t i = first; i < at.size(); ++i) at[i] = std::max(at[i], other.at[i]);
  }
};

}  // namespace trine::modelling
