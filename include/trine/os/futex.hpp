// SPDX-License-Identifier: BSL-1.0
//
// Picks how a thread sleeps on a word on this system.
#pragma once

#include <concepts>

#if defined(__linux__)
#include <trine/os/futex_linux.hpp>
#include <trine/os/mixed_futex.hpp>
#else
#include <trine/os/parking_lot.hpp>
#endif

namespace trine::os {

/// PrivateFutex: sleeping on words of this process. AnyFutex: on several at once, of any Os that is SleptOnTogether.
#if defined(__linux__)
using PrivateFutex = LinuxFutex<FutexScope::process>;
using AnyFutex = MixedFutex;
template <class Os>
concept SleptOnTogether =
    std::derived_from<Os, LinuxFutex<FutexScope::process>> || std::derived_from<Os, LinuxFutex<FutexScope::machine>>;
#else
using PrivateFutex = ParkingLot<>;
using AnyFutex = ParkingLot<>;
template <class Os>
concept SleptOnTogether = std::same_as<Os, ParkingLot<>>;
#endif

}  // namespace trine::os
