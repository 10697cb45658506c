// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include <trine/array.hpp>
#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/lock.hpp>
#include <trine/priority_queue.hpp>
#include <trine/process/attributes.hpp>
#include <trine/process/dict.hpp>
#include <trine/process/list.hpp>
#include <trine/process/managed.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>
#include <trine/value.hpp>

namespace trine {

/// Objects that processes share, in one segment.
///
///     trine::Manager manager;
///     auto ages = manager.dict<std::string, int>();
///     trine::Process child([&] { ages.set("Ada", 36); });
///     child.join();
///     std::cout << ages.at("Ada");
///
/// Without a name it is for this process and the children that it forks; with one, for all that open it. An object that is given
/// a name (at most 63 characters) is the same for all who ask for that name; without, it is a new one. Opening one as another
/// type throws LayoutMismatch.
///
/// Containers: dict(), list() and ns(), each with memory of its own, so many bytes, in the segment. Values are copied or encoded
/// by Codec (<trine/codec.hpp>). Primitives: those of shared_memory, in the segment.
/// Errors: std::system_error (no_buffer_space) when the segment, or a container's memory, is full: it does not grow.
/// Deaths: a process that is killed inside a call of a container leaves OwnerDied to all later calls of that one, until somebody
/// calls its recover(); no other object suffers. One that is killed while it makes an object leaves none.
/// Lifetime: objects are as long as the segment, which lasts until its name is removed and nobody has it. References to
/// primitives are valid as long as this Manager or a container of it. Not copyable, not movable; a copy of a container is
/// another handle of the same.
class Manager {
 public:
  static constexpr std::size_t default_bytes = std::size_t{16} << 20;
  static constexpr std::size_t container_bytes = std::size_t{1} << 20;

  explicit Manager(std::size_t bytes = default_bytes) : memory_(std::make_shared<ManagerMemory>(bytes)) {}
  /// `tag` is create_only, open_only or open_or_create; `bytes` are for the one who makes it.
  template <SegmentTag Tag>
  Manager(Tag tag, std::string_view name, std::size_t bytes = default_bytes)
      : memory_(std::make_shared<ManagerMemory>(tag, name, bytes)) {}
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// Removes the name; those who have the objects keep them. false: there was none.
  static bool remove(std::string_view name) { return Segment::remove(name); }

  template <class K, class V>
  [[nodiscard]] Dict<K, V> dict(std::string_view name = {}, std::size_t bytes = container_bytes) {
    return {memory_, name, bytes};
  }
  template <class T>
  [[nodiscard]] List<T> list(std::string_view name = {}, std::size_t bytes = container_bytes) {
    return {memory_, name, bytes};
  }
  [[nodiscard]] Namespace ns(std::string_view name = {}, std::size_t bytes = container_bytes) { return {memory_, name, bytes}; }

  [[nodiscard]] Event<shared_memory>& event(std::string_view name = {}) { return object<Event<shared_memory>>(name); }
  [[nodiscard]] Lock<shared_memory>& lock(std::string_view name = {}) { return object<Lock<shared_memory>>(name); }
  [[nodiscard]] RecursiveLock<shared_memory>& recursive_lock(std::string_view name = {}) {
    return object<RecursiveLock<shared_memory>>(name);
  }
  [[nodiscard]] SharedLock<shared_memory>& shared_lock(std::string_view name = {}) {
    return object<SharedLock<shared_memory>>(name);
  }
  [[nodiscard]] Condition<shared_memory>& condition(std::string_view name = {}) {
    return object<Condition<shared_memory>>(name);
  }
  [[nodiscard]] Semaphore<shared_memory>& semaphore(int permits = 1, std::string_view name = {}) {
    return object<Semaphore<shared_memory>>(name, permits);
  }
  [[nodiscard]] BoundedSemaphore<shared_memory>& bounded_semaphore(int permits = 1, std::string_view name = {}) {
    return object<BoundedSemaphore<shared_memory>>(name, permits);
  }
  [[nodiscard]] Barrier<shared_memory>& barrier(int parties, std::string_view name = {}) {
    return object<Barrier<shared_memory>>(name, parties);
  }
  [[nodiscard]] Latch<shared_memory>& latch(int count, std::string_view name = {}) {
    return object<Latch<shared_memory>>(name, count);
  }
  template <class T>
  [[nodiscard]] Value<T, shared_memory>& value(const T& initial = T(), std::string_view name = {}) {
    return object<Value<T, shared_memory>>(name, initial);
  }
  /// Of N elements, trivially copyable ones.
  template <class T, std::size_t N>
  [[nodiscard]] Array<T, shared_memory, N>& array(std::string_view name = {}) {
    return object<Array<T, shared_memory, N>>(name);
  }
  /// With room for N items, trivially copyable ones.
  template <class T, std::size_t N>
  [[nodiscard]] Queue<T, shared_memory, N>& queue(std::string_view name = {}) {
    return object<Queue<T, shared_memory, N>>(name);
  }
  template <class T, std::size_t N>
  [[nodiscard]] LifoQueue<T, shared_memory, N>& lifo_queue(std::string_view name = {}) {
    return object<LifoQueue<T, shared_memory, N>>(name);
  }
  template <class T, std::size_t N, class Compare = std::less<T>>
  [[nodiscard]] PriorityQueue<T, shared_memory, Compare, N>& priority_queue(std::string_view name = {}) {
    return object<PriorityQueue<T, shared_memory, Compare, N>>(name);
  }

  /// Any other type that lies in shared memory: it holds no pointers, and is never destroyed. Made of the arguments, if there is
  /// none of that name.
  template <class T, class... A>
  [[nodiscard]] T& object(std::string_view name, A&&... arguments) {
    static_assert(alignof(T) <= 64 && std::is_trivially_destructible_v<T>, "it lies in shared memory, and is never destroyed");
    const auto data = (*memory_)->find_or_make(name, managed_type<T>(), sizeof(T),
                                               [&](std::byte* at) { new (at) T(std::forward<A>(arguments)...); });
    if (data.size() < sizeof(T)) throw LayoutMismatch("the manager's table in shared memory is damaged");
    return *std::launder(reinterpret_cast<T*>(data.data()));
  }

  /// How many bytes are left for new objects.
  [[nodiscard]] std::size_t free_memory() const noexcept { return (*memory_)->free_memory(); }

 private:
  std::shared_ptr<ManagerMemory> memory_;
};

}  // namespace trine
