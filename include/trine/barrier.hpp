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
  class WaitOperation;
  class ActingOperation;

  static constexpr std::ptrdiff_t most_parties = State::most_parties;

  /// Throws std::invalid_argument if there are no parties, or more than there can be.
  explicit Barrier(std::ptrdiff_t parties) : state_(parties) {}

  /// `limit` is that of each wait() without one of its own.
  Barrier(std::ptrdiff_t parties, std::chrono::nanoseconds limit) : state_(parties, limit) {}

  /// The same with an action for each generation; not in shared memory, where no function can be kept: see wait(action).
  Barrier(std::ptrdiff_t parties, std::function<void()> action,
          Until limit = {}) requires std::constructible_from<Attached, Extras*> : state_(parties) {
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

/// Arrives, and then waits for the phase to pass. The last one has nothing to wait for: its result() runs the action and
/// lets the others go.
template <class B>
class Barrier<B>::WaitOperation : public OperationOf<std::ptrdiff_t, B> {
 public:
  static constexpr bool selectable = false;

  WaitOperation(State& state, const std::function<void()>* action) noexcept : state_(&state), action_(action) {}

  bool attempt() {
    if (stage_ == Stage::outside) arrive();
    if (stage_ == Stage::waiting) look();
    return stage_ > Stage::waiting;
  }

  Sleep<Word> announce() {
    for (;;) {
      if (attempt()) return {};
      if (stage_ == Stage::waiting && state_->arrived.lost(seen_ / State::generation)) {
        state_->break_now(false);
        continue;
      }
      // The phase that the attempt saw: if it has changed since, there is something new to look at.
      std::uint32_t seen = seen_;
      if ((seen & State::sleepers) != 0 ||
          state_->phase.compare_exchange_strong(seen, seen | State::sleepers, std::memory_order_relaxed,
                                                std::memory_order_relaxed)) {
        return {&state_->phase, seen_ | State::sleepers};
      }
    }
  }

  bool give_up() {
    // One that has not arrived, because a generation is about to end or those of a reset are leaving, breaks nothing.
    if (stage_ == Stage::outside) {
      stage_ = Stage::broken;
      return true;
    }
    state_->close_gate();
    if (!still_waiting(state_->look())) {
      state_->gate.unlock();
      look();
      return true;
    }
    stage_ = Stage::broken;
    state_->open_gate_and_wake(state_->become(State::broken_bit) | state_->leave());
    return true;
  }

  std::ptrdiff_t result() {
    if (stage_ == Stage::last) finish();
    if (stage_ == Stage::broken) fail<BrokenBarrier>();
    return place_;
  }

 protected:
  void act(const std::function<void()>* action) noexcept { action_ = action; }

 private:
  enum class Stage : std::uint8_t { outside, waiting, last, passed, broken };

  void arrive() {
    state_->close_gate();
    std::uint32_t before = 0;
    if ((state_->look() & State::leaving) != 0 && state_->inside() == 0) before = state_->begin_next();
    seen_ = state_->look();
    const std::uint32_t place = state_->inside();
    if ((seen_ & State::broken_bit) != 0) {
      stage_ = Stage::broken;
    } else if ((seen_ & State::leaving) == 0 && place < state_->parties) {
      place_ = place;
      state_->arrived.enter(seen_ / State::generation);
      stage_ = place + 1 < state_->parties ? Stage::waiting : Stage::last;
      if (stage_ == Stage::last && action_ == nullptr) {
        before |= state_->begin_next();
        pass();
      }
    }
    state_->open_gate_and_wake(before);
  }

  [[nodiscard]] bool still_waiting(std::uint32_t phase) const noexcept {
    return phase / State::generation == seen_ / State::generation && (phase & (State::broken_bit | State::leaving)) == 0;
  }

  void look() {
    // Acquire: pairs with the release of the phase; what the other parties and the action did is visible.
    const std::uint32_t phase = state_->phase.load(std::memory_order_acquire);
    if (still_waiting(phase)) {
      seen_ = phase;
    } else if (phase / State::generation != seen_ / State::generation) {
      pass();
    } else {
      state_->close_gate();
      stage_ = Stage::broken;
      state_->open_gate_and_wake(state_->leave());
    }
  }

  void finish() {
    try {
      (*action_)();
    } catch (...) {
      stage_ = Stage::broken;
      state_->break_now(true);
      throw;
    }
    state_->close_gate();
    const bool whole = state_->whole();
    stage_ = Stage::broken;
    const std::uint32_t before = whole ? state_->begin_next() : state_->leave();
    if (whole) pass();
    state_->open_gate_and_wake(before);
  }

  void pass() {
    stage_ = Stage::passed;
    state_->arrived.dismissed();
  }

  State* state_;
  const std::function<void()>* action_;
  std::uint32_t seen_ = 0;
  std::uint32_t place_ = 0;
  Stage stage_ = Stage::outside;
};

/// The same with an action of its own.
template <class B>
class Barrier<B>::ActingOperation : public WaitOperation {
 public:
  ActingOperation(State& state, std::function<void()> action) noexcept
      : WaitOperation(state, nullptr), own_(std::move(action)) {
    this->act(own_ ? &own_ : nullptr);
  }
  ActingOperation(ActingOperation&& other) noexcept : WaitOperation(other), own_(std::move(other.own_)) {
    this->act(own_ ? &own_ : nullptr);
  }

 private:
  std::function<void()> own_;
};

}  // namespace trine
