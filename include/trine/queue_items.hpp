// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace trine {

/// Where the items of a queue are and in which order they come out is the business of a class of Items. It has, beside a
/// constructor of the capacity (0: none was asked for) and the cursors of the two ends:
///
/// | member | meaning |
/// | Taken | what one takes out, of which finish() makes the item, outside of the locks |
/// | Item<Reference> | what one puts in, made of a reference to the caller's item, outside of the locks |
/// | one_gate | both ends have one lock |
/// | uneven | an item may not fit though there is room for another: each end looks at the other's index each time |
/// | many_at_once | several may be put or taken before the index is stored |
/// | put(at, item) | puts an item in, or says false, it doesn't fit; `at` is a QueuePlace |
/// | take(at, sink) | hands an item to the sink |
/// | places(n) | how many there can be with a capacity of n; `fixed`: that is the capacity, whatever was asked for |
/// | owns_memory | free(cursor, n) is to be called at the end, with n items left |
/// | only_place() | if there: where the item of a queue with room for one lies; not there where the Items begin with it |
/// | mend(put, got) | if there: called with the lock held when its last owner died with it; never throws |
/// | extra(n, ...), lie_at(memory) | if there: how much memory behind the state it needs, and where that is |

/// Where an operation puts or takes an item.
template <class Cursor>
struct QueuePlace {
  Cursor& cursor;
  std::uint32_t position;  // of the item, counted by its end from the beginning, modulo 2^31
  std::uint32_t inside;    // how many there are; exact where both ends have one lock

  void next(std::uint32_t change) noexcept {
    ++position;
    inside += change;
  }
};

/// One end of a queue: where items are put, or where they are got.
template <class Items, class B>
struct QueueEnd {
  typename B::ShortLock gate;
  typename B::Flag waiting;                                // for this end to move
  typename B::template Atomic<std::uint32_t> index{0};     // how far it has come, with room for several: see QueueState
  typename B::template Cell<std::uint32_t> other;          // the other end's index, as last seen from here
  [[no_unique_address]] typename Items::Cursor cursor;
  [[no_unique_address]] typename B::Patience patience;     // of those who use this end with the other
};

/// How far the ends of a queue with room for one have come: beside each other and before the item, in one cache line. Each put
/// needs what the last get wrote and each get what the put wrote, and where the parties run on different cores each line more is
/// one more way. In longer queues the ends have their own, so that the two sides keep out of each other's lines.
template <class B>
struct QueueIndicesOfOne {
  typename B::template Atomic<std::uint32_t> put{0};
  typename B::template Atomic<std::uint32_t> get{0};
};

inline constexpr std::size_t most_near = 32;

/// Whether an item is so small that Items for one may begin with it: so it lies behind these indices, in their cache line.
template <class T>
inline constexpr bool lies_with_indices = sizeof(T) <= most_near && alignof(T) <= 8;

// Where the one item lies elsewhere, its line is asked for before the gate is taken, so that it comes together with the others;
// behind the gate's locked instruction it would come after them.

template <class B, class Items>
[[gnu::always_inline]] inline void fetch_for_put(Items& items) noexcept {
  if constexpr (requires { items.only_place(); }) B::Patience::fetch_to_write(items.only_place());
}

template <class B, class Items>
[[gnu::always_inline]] inline void fetch_for_get(Items& items) noexcept {
  if constexpr (requires { items.only_place(); }) B::Patience::fetch(items.only_place());
}

/// An item that is put as it is: a reference to the caller's.
template <class Reference>
class PlainItem {
 public:
  explicit PlainItem(Reference item) noexcept : item_(std::addressof(item)) {}
  [[nodiscard]] Reference get() const noexcept { return static_cast<Reference>(*item_); }

 private:
  std::remove_reference_t<Reference>* item_;
};

/// What Items have in common that put and take items as they are.
template <class T>
struct PlainItems {
  using value_type = T;
  using Taken = T;
  template <class Reference>
  using Item = PlainItem<Reference>;
  static constexpr bool uneven = false;
  static constexpr bool many_at_once = true;
  static constexpr bool owns_memory = true;
  static constexpr bool fixed = false;

  static std::uint32_t places(std::size_t capacity) noexcept {
    return capacity == 0 ? std::uint32_t{1} << 30 : static_cast<std::uint32_t>(capacity);
  }

  static T finish(T&& taken) { return std::move(taken); }
};

}  // namespace trine
