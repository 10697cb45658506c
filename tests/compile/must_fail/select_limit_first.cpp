// expect: whose giving up has no effect|no type named 'Backend' in
// SPDX-License-Identifier: BSL-1.0
//
// The limit of select() comes last.
#include <trine/event.hpp>
#include <trine/select.hpp>

#include <chrono>

void use(trine::Event<>& go) {
#if defined(TRINE_CONTROL)
  (void)trine::select(go.wait_op(), std::chrono::seconds(5));
#else
  (void)trine::select(std::chrono::seconds(5), go.wait_op());
#endif
}
