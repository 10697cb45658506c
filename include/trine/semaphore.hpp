// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/until.hpp>

namespace trine {

template <class B = threads>
class Permit;

/// A number of permits, which one takes and gives back.
///
///     trine::Semaphore slots(3);
///     { auto permit = slots.permit(); work(); }  // at most three at a time
///
/// Visibility: what a thread did before release() is visible to whoever acquires thereafter.
/// Lifetime: whoever has acquired may destroy it, though the release() that served it has not returned.
/// Anyone may release. A release over the maximum throws ReleasedTooManyTimes, and nothing is released. Fairness is as with
/// Lock. Constant time; uncontended acquire and release are one atomic read-modify-write each.
template <class B = threads>
class Semaphore {
  struct State;
  using Word = typename B::Word;

 public:
  class AcquireOperation;
  class PermitOperation;

  /// The most permits that a semaphore can have.
  static constexpr std::ptrdiff_t largest = std::numeric_limits<std::int32_t>::max();

  /// Throws std::invalid_argument if `initial` is negative or over `max`, or `max` over `largest`.
  explicit Semaphore(std::ptrdiff_t initial = 1, std::ptrdiff_t max = largest) : state_(initial, max) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Waits for a permit and takes it: true, or false when it gave up.
  typename B::template Result<bool> acquire(const Until& until = Until::forever()) { return B::run(acquire_op(), until); }

  /// Takes a permit if there is one.
  bool try_acquire() noexcept { return acquire_op().attempt(); }

  /// Gives n permits back, and wakes as many waiters. Never blocks. Throws ReleasedTooManyTimes, or std::invalid_argument if
  /// n is not positive.
  void release(std::ptrdiff_t n = 1) {
    if (n <= 0) throw std::invalid_argument("trine: Semaphore::release: n must be positive");
    Word& word = state_->word;
    const std::uint32_t max = state_->max;
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    do {
      if (n > static_cast<std::ptrdiff_t>(max - seen / one)) fail<ReleasedTooManyTimes>();
      // Release: pairs with the acquire of whoever takes one of these permits.
    } while (!word.compare_exchange_weak(seen, (seen & ~sleepers) + static_cast<std::uint32_t>(n) * one,
                                         std::memory_order_release, std::memory_order_relaxed));
    if ((seen & sleepers) != 0) B::wake(word, static_cast<std::uint32_t>(n));
  }

  /// How many permits there are at this moment.
  [[nodiscard]] std::ptrdiff_t value() const noexcept { return state_->word.load(std::memory_order_relaxed) / one; }

  /// acquire() for a scope: a permit that is given back at its end, or none when it gave up.
  [[nodiscard]] typename B::template Result<Permit<B>> permit(const Until& until = Until::forever()) {
    return B::run(permit_op(), until);
  }

  [[nodiscard]] AcquireOperation acquire_op() noexcept { return AcquireOperation(*state_); }
  [[nodiscard]] PermitOperation permit_op() noexcept { return PermitOperation(*this, *state_); }

 private:
  // | bits | meaning |
  // | 0    | sleepers: somebody may sleep here; where it is missing although somebody does, one who was woken is on its way |
  // | 1-31 | permits |
  // A release clears the mark and wakes as many as it has permits for. A woken one takes its permit with the mark set, and
  // wakes another if there is a permit left, for a release that came meanwhile saw no mark.
  static constexpr std::uint32_t sleepers = 1;
  static constexpr std::uint32_t one = 2;

  struct State {
    State(std::ptrdiff_t initial, std::ptrdiff_t most) : word(0), max(static_cast<std::uint32_t>(most)) {
      if (initial < 0) throw std::invalid_argument("trine: Semaphore: initial is negative");
      if (most < 0 || most > largest) throw std::invalid_argument("trine: Semaphore: max is out of range");
      if (initial > most) throw std::invalid_argument("trine: Semaphore: initial is greater than max");
      word.store(static_cast<std::uint32_t>(initial) * one, std::memory_order_relaxed);
    }
    Word word;
    const std::uint32_t max;
  };

  typename B::template Storage<State> state_;
};

/// A Semaphore that never has more permits than it began with.
template <class B = threads>
class BoundedSemaphore : public Semaphore<B> {
 public:
  explicit BoundedSemaphore(std::ptrdiff_t permits = 1) : Semaphore<B>(permits, permits) {}
};

template <class B>
class Semaphore<B>::AcquireOperation : public OperationOf<bool, B> {
 public:
  explicit AcquireOperation(State& state) noexcept : word_(&state.word) {}

  bool attempt() noexcept {
    std::uint32_t seen = word_->load(std::memory_order_relaxed);
    while (seen >= one) {
      // Acquire: pairs with the release in release().
      if (word_->compare_exchange_weak(seen, seen - one, std::memory_order_acquire, std::memory_order_relaxed)) {
        acquired_ = true;
        return true;
      }
    }
    return false;
  }

  Sleep<Word> announce() {
    std::uint32_t seen = word_->load(std::memory_order_relaxed);
    for (;;) {
      if (seen >= one) {
        if (!word_->compare_exchange_weak(seen, (seen - one) | sleepers, std::memory_order_acquire,
                                          std::memory_order_relaxed)) {
          continue;
        }
        acquired_ = true;
        if (seen >= 2 * one) B::wake(*word_, 1);
        return {};
      }
      if ((seen & sleepers) != 0 || word_->compare_exchange_weak(seen, seen | sleepers, std::memory_order_relaxed,
                                                                 std::memory_order_relaxed)) {
        return {word_, seen | sleepers};
      }
    }
  }

  bool result() const noexcept { return acquired_; }

 private:
  Word* word_;
  bool acquired_ = false;
};

template <class B>
class Semaphore<B>::PermitOperation : public AcquireOperation {
 public:
  using Result = Permit<B>;

  PermitOperation(Semaphore& semaphore, State& state) noexcept : AcquireOperation(state), semaphore_(&semaphore) {}

  Permit<B> result() const noexcept { return AcquireOperation::result() ? Permit<B>(*semaphore_) : Permit<B>(); }

 private:
  Semaphore* semaphore_;
};

/// Holds a permit of a semaphore until the end of the scope. Movable; true when it holds one.
template <class B>
class Permit {
 public:
  Permit() noexcept = default;
  explicit Permit(Semaphore<B>& acquired) noexcept : semaphore_(&acquired) {}
  Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
  Permit& operator=(Permit&& other) noexcept {
    Permit moved(std::move(other));
    std::swap(semaphore_, moved.semaphore_);
    return *this;
  }
  ~Permit() { release(); }

  [[nodiscard]] explicit operator bool() const noexcept { return semaphore_ != nullptr; }

  /// Gives the permit back before the end of the scope.
  void release() {
    if (Semaphore<B>* const semaphore = std::exchange(semaphore_, nullptr)) semaphore->release();
  }

 private:
  Semaphore<B>* semaphore_ = nullptr;
};

}  // namespace trine
