// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/error.hpp>
#include <trine/permit.hpp>
#include <trine/until.hpp>

namespace trine {

/// A number of permits, which one takes and gives back.
///
///     trine::Semaphore slots(3);
///     { auto permit = slots.permit(); work(); }  // at most three at a time
///
/// Visibility: what a thread did before release() is visible to whoever acquires thereafter.
/// Lifetime: whoever has acquired may destroy it, though the release() that served it has not returned; not so for the
/// release of a Permit between processes, which must have returned. Anyone may release. A release over the maximum throws
/// ReleasedTooManyTimes, and nothing is released. Fairness is as with Lock. Constant time; uncontended acquire and release
/// are one atomic read-modify-write each. Deaths: between processes a permit() comes back when its holder dies; what acquire()
/// took does not, for nobody knows whose it is. 127 permit()s can be held at a time then, each given back by its own thread.
template <class B = threads>
class Semaphore {
  struct State;
  using Escrow = typename B::Escrow;
  using Count = typename Escrow::Count;
  using Number = typename Escrow::Number;
  using Ticket = typename Escrow::Ticket;
  struct NoTicket;
  template <class T> class Acquiring;

 public:
  class AcquireOperation;
  class PermitOperation;

  /// The most permits that a semaphore can have: 2^31 - 1 on every backend.
  static constexpr std::ptrdiff_t largest = std::numeric_limits<std::int32_t>::max();

  /// Throws std::invalid_argument if `initial` is negative or over `max`, or `max` over `largest`.
  explicit Semaphore(std::ptrdiff_t initial = 1, std::ptrdiff_t max = largest) : state_(initial, max) {}
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create.
  template <NameTagOf<B> Tag>
  Semaphore(Tag tag, std::string_view name, std::ptrdiff_t initial = 1, std::ptrdiff_t max = largest)
      : state_(tag, name, initial, max) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Waits for a permit and takes it: true, or false when it gave up.
  typename B::template Result<bool> acquire(const Until& until = Until::forever()) { return B::run(acquire_op(), until); }

  /// Takes a permit if there is one.
  bool try_acquire() { return acquire_op().attempt(); }

  /// Gives n permits back, and wakes as many waiters. Never blocks. Throws ReleasedTooManyTimes, or std::invalid_argument if
  /// n is not positive.
  void release(std::ptrdiff_t n = 1) {
    if (n <= 0) throw std::invalid_argument("trine: Semaphore::release: n must be positive");
    give(n, 0);
  }

  /// How many permits there are at this moment.
  [[nodiscard]] std::ptrdiff_t value() const noexcept {
    const Number seen = state_->count.load(std::memory_order_relaxed);
    return std::min(static_cast<std::uint32_t>(seen) / one + state_->escrow.held_by_dead(seen), state_->max);
  }

  /// acquire() for a scope: a permit that is given back at its end, or none when it gave up.
  [[nodiscard]] typename B::template Result<Permit<B>> permit(const Until& until = Until::forever()) {
    return B::run(permit_op(), until);
  }

  [[nodiscard]] AcquireOperation acquire_op() noexcept { return AcquireOperation(*state_); }
  [[nodiscard]] PermitOperation permit_op() noexcept { return PermitOperation(*this, *state_); }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  friend class Permit<B>;

  // | bits | meaning |
  // | 0    | sleepers: somebody may sleep here; where it is missing although somebody does, one who was woken is on its way |
  // | 1-31 | permits; more bits, if there are any, are the Escrow's: which permit is just being taken or given |
  // Sleepers compare the bits 0-31. A release clears the mark and wakes as many as it has permits for. A woken one takes its
  // permit with the mark set, and wakes another if there is a permit left, for a release that came meanwhile saw no mark.
  static constexpr std::uint32_t sleepers = 1, one = 2;

  struct State {
    static constexpr std::string_view type_name = "Semaphore";
    State(std::ptrdiff_t initial, std::ptrdiff_t most) : count(checked(initial, most)), max(static_cast<std::uint32_t>(most)) {}
    static std::uint32_t checked(std::ptrdiff_t initial, std::ptrdiff_t most) {
      if (initial < 0) throw std::invalid_argument("trine: Semaphore: initial is negative");
      if (most < 0 || most > largest) throw std::invalid_argument("trine: Semaphore: max is out of range");
      if (initial > most) throw std::invalid_argument("trine: Semaphore: initial is greater than max");
      return static_cast<std::uint32_t>(initial) * one;
    }

    // What there is when nothing is half taken or given.
    Number look() { return escrow.settle(count, count.load(std::memory_order_relaxed)); }

    Count count;
    const std::uint32_t max;
    [[no_unique_address]] Escrow escrow;
  };

  // `name`: of whose permit.
  void give(std::ptrdiff_t n, Number name) {
    Count& count = state_->count;
    Number seen = state_->look();
    for (;;) {
      if (n > static_cast<std::ptrdiff_t>(state_->max - static_cast<std::uint32_t>(seen / one))) fail<ReleasedTooManyTimes>();
      const Number given = ((seen & ~Number{sleepers}) + static_cast<Number>(n) * one) | name;
      // Release: pairs with the acquire of whoever takes one of these permits.
      if (count.compare_exchange_weak(seen, given, std::memory_order_release, std::memory_order_relaxed)) {
        if (name != 0) state_->escrow.settle(count, given);
        break;
      }
      seen = state_->escrow.settle(count, seen);
    }
    if ((seen & sleepers) != 0) B::wake(Escrow::word(count), static_cast<std::uint32_t>(n));
  }

  void give_back(Ticket& ticket) {
    if (!ticket.mine(state_->escrow)) fail<NotOwner>();
    give(1, ticket.giving());
    ticket.free(state_->escrow);
  }

  typename B::template Storage<State> state_;
};

/// A Semaphore that never has more permits than it began with.
template <class B = threads>
class BoundedSemaphore : public Semaphore<B> {
 public:
  explicit BoundedSemaphore(std::ptrdiff_t permits = 1) : Semaphore<B>(permits, permits) {}
  template <NameTagOf<B> Tag>
  BoundedSemaphore(Tag tag, std::string_view name, std::ptrdiff_t permits = 1)
      : Semaphore<B>(tag, name, permits, permits) {}
};

/// For a permit that is nobody's in particular.
template <class B>
struct Semaphore<B>::NoTicket {
  static constexpr void reserve(Escrow&, Count&, Number, std::uint32_t) noexcept {}
  static constexpr void free(Escrow&) noexcept {}
  static constexpr Number taking() noexcept { return 0; }
};

/// Takes a permit, with a ticket that says whose it is.
template <class B>
template <class T>
class Semaphore<B>::Acquiring : public OperationOf<bool, B> {
 public:
  explicit Acquiring(State& state) noexcept : state_(&state) {}

  bool attempt() {
    Number seen = state_->look();
    while (there_is_one(seen)) {
      if (take(seen, 0)) return true;
    }
    ticket_.free(state_->escrow);
    return false;
  }

  Sleep<typename B::Word> announce() {
    Count& count = state_->count;
    Number seen = state_->look();
    for (;;) {
      if (there_is_one(seen)) {
        if (!take(seen, sleepers)) continue;
        if (seen >= 2 * one) B::wake(Escrow::word(count), 1);
        return {};
      }
      ticket_.free(state_->escrow);
      if ((seen & sleepers) != 0 ||
          count.compare_exchange_weak(seen, seen | sleepers, std::memory_order_relaxed, std::memory_order_relaxed)) {
        return {&Escrow::word(count), static_cast<std::uint32_t>(seen | sleepers)};
      }
      seen = state_->escrow.settle(count, seen);
    }
  }

  bool result() const noexcept { return acquired_; }
  /// Few looks before it sleeps: who gives a permit may take it again soon, and each look takes the cache line away from him.
  static constexpr std::uint32_t patience() noexcept { return 0; }

 protected:
  State* state_;
  [[no_unique_address]] T ticket_;

 private:
  // Those that the dead held are there as well.
  bool there_is_one(Number& seen) {
    for (; seen < one; seen = state_->look()) {
      if (!state_->escrow.bring_back(state_->count, one, state_->max)) return false;
    }
    return true;
  }

  bool take(Number& seen, std::uint32_t mark) {
    Count& count = state_->count;
    ticket_.reserve(state_->escrow, count, one, state_->max);
    const Number taken = (seen - one) | mark | ticket_.taking();
    // Acquire: pairs with the release in release().
    if (!count.compare_exchange_weak(seen, taken, std::memory_order_acquire, std::memory_order_relaxed)) {
      seen = state_->escrow.settle(count, seen);
      return false;
    }
    if (ticket_.taking() != 0) state_->escrow.settle(count, taken);
    acquired_ = true;
    return true;
  }

  bool acquired_ = false;
};

template <class B>
class Semaphore<B>::AcquireOperation : public Acquiring<NoTicket> {
 public:
  using Acquiring<NoTicket>::Acquiring;
};

template <class B>
class Semaphore<B>::PermitOperation : public Acquiring<Ticket> {
 public:
  using Result = Permit<B>;
  static constexpr bool owned_by_thread = B::mortal;

  PermitOperation(Semaphore& semaphore, State& state) noexcept : Acquiring<Ticket>(state), semaphore_(&semaphore) {}

  Permit<B> result() const noexcept {
    return Acquiring<Ticket>::result() ? Permit<B>(*semaphore_, this->ticket_) : Permit<B>();
  }

 private:
  Semaphore* semaphore_;
};

}  // namespace trine
