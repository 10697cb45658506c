// expect: Backend
// SPDX-License-Identifier: BSL-1.0
//
// A type that can wait but wakes nobody is not a backend, and the compiler says so.
#include <trine/backend.hpp>
#include <trine/event.hpp>

#include <trine/backend/threads.hpp>

struct deaf : trine::threads {
#if !defined(TRINE_CONTROL)
  static void wake(Word&, std::uint32_t) = delete;
#endif
};

static_assert(trine::Backend<deaf>);
