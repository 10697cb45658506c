// expect: is not a class, struct, or union type|cannot be used prior to
// SPDX-License-Identifier: BSL-1.0
//
// What is no backend can't be one, and the message says which type was given.
#include <trine/event.hpp>

#if defined(TRINE_CONTROL)
trine::Event<trine::threads> go;
#else
trine::Event<int> go;
#endif
