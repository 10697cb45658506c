// expect: use of deleted function|call to deleted constructor
// SPDX-License-Identifier: BSL-1.0
//
// Others wait for a Lock at its place: it is not moved.
#include <trine/lock.hpp>

#include <utility>

trine::Lock<> lock;
#if defined(TRINE_CONTROL)
trine::Lock<>& same = lock;
#else
trine::Lock<> moved = std::move(lock);
#endif
