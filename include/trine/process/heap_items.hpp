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
/// Items are compared with a lock held, by whichever process puts or takes one: by a `Less`, or by Self::chain_less.
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
    order_anew_if_new(at);
    const std::uint32_t slot = order(at.inside);
    begin(Change::put, slot, at.position);
    slots_[slot].item.write().put(item);
    slots_[slot].taken.store(1, std::memory_order_relaxed);
    sift_up(at.inside);
    return true;
  }

  template <class Sink>
  void take(QueuePlace<Cursor>& at, Sink&& sink) {
    const std::uint32_t inside = std::min(at.inside, count_);
    const std::uint32_t slot = order(0);
    sink(item(slot));
    begin(Change::get, slot, at.position);
    slots_[slot].taken.store(0, std::memory_order_relaxed);
    swap(0, inside - 1);
    sift_down(inside - 1);
  }

  /// `put`, `got`: how many were put and got, as the queue says.
  void mend(std::uint32_t put, std::uint32_t got) {
    finish_or_undo(put, got);
    // Those with an item first, each sifted into the heap of those before it; then those without.
    std::uint32_t inside = 0;
    std::uint32_t free = count_;
    for (std::uint32_t slot = 0; slot < count_; ++slot) {
      if (slots_[slot].taken.load(std::memory_order_relaxed) != 0) {
        order_[inside].write() = slot;
        sift_up(inside++);
      } else {
        order_[--free].write() = slot;
      }
    }
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

  // The memory of a new queue is full of zeros: its first put makes the order.
  void order_anew_if_new(const QueuePlace<Cursor>& at) {
    if (ordered_.load(std::memory_order_relaxed) != 0) return;
    mend(at.position, at.position - at.inside);
    ordered_.store(1, std::memory_order_release);
  }

  std::uint32_t order(std::uint32_t i) { return std::min(order_[i].read(), count_ - 1); }
  T item(std::uint32_t slot) { return slots_[slot].item.read().get(); }

  void swap(std::uint32_t i, std::uint32_t j) {
    const std::uint32_t first = order(i);
    order_[i].write() = order(j);
    order_[j].write() = first;
  }

  bool less(std::uint32_t i, std::uint32_t j) {
    if constexpr (std::is_void_v<Self>) {
      return Less()(item(order(i)), item(order(j)));
    } else {
      return static_cast<Self*>(this)->template chain_less<Less>(item(order(i)), item(order(j)));
    }
  }

  void sift_up(std::uint32_t i) {
    for (; i > 0 && less(i, (i - 1) / 2); i = (i - 1) / 2) swap(i, (i - 1) / 2);
  }

  void sift_down(std::uint32_t size) {
    for (std::uint32_t i = 0;;) {
      std::uint32_t smallest = i;
      for (const std::uint32_t child : {2 * i + 1, 2 * i + 2}) {
        if (child < size && less(child, smallest)) smallest = child;
      }
      if (smallest == i) return;
      swap(i, smallest);
      i = smallest;
    }
  }

  const std::uint32_t count_;
  typename B::template Atomic<std::uint32_t> ordered_{0};
  typename B::template Atomic<std::uint64_t> journal_{none};
  Slots slots_;
  Order order_;
};

}  // namespace trine
