// SPDX-License-Identifier: BSL-1.0
//
// An allocator that fails when a test says so. It replaces operator new, so one source of a program includes it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

namespace trine_test {

/// How often this thread can still allocate.
inline thread_local std::size_t allocations_left = std::numeric_limits<std::size_t>::max();

/// While it is there, this thread can allocate so often and no more.
class AllocationsAtMost {
 public:
  explicit AllocationsAtMost(std::size_t count) noexcept { allocations_left = count; }
  AllocationsAtMost(const AllocationsAtMost&) = delete;
  AllocationsAtMost& operator=(const AllocationsAtMost&) = delete;
  ~AllocationsAtMost() { allocations_left = std::numeric_limits<std::size_t>::max(); }
};

/// Calls the function with that; whether it had enough.
template <class Function>
bool enough_for(std::size_t allocations, Function&& function) {
  try {
    const AllocationsAtMost limited(allocations);
    function();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace trine_test

// Not inlined: g++ would warn that what one gave is given back by the other's free().
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (trine_test::allocations_left == 0) throw std::bad_alloc();
  if (trine_test::allocations_left != std::numeric_limits<std::size_t>::max()) --trine_test::allocations_left;
  if (void* const made = std::malloc(size)) return made;
  throw std::bad_alloc();
}
// The sanitizers' own would not call the one above.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::noinline]] void operator delete(void* made) noexcept { std::free(made); }
[[gnu::noinline]] void operator delete(void* made, std::size_t) noexcept { std::free(made); }
