// expect: a pointer means nothing in another process
// SPDX-License-Identifier: BSL-1.0
//
// A worker has other memory than its caller.
#include <trine/backend/processes.hpp>
#include <trine/pool.hpp>

int look_at(int* number) { return *number; }
int read_value(int number) { return number; }

int ask(trine::Pool<trine::processes>& pool, int* number) {
#if defined(TRINE_CONTROL)
  return pool.apply(read_value, *number);
#else
  return pool.apply(look_at, number);
#endif
}
