// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <trine/process/items.hpp>
#include <trine/process/places.hpp>
#include <trine/queue_items.hpp>

namespace trine {

/// The smallest first, in shared memory. Which slots have an item in them is said by the slots; in which order is said by a heap
/// of their numbers, which is made anew from the slots if a party died while it changed it. What that party was doing is in a
/// journal, and whether it is to be taken as done is for the queue's index to say.
///
/// Items are compared with a lock held, by whichever process puts or takes one: by a `Less`, or by Self::chain_less. Where a
/// comparison throws, nothing was put or taken: all of them come before the first change.
template <class T, class B, class Less, std::size_t N, class Self = void>
class HeapItems : public SharedItems<T, B, N> {
  using Base = SharedItems<T, B, N>;

 public:
  using typename Base::Cursor;
  static constexpr bool one_gate = true;
  static constexpr std::string_view kind = "PriorityQueue";
  static constexpr bool many_at_once = false;  // the journal has one entry

  HeapItems(std::size_t capacity, Cursor&, Cursor&) noexcept : count_(Base::places(capacity)) {}

  static std::size_t extra(std::size_t capacity) noexcept
    requires(N == 0)
  {
    return Slots::bytes(Base::places(capacity)) + Order::bytes(Base::places(capacity));
  }
  std::byte* lie_at(void* memory) noexcept
    requires(N == 0)
  {
    return order_.lie_at(slots_.lie_at(static_cast<std::byte*>(memory), count_), count_);
  }

  /// Whether what lies behind the state does lie between the two addresses: it may have been damaged.
  [[nodiscard]] bool sound(const std::byte* begin, const std::byte* end, std::uint32_t places) const noexcept
    requires(N == 0)
  {
    return count_ == places && slots_.lies_in(begin, end, count_) && order_.lies_in(begin, end, count_);
  }

  bool put(QueuePlace<Cursor>& at, const T& item) {
    if (at.inside >= count_) return false;
    order_if_asked(at.inside);
    const std::uint32_t to = way_up(at.inside, item);
    const std::uint32_t slot = order(at.inside);
    begin(Change::put, slot, at.position);
    slots_[slot].item.write().put(item);
    slots_[slot].taken.store(1, std::memory_order_relaxed);
    for (std::uint32_t i = at.inside; i != to; i = parent(i)) order_[i].write() = order(parent(i));
    order_[to].write() = slot;
    return true;
  }

  template <class Sink>
  void take(QueuePlace<Cursor>& at, Sink&& sink) {
    const std::uint32_t inside = std::min(at.inside, count_);
    order_if_asked(inside);
    const std::uint32_t last = order(inside - 1);
    const std::uint32_t to = way_down(inside - 1, item(last));
    const std::uint32_t slot = order(0);
    sink(item(slot));
    begin(Change::get, slot, at.position);
    slots_[slot].taken.store(0, std::memory_order_relaxed);
    // The last one comes to where its way ends, and those on that way move up.
    std::uint32_t moved = last;
    for (std::uint32_t i = to; i != 0; i = parent(i)) moved = exchange(i, moved);
    order_[0].write() = moved;
    order_[inside - 1].write() = slot;
  }

  /// `put`, `got`: how many were put and got, as the queue says. Leaves the comparisons to the next put or take: they may throw.
  void mend(std::uint32_t put, std::uint32_t got) noexcept {
    finish_or_undo(put, got);
    list_slots();
    ordered_.store(0, std::memory_order_relaxed);
    journal_.store(none, std::memory_order_release);
  }

  /// For those who keep more beside: calls use(item) for each that is inside.
  template <class Use>
  void for_each(std::uint32_t /*first*/, std::uint32_t inside, Use use) {
    for (std::uint32_t i = 0; i < std::min(inside, count_); ++i) use(item(order(i)));
  }

 private:
  enum class Change : std::uint32_t { put = 1, get = 2 };

  struct Slot {
    typename Base::Place item;
    typename B::template Atomic<std::uint32_t> taken{0};  // whether there is an item in it
  };
  using Slots = Places<Slot, N>;
  using Order = Places<typename B::template Cell<std::uint32_t>, N>;

  // | bits of the journal | meaning |
  // | 0-1   | what was begun: 0 nothing, else a Change |
  // | 2-32  | the position of the item |
  // | 33-63 | its slot |
  static constexpr std::uint64_t none = 0;

  void begin(Change change, std::uint32_t slot, std::uint32_t position) {
    // Release and acquire: it is read with the lock held, after a death; the lock's word is the kernel's then.
    journal_.store(static_cast<std::uint64_t>(change) | std::uint64_t{position} << 2 | std::uint64_t{slot} << 33,
                   std::memory_order_release);
  }

  // The slot of what was begun has an item if the put was published, or the get was not.
  void finish_or_undo(std::uint32_t put, std::uint32_t got) {
    const std::uint64_t begun = journal_.load(std::memory_order_acquire);
    if (begun == none) return;
    const auto slot = static_cast<std::uint32_t>(begun >> 33);
    const auto position = static_cast<std::uint32_t>(begun >> 2) & 0x7FFFFFFF;
    if (slot >= count_) return;
    const bool was_put = (begun & 3) == static_cast<std::uint64_t>(Change::put);
    const bool published = position != (was_put ? put : got);
    slots_[slot].taken.store(was_put == published ? 1 : 0, std::memory_order_relaxed);
  }

  // The memory of a new queue is full of zeros: its first put makes the order. So does the first that comes after a mend; if a
  // comparison throws then, the next begins again.
  void order_if_asked(std::uint32_t inside) {
    if (ordered_.load(std::memory_order_relaxed) != 0) [[likely]] return;
    list_slots();
    for (std::uint32_t i = 1; i < inside; ++i) {
      const std::uint32_t slot = order(i);
      const std::uint32_t to = way_up(i, item(slot));
      for (std::uint32_t j = i; j != to; j = parent(j)) order_[j].write() = order(parent(j));
      order_[to].write() = slot;
    }
    ordered_.store(1, std::memory_order_release);
  }

  // Those with an item first, and then those without.
  void list_slots() noexcept {
    std::uint32_t inside = 0;
    std::uint32_t free = count_;
    for (std::uint32_t slot = 0; slot < count_; ++slot) {
      order_[slots_[slot].taken.load(std::memory_order_relaxed) != 0 ? inside++ : --free].write() = slot;
    }
  }

  std::uint32_t order(std::uint32_t i) { return std::min(order_[i].read(), count_ - 1); }
  T item(std::uint32_t slot) { return slots_[slot].item.read().get(); }

  static std::uint32_t parent(std::uint32_t i) noexcept { return (i - 1) / 2; }

  std::uint32_t exchange(std::uint32_t i, std::uint32_t slot) {
    const std::uint32_t before = order(i);
    order_[i].write() = slot;
    return before;
  }

  bool less(const T& left, const T& right) {
    if constexpr (std::is_void_v<Self>) {
      return Less()(left, right);
    } else {
      return static_cast<Self*>(this)->template chain_less<Less>(left, right);
    }
  }

  // Where an item is to go that comes in at `i`. It changes nothing, and neither does the next: a comparison may throw.
  std::uint32_t way_up(std::uint32_t i, const T& added) {
    while (i > 0 && less(added, item(order(parent(i))))) i = parent(i);
    return i;
  }

  // Where an item is to go that comes in at the top of the others, of which there are `size` with the one that goes.
  std::uint32_t way_down(std::uint32_t size, const T& moved) {
    for (std::uint32_t i = 0;;) {
      std::uint32_t next = i;
      T smallest = moved;
      for (const std::uint32_t child : {2 * i + 1, 2 * i + 2}) {
        if (child >= size) break;
        const T other = item(order(child));
        if (!less(other, smallest)) continue;
        next = child;
        smallest = other;
      }
      if (next == i) return i;
      i = next;
    }
  }

  const std::uint32_t count_;
  typename B::template Atomic<std::uint32_t> ordered_{0};
  typename B::template Atomic<std::uint64_t> journal_{none};
  Slots slots_;
  Order order_;
};

}  // namespace trine
