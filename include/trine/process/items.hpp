// SPDX-License-Identifier: BSL-1.0
//
// The items of queues in shared memory: trivially copyable ones, which are copied as they are. A party may die anywhere: until
// the queue stores an index, nothing has happened.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include <trine/process/places.hpp>
#include <trine/queue_items.hpp>

namespace trine {

/// What the items in shared memory have in common. `N`: how many there can be, or 0 if the constructor says it.
template <class T, class B, std::size_t N>
class SharedItems : public PlainItems<T> {
  static_assert(std::is_trivially_copyable_v<T>, "items in shared memory are trivially copyable, or have a Codec");

 public:
  static constexpr bool owns_memory = false;
  static constexpr bool fixed = N != 0;
  struct Cursor {};

  static std::uint32_t places(std::size_t capacity) noexcept {
    return N != 0 ? static_cast<std::uint32_t>(N) : places_for(capacity, sizeof(T));
  }

 protected:
  // A place is guarded by the index that publishes it.
  struct Slot {
    alignas(T) std::byte bytes[sizeof(T)];

    void put(const T& item) noexcept { *reinterpret_cast<T*>(bytes) = item; }
    [[nodiscard]] T get() const noexcept { return *reinterpret_cast<const T*>(bytes); }
  };
  using Place = typename B::template Cell<Slot>;
};

/// First in, first out: a ring, with a power of two of places so that positions may wrap.
template <class T, class B, std::size_t N>
class RingItems : public SharedItems<T, B, N> {
  using Base = SharedItems<T, B, N>;
  using typename Base::Place;
  static constexpr bool near = lies_with_indices<T>;

 public:
  using typename Base::Cursor;
  static constexpr bool one_gate = false;
  static constexpr std::string_view kind = "Queue";

  RingItems(std::size_t capacity, Cursor&, Cursor&) noexcept : count_(std::bit_ceil(Base::places(capacity))) {}

  static std::size_t extra(std::size_t capacity) noexcept
    requires(N == 0)
  {
    const std::uint32_t count = std::bit_ceil(Base::places(capacity));
    return lies_here(count) ? 0 : Slots::bytes(count);
  }
  std::byte* lie_at(void* memory) noexcept
    requires(N == 0)
  {
    if (!lies_here(count_)) return slots_.lie_at(static_cast<std::byte*>(memory), count_);
    slots_.lie_at(reinterpret_cast<std::byte*>(&only_), count_);
    return static_cast<std::byte*>(memory);
  }

  /// Whether what lies behind the state does lie between the two addresses: it may have been damaged.
  [[nodiscard]] bool sound(const std::byte* begin, const std::byte* end, std::uint32_t places) const noexcept
    requires(N == 0)
  {
    if (count_ != std::bit_ceil(places)) return false;
    const auto* const only = reinterpret_cast<const std::byte*>(&only_);
    return lies_here(count_) ? slots_.lies_in(only, only + sizeof(only_), count_) : slots_.lies_in(begin, end, count_);
  }

  /// Where the item of a queue of one lies.
  [[nodiscard]] const void* only_place() noexcept
    requires(!near)
  {
    return &slots_[0];
  }

  bool put(QueuePlace<Cursor>& at, const T& item) {
    slots_[at.position & (count_ - 1)].write().put(item);
    return true;
  }

  template <class Sink>
  void take(QueuePlace<Cursor>& at, Sink&& sink) {
    sink(slots_[at.position & (count_ - 1)].read().get());
  }

  /// For those who keep more beside: calls use(item) for each that is inside, of which the first has this position.
  template <class Use>
  void for_each(std::uint32_t first, std::uint32_t inside, Use use) {
    for (std::uint32_t i = 0; i < std::min(inside, count_); ++i) use(slots_[(first + i) & (count_ - 1)].read().get());
  }

 private:
  using Slots = Places<Place, N == 0 ? 0 : std::bit_ceil(N)>;
  struct Nothing {};

  // Whether the place lies in `only_`.
  static bool lies_here(std::uint32_t count) noexcept { return N == 0 && near && count == 1; }

  [[no_unique_address]] std::conditional_t<N == 0 && near, Place, Nothing> only_;
  const std::uint32_t count_;
  Slots slots_;
};

/// Last in, first out: how many there are tells which is the last.
template <class T, class B, std::size_t N>
class StackItems : public SharedItems<T, B, N> {
  using Base = SharedItems<T, B, N>;
  using typename Base::Place;

 public:
  using typename Base::Cursor;
  static constexpr bool one_gate = true;
  static constexpr std::string_view kind = "LifoQueue";

  StackItems(std::size_t capacity, Cursor&, Cursor&) noexcept : count_(Base::places(capacity)) {}

  static std::size_t extra(std::size_t capacity) noexcept
    requires(N == 0)
  {
    return Slots::bytes(Base::places(capacity));
  }
  std::byte* lie_at(void* memory) noexcept
    requires(N == 0)
  {
    return slots_.lie_at(static_cast<std::byte*>(memory), count_);
  }

  /// Whether what lies behind the state does lie between the two addresses: it may have been damaged.
  [[nodiscard]] bool sound(const std::byte* begin, const std::byte* end, std::uint32_t places) const noexcept
    requires(N == 0)
  {
    return count_ == places && slots_.lies_in(begin, end, count_);
  }

  bool put(QueuePlace<Cursor>& at, const T& item) {
    if (at.inside >= count_) return false;
    slots_[at.inside].write().put(item);
    return true;
  }

  template <class Sink>
  void take(QueuePlace<Cursor>& at, Sink&& sink) {
    sink(slots_[std::min(at.inside, count_) - 1].read().get());
  }

  template <class Use>
  void for_each(std::uint32_t /*first*/, std::uint32_t inside, Use use) {
    for (std::uint32_t i = 0; i < std::min(inside, count_); ++i) use(slots_[i].read().get());
  }

 private:
  using Slots = Places<Place, N>;

  const std::uint32_t count_;
  Slots slots_;
};

}  // namespace trine
