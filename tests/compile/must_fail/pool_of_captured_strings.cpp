// expect: captures or members are trivially copyable
// SPDX-License-Identifier: BSL-1.0
//
// A function that holds a string can't be copied into a worker that was forked before: the string is to be an argument.
#include <trine/backend/processes.hpp>
#include <trine/pool.hpp>

#include <string>

std::size_t size(trine::Pool<trine::processes>& pool, const std::string& text) {
#if defined(TRINE_CONTROL)
  return pool.apply([](const std::string& given) { return given.size(); }, text);
#else
  return pool.apply([text] { return text.size(); });
#endif
}
