// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include <trine/os/process_identity.hpp>

namespace trine::os {

/// The program that runs, as the linker made it: another run of it has it at another address. Libraries are not part of it.
class Image {
 public:
  static const Image& here() {
    static const Image image;
    return image;
  }

  /// A number that another program does not have: of its build id, and of where its parts lie.
  [[nodiscard]] std::uint64_t identity() const noexcept { return identity_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// Where a function is in the image. Throws std::invalid_argument if it is in a library.
  template <class F>
  [[nodiscard]] std::uint64_t offset_of(F* function) const {
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(function) - base_;
    if (offset >= size_) throw std::invalid_argument("trine: function: it is not in the program, but in a library of its");
    return offset;
  }

  template <class F>
  [[nodiscard]] F* at(std::uint64_t offset) const noexcept {
    return reinterpret_cast<F*>(base_ + static_cast<std::uintptr_t>(offset));
  }

 private:
  Image() { ::dl_iterate_phdr(&Image::look, this); }

  // The program itself comes first.
  static int look(dl_phdr_info* program, std::size_t /*size*/, void* self) {
    auto& image = *static_cast<Image*>(self);
    Fnv1a hash;
    image.base_ = program->dlpi_addr;
    for (int i = 0; i < program->dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = program->dlpi_phdr[i];
      hash.add(std::uint64_t{part.p_type});
      hash.add(std::uint64_t{part.p_vaddr});
      hash.add(std::uint64_t{part.p_memsz});
      if (part.p_type == PT_LOAD) image.size_ = std::max<std::uint64_t>(image.size_, part.p_vaddr + part.p_memsz);
      if (part.p_type == PT_NOTE) {
        hash.add(std::string_view(reinterpret_cast<const char*>(image.base_ + part.p_vaddr), part.p_memsz));
      }
    }
    image.identity_ = hash.value();
    return 1;
  }

  std::uintptr_t base_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t identity_ = 0;
};

}  // namespace trine::os
