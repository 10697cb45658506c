// expect: reference|incomplete|forming
// SPDX-License-Identifier: BSL-1.0
//
// A Queue owns its items: it has no place for a reference.
#include <trine/queue.hpp>

#include <functional>

#if defined(TRINE_CONTROL)
trine::Queue<std::reference_wrapper<int>> queue;
#else
trine::Queue<int&> queue;
#endif
