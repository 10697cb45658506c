// expect: a pointer means nothing in another process
// SPDX-License-Identifier: BSL-1.0
//
// A spawned process has other memory than its parent.
#include <trine/codec.hpp>
#include <trine/process.hpp>

void count(int* number) { ++*number; }
void show(int) {}

void begin(int& number) {
  const trine::Process::Options spawned{.start_method = trine::start_method::spawn};
#if defined(TRINE_CONTROL)
  const trine::Process child(spawned, show, number);
#else
  const trine::Process child(spawned, count, &number);
#endif
}
