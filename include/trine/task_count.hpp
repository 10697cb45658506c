// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <system_error>

#include <trine/backend.hpp>

namespace trine {

/// How many run; others wait until nobody does. Not for processes that may die: it lies where it is, and nobody counts for
/// one that has died.
///
/// Visibility: what was done before end() is visible to whoever finds that nobody runs.
/// A pulse is never lost: who waits when the last one ends goes, even if another begins at once.
/// Lifetime: when a wait returns, the waiter may destroy the object; end() touches nothing of it after it has let anyone go.
template <class B>
class TaskCount {
  using Word = typename B::Word;

 public:
  class NoneOperation;

  /// How many may run at once.
  static constexpr std::size_t most = (std::size_t{1} << 26) - 1;

  TaskCount() = default;
  TaskCount(const TaskCount&) = delete;
  TaskCount& operator=(const TaskCount&) = delete;

  /// Throws std::system_error, and counts nothing, if too many run.
  void begin() {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    do {
      if (seen / one == most) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      // Relaxed: whatever starts the one that begins shows it what was done before.
    } while (!word_.compare_exchange_weak(seen, seen + one, std::memory_order_relaxed, std::memory_order_relaxed));
  }

  void end() noexcept {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    // Release: pairs with the acquire of those who wait. All changes are read-modify-writes, so they see what each did.
    while (!word_.compare_exchange_weak(seen, after_end(seen), std::memory_order_release, std::memory_order_relaxed)) {
    }
    if (seen / one == 1 && (seen & sleepers) != 0) B::wake(word_, everyone);
  }

  [[nodiscard]] std::size_t count() const noexcept { return word_.load(std::memory_order_acquire) / one; }

  [[nodiscard]] NoneOperation none_op() noexcept { return NoneOperation(word_); }

 private:
  // | bits | meaning |
  // | 0    | sleepers: somebody may sleep here (may be stale-set, never stale-clear) |
  // | 1-5  | generation: counts the times that the last one ended |
  // | 6-31 | how many run |
  // A waiter whose generation has passed goes. A generation comes again after 32: the first of them woke the waiter, but one that
  // looks only when exactly 32, or a multiple of that, have passed and somebody runs again takes it for its own, and sleeps on
  // until the next time that the last one ends.
  static constexpr std::uint32_t sleepers = 1;
  static constexpr std::uint32_t generation = 2;
  static constexpr std::uint32_t one = 64;
  static constexpr std::uint32_t generations = one - generation;

  static constexpr std::uint32_t after_end(std::uint32_t word) noexcept {
    return word / one > 1 ? word - one : (word + generation) & generations;
  }

  Word word_{0};
};

template <class B>
class TaskCount<B>::NoneOperation : public OperationOf<bool, B> {
 public:
  static constexpr bool only_looks = true;

  explicit NoneOperation(Word& word) noexcept : word_(&word) {}

  bool attempt() noexcept {
    // Acquire: pairs with the release in end().
    done_ = let_go(word_->load(std::memory_order_acquire));
    return done_;
  }

  Sleep<Word> announce() noexcept {
    std::uint32_t seen = word_->load(std::memory_order_acquire);
    while (!let_go(seen)) {
      if ((seen & sleepers) != 0 || word_->compare_exchange_weak(seen, seen | sleepers, std::memory_order_acquire,
                                                                 std::memory_order_acquire)) {
        return {word_, seen | sleepers};
      }
    }
    done_ = true;
    return {};
  }

  bool result() const noexcept { return done_; }

 private:
  // A value that no waiter can have begun with: nobody runs.
  static constexpr std::uint32_t not_begun = 0;

  bool let_go(std::uint32_t seen) noexcept {
    if (seen < one) return true;
    if (began_ == not_begun) began_ = seen;
    return ((seen ^ began_) & generations) != 0;
  }

  Word* word_;
  std::uint32_t began_ = not_begun;
  bool done_ = false;
};

}  // namespace trine
