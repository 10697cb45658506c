// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/error.hpp>

namespace trine {

/// How much memory a queue between processes has for its items if nobody says how many it is to hold.
inline constexpr std::size_t default_queue_bytes = std::size_t{1} << 20;

/// An array without pointers, so that it is valid at any address: N places in the object.
template <class P, std::size_t N>
class Places {
 public:
  [[nodiscard]] std::uint32_t size() const noexcept { return N; }
  P& operator[](std::uint32_t i) noexcept { return places_[i]; }

 private:
  std::array<P, N> places_;
};

/// The same with as many places as are asked for, in the memory behind the object that it is a part of, which is full of zeros.
template <class P>
class Places<P, 0> {
 public:
  static std::size_t bytes(std::size_t count) noexcept { return alignof(P) + count * sizeof(P); }

  /// The places begin at `memory`, or where they may after it. Returns what is behind them.
  std::byte* lie_at(std::byte* memory, std::uint32_t count) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t aligned = (address + alignof(P) - 1) / alignof(P) * alignof(P);
    offset_ = aligned - reinterpret_cast<std::uintptr_t>(this);
    size_ = count;
    return memory + (aligned - address) + count * sizeof(P);
  }

  /// Whether there are `count` places, all of them between the two addresses: it may have been damaged.
  [[nodiscard]] bool lies_in(const std::byte* begin, const std::byte* end, std::uint32_t count) const noexcept {
    const auto start = reinterpret_cast<std::uintptr_t>(this) + static_cast<std::uintptr_t>(offset_);
    const auto first = reinterpret_cast<std::uintptr_t>(begin);
    const auto last = reinterpret_cast<std::uintptr_t>(end);
    return size_ == count && start % alignof(P) == 0 && start >= first && start <= last && (last - start) / sizeof(P) >= count;
  }

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  P& operator[](std::uint32_t i) noexcept {
    return reinterpret_cast<P*>(reinterpret_cast<std::byte*>(this) + static_cast<std::ptrdiff_t>(offset_))[i];
  }

 private:
  std::uint64_t offset_ = 0;  // from this to the first, modulo 2^64: they may lie before it
  std::uint32_t size_ = 0;
};

/// The elements of an array, in its state.
template <class T, std::size_t N>
class ElementsInside {
 public:
  explicit ElementsInside(std::size_t /*count*/) noexcept {}
  [[nodiscard]] std::span<T> all() noexcept { return elements_; }

 private:
  std::array<T, N> elements_{};
};

/// The same behind its state.
template <class T>
class ElementsBehind {
 public:
  explicit ElementsBehind(std::size_t count) noexcept : count_(static_cast<std::uint32_t>(count)) {}

  static std::size_t extra(std::size_t count) noexcept { return Places<T, 0>::bytes(count); }
  void lie_at(void* memory) noexcept { elements_.lie_at(static_cast<std::byte*>(memory), count_); }
  [[nodiscard]] bool sound(const std::byte* begin, const std::byte* end) const noexcept {
    return elements_.lies_in(begin, end, count_);
  }

  [[nodiscard]] std::span<T> all() noexcept { return {&elements_[0], count_}; }

 private:
  std::uint32_t count_;
  Places<T, 0> elements_;
};

/// How many places a queue has that is to hold `capacity` items, or, if that is 0, as many as default_queue_bytes have room for.
inline std::uint32_t places_for(std::size_t capacity, std::size_t item) noexcept {
  if (capacity != 0) return static_cast<std::uint32_t>(capacity);
  const std::size_t fit = default_queue_bytes / item;
  return fit < 2 ? 2 : static_cast<std::uint32_t>(fit);
}

}  // namespace trine
