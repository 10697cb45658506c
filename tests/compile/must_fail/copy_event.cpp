// expect: use of deleted function|call to deleted constructor
// SPDX-License-Identifier: BSL-1.0
//
// Others wait on an Event at its place: it is not copied.
#include <trine/event.hpp>

trine::Event<> go;
#if defined(TRINE_CONTROL)
trine::Event<>& same = go;
#else
trine::Event<> copy = go;
#endif
