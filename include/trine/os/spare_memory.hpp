// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <trine/os/robust_linux.hpp>
#include <trine/os/shared_mapping.hpp>

namespace trine::os {

/// Memory that this process shares with one child. When that has ended its piece is kept for the next one: to make such memory
/// and to unmake it costs a tenth of what a child costs.
///
/// Only the process that took a piece keeps it, and only for its own use: a copy that came into another one by fork() knows
/// that it is one, for it is older than the fork, and so does a copy of the piece that is kept.
class ChildMemory {
 public:
  ChildMemory() noexcept = default;

  /// Holds anything: whoever had it before has written to it. Throws std::system_error.
  static ChildMemory take(std::size_t bytes) {
    Robust::self();  // from its first use on forks are counted
    ChildMemory taken;
    if (bytes <= piece) taken.made_in_ = this_copy();
    if (std::byte* const kept = bytes <= piece ? unkeep() : nullptr; kept != nullptr) {
      taken.mapping_ = Mapping<>::adopt(kept, piece);
    } else {
      taken.mapping_ = Mapping<>::anonymous(bytes <= piece ? piece : bytes);
    }
    return taken;
  }

  /// Memory that is not kept.
  explicit ChildMemory(Mapping<>&& mapping) noexcept : mapping_(std::move(mapping)) {}

  ChildMemory(ChildMemory&& other) noexcept { swap(other); }
  ChildMemory& operator=(ChildMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~ChildMemory() {
    if (free_ && made_in_ == this_copy()) keep();
  }

  [[nodiscard]] std::byte* data() const noexcept { return mapping_.data(); }

  /// The child has ended: nobody else uses it any more.
  void free() noexcept { free_ = true; }

  /// How many pieces are kept in the calling process, or were kept in that which it was forked from.
  static std::size_t kept() noexcept { return kept_.load(std::memory_order_relaxed) != nullptr ? 1 : 0; }

 private:
  static constexpr std::size_t piece = 4096;

  // The calling process, and how many forks it comes from: numbers of processes come again, and a fork may be one of which
  // nobody is told (_Fork). Never 0.
  static std::uint64_t this_copy() noexcept {
    return std::uint64_t{Robust::forks()} << 32U | static_cast<std::uint32_t>(::getpid());
  }

  void swap(ChildMemory& other) noexcept {
    std::swap(mapping_, other.mapping_);
    std::swap(made_in_, other.made_in_);
    std::swap(free_, other.free_);
  }

  // Acquire: pairs with the release of whoever kept it, who has done with it.
  static std::byte* unkeep() noexcept {
    if (kept_in_.load(std::memory_order_acquire) != this_copy()) return nullptr;
    return kept_.exchange(nullptr, std::memory_order_acq_rel);
  }

  void keep() noexcept {
    if (kept_in_.load(std::memory_order_acquire) != this_copy()) {
      // What is there was the parent's, and is let be: the address is of no use to anybody here. Or another thread has just
      // put its own there. Before the store: who sees that finds nothing older.
      if (std::byte* const older = kept_.exchange(nullptr, std::memory_order_acq_rel); older != nullptr) {
        const auto unmapped = Mapping<>::adopt(older, piece);
      }
      kept_in_.store(this_copy(), std::memory_order_release);
    }
    std::byte* none = nullptr;
    if (kept_.compare_exchange_strong(none, mapping_.data(), std::memory_order_acq_rel, std::memory_order_relaxed)) {
      mapping_.release();
    }
  }

  inline static std::atomic<std::byte*> kept_{nullptr};
  inline static std::atomic<std::uint64_t> kept_in_{0};

  Mapping<> mapping_;
  std::uint64_t made_in_ = 0;  // 0: it is not kept
  bool free_ = false;
};

}  // namespace trine::os
