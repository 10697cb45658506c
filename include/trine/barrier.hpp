// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
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
  struct State;
  using Word = typename B::Word;

 public:
  class WaitOperation;

  static constexpr std::ptrdiff_t most_parties = (std::ptrdiff_t{1} << 30) - 1;

  /// `limit` is that of each wait() without one of its own. Throws std::invalid_argument if there are no parties.
  explicit Barrier(std::ptrdiff_t parties, std::function<void()> action = {}, Until limit = {}) : state_(parties) {
    if (action || !limit.never()) extras_.reset(new Extras{std::move(action), std::move(limit)});
  }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  /// Waits until all parties have arrived. Returns the caller's place, from 0 to parties - 1, in the order of arrival.
  /// Throws BrokenBarrier.
  typename B::template Result<std::ptrdiff_t> wait() { return wait(extras_ ? extras_->limit : Until()); }
  typename B::template Result<std::ptrdiff_t> wait(const Until& until) { return B::run(wait_op(), until); }

  /// Not for select(): giving up breaks the barrier.
  [[nodiscard]] WaitOperation wait_op() noexcept {
    return WaitOperation(*state_, extras_ && extras_->action ? &extras_->action : nullptr);
  }

  /// Breaks the barrier, until reset().
  void abort() { state_->break_now(false); }

  /// Empties the barrier and makes it whole: those who wait get BrokenBarrier.
  void reset() { state_->reset(); }

  [[nodiscard]] std::ptrdiff_t parties() const noexcept { return state_->parties; }

  /// How many wait at this moment.
  [[nodiscard]] std::ptrdiff_t waiting() const noexcept {
    return (state_->phase.load(std::memory_order_relaxed) & (broken_bit | leaving)) != 0 ? 0 : state_->arrived.count();
  }

  [[nodiscard]] bool broken() const noexcept { return (state_->phase.load(std::memory_order_relaxed) & broken_bit) != 0; }

 private:
  // | bits | meaning |
  // | 0    | sleepers: somebody may sleep on the phase (may be stale-set, never stale-clear) |
  // | 1    | broken: nobody may arrive, those inside leave with BrokenBarrier |
  // | 2    | leaving: reset() was called; those inside leave with BrokenBarrier, and nobody may arrive until they have |
  // | 3-31 | generation |
  // All but the first bit are written with the gate held. A generation comes again after 2^29 others; a party that slept
  // through exactly so many waits for the next.
  static constexpr std::uint32_t sleepers = 1;
  static constexpr std::uint32_t broken_bit = 2;
  static constexpr std::uint32_t leaving = 4;
  static constexpr std::uint32_t generation = 8;

  struct State {
    explicit State(std::ptrdiff_t count) : parties(static_cast<std::uint32_t>(count)) {
      if (count < 1 || count > most_parties) throw std::invalid_argument("trine: Barrier: parties must be positive");
    }

    [[nodiscard]] std::uint32_t look() const noexcept { return phase.load(std::memory_order_relaxed); }

    // The following are called with the gate held, and return the phase before, whose mark says whom to wake.
    // Release: pairs with the acquire of those who look at the phase.
    // The phase is first: who dies between the two has let the others go, and those who come find the barrier broken.
    std::uint32_t begin_next() {
      const std::uint32_t before = phase.exchange((look() / generation + 1) * generation, std::memory_order_release);
      arrived.clear();
      return before;
    }

    std::uint32_t leave() {
      arrived.leave();
      return (look() & leaving) != 0 && arrived.count() == 0 ? begin_next() : 0;
    }

    std::uint32_t become(std::uint32_t flag) noexcept {
      return phase.exchange(look() / generation * generation | flag, std::memory_order_release);
    }

    // One who dies with the gate held was a party: it breaks the barrier, whatever it was about to do.
    void close_gate() {
      if (gate.lock()) [[likely]]
        return;
      become(broken_bit);
      B::wake(phase, everyone);
    }

    void open_gate_and_wake(std::uint32_t before) {
      gate.unlock();
      if ((before & sleepers) != 0) B::wake(phase, everyone);
    }

    void break_now(bool leave_too) {
      close_gate();
      const std::uint32_t before = become(broken_bit);
      open_gate_and_wake(leave_too ? before | leave() : before);
    }

    void reset() {
      close_gate();
      open_gate_and_wake(arrived.count() == 0 ? begin_next() : become(leaving));
    }

    typename B::ShortLock gate;
    Word phase{0};
    typename B::Tally arrived;  // those of this generation, and those who have not left a broken one
    const std::uint32_t parties;
  };

  struct Extras {
    std::function<void()> action;
    Until limit;
  };

  typename B::template Storage<State> state_;
  typename B::template Attached<Extras> extras_;
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
      if (stage_ == Stage::waiting && state_->arrived.lost()) {
        state_->break_now(false);
        continue;
      }
      // The phase that the attempt saw: if it has changed since, there is something new to look at.
      std::uint32_t seen = seen_;
      if ((seen & sleepers) != 0 || state_->phase.compare_exchange_strong(seen, seen | sleepers, std::memory_order_relaxed,
                                                                          std::memory_order_relaxed)) {
        return {&state_->phase, seen_ | sleepers};
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
    state_->open_gate_and_wake(state_->become(broken_bit) | state_->leave());
    return true;
  }

  std::ptrdiff_t result() {
    if (stage_ == Stage::last) finish();
    if (stage_ == Stage::broken) fail<BrokenBarrier>();
    return place_;
  }

 private:
  enum class Stage : std::uint8_t { outside, waiting, last, passed, broken };

  void arrive() {
    state_->close_gate();
    std::uint32_t before = 0;
    if ((state_->look() & leaving) != 0 && state_->arrived.count() == 0) before = state_->begin_next();
    seen_ = state_->look();
    const std::uint32_t place = state_->arrived.count();
    if ((seen_ & broken_bit) != 0) {
      stage_ = Stage::broken;
    } else if ((seen_ & leaving) == 0 && place < state_->parties) {
      place_ = place;
      state_->arrived.enter();
      stage_ = place + 1 < state_->parties ? Stage::waiting : Stage::last;
      if (stage_ == Stage::last && action_ == nullptr) {
        before |= state_->begin_next();
        pass();
      }
    }
    state_->open_gate_and_wake(before);
  }

  [[nodiscard]] bool still_waiting(std::uint32_t phase) const noexcept {
    return phase / generation == seen_ / generation && (phase & (broken_bit | leaving)) == 0;
  }

  void look() {
    // Acquire: pairs with the release of the phase; what the other parties and the action did is visible.
    const std::uint32_t phase = state_->phase.load(std::memory_order_acquire);
    if (still_waiting(phase)) {
      seen_ = phase;
    } else if (phase / generation != seen_ / generation) {
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
    const bool whole = (state_->look() & (broken_bit | leaving)) == 0;
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

}  // namespace trine
