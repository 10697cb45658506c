// expect: no matching (member )?function
// SPDX-License-Identifier: BSL-1.0
//
// A wait needs the Guard of a Lock that is held, not the Lock.
#include <trine/condition.hpp>
#include <trine/lock.hpp>

void use(trine::Condition<>& changed, trine::Lock<>& lock) {
#if defined(TRINE_CONTROL)
  auto held = lock.guard();
  changed.wait(held);
#else
  changed.wait(lock);
#endif
}
