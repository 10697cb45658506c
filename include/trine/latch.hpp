// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string_view>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/until.hpp>

namespace trine {

/// Counts down once, and lets everyone go when it reaches zero.
///
///     trine::Latch ready(3);
///     worker: prepare(); ready.count_down();
///     main:   ready.wait();
///
/// Visibility: what a thread did before count_down() is visible to whoever returns from a wait that succeeded.
/// Lifetime: when wait() returns, the waiter may destroy the Latch, though the count_down() that ended it has not returned.
/// It does not start again; see Barrier. Constant time; count_down() is one atomic read-modify-write.
template <class B = threads>
class Latch {
  struct State;
  using Word = typename B::Word;

 public:
  class WaitOperation;
  class ArriveOperation;

  static constexpr std::ptrdiff_t largest = std::numeric_limits<std::int32_t>::max();

  /// Throws std::invalid_argument if `count` is negative or over `largest`.
  explicit Latch(std::ptrdiff_t count) : state_(count) {}
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create.
  template <NameTagOf<B> Tag>
  Latch(Tag tag, std::string_view name, std::ptrdiff_t count = 0) : state_(tag, name, count) {}
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  /// Counts n down. Never blocks. Throws std::invalid_argument, and counts nothing, if n is negative or more than is left.
  void count_down(std::ptrdiff_t n = 1) { count_down(state_->word, n); }

  /// Whether the count is zero.
  [[nodiscard]] bool try_wait() const noexcept {
    // Acquire: pairs with the release in count_down().
    return state_->word.load(std::memory_order_acquire) < one;
  }

  /// Waits until the count is zero: true, or false when it gave up.
  typename B::template Result<bool> wait(const Until& until = Until::forever()) { return B::run(wait_op(), until); }

  /// count_down() and wait(). One that gives up has counted down all the same.
  typename B::template Result<bool> arrive_and_wait(const Until& until = Until::forever()) {
    return B::run(arrive_and_wait_op(), until);
  }

  [[nodiscard]] WaitOperation wait_op() noexcept { return WaitOperation(state_->word); }

  /// Not for select(): to arrive has an effect.
  [[nodiscard]] ArriveOperation arrive_and_wait_op() noexcept { return ArriveOperation(state_->word); }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  // | bits | meaning |
  // | 0    | sleepers: somebody may sleep here (may be stale-set, never stale-clear) |
  // | 1-31 | what is left to count |
  static constexpr std::uint32_t sleepers = 1;
  static constexpr std::uint32_t one = 2;

  struct State {
    static constexpr std::string_view type_name = "Latch";

    explicit State(std::ptrdiff_t count) : word(checked(count)) {}

    static std::uint32_t checked(std::ptrdiff_t count) {
      if (count < 0 || count > largest) throw std::invalid_argument("trine: Latch: count is out of range");
      return static_cast<std::uint32_t>(count) * one;
    }
    Word word;
  };

  static void count_down(Word& word, std::ptrdiff_t n) {
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    std::uint32_t left = 0;
    do {
      if (n < 0 || n > static_cast<std::ptrdiff_t>(seen / one)) {
        throw std::invalid_argument("trine: Latch::count_down: n is negative or more than is left");
      }
      left = seen - static_cast<std::uint32_t>(n) * one;
      // Release: pairs with the acquire of those who wait.
    } while (!word.compare_exchange_weak(seen, left, std::memory_order_release, std::memory_order_relaxed));
    if (left == sleepers) B::wake(word, everyone);
  }

  typename B::template Storage<State> state_;
};

template <class B>
class Latch<B>::WaitOperation : public OperationOf<bool, B> {
 public:
  explicit WaitOperation(Word& word) noexcept : word_(&word) {}

  bool attempt() noexcept {
    done_ = word_->load(std::memory_order_acquire) < one;
    return done_;
  }

  Sleep<Word> announce() noexcept {
    std::uint32_t seen = word_->load(std::memory_order_acquire);
    while (seen >= one) {
      if ((seen & sleepers) != 0 || word_->compare_exchange_weak(seen, seen | sleepers, std::memory_order_acquire,
                                                                 std::memory_order_acquire)) {
        return {word_, seen | sleepers};
      }
    }
    done_ = true;
    return {};
  }

  bool result() const noexcept { return done_; }

 protected:
  [[nodiscard]] Word& word() const noexcept { return *word_; }

 private:
  Word* word_;
  bool done_ = false;
};

template <class B>
class Latch<B>::ArriveOperation : public WaitOperation {
 public:
  static constexpr bool selectable = false;
  using WaitOperation::WaitOperation;

  bool attempt() {
    if (!arrived_) Latch::count_down(this->word(), 1);
    arrived_ = true;
    return WaitOperation::attempt();
  }

 private:
  bool arrived_ = false;
};

}  // namespace trine
