// SPDX-License-Identifier: BSL-1.0
#pragma once

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define TRINE_HAS_SINGLE_THREADED 1
#endif

namespace trine::os {

/// Whether the calling thread is the only one of its process, as the C library tells (glibc 2.32 and later; false elsewhere).
///
/// While it says yes, a load and a store do for a read-modify-write of memory that is this process's own. Nobody else can come
/// between the two: a second thread is started by the caller alone, that is before or after them, and sees what was
/// stored by being started; it says no from then on. A handler of a signal, which must not start threads, may run between
/// them, so whoever uses this has to be content with a handler that leaves things as it found them. In a child made by fork() it
/// may go on saying no. A thread that was not started by the C library (clone()) is unknown to it, as it is to that library's own
/// mutexes.
inline bool single_threaded() noexcept {
#ifdef TRINE_HAS_SINGLE_THREADED
  return __libc_single_threaded != 0;
#else
  return false;
#endif
}

}  // namespace trine::os
#undef TRINE_HAS_SINGLE_THREADED
