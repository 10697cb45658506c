// expect: items in shared memory are trivially copyable
// SPDX-License-Identifier: BSL-1.0
//
// A string has a pointer to memory of its own process.
#include <trine/backend/processes.hpp>
#include <trine/queue.hpp>

#include <string>

struct Name {
  char text[16];
};
#if defined(TRINE_CONTROL)
trine::Queue<Name, trine::shared_memory, 4> queue;
#else
trine::Queue<std::string, trine::shared_memory, 4> queue;
#endif
