// expect: include <trine/codec.hpp> for items that are not trivially copyable
// SPDX-License-Identifier: BSL-1.0
//
// What can't be copied byte by byte must be encoded to get into another process.
#include <trine/backend/processes.hpp>
#include <trine/queue.hpp>

#include <string>

#if defined(TRINE_CONTROL)
#include <trine/codec.hpp>
#endif
trine::Queue<std::string, trine::processes> queue;
