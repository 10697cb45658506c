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
#include <trine/process/encoded_items.hpp>
#include <trine/process/heap_items.hpp>
#include <trine/process/items.hpp>

namespace trine {

/// The calling thread blocks, and the object serves every process that shares it. An object places its state in shared
/// memory by itself: `Event<processes> go;` as a local variable works with the children that inherit it by fork(). Any
/// participant may be killed at any instruction, and no other hangs: see docs/design.md.
struct processes : Mortal<os::RobustFutex> {
  template <class T, std::size_t N>
  using FifoItems = typename ItemsBetweenProcesses<T, processes, N>::Fifo;
  template <class T, std::size_t N>
  using LifoItems = typename ItemsBetweenProcesses<T, processes, N>::Lifo;
  template <class T, class Compare, std::size_t N>
  using PriorityItems = typename ItemsBetweenProcesses<T, processes, N>::template Priority<Compare>;

  /// The state of a primitive, in a mapping of its own.
  template <class S>
  class Storage {
   public:
    template <class... Arguments>
    explicit Storage(Arguments&&... arguments) : pages_(bytes(arguments...)) {
      std::construct_at(state(), std::forward<Arguments>(arguments)...);
    }

    S* operator->() noexcept { return state(); }
    const S* operator->() const noexcept { return state(); }
    S& operator*() noexcept { return *state(); }

   private:
    static_assert(std::is_trivially_destructible_v<S>, "the state of an object between processes is never destroyed");

    template <class... Arguments>
    static std::size_t bytes(const Arguments&... arguments) {
      if constexpr (requires { S::extra(arguments...); }) {
        return sizeof(S) + S::extra(arguments...);
      } else {
        return sizeof(S);
      }
    }

    [[nodiscard]] S* state() const noexcept { return static_cast<S*>(pages_.data()); }

    os::SharedPages pages_;
  };
};

/// As processes, for objects inside memory that the user shares: the object is its state, and valid at another address in
/// another process. It keeps nothing of a process: no function, no limit with a stop token.
struct shared_memory : Mortal<os::RobustFutex> {
  /// The capacity of a queue, which is a part of its type here.
  template <std::size_t N>
  static constexpr std::size_t given = [] {
    static_assert(N != 0, "a queue in shared memory has its capacity as a template argument: Queue<T, shared_memory, N>");
    return N;
  }();

  template <class T, std::size_t N>
  using FifoItems = RingItems<T, shared_memory, given<N>>;
  template <class T, std::size_t N>
  using LifoItems = StackItems<T, shared_memory, given<N>>;
  template <class T, class Compare, std::size_t N>
  using PriorityItems = HeapItems<T, shared_memory, Compare, given<N>>;

  template <class T>
  class Attached {
   public:
    Attached() = default;
    explicit operator bool() const noexcept { return false; }
    T* operator->() const noexcept { return nullptr; }
  };
};

}  // namespace trine
