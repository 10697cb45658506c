// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include <trine/backend.hpp>
#include <trine/barrier_state.hpp>
#include <trine/error.hpp>

namespace trine {

/// Arrives, and then waits for the phase to pass. The last one has nothing to wait for: its result() runs the action and
/// lets the others go.
template <class B>
class BarrierWait : public OperationOf<std::ptrdiff_t, B> {
  using State = BarrierState<B>;
  using Word = typename B::Word;

 public:
  static constexpr bool selectable = false;
  static constexpr bool owned_by_thread = B::mortal;  // a party that may die has a place of its own

  BarrierWait(State& state, const std::function<void()>* action) noexcept : state_(&state), action_(action) {}

  bool attempt() {
    if (stage_ == Stage::outside) arrive();
    if (stage_ == Stage::waiting) look();
    return stage_ > Stage::waiting;
  }

  Sleep<Word> announce() {
    for (;;) {
      if (attempt()) return {};
      if (stage_ == Stage::waiting && state_->lost(seen_ / State::generation)) {
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
    // A dead party can't be made good: whoever comes in its place would have another's number.
    if (state_->whole() && state_->arrived.lost(state_->look() / State::generation))
      before |= state_->become(State::broken_bit);
    seen_ = state_->look();
    const std::uint32_t place = state_->inside();
    if ((seen_ & State::broken_bit) != 0) {
      stage_ = Stage::broken;
    } else if ((seen_ & State::leaving) == 0 && place < state_->parties) {
      place_ = place;
      if (place + 1 < state_->parties || action_ != nullptr) {
        state_->arrived.enter(seen_ / State::generation);
        stage_ = place + 1 < state_->parties ? Stage::waiting : Stage::last;
      } else {
        // It is not counted: the gate is held until the generation has ended, and keeps those out who count, and a death in.
        before |= state_->begin_next();
        stage_ = Stage::passed;
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
class ActingBarrierWait : public BarrierWait<B> {
  using State = BarrierState<B>;

 public:
  ActingBarrierWait(State& state, std::function<void()> action) noexcept
      : BarrierWait<B>(state, nullptr), own_(std::move(action)) {
    this->act(own_ ? &own_ : nullptr);
  }
  ActingBarrierWait(ActingBarrierWait&& other) noexcept : BarrierWait<B>(std::move(other)), own_(std::move(other.own_)) {
    this->act(own_ ? &own_ : nullptr);
  }

 private:
  std::function<void()> own_;
};

}  // namespace trine
