// SPDX-License-Identifier: BSL-1.0
//
// Picks how a thread sleeps on a word on this system.
#pragma once

#if defined(__linux__)
#include <trine/os/futex_linux.hpp>
#include <trine/os/mixed_futex.hpp>
#else
#include <trine/os/parking_lot.hpp>
#endif

namespace trine::os {

#if defined(__linux__)
using PrivateFutex = LinuxFutex<FutexScope::process>;
#else
using PrivateFutex = ParkingLot<>;
#endif

}  // namespace trine::os
