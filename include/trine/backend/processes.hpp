// SPDX-License-Identifier: BSL-1.0
#pragma once

#if !defined(__linux__)
#error "trine: the backends for processes need Linux"
#endif

#include <cstddef>
#include <string_view>
#include <type_traits>

#include <trine/backend/mortal.hpp>
#include <trine/backend/shared_state.hpp>
#include <trine/os/child_linux.hpp>
#include <trine/os/futex.hpp>
#include <trine/os/nursery_linux.hpp>
#include <trine/os/robust_futex.hpp>
#include <trine/os/socket_ends_linux.hpp>
#include <trine/process/encoded_items.hpp>
#include <trine/process/heap_items.hpp>
#include <trine/process/items.hpp>
#include <trine/process/places.hpp>

namespace trine {

struct shared_memory;

/// The calling thread blocks, and the object serves every process that shares it. An object places its state in shared
/// memory by itself: `Event<processes> go;` as a local variable works with the children that inherit it by fork(). Any
/// participant may be killed at any instruction, and no other hangs: see docs/design.md.
struct processes : Mortal<os::RobustFutex> {
  /// What carries out a task of a TaskGroup.
  using Child = os::Child;

  /// For select(): the backends of which operations can be waited for together, and how.
  using Together = Blocking<os::AnyFutex>;

  /// What makes the workers of a Pool.
  using Nursery = os::Nursery;

  template <class T, std::size_t N>
  using FifoItems = typename ItemsBetweenProcesses<T, processes, N>::Fifo;
  template <class T, std::size_t N>
  using LifoItems = typename ItemsBetweenProcesses<T, processes, N>::Lifo;
  template <class T, class Compare, std::size_t N>
  using PriorityItems = typename ItemsBetweenProcesses<T, processes, N>::template Priority<Compare>;

  /// What lies inside such a state.
  using InPlace = shared_memory;

  /// Who has the ends of a pipe.
  using PipeEnds = os::SocketEnds;

  /// The elements of an array.
  template <class T, std::size_t N>
  using Elements = std::conditional_t<N == 0, ElementsBehind<T>, ElementsInside<T, N>>;

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
  using Child = os::Child;

  /// For select(): the backends of which operations can be waited for together, and how.
  using Together = Blocking<os::AnyFutex>;

  /// The capacity of a queue, which is a part of its type here.
  template <std::size_t N>
  static constexpr std::size_t given = [] {
    static_assert(N != 0, "a queue in shared memory has its capacity as a template argument: Queue<T, shared_memory, N>");
    return N;
  }();

  /// The elements of an array, how many of which is a part of its type as well.
  template <class T, std::size_t N>
  struct InsideAlone {
    static_assert(N != 0, "an array in shared memory has its size as a template argument: Array<T, shared_memory, N>");
    using type = ElementsInside<T, N>;
  };
  template <class T, std::size_t N>
  using Elements = typename InsideAlone<T, N>::type;

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
