// expect: select\(\) takes operations of backends that go together
// SPDX-License-Identifier: BSL-1.0
//
// A thread that sleeps by futex does not hear of a portable_threads object.
#include <trine/event.hpp>
#include <trine/select.hpp>

#if defined(TRINE_CONTROL)
using Other = trine::threads;
#else
using Other = trine::portable_threads;
#endif

void use(trine::Event<>& go, trine::Event<Other>& stop) { (void)trine::select(go.wait_op(), stop.wait_op()); }
