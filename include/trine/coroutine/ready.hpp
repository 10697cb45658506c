// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

namespace trine::coroutine {

/// Something that a scheduler is to run. It lies where it is until then: in a coroutine's frame, mostly.
struct Ready {
  explicit Ready(void (*function)(Ready&)) noexcept : run(function) {}
  Ready(const Ready&) = delete;
  Ready& operator=(const Ready&) = delete;

  [[nodiscard]] bool listed() const noexcept { return next != nullptr; }

  Ready* next = nullptr;
  // run_ready() calls it.
  void (*run)(Ready&);
  // While it is in a list. Not beside `next`: the compiler would write both as one, which takes more steps than two stores.
  Ready* previous;
};

/// First in, first out; anything in it can be taken out. A ring with the list itself as its seam.
class ReadyList {
 public:
  ReadyList() noexcept { seam_.next = seam_.previous = &seam_; }

  [[nodiscard]] bool empty() const noexcept { return seam_.next == &seam_; }

  void append(Ready& item) noexcept {
    item.previous = seam_.previous;
    item.next = &seam_;
    seam_.previous->next = &item;
    seam_.previous = &item;
  }

  /// The first one, which is no longer in the list, or nullptr.
  Ready* take() noexcept {
    Ready* const first = seam_.next;
    if (first == &seam_) return nullptr;
    Ready* const second = first->next;
    seam_.next = second;
    second->previous = &seam_;
    first->next = nullptr;
    return first;
  }

  /// From whichever list it is in.
  static void remove(Ready& item) noexcept {
    item.next->previous = item.previous;
    item.previous->next = item.next;
    item.next = nullptr;
  }

  /// Moves all of `other` to the end of this one.
  void splice(ReadyList& other) noexcept {
    if (other.empty()) return;
    other.seam_.next->previous = seam_.previous;
    other.seam_.previous->next = &seam_;
    seam_.previous->next = other.seam_.next;
    seam_.previous = other.seam_.previous;
    other.seam_.next = other.seam_.previous = &other.seam_;
  }

 private:
  Ready seam_{nullptr};
};

}  // namespace trine::coroutine
