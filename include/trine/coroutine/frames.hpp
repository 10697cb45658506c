// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

#include <trine/os/checked_memory.hpp>

namespace trine::coroutine {

/// Memory for the frames of tasks, and for what a scheduler keeps of each: who begins tasks by the thousand would be busy with
/// the allocator for half of the time. A thread keeps what is given back on it, up to `most` bytes, for the next of that size;
/// the rest goes back to the allocator, and all of it when the thread ends. Constant time.
class Frames {
 public:
  static void* take(std::size_t size) {
    if (os::memory_is_checked || size > largest) [[unlikely]]
      return ::operator new(size);
    const std::size_t kind = kind_of(size);
    Spare*& first = store.first[kind];
    Spare* const spare = first;
    if (spare == nullptr) return ::operator new((kind + 1) * step);
    first = spare->next;
    store.room += (kind + 1) * step;
    return spare;
  }

  /// `size`: what was asked for.
  static void give_back(void* memory, std::size_t size) noexcept {
    const std::size_t kind = kind_of(size);
    if (os::memory_is_checked || size > largest || store.room < (kind + 1) * step) [[unlikely]]
      return give_back_without_room(memory, size);
    keep(memory, kind);
  }

 private:
  static constexpr std::size_t most = std::size_t{1} << 20;
  static constexpr std::size_t step = 32;
  static constexpr std::size_t largest = 512;

  struct Spare {
    Spare* next;
  };

  enum class Stage : std::uint8_t { unused, open, closed };

  struct Store {
    std::array<Spare*, largest / step + 1> first{};  // by size
    std::size_t room = 0;  // for so many bytes more
    Stage stage = Stage::unused;
  };

  /// Gives everything back when the thread ends.
  struct Closing {
    Closing() noexcept {
      store.stage = Stage::open;
      store.room = most;
    }
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    ~Closing() {
      store.stage = Stage::closed;
      store.room = 0;
      for (Spare*& first : store.first) {
        while (Spare* const spare = first) {
          first = spare->next;
          ::operator delete(spare);
        }
      }
    }
  };

  static constexpr std::size_t kind_of(std::size_t size) noexcept { return (size - 1) / step; }

  static void keep(void* memory, std::size_t kind) noexcept {
    Spare*& first = store.first[kind];
    first = ::new (memory) Spare{first};
    store.room -= (kind + 1) * step;
  }

  // The first time there is none either.
  [[gnu::noinline]] static void give_back_without_room(void* memory, std::size_t size) noexcept {
    if (os::memory_is_checked || size > largest || store.stage != Stage::unused) return ::operator delete(memory);
    static thread_local Closing closing;
    keep(memory, kind_of(size));
  }

  // Trivially destroyed, so that it is there without being asked for, and to the end of the thread.
  static constinit thread_local Store store;
};

inline constinit thread_local Frames::Store Frames::store;

}  // namespace trine::coroutine
