// SPDX-License-Identifier: BSL-1.0
//
// The set `coroutines`: the bodies are awaited, on a scheduler with one thread and on one with two.
#pragma once

#include "support/coroutines_on_two.hpp"

namespace trine_test {

#if defined(TRINE_TEST_FIRST_ONLY)
using Backends = ::testing::Types<coroutines_on_two>;
#else
using Backends = ::testing::Types<coroutines_on_two, trine::coroutines>;
#endif

/// Those that have pools.
using PoolBackends = Backends;

}  // namespace trine_test
