// SPDX-License-Identifier: BSL-1.0
//
// The set `threads`: the backends whose parties are threads of one process.
#pragma once

#include <gtest/gtest.h>

#include <trine/trine.hpp>

namespace trine_test {

#if defined(TRINE_TEST_FIRST_ONLY)
using Backends = ::testing::Types<trine::threads>;
#else
using Backends = ::testing::Types<trine::threads, trine::portable_threads>;
#endif

/// Those that have pools.
using PoolBackends = Backends;

template <>
inline constexpr const char* backend_name<trine::threads> = "threads";
template <>
inline constexpr const char* backend_name<trine::portable_threads> = "portable_threads";

}  // namespace trine_test
