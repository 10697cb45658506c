// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace trine {

/// How many sleepers a wake may rouse at most, when it is to rouse them all.
inline constexpr std::uint32_t everyone = std::numeric_limits<std::int32_t>::max();

/// Where an operation sleeps: on `*word`, for as long as it holds `value`. No word: the operation need not sleep, it is done.
template <class Word>
struct Sleep {
  Word* word = nullptr;
  std::uint32_t value = 0;
  bool shared = false;  // for those who sleep on words of several backends: whether other processes wake those who sleep on it
  bool soon = false;    // for those who watch: nobody will wake for what comes next, look again in a moment

  [[nodiscard]] bool needless() const noexcept { return word == nullptr; }
  [[nodiscard]] bool changed() const noexcept { return word->load(std::memory_order_relaxed) != value; }
};

}  // namespace trine
