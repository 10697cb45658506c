// expect: invalid initialization of reference|no matching function|no viable conversion
// SPDX-License-Identifier: BSL-1.0
//
// A number is not a Semaphore: it is not made of one by chance.
#include <trine/semaphore.hpp>

void use(const trine::Semaphore<>&);

#if defined(TRINE_CONTROL)
void call() { use(trine::Semaphore<>(3)); }
#else
void call() { use(3); }
#endif
