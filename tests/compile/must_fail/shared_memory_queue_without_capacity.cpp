// expect: has its capacity as a template argument: Queue<T, shared_memory, N>
// SPDX-License-Identifier: BSL-1.0
//
// A queue that is its own state has its places in itself: how many is a part of its type.
#include <trine/backend/processes.hpp>
#include <trine/queue.hpp>

#if defined(TRINE_CONTROL)
trine::Queue<int, trine::shared_memory, 4> queue;
#else
trine::Queue<int, trine::shared_memory> queue(4);
#endif
