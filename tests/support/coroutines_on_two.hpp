// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <trine/backend/coroutines.hpp>

namespace trine_test {

/// Coroutines of which trine::run() gives two threads the care.
struct coroutines_on_two : trine::coroutines {
  static constexpr unsigned scheduler_threads = 2;
};

}  // namespace trine_test
