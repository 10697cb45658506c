// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <trine/os/futex_linux.hpp>
#include <trine/os/robust_linux.hpp>
#include <trine/os/wide_word.hpp>

namespace trine::os {

/// Sleeping on words that processes share, and owners whose death the kernel notices.
struct RobustFutex : LinuxFutex<FutexScope::machine> {
  using Owned = OwnedWord;
  using WideWord = os::WideWord;

  /// How many parties can be inside at a time, and how many permits held: each has a word of its own in the object.
  static constexpr std::uint32_t most_parties = 128;
  static constexpr std::uint32_t most_permits = 127;

  /// How many bits of a place's turns a semaphore's state has.
  static constexpr std::uint32_t turn_bits = 25;

  /// The calling thread, as an owner: its number, and the list of what it owns.
  using Self = Robust::Thread;
  static Self& me() { return Robust::self(); }

  /// Throws std::system_error if the caller owns too much already for all of it to be looked after.
  static void make_room(const Self& me) {
    if (!Robust::has_room(me)) [[unlikely]]
      Robust::too_many();
  }

  /// Whether the caller has taken it and not freed it.
  static bool owns(Self& me, const Owned& owned) { return Robust::owns(me, owned); }

  using Noted = Robust::Noted;

  static void link(Self& me, Owned& owned) noexcept { Robust::link(me, owned); }
  static void unlink(Self& me, Owned& owned) noexcept { Robust::unlink(me, owned); }
  static void look_after(Owned& owned) noexcept { Robust::look_after(owned); }
};

}  // namespace trine::os
