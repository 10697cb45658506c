// expect: must not refer to the worker's memory
// SPDX-License-Identifier: BSL-1.0
//
// What a worker returns is read in another process.
#include <trine/backend/processes.hpp>
#include <trine/pool.hpp>

#include <string>

const char* name() { return "name"; }

std::string ask(trine::Pool<trine::processes>& pool) {
#if defined(TRINE_CONTROL)
  return pool.apply([] { return std::string(name()); });
#else
  return pool.apply(name);
#endif
}
