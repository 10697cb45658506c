// expect: select\(\) takes operations whose giving up has no effect
// SPDX-License-Identifier: BSL-1.0
//
// A party that gives up breaks its Barrier: select() can't choose something else instead.
#include <trine/barrier.hpp>
#include <trine/event.hpp>
#include <trine/select.hpp>

void use(trine::Event<>& go, trine::Barrier<>& step) {
#if defined(TRINE_CONTROL)
  step.wait();
  (void)trine::select(go.wait_op());
#else
  (void)trine::select(go.wait_op(), step.wait_op());
#endif
}
