// SPDX-License-Identifier: BSL-1.0
#pragma once

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

  [[nodiscard]] bool needless() const noexcept { return word == nullptr; }
};

}  // namespace trine
