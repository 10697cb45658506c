// SPDX-License-Identifier: BSL-1.0
#pragma once

#if !defined(__linux__)
#error "trine: the backends for processes need Linux"
#endif

#include <string_view>

#include <trine/backend/mortal.hpp>
#include <trine/backend/shared_state.hpp>
#include <trine/os/robust_futex.hpp>

namespace trine {

/// The calling thread blocks, and the object serves every process that shares it. An object places its state in shared
/// memory by itself: `Event<processes> go;` as a local variable works with the children that inherit it by fork(). Any
/// participant may be killed at any instruction, and no other hangs: see docs/design.md.
struct processes : Mortal<os::RobustFutex> {
  /// The state of a primitive, in a mapping of its own, or in a segment with a name.
  template <class S>
  using Storage = SharedState<S>;

  /// The tags that say how an object gets its name.
  template <SegmentTag Tag>
  using NameTag = Tag;

  static bool remove(std::string_view name) { return Segment::remove(name); }
};

/// As processes, for objects inside memory that the user shares: the object is its state, and valid at another address in
/// another process. It keeps nothing of a process: no function, no limit with a stop token.
struct shared_memory : Mortal<os::RobustFutex> {
  template <class T>
  class Attached {
   public:
    Attached() = default;
    explicit operator bool() const noexcept { return false; }
    T* operator->() const noexcept { return nullptr; }
  };
};

}  // namespace trine
