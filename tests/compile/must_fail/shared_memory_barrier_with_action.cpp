// expect: no matching (function for call to|constructor for initialization of) .*Barrier
// SPDX-License-Identifier: BSL-1.0
//
// A function of one process is none of another: the action comes with each wait.
#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>

void use(trine::Barrier<trine::shared_memory>& barrier) { (void)barrier.wait([] {}); }

#if defined(TRINE_CONTROL)
trine::Barrier<trine::shared_memory> barrier(2);
#else
trine::Barrier<trine::shared_memory> barrier(2, [] {});
#endif
