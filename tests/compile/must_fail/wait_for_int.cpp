// expect: no matching (member )?function|cannot convert|invalid initialization of reference|reference to type 'const Until' could not bind
// SPDX-License-Identifier: BSL-1.0
//
// A bare number has no unit: it is not a limit.
#include <trine/event.hpp>

#include <chrono>

void use(trine::Event<>& go) {
#if defined(TRINE_CONTROL)
  go.wait(std::chrono::seconds(5));
#else
  go.wait(5);
#endif
}
