// expect: use of deleted function|call to implicitly-deleted copy constructor
// SPDX-License-Identifier: BSL-1.0
//
// Two guards would unlock one lock twice: a Guard is moved, not copied.
#include <trine/lock.hpp>

#include <utility>

void use(trine::Lock<>& lock) {
  auto held = lock.guard();
#if defined(TRINE_CONTROL)
  const auto other = std::move(held);
#else
  const auto other = held;
#endif
}
