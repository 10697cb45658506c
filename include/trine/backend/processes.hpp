// SPDX-License-Identifier: BSL-1.0
#pragma once

#if !defined(__linux__)
#error "trine: the backends for processes need Linux"
#endif

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <trine/backend/mortal.hpp>
#include <trine/os/robust_futex.hpp>
#include <trine/os/shared_pages.hpp>

namespace trine {

/// The calling thread blocks, and the object serves every process that shares it. An object places its state in shared
/// memory by itself: `Event<processes> go;` as a local variable works with the children that inherit it by fork(). Any
/// participant may be killed at any instruction, and no other hangs: see docs/design.md.
struct processes : Mortal<os::RobustFutex> {
  /// The state of a primitive, in a mapping of its own.
  template <class S>
  class Storage {
   public:
    template <class... Arguments>
    explicit Storage(Arguments&&... arguments) : pages_(sizeof(S)) {
      std::construct_at(state(), std::forward<Arguments>(arguments)...);
    }

    S* operator->() noexcept { return state(); }
    const S* operator->() const noexcept { return state(); }
    S& operator*() noexcept { return *state(); }

   private:
    static_assert(std::is_trivially_destructible_v<S>, "the state of an object between processes is never destroyed");

    [[nodiscard]] S* state() const noexcept { return static_cast<S*>(pages_.data()); }

    os::SharedPages pages_;
  };
};

/// As processes, for objects inside memory that the user shares: the object is its state, and valid at another address in
/// another process. It keeps nothing of a process: no function, no limit with a stop token.
struct shared_memory : Mortal<os::RobustFutex> {
  template <class T>
  class Attached {
   public:
    explicit operator bool() const noexcept { return false; }
    T* operator->() const noexcept { return nullptr; }
  };
};

}  // namespace trine
