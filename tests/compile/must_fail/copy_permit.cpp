// expect: use of deleted function|call to implicitly-deleted copy constructor
// SPDX-License-Identifier: BSL-1.0
//
// Two permits would give one back twice: a Permit is moved, not copied.
#include <trine/semaphore.hpp>

#include <utility>

void use(trine::Semaphore<>& slots) {
  auto mine = slots.permit();
#if defined(TRINE_CONTROL)
  const auto other = std::move(mine);
#else
  const auto other = mine;
#endif
}
