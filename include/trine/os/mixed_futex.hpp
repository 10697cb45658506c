// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <span>

#include <trine/os/futex_linux.hpp>
#include <trine/sleep.hpp>

namespace trine::os {

/// Sleeping on several words at once of which some are shared with other processes, and others not.
struct MixedFutex : LinuxFutex<FutexScope::process> {
  using Private = LinuxFutex<FutexScope::process>;
  using Shared = LinuxFutex<FutexScope::machine>;

  static void sleep(std::span<const Sleep<Word>> words, const Limit& limit) {
    const auto is_shared = [](const Sleep<Word>& each) { return each.shared; };
    if (std::none_of(words.begin(), words.end(), is_shared)) return Private::sleep(words, limit);
    if (std::all_of(words.begin(), words.end(), is_shared)) return Shared::sleep(words, limit);
    const TimePoint until = Shared::end_of_sleep(limit);
    if (sleep_on_several(words, until, is_shared)) return;
    const TimePoint soon = std::min(until, std::chrono::steady_clock::now() + short_slice);
    words.front().shared ? Shared::sleep_on(words.front(), soon) : Private::sleep_on(words.front(), soon);
  }

  using Private::wake;
  static void wake(const Sleep<Word>& slept_on) noexcept {
    slept_on.shared ? Shared::wake(*slept_on.word, 1) : Private::wake(*slept_on.word, 1);
  }
};

}  // namespace trine::os
