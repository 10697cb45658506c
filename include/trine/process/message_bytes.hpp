// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

namespace trine {

/// Bytes that were taken out of shared memory and are not yet made an item: in the object itself where they are few, as they
/// mostly are. They begin without a value.
class MessageBytes {
 public:
  static constexpr std::size_t few = 240;

  explicit MessageBytes(std::size_t size)
      : size_(size), many_(size > few ? std::make_unique_for_overwrite<std::byte[]>(size) : nullptr) {}
  MessageBytes(MessageBytes&& other) noexcept : size_(std::exchange(other.size_, 0)), many_(std::move(other.many_)) {
    if (many_ == nullptr) std::memcpy(few_, other.few_, size_);
  }
  MessageBytes& operator=(MessageBytes&&) = delete;
  ~MessageBytes() = default;

  [[nodiscard]] std::span<std::byte> all() noexcept { return {many_ != nullptr ? many_.get() : few_, size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> many_;
  std::byte few_[few];
};

}  // namespace trine
