// expect: select\(\) takes operations whose giving up has no effect
// SPDX-License-Identifier: BSL-1.0
//
// To arrive at a Latch can't be undone; to wait for it can.
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/select.hpp>

void use(trine::Event<>& go, trine::Latch<>& ready) {
#if defined(TRINE_CONTROL)
  (void)trine::select(go.wait_op(), ready.wait_op());
#else
  (void)trine::select(go.wait_op(), ready.arrive_and_wait_op());
#endif
}
