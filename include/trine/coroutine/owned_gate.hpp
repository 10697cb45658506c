// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

namespace trine::coroutine {

/// A lock for a few instructions that belongs to one thread, which needs no locked instruction for it. Others come rarely, and
/// one at a time.
///
/// The other asks to be let in, and the owner, when it would go in next, waits outside and says so. An owner that is busy with
/// something else does not come by; so after a while the other puts a fence into all threads, which takes microseconds, and looks
/// whether the owner is inside: the owner says that it is and then looks whether somebody has asked, and with the fence between
/// one of the two sees the other. Where the system has no such fence, both change `asked_` by a locked instruction between the
/// two steps, and the later of them sees what came before the earlier.
template <class Os>
class OwnedGate {
 public:
  [[gnu::always_inline]] void enter() noexcept {
    for (;;) {
      // Relaxed: what makes another see it is the fence.
      inside_.store(1, std::memory_order_relaxed);
      const std::uint32_t visit = asked();
      if (visit == 0) [[likely]]
        return;
      wait_outside(visit);
    }
  }

  // Release: pairs with the acquire of wait(), to whose caller all that was done inside becomes visible.
  [[gnu::always_inline]] void leave() noexcept { inside_.store(0, std::memory_order_release); }

  /// For another, who keeps further ones away: from here to let_go() it is inside.
  void come_in() noexcept {
    ask();
    if (is_let_in()) return;
    fence();
    wait();
  }

  /// The steps of that, for one who comes into several at a time.
  void ask() noexcept {
    visit_ = visit_ == ~0U ? 1 : visit_ + 1;
    asked_.exchange(visit_, std::memory_order_acq_rel);
  }
  static void fence() noexcept { Os::fence_others(); }
  void wait() noexcept {
    while (inside_.load(std::memory_order_acquire) != 0) Os::yield();
  }
  // Release: pairs with the acquire of asked(), to whose caller what the other did becomes visible.
  void let_go() noexcept { asked_.store(0, std::memory_order_release); }

 private:
  // The visit for which somebody asks.
  [[gnu::always_inline]] std::uint32_t asked() noexcept {
    if (Os::fences_others()) [[likely]] {
      std::atomic_signal_fence(std::memory_order_seq_cst);  // for the compiler; who asks fences this thread
      return asked_.load(std::memory_order_acquire);
    }
    return asked_.fetch_or(0, std::memory_order_acq_rel);
  }

  // Release, both: pairs with the acquire of wait() or is_let_in().
  [[gnu::noinline, gnu::cold]] void wait_outside(std::uint32_t visit) noexcept {
    inside_.store(0, std::memory_order_release);
    outside_.store(visit, std::memory_order_release);
    for (int i = 0; asked_.load(std::memory_order_relaxed) == visit; ++i) {
      i < pauses ? Os::pause() : Os::yield();
    }
  }

  // For as long as an owner that comes by needs.
  bool is_let_in() noexcept {
    for (int i = 0; i < (Os::spins ? pauses : 1); ++i) {
      if (outside_.load(std::memory_order_acquire) == visit_) return true;
      Os::pause();
    }
    return false;
  }

  static constexpr int pauses = 40;

  using Flag = typename Os::template Atomic<std::uint32_t>;

  Flag inside_{0};   // whether the owner is; written by it alone
  Flag outside_{0};  // the last visit for which it waited; written by it alone
  Flag asked_{0};    // the visit of who wants to be let in, or 0; written by others, one at a time
  std::uint32_t visit_ = 0;  // the last one; theirs as well
};

}  // namespace trine::coroutine
