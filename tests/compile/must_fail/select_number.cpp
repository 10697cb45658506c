// expect: neither an operation nor a limit
// SPDX-License-Identifier: BSL-1.0
//
// A bare number has no unit: it is no limit of select() either.
#include <trine/event.hpp>
#include <trine/select.hpp>

#include <chrono>

void use(trine::Event<>& go) {
#if defined(TRINE_CONTROL)
  (void)trine::select(go.wait_op(), std::chrono::seconds(5));
#else
  (void)trine::select(go.wait_op(), 5);
#endif
}
