// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/os/futex.hpp>
#include <trine/sleep.hpp>

namespace trine::os {

/// A word to look at, the value that it should keep, and whether other processes wake those who sleep on it.
struct WatchedWord {
  const Native::Word* word;
  std::uint32_t value;
  bool shared;

  [[nodiscard]] bool changed() const noexcept { return word->load(std::memory_order_relaxed) != value; }
};

/// Sleeps until one of the words no longer holds its value, somebody wakes one of them, the time has come, or for no reason.
/// The first word is a private one. More words than one system call takes, or a system without such a call: they are
/// looked at a thousand times a second.
inline void sleep_on_any(std::span<const WatchedWord> words, std::chrono::steady_clock::time_point until) {
#if defined(__linux__)
  if (words.size() > 1 && words.size() <= FUTEX_WAITV_MAX && !PrivateFutex::sleeps_in_slices()) {
    if (PrivateFutex::sleep_on_mixed(
            words.size(), until,
            [&](std::size_t i) {
              return Sleep<const Native::Word>{words[i].word, words[i].value};
            },
            [&](std::size_t i) { return words[i].shared; })) {
      return;
    }
  }
#endif
  static constexpr auto slice = std::chrono::milliseconds(1);
  if (words.size() > 1) {
    if (std::any_of(words.begin(), words.end(), [](const WatchedWord& each) { return each.changed(); })) return;
    until = std::min(until, std::chrono::steady_clock::now() + slice);
  }
  const Sleep<Native::Word> first{const_cast<Native::Word*>(words.front().word), words.front().value};
  PrivateFutex::sleep({&first, 1}, PrivateFutex::Limit(Until(until)));
}

}  // namespace trine::os
