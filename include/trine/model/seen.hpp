// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trine::modelling {

/// The states that an exploration has come to, by their hashes, each with the threads whose steps were left out there.
class Seen {
 public:
  void clear() {
    entries_.assign(first_size, {});
    count_ = 0;
  }

  [[nodiscard]] std::size_t size() const noexcept { return count_; }

  /// Whether all that can follow from here but for the steps `left_out` has been, or is being, looked at. If not, it will
  /// be.
  bool visit(std::uint64_t state, std::uint32_t left_out) {
    if (state == 0) state = 1;  // zero marks what is free
    Entry& entry = find(state);
    if (entry.state == 0) {
      entry = {state, left_out};
      if (++count_ * 2 > entries_.size()) grow();
      return false;
    }
    if ((entry.left_out & ~left_out) == 0) return true;
    entry.left_out &= left_out;
    return false;
  }

 private:
  struct Entry {
    std::uint64_t state = 0;
    std::uint32_t left_out = 0;
  };
  static constexpr std::size_t first_size = 1024;

  Entry& find(std::uint64_t state) noexcept {
    const std::size_t mask = entries_.size() - 1;
    std::size_t i = static_cast<std::size_t>(state ^ state >> 32U) & mask;
    while (entries_[i].state != 0 && entries_[i].state != state) i = (i + 1) & mask;
    return entries_[i];
  }

  void grow() {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.state != 0) find(entry.state) = entry;
    }
  }

  std::vector<Entry> entries_;
  std::size_t count_ = 0;
};

}  // namespace trine::modelling
