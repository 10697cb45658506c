// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <trine/model/view.hpp>
#include <vector>

namespace trine::modelling {

inline bool acquires(std::memory_order order) noexcept {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst ||
         order == std::memory_order_consume;
}
inline bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}
inline bool sequential(std::memory_order order) noexcept { return order == std::memory_order_seq_cst; }

/// One value that a location has had.
struct Store {
  std::uint64_t value = 0;
  View release;          // what an acquiring reader learns
  bool follows = false;  // written by a read-modify-write that read the one before: nothing may come between
};

/// An atomic variable: all its values in modification order, and what the order of sequentially consistent operations
/// demands.
struct Location {
  std::vector<Store> stores;
  std::uint16_t sequential = 0;  // no sequentially consistent operation to come may read or be placed before this store
  bool alive = false;

  [[nodiscard]] std::size_t newest() const noexcept { return stores.size() - 1; }
};

/// What a thread knows of memory.
struct Knowledge {
  View view;      // may not read older, and what happens before
  View acquired;  // what an acquire fence would add: the releases that relaxed loads have read
  View released;  // what relaxed stores pass on since the last release fence
  View fresh;     // may not load older, because it has looked in vain before a yield
};

/// The memory of an execution, after the view-based semantics of J. Kang et al., "A Promising Semantics for Relaxed-Memory
/// Concurrency" (2017), without promises: a load may read any store that coherence allows, a store or read-modify-write may
/// go anywhere in the modification order that coherence allows. Sequentially consistent operations are ordered as they are
/// executed, and follow the coherence of that order as C++20 demands (P0668).
class Memory {
 public:
  void clear() noexcept {
    used_ = 0;
    fence_ = {};
  }

  std::size_t add(std::uint64_t value) {
    if (used_ == locations_.size()) locations_.emplace_back();
    Location& location = locations_[used_];
    location.stores.resize(1);
    location.stores[0] = {value, {}, false};
    location.sequential = 0;
    location.alive = true;
    return used_++;
  }

  [[nodiscard]] std::size_t size() const noexcept { return used_; }
  Location& operator[](std::size_t location) noexcept { return locations_[location]; }
  const Location& operator[](std::size_t location) const noexcept { return locations_[location]; }

  /// The oldest store that may be read.
  [[nodiscard]] std::size_t oldest(const Knowledge& who, std::size_t location, std::memory_order order) const noexcept {
    const std::size_t coherent = who.view.seen(location);
    if (!modelling::sequential(order)) return coherent;
    return std::max<std::size_t>({coherent, locations_[location].sequential, fence_.seen(location)});
  }

  /// Whether another store may come right after this one.
  [[nodiscard]] bool open_after(std::size_t location, std::size_t store) const noexcept {
    const auto& stores = locations_[location].stores;
    return store + 1 == stores.size() || !stores[store + 1].follows;
  }

  /// Whether all that may follow from reading this store may follow as well from reading an older one, not before `oldest`:
  /// one of the same value that teaches the reader no more.
  [[nodiscard]] bool needless(const Knowledge& who, std::size_t location, std::size_t store,
                              std::size_t oldest) const noexcept {
    const auto& stores = locations_[location].stores;
    for (std::size_t i = oldest; i < store; ++i) {
      if (stores[i].value == stores[store].value && stores[i].release.within(stores[store].release, who.view)) return true;
    }
    return false;
  }

  std::uint64_t load(Knowledge& who, std::size_t location, std::size_t store, std::memory_order order) noexcept {
    Location& from = locations_[location];
    who.view.seen(location) = std::max(who.view.seen(location), index(store));
    if (modelling::sequential(order)) from.sequential = std::max(from.sequential, index(store));
    const Store& read = from.stores[store];
    (acquires(order) ? who.view : who.acquired).join(read.release);
    return read.value;
  }

  /// Writes right after `before`. `follows`: it is a read-modify-write of that. Returns whether other stores were moved.
  bool store(Knowledge& who, std::size_t location, std::size_t before, std::uint64_t value, std::memory_order order,
             bool follows) {
    Location& to = locations_[location];
    const std::size_t place = before + 1;
    Store& written = *to.stores.emplace(to.stores.begin() + static_cast<std::ptrdiff_t>(place));
    written.value = value;
    written.follows = follows;
    if (follows) written.release = to.stores[before].release;  // the release sequence goes on
    who.view.seen(location) = index(place);
    written.release.join(releases(order) ? who.view : who.released);
    if (modelling::sequential(order)) {
      to.sequential = index(place);
    } else if (to.sequential >= place) {
      ++to.sequential;
    }
    return place + 1 != to.stores.size();
  }

  void fence(Knowledge& who, std::memory_order order) noexcept {
    if (acquires(order)) who.view.join(who.acquired);
    if (modelling::sequential(order)) {
      for (std::size_t i = 0; i < used_; ++i) fence_.seen(i) = std::max(fence_.seen(i), locations_[i].sequential);
      who.view.join_locations(fence_);
      fence_.join_locations(who.view);
    }
    if (releases(order)) who.released = who.view;
  }

  /// Adjusts what a view says after a store was put in before others.
  static void shift(View& view, std::size_t location, std::size_t place) noexcept {
    if (view.seen(location) >= place) ++view.seen(location);
  }
  void shift_all(std::size_t location, std::size_t place) noexcept {
    for (std::size_t i = 0; i < used_; ++i) {
      for (std::size_t k = 0; k < locations_[i].stores.size(); ++k) {
        if (i != location || k != place) shift(locations_[i].stores[k].release, location, place);
      }
    }
    shift(fence_, location, place);
  }

  /// Forgets the first `count` stores of a location, which no thread can read any more. Adjust the views with drop_from().
  void drop(std::size_t location, std::size_t count) noexcept {
    auto& stores = locations_[location].stores;
    stores.erase(stores.begin(), stores.begin() + static_cast<std::ptrdiff_t>(count));
    stores.front().follows = false;
    for (std::size_t i = 0; i < used_; ++i) {
      for (Store& each : locations_[i].stores) drop_from(each.release, location, count);
    }
    drop_from(fence_, location, count);
    std::uint16_t& last = locations_[location].sequential;
    last = last > count ? index(last - count) : std::uint16_t{0};
  }
  static void drop_from(View& view, std::size_t location, std::size_t count) noexcept {
    std::uint16_t& seen = view.seen(location);
    seen = seen > count ? index(seen - count) : std::uint16_t{0};
  }

  [[nodiscard]] std::uint64_t hash() const noexcept {
    std::uint64_t result = mix(fence_.hash(used_), used_);
    for (std::size_t i = 0; i < used_; ++i) {
      const Location& location = locations_[i];
      result = mix(result, location.sequential + (location.alive ? 0x10000U : 0U) + (location.stores.size() << 20U));
      for (const Store& each : location.stores) {
        result = mix(result, each.value + (each.follows ? 0x9ddfea08eb382d69U : 0U));
        result = mix(result, each.release.hash(used_));
      }
    }
    return result;
  }

 private:
  static std::uint16_t index(std::size_t store) noexcept { return static_cast<std::uint16_t>(store); }

  std::vector<Location> locations_;
  std::size_t used_ = 0;
  View fence_;  // what the sequentially consistent fences until now have made unreadable as old
};

}  // namespace trine::modelling
