// expect: select\(\) takes operations whose giving up has no effect
// SPDX-License-Identifier: BSL-1.0
//
// A wait of a Condition has to lock again when it gives up: select() can't choose something else instead.
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/select.hpp>

void use(trine::Event<>& go, trine::Condition<>& changed, trine::Guard<trine::Lock<>>& held) {
#if defined(TRINE_CONTROL)
  changed.wait(held);
  (void)trine::select(go.wait_op());
#else
  (void)trine::select(go.wait_op(), changed.wait_op(held));
#endif
}
