// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <trine/sleep.hpp>

namespace trine::coroutine {

/// Which of several threads sleep, and who is woken for what.
///
/// Whoever sleeps has said so under the gate, and as long as there are any, one of them is the keeper: it looks after what
/// nobody is woken for, the timers and the like, and the lines of threads that are awake, for these may be stuck with work in
/// them. For that it comes round from time to time; but where nobody is awake there is no such work, and it dozes. One who is
/// awake and makes work for itself finds out by one load that the keeper dozes, and has it come round again: when the keeper
/// began to doze nobody was awake, so all who are have passed the gate since, and know. A keeper that finds something to do
/// makes another sleeper the keeper before it does it.
///
/// `B`: a backend; `Gate`: what locks.
template <class B, class Gate = typename B::ShortLock>
class Rest {
 public:
  using Word = typename B::Word;

  enum class How {
    not_at_all,    // it was called
    until_called,  // another is the keeper
    as_keeper,     // and has to come round
    dozing,        // the same, but all others sleep
  };
  struct Sleeping {
    How how;
    trine::Sleep<Word> on;
  };

  /// Where one thread sleeps.
  class Bed {
   public:
    Bed() = default;
    Bed(const Bed&) = delete;
    Bed& operator=(const Bed&) = delete;

   private:
    friend Rest;
    Word word_{0};  // changed when it is woken
    // Under the gate:
    bool used_ = false;
    bool waits_ = false;
    bool slept_ = false;
    Bed* next_ = nullptr;
    Bed* previous_ = nullptr;
  };

  /// What one who makes work for itself has to do beside.
  static constexpr std::uint32_t keeper_dozes = 1;  // watch_over()
  static constexpr std::uint32_t some_may_help = 2;  // call_for_help(), if it has more than it can run at once
  // Relaxed: it is written under the gate. keeper_dozes is seen because the caller has passed that since, and the rest is a hint.
  [[nodiscard, gnu::always_inline]] std::uint32_t wants() const noexcept { return wants_.load(std::memory_order_relaxed); }

  /// A thread that is awake is among them from here on, or no longer.
  void come() noexcept {
    const Hold hold(*this);
    ++awake_;
  }
  void go(Bed& bed) noexcept {
    const Hold hold(*this);
    --awake_;
    if (called_ == &bed) called_ = nullptr;
  }

  /// For one that has nothing to do: it counts as asleep, and may be called. `waits`: for what rouse_waiting() tells. Then it
  /// looks once more at what it may be called for, and gets up if there is something.
  void lie_down(Bed& bed, bool waits) noexcept {
    {
      const Hold hold(*this);
      bed.used_ = true;
      bed.waits_ = waits;
      bed.slept_ = false;
      --awake_;
      if (called_ == &bed) {
        called_ = nullptr;
        help_pays_ = false;
      }
      keeper_ == nullptr ? void(keeper_ = &bed) : append(bed);
      count(+1);
    }
    // Acquire and release: of this and somebody_waits() the later sees what came before the earlier.
    if (waits) waiting_.fetch_add(1, std::memory_order_acq_rel);
  }

  /// How it is to sleep from now on. Again after each sleep.
  Sleeping settle(Bed& bed) noexcept {
    const Hold hold(*this);
    if (!bed.used_) return {How::not_at_all, {}};
    // Relaxed: it is changed under the gate.
    const trine::Sleep<Word> on{&bed.word_, bed.word_.load(std::memory_order_relaxed)};
    if (keeper_ != &bed) return {How::until_called, on};
    dozes_ = awake_ == 0;
    if (std::exchange(bed.slept_, true)) help_pays_ = true;
    note();
    return {dozes_ ? How::dozing : How::as_keeper, on};
  }

  /// It has something to do, or was called.
  void get_up(Bed& bed) noexcept {
    Bed* next = nullptr;
    {
      const Hold hold(*this);
      if (bed.waits_) waiting_.fetch_sub(1, std::memory_order_relaxed);
      if (!bed.used_) return;
      if (keeper_ == &bed) {
        dozes_ = false;
        next = keeper_ = take_first();
        if (next != nullptr) change(*next);
      } else {
        remove(bed);
      }
      rise(bed);
    }
    if (next != nullptr) B::wake(next->word_, 1);
  }

  /// Whether anybody sleeps that one may call, for one who has put something where sleepers look for it last: with a lock there
  /// that a sleeper takes as well, after lie_down().
  [[nodiscard]] bool any() const noexcept { return asleep_.load(std::memory_order_relaxed) != 0; }

  /// Wakes one, if there is one: it is for it to look.
  void call_one() noexcept { call(false); }

  /// The same, for one that has more than it can run at once.
  void call_for_help() noexcept { call(true); }

  /// One that may have been called for help has helped: others may be called.
  void helped(Bed& bed) noexcept {
    const Hold hold(*this);
    if (called_ != &bed) return;
    called_ = nullptr;
    note();
  }

  /// Has the keeper come round.
  void watch_over() noexcept {
    Bed* keeper = nullptr;
    {
      const Hold hold(*this);
      if (!std::exchange(dozes_, false)) return;
      note();
      keeper = keeper_;
      change(*keeper);
    }
    B::wake(keeper->word_, 1);
  }

  /// There is something new to look after.
  void rouse_keeper() noexcept {
    Bed* keeper = nullptr;
    {
      const Hold hold(*this);
      keeper = keeper_;
      if (keeper == nullptr) return;
      change(*keeper);
    }
    B::wake(keeper->word_, 1);
  }

  /// After a change for which somebody may wait: whether somebody does, asleep.
  [[nodiscard]] bool somebody_waits() noexcept { return waiting_.fetch_add(0, std::memory_order_acq_rel) != 0; }

  /// Has those who wait look.
  void rouse_waiting() noexcept { rouse(true); }
  void rouse_all() noexcept { rouse(false); }

 private:
  struct Hold {
    explicit Hold(Rest& rest) : gate(rest.gate_) { gate.lock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { gate.unlock(); }
    Gate& gate;
  };

  // With the gate held, all of these.

  // Relaxed: who sleeps reads it under the gate, and it is woken after that.
  static void change(Bed& bed) noexcept { bed.word_.fetch_add(1, std::memory_order_relaxed); }

  void append(Bed& bed) noexcept {
    bed.previous_ = last_;
    bed.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &bed;
    last_ = &bed;
  }
  void remove(Bed& bed) noexcept {
    (bed.previous_ != nullptr ? bed.previous_->next_ : first_) = bed.next_;
    (bed.next_ != nullptr ? bed.next_->previous_ : last_) = bed.previous_;
  }
  Bed* take_first() noexcept {
    Bed* const first = first_;
    if (first != nullptr) remove(*first);
    return first;
  }

  void rise(Bed& bed) noexcept {
    bed.used_ = false;
    ++awake_;
    count(-1);
  }

  // Relaxed: see any().
  void count(int more) noexcept {
    asleep_.store(asleep_.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(more), std::memory_order_relaxed);
    note();
  }

  void note() noexcept {
    const bool may_help = help_pays_ && called_ == nullptr && asleep_.load(std::memory_order_relaxed) != 0;
    wants_.store((dozes_ ? keeper_dozes : 0) | (may_help ? some_may_help : 0), std::memory_order_relaxed);
  }

  // The keeper comes last: then nobody sleeps who would need one.
  void call(bool for_help) noexcept {
    Bed* called = nullptr;
    {
      const Hold hold(*this);
      if (for_help && (called_ != nullptr || !help_pays_)) return;
      called = take_first();
      if (called == nullptr) {
        called = std::exchange(keeper_, nullptr);
        dozes_ = false;
      }
      if (called == nullptr) return;
      if (for_help) called_ = called;
      rise(*called);
      change(*called);
    }
    B::wake(called->word_, 1);
  }

  // Within the gate: who is up may lie down elsewhere in the list.
  void rouse(bool those_who_wait) noexcept {
    const Hold hold(*this);
    const auto each = [&](Bed& bed) {
      if (those_who_wait && !bed.waits_) return;
      change(bed);
      B::wake(bed.word_, 1);
    };
    if (keeper_ != nullptr) each(*keeper_);
    for (Bed* bed = first_; bed != nullptr; bed = bed->next_) each(*bed);
  }

  Gate gate_;  // guards the following
  std::size_t awake_ = 0;
  Bed* keeper_ = nullptr;
  Bed* first_ = nullptr;  // the others that sleep
  Bed* last_ = nullptr;
  Bed* called_ = nullptr;  // for help, and has not looked yet
  bool dozes_ = false;
  bool help_pays_ = true;  // the last one that was called found something, or that is a while ago
  typename B::template Atomic<std::uint32_t> asleep_{0};
  typename B::template Atomic<std::uint32_t> wants_{0};
  typename B::template Atomic<std::uint32_t> waiting_{0};  // how many that sleep wait for something
};

}  // namespace trine::coroutine
