// expect: no matching (member )?function
// SPDX-License-Identifier: BSL-1.0
//
// A reader can't give its place in the lock away and get it back: Condition works with Lock and RecursiveLock.
#include <trine/condition.hpp>
#include <trine/shared_lock.hpp>
#include <trine/lock.hpp>

void use(trine::Condition<>& changed, trine::SharedLock<>& lock, trine::Lock<>& plain) {
#if defined(TRINE_CONTROL)
  (void)lock;
  auto held = plain.guard();
#else
  (void)plain;
  auto held = lock.shared_guard();
#endif
  changed.wait(held);
}
