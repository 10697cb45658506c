// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

namespace trine {

/// How long a waiter looks on before it goes to sleep: a few pauses, then a few dozen yields, then it says no.
///
/// Measured on two cores (docs/design.md has the table): a sleeper on another core is back after 26 us, one that still looks
/// on after 0.1 us, so looking on pays when the waker runs. When it can't run because we hold its core, a pause only delays
/// it, and a yield lets it run: on one core yielding is faster than sleeping. Ten pauses and up to 64 yields stay within 1.3
/// of the better of pure spinning and pure sleeping in each placement. At most as many waiters yield at a time as there are
/// cores: more would only hand the cores to each other. And where a yield has taken long (Os::yields_pay(), if there is one),
/// somebody else computes on this core, and they go to sleep at once for a while.
template <class Os>
class Spin {
 public:
  /// For what is over in some instructions if the other party runs.
  Spin() noexcept = default;
  /// For what takes as long as it takes, with so many pauses between two looks: learns whether pauses end such waits.
  explicit Spin(std::uint32_t pauses) noexcept
      : length_(pauses), pauses_(!learnt().tries() ? 0 : pauses > 1 ? long_pauses : short_pauses), learns_(true) {}
  Spin(const Spin&) = delete;
  Spin& operator=(const Spin&) = delete;
  ~Spin() {
    leave();
    if (learns_ && pauses_ != 0 && turn_ != 0) learnt().tried(turn_ <= pauses_);
  }

  /// Waits a little and says true, or says false: go to sleep.
  bool again() noexcept {
    if constexpr (!Os::spins) return false;
    if (turn_ < pauses_) {
      for (std::uint32_t i = 0; i < length_; ++i) Os::pause();
    } else if (turn_ < pauses_ + yields) {
      if (!yields_pay() || (turn_ == pauses_ && !enter())) {
        turn_ = pauses_ + yields;
        leave();
        return false;
      }
      Os::yield();
    } else {
      leave();
      return false;
    }
    ++turn_;
    return true;
  }

  /// Whether the turns have become long enough to look at the clock between them.
  [[nodiscard]] bool slow() const noexcept { return turn_ > pauses_; }

 private:
  static constexpr int short_pauses = 10;
  static constexpr int long_pauses = 2;
  static constexpr int yields = 64;

  // What the calling thread has learnt of pauses: whether any of its last eight waits that began with some ended among them. If
  // none did, those it waits for don't run meanwhile, or take long: it begins with yields, but for every eighth wait.
  class Learnt {
   public:
    bool tries() noexcept { return credit_ != 0 || ++turn_ % 8 == 0; }
    void tried(bool paid) noexcept { credit_ = paid ? most : credit_ - (credit_ != 0 ? 1 : 0); }

   private:
    static constexpr int most = 8;
    int credit_ = most;
    unsigned turn_ = 0;
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

  bool enter() noexcept {
    entered_ = yielding().fetch_add(1, std::memory_order_relaxed) < cores();
    if (!entered_) yielding().fetch_sub(1, std::memory_order_relaxed);
    return entered_;
  }

  void leave() noexcept {
    if (entered_) yielding().fetch_sub(1, std::memory_order_relaxed);
    entered_ = false;
  }

  const std::uint32_t length_ = 1;
  const int pauses_ = short_pauses;
  const bool learns_ = false;
  int turn_ = 0;
  bool entered_ = false;
};

}  // namespace trine
