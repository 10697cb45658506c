// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

#include <trine/os/robust_linux.hpp>

namespace trine::os {

/// Memory that a process shares with those that it forks, at the same address. It is there as long as one of them has it.
/// Full of zeros.
class SharedPages {
 public:
  explicit SharedPages(std::size_t size) : size_(size) {
    data_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED)
      throw std::system_error(errno, std::system_category(), "trine: mmap of an object for processes");
  }
  SharedPages(SharedPages&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  SharedPages& operator=(SharedPages&&) = delete;
  ~SharedPages() {
    if (data_ == nullptr) return;
    Robust::forget(data_, static_cast<std::byte*>(data_) + size_);
    ::munmap(data_, size_);
  }

  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  void* data_;
  std::size_t size_;
};

}  // namespace trine::os
