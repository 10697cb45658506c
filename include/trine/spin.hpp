// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

namespace trine {

/// How long a waiter looks on before it goes to sleep: some pauses, then a few dozen yields, then it says no.
///
/// Measured on two cores (docs/design.md has the tables): a sleeper on another core is back after 26 us, one that still looks
/// on after 0.1 us, so looking on pays when the waker runs. When it can't run because we hold its core, a pause only delays
/// it, and a yield lets it run: on one core yielding is faster than sleeping. As many waiters as there are cores yield so at a
/// time; more would only hand the cores to each other, and do that eight times, so that those who all wait for the same can go
/// round without a sleep. And where a yield has taken long (Os::yields_pay(), if there is one), somebody else computes on this
/// core, and they go to sleep after the pauses for a while.
///
/// After a sleep a thread looks on for longer, about as long as it takes to wake another: who was woken answers one who may be
/// asleep again by then, and two of them could go on like that for ever. It keeps that up while it is what ends waits, and where
/// it was in vain it sleeps eight times before it tries that again.
template <class Os>
class Spin {
 public:
  /// For what is over in some instructions if the other party runs.
  Spin() noexcept = default;
  /// For what takes as long as it takes, with so many pauses between two looks (0: one, and not often): learns what ends such
  /// waits.
  explicit Spin(std::uint32_t pauses) noexcept
      : length_(std::max(pauses, 1U)),
        pauses_(learnt().pauses(pauses == 0 ? few_pauses : pauses == 1 ? many_pauses : long_pauses)),
        yields_(learnt().looks_longer() ? more_yields : yields),
        learns_(true) {}
  Spin(const Spin&) = delete;
  Spin& operator=(const Spin&) = delete;
  ~Spin() {
    leave();
    if (!learns_ || turn_ == 0) return;
    if (pauses_ != 0) learnt().tried(!over_ && turn_ <= pauses_);
    if (!cut_short_) learnt().looked(over_, turn_ > pauses_ + yields);
  }

  /// Waits a little and says true, or says false: go to sleep.
  bool again() noexcept {
    if constexpr (!Os::spins) return false;
    if (turn_ < pauses_) {
      for (std::uint32_t i = 0; i < length_; ++i) Os::pause();
    } else if (!over_ && may_yield()) {
      Os::yield();
    } else {
      over_ = true;
      leave();
      return false;
    }
    ++turn_;
    return true;
  }

  /// Whether the turns have become long enough to look at the clock between them.
  [[nodiscard]] bool slow() const noexcept { return turn_ > pauses_; }

 private:
  static constexpr int few_pauses = 10;
  static constexpr int many_pauses = 40;
  static constexpr int long_pauses = 2;
  static constexpr int few_yields = 8;
  static constexpr int yields = 64;
  static constexpr int more_yields = 256;

  // What the calling thread has learnt.
  class Learnt {
   public:
    // Of pauses: whether any of its last eight waits that began with some ended among them. If none did, those it waits for
    // don't run meanwhile, or take long: it begins with yields, but for a few pauses in every eighth wait.
    int pauses(int most_of_them) noexcept {
      if (credit_ != 0) return most_of_them;
      return ++turn_ % 8 == 0 ? std::min(most_of_them, few_pauses) : 0;
    }
    void tried(bool paid) noexcept { credit_ = paid ? most : credit_ - (credit_ != 0 ? 1 : 0); }

    // Of looking on for longer.
    [[nodiscard]] bool looks_longer() const noexcept { return sleeps_ == 0; }
    void looked(bool in_vain, bool for_long) noexcept {
      if (looks_longer()) {
        sleeps_ = in_vain ? most : for_long ? 0 : 1;
      } else if (in_vain) {
        --sleeps_;
      }
    }

   private:
    static constexpr int most = 8;
    int credit_ = most;
    unsigned turn_ = 0;
    int sleeps_ = 1;  // after so many it looks on for longer
  };

  static Learnt& learnt() noexcept {
    static constinit thread_local Learnt of_this_thread;
    return of_this_thread;
  }

  // Relaxed: it counts heads, and nothing is read because of it.
  static std::atomic<unsigned>& yielding() noexcept {
    static constinit std::atomic<unsigned> count{0};
    return count;
  }

  static unsigned cores() noexcept {
    static const unsigned count = std::max(1U, std::thread::hardware_concurrency());
    return count;
  }

  static bool yields_pay() noexcept {
    if constexpr (requires { Os::yields_pay(); }) {
      return Os::yields_pay();
    } else {
      return true;
    }
  }

  bool may_yield() noexcept {
    const bool pay = yields_pay();
    cut_short_ |= !pay || (turn_ == pauses_ && !enter());
    if (cut_short_) yields_ = pay ? few_yields : 0;
    return turn_ < pauses_ + yields_;
  }

  // Those who yielded in the process that forked this one are not here.
  static bool begins_anew_in_children() noexcept {
    if constexpr (requires { Os::in_children(nullptr); }) {
      return Os::in_children([] { yielding().store(0, std::memory_order_relaxed); });
    } else {
      return false;
    }
  }

  bool enter() noexcept {
    [[maybe_unused]] static const bool anew = begins_anew_in_children();
    entered_ = yielding().fetch_add(1, std::memory_order_relaxed) < cores();
    if (!entered_) yielding().fetch_sub(1, std::memory_order_relaxed);
    return entered_;
  }

  void leave() noexcept {
    if (entered_) yielding().fetch_sub(1, std::memory_order_relaxed);
    entered_ = false;
  }

  const std::uint32_t length_ = 1;
  const int pauses_ = few_pauses;
  int yields_ = yields;
  const bool learns_ = false;
  bool over_ = false;       // it has said no
  bool cut_short_ = false;  // it says no before it has learnt anything
  int turn_ = 0;
  bool entered_ = false;
};

}  // namespace trine
