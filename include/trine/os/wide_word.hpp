// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace trine::os {

/// 64 bits that change in one step, and a word that is their low half, on which one can sleep.
///
/// The memory is that of two words. All its changes are of 64 bits at once; the low half alone is only read, and only by
/// those who sleep: the system compares it, or they look on. On every machine that changes 64 aligned bits without a lock, a
/// read of a half of them is no older and no newer than a read of the whole would be. The language knows of no such access,
/// so it is made here and nowhere else, by built-in functions of the compilers and through a type that may alias others.
class alignas(std::uint64_t) WideWord {
 public:
  explicit WideWord(std::uint64_t value) noexcept : halves_{{half(value, 0), half(value, 1)}} {}
  WideWord(const WideWord&) = delete;
  WideWord& operator=(const WideWord&) = delete;

  [[nodiscard]] std::uint64_t load(std::memory_order order) const noexcept {
    return __atomic_load_n(reinterpret_cast<const Whole*>(&halves_), static_cast<int>(order));
  }
  bool compare_exchange_weak(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                             std::memory_order failure) noexcept {
    return __atomic_compare_exchange_n(reinterpret_cast<Whole*>(&halves_), &expected, desired, true,
                                       static_cast<int>(success), static_cast<int>(failure));
  }

  /// Touches nothing: the object may be gone.
  [[nodiscard]] std::atomic<std::uint32_t>& low() noexcept { return halves_[low_at]; }

 private:
  using Whole [[gnu::may_alias]] = std::uint64_t;

  static constexpr std::size_t low_at = std::endian::native == std::endian::little ? 0 : 1;
  static constexpr std::uint32_t half(std::uint64_t value, std::size_t at) noexcept {
    return static_cast<std::uint32_t>(at == low_at ? value : value >> 32);
  }

  std::array<std::atomic<std::uint32_t>, 2> halves_;
};
static_assert(sizeof(WideWord) == sizeof(std::uint64_t) && alignof(WideWord) == sizeof(std::uint64_t));
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big);
static_assert(static_cast<int>(std::memory_order_relaxed) == __ATOMIC_RELAXED &&
              static_cast<int>(std::memory_order_acquire) == __ATOMIC_ACQUIRE &&
              static_cast<int>(std::memory_order_release) == __ATOMIC_RELEASE &&
              static_cast<int>(std::memory_order_acq_rel) == __ATOMIC_ACQ_REL);

}  // namespace trine::os
