// SPDX-License-Identifier: BSL-1.0
//
// Included by support/backends.hpp, or after it.
#pragma once

#include <trine/backend/coroutines.hpp>

namespace trine_test {

/// Coroutines of which trine::run() gives two threads the care.
struct coroutines_on_two : trine::coroutines {
  static constexpr unsigned scheduler_threads = 2;
};

template <>
inline constexpr const char* backend_name<trine::coroutines> = "coroutines";
template <>
inline constexpr const char* backend_name<coroutines_on_two> = "coroutines_on_two";

}  // namespace trine_test
