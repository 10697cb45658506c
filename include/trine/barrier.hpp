// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/barrier_operation.hpp>
#include <trine/barrier_state.hpp>
#include <trine/error.hpp>
#include <trine/until.hpp>

namespace trine {

/// Lets a fixed number of parties go on when all of them have arrived; again and again.
///
///     trine::Barrier step(4, [] { swap_buffers(); });
///     for (...) { compute(part); step.wait(); }
///
/// Each generation runs the action once, in the last party to arrive, before anyone goes on. If it throws, that party gets
/// the exception and the others BrokenBarrier. A party that gives up breaks the barrier: it and all others get
/// BrokenBarrier, until reset(); so does one that gave up before it could arrive, but then the others are not concerned. A
/// party that dies while it waits breaks it too. Who arrives while a generation is about to end, or while those of a reset()
/// leave, waits for the next.
/// Visibility: what a party did before wait() is visible to the action, and what the action and all parties did to everyone
/// after wait(). Lifetime: it may be destroyed when no call is in progress. Constant time but for the waking.
template <class B = threads>
class Barrier {
  using State = BarrierState<B>;
  using Word = typename B::Word;
  struct Extras;
  using Attached = typename B::template Attached<Extras>;

 public:
  using WaitOperation = BarrierWait<B>;
  using ActingOperation = ActingBarrierWait<B>;

  static constexpr std::ptrdiff_t most_parties = State::most_parties;

  /// Throws std::invalid_argument if there are no parties, or more than there can be.
  explicit Barrier(std::ptrdiff_t parties) : state_(parties) {}

  /// `limit` is that of each wait() without one of its own.
  Barrier(std::ptrdiff_t parties, std::chrono::nanoseconds limit) : state_(parties, limit) {}

  /// The same with an action for each generation; not in shared memory, where no function can be kept: see wait(action).
  Barrier(std::ptrdiff_t parties, std::function<void()> action,
          Until limit = {}) requires std::constructible_from<typename B::template Attached<int>, int*> : state_(parties) {
    if (action || !limit.never()) extras_.reset(new Extras{std::move(action), std::move(limit)});
  }

  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create. The action and its limit are
  /// this process's own. Throws LayoutMismatch if it is there with other parties; 0: with whatever there are.
  template <NameTagOf<B> Tag>
  Barrier(Tag tag, std::string_view name, std::ptrdiff_t parties = 0) : state_(tag, name, parties) {
    expect(name, parties);
  }
  template <NameTagOf<B> Tag>
  Barrier(Tag tag, std::string_view name, std::ptrdiff_t parties, std::chrono::nanoseconds limit)
      : state_(tag, name, parties, limit) {
    expect(name, parties);
  }
  template <NameTagOf<B> Tag>
  Barrier(Tag tag, std::string_view name, std::ptrdiff_t parties, std::function<void()> action, Until limit = {})
      : Barrier(tag, name, parties) {
    extras_.reset(new Extras{std::move(action), std::move(limit)});
  }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  /// Waits until all parties have arrived. Returns the caller's place, from 0 to parties - 1, in the order of arrival.
  /// Throws BrokenBarrier.
  typename B::template Result<std::ptrdiff_t> wait() { return wait(limit()); }
  typename B::template Result<std::ptrdiff_t> wait(const Until& until) { return B::run(wait_op(), until); }

  /// The same with the caller's own action, which runs if the caller is the last to arrive.
  typename B::template Result<std::ptrdiff_t> wait(std::function<void()> action) { return wait(std::move(action), limit()); }
  typename B::template Result<std::ptrdiff_t> wait(std::function<void()> action, const Until& until) {
    return B::run(wait_op(std::move(action)), until);
  }

  /// Not for select(): giving up breaks the barrier.
  [[nodiscard]] WaitOperation wait_op() noexcept {
    return WaitOperation(*state_, extras_ && extras_->action ? &extras_->action : nullptr);
  }
  [[nodiscard]] ActingOperation wait_op(std::function<void()> action) noexcept {
    return ActingOperation(*state_, std::move(action));
  }

  /// Breaks the barrier, until reset().
  void abort() { state_->break_now(false); }

  /// Empties the barrier and makes it whole: those who wait get BrokenBarrier.
  void reset() { state_->reset(); }

  [[nodiscard]] std::ptrdiff_t parties() const noexcept { return state_->parties; }

  /// How many wait at this moment.
  [[nodiscard]] std::ptrdiff_t waiting() const noexcept { return state_->whole() ? state_->inside() : 0; }

  [[nodiscard]] bool broken() const noexcept { return (state_->look() & State::broken_bit) != 0; }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  struct Extras {
    std::function<void()> action;
    Until limit;
  };

  void expect(std::string_view name, std::ptrdiff_t count) const {
    if (count == 0 || count == parties()) return;
    throw LayoutMismatch("Barrier '" + std::string(name) + "': the parties are " + std::to_string(parties()) + " there, " +
                         std::to_string(count) + " here");
  }

  [[nodiscard]] Until limit() const {
    if (extras_) return extras_->limit;
    return state_->limit == std::chrono::nanoseconds::max().count() ? Until() : std::chrono::nanoseconds(state_->limit);
  }

  typename B::template Storage<State> state_;
  Attached extras_;
};

}  // namespace trine
