// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/os/futex.hpp>
#include <trine/sleep.hpp>

namespace trine::coroutine {

/// Whether one thread alone changes the words of coroutines: the first that does is the sole one, and needs no locked
/// instruction for it, until another comes along. That one puts a fence into all others, waits for the sole one to leave a change
/// that is in progress, and then all use locked instructions for good.
///
/// The sole thread says that it is inside and then looks whether it still is the sole one; who comes along says that it is not
/// and then looks whether it is inside. With the fence between, one of the two sees the other. A row of changes between which
/// nobody may come is said in the same way, beside, and each change in it is made as ever.
///
/// `P`: `Os` (as for Blocking), `me()`, an even number that differs from thread to thread and is not 0 (that of a thread which
/// has ended may come again: its successor is the sole one then), and `prepare()`, whether a thread may be the sole one at all.
template <class P>
class Sole {
 public:
  /// true: nobody else changes a word until leave(). false: everybody uses locked instructions.
  [[gnu::always_inline]] bool enter() noexcept { return enter_again() || settle(P::me()); }

  /// The same for one that has changed a word before: false if it is not the sole one, or is about to be that no more.
  [[gnu::always_inline]] bool enter_again() noexcept { return say(inside_); }

  // Release: pairs with the acquire of who comes along, to whom all that this thread did becomes visible.
  [[gnu::always_inline]] void leave() noexcept { inside_.store(0, std::memory_order_release); }

  /// As enter_again(), for many changes, each of which enters and leaves: true: nobody else changes a word until let_go().
  [[gnu::always_inline]] bool hold() noexcept { return say(held_); }

  // Release: as in leave().
  [[gnu::always_inline]] void let_go() noexcept { held_.store(0, std::memory_order_release); }

  /// Before a store, which needs nothing beside that others see it.
  [[gnu::always_inline]] void admit() noexcept {
    const std::uintptr_t me = P::me();
    if (owner_.load(std::memory_order_relaxed) != me && settle(me)) leave();
  }

  /// In the child of a fork, whose one thread has the number `me`: if the sole thread was another, it is not there.
  void after_fork(std::uintptr_t me) noexcept {
    if (owner_.load(std::memory_order_relaxed) == me) return;
    inside_.store(0, std::memory_order_relaxed);
    held_.store(0, std::memory_order_relaxed);
    owner_.store(everybody, std::memory_order_relaxed);
  }

 private:
  using Flag = typename P::Os::template Atomic<std::uint32_t>;

  static constexpr std::uintptr_t nobody = 0;     // has changed a word yet
  static constexpr std::uintptr_t everybody = 1;  // does
  static constexpr std::uintptr_t closing = 1;    // added to a thread's number: it was the sole one, and may be inside

  [[gnu::always_inline]] bool say(Flag& flag) noexcept {
    const std::uintptr_t me = P::me();
    if (owner_.load(std::memory_order_relaxed) != me) return false;
    flag.store(1, std::memory_order_relaxed);
    // For the compiler; who comes along fences this thread.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (owner_.load(std::memory_order_relaxed) == me) [[likely]]
      return true;
    flag.store(0, std::memory_order_release);
    return false;
  }

  // As enter().
  [[gnu::always_inline]] bool settle(std::uintptr_t me) noexcept {
    // Acquire: pairs with the release of who has seen the sole one leave.
    return owner_.load(std::memory_order_acquire) == everybody ? false : settle_first(me);
  }

  [[gnu::noinline, gnu::cold]] bool settle_first(std::uintptr_t me) noexcept {
    const bool possible = P::prepare();
    for (;;) {
      std::uintptr_t seen = owner_.load(std::memory_order_acquire);
      if (seen == everybody) return false;
      if (seen == me) return enter();
      if (seen == nobody) {
        // Nothing to see yet, and nothing to show.
        owner_.compare_exchange_strong(seen, possible ? me : everybody, std::memory_order_acq_rel, std::memory_order_relaxed);
      } else if (seen == (me | closing)) {
        // Who comes along waits for let_go().
        if (held_.load(std::memory_order_relaxed) != 0) return true;
        // This is the sole thread, and it is not inside. Release: pairs with the acquire of those to whom its changes matter.
        owner_.store(everybody, std::memory_order_release);
      } else if ((seen & closing) != 0 || owner_.compare_exchange_strong(seen, seen | closing, std::memory_order_acq_rel,
                                                                         std::memory_order_relaxed)) {
        close();
      }
    }
  }

  // Whoever comes along meanwhile does the same.
  void close() noexcept {
    P::Os::fence_others();
    // Acquire: pairs with the release in leave().
    while (inside_.load(std::memory_order_acquire) != 0 || in_a_row()) P::Os::yield();
    owner_.store(everybody, std::memory_order_release);
  }

  // Acquire: pairs with the release in let_go().
  [[nodiscard]] bool in_a_row() noexcept { return held_.load(std::memory_order_acquire) != 0; }

  typename P::Os::template Atomic<std::uintptr_t> owner_{nobody};
  // Whether the sole one is inside of a change, and of a row of them; written by it alone.
  Flag inside_{0};
  Flag held_{0};
};

/// An atomic word of coroutines. What changes it by reading it first is a locked instruction only where P::sole() says so.
///
/// The sole thread's changes acquire and release whatever they were asked for, and need be no more than that: others load
/// them, but whoever is to be seen by them (store, then load) writes first, and comes along by that, with a full fence in the
/// sole thread between.
template <class P>
class SoleWord : public P::Os::template Atomic<std::uint32_t> {
  using Plain = typename P::Os::template Atomic<std::uint32_t>;
  using Order = std::memory_order;

 public:
  using Plain::Plain;

  void store(std::uint32_t value, Order order = Order::seq_cst) noexcept {
    P::sole().admit();
    Plain::store(value, order);
  }

  std::uint32_t exchange(std::uint32_t value, Order order = Order::seq_cst) noexcept {
    return change([value](std::uint32_t) { return value; }, [&] { return Plain::exchange(value, order); });
  }
  std::uint32_t fetch_add(std::uint32_t by, Order order = Order::seq_cst) noexcept {
    return change([by](std::uint32_t old) { return old + by; }, [&] { return Plain::fetch_add(by, order); });
  }
  std::uint32_t fetch_sub(std::uint32_t by, Order order = Order::seq_cst) noexcept {
    return change([by](std::uint32_t old) { return old - by; }, [&] { return Plain::fetch_sub(by, order); });
  }
  std::uint32_t fetch_or(std::uint32_t bits, Order order = Order::seq_cst) noexcept {
    return change([bits](std::uint32_t old) { return old | bits; }, [&] { return Plain::fetch_or(bits, order); });
  }
  std::uint32_t fetch_and(std::uint32_t bits, Order order = Order::seq_cst) noexcept {
    return change([bits](std::uint32_t old) { return old & bits; }, [&] { return Plain::fetch_and(bits, order); });
  }

  [[gnu::always_inline]] bool compare_exchange_strong(std::uint32_t& expected, std::uint32_t desired, Order success,
                                                      Order failure) noexcept {
    const std::uint32_t wanted = expected;
    expected = P::sole().enter_again() ? swap_alone(wanted, desired) : swap(wanted, desired, success, failure);
    return expected == wanted;
  }
  [[gnu::always_inline]] bool compare_exchange_weak(std::uint32_t& expected, std::uint32_t desired, Order success,
                                                    Order failure) noexcept {
    return compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  template <class To, class Locked>
  [[gnu::always_inline]] std::uint32_t change(To to, Locked locked) noexcept {
    if (!P::sole().enter()) return locked();
    const std::uint32_t old = Plain::load(Order::acquire);
    Plain::store(to(old), Order::release);
    P::sole().leave();
    return old;
  }

  // For one that is inside. These return what the word held before.
  [[gnu::always_inline]] std::uint32_t swap_alone(std::uint32_t expected, std::uint32_t desired) noexcept {
    const std::uint32_t old = Plain::load(Order::acquire);
    if (old == expected) Plain::store(desired, Order::release);
    P::sole().leave();
    return old;
  }

  [[gnu::noinline]] std::uint32_t swap(std::uint32_t expected, std::uint32_t desired, Order success, Order failure) noexcept {
    if (P::sole().enter()) return swap_alone(expected, desired);
    Plain::compare_exchange_strong(expected, desired, success, failure);
    return expected;
  }
};

/// A lock for a few instructions within which no such word is changed. The sole thread needs no lock: it is inside from
/// lock() to unlock(), and who comes along waits for it to leave before it locks anything.
template <class P, class Lock>
class SoleGate {
 public:
  /// What unlock() is to be told.
  [[nodiscard, gnu::always_inline]] bool lock() noexcept {
    if (P::sole().enter()) [[likely]]
      return true;
    lock_.lock();
    return false;
  }
  [[gnu::always_inline]] void unlock(bool sole) noexcept {
    if (sole) [[likely]] {
      P::sole().leave();
    } else {
      lock_.unlock();
    }
  }

  /// As lock(), without a call: false where that locked, or might. unlock_alone() ends it.
  [[nodiscard, gnu::always_inline]] bool lock_alone() noexcept { return P::sole().enter_again(); }
  [[gnu::always_inline]] void unlock_alone() noexcept { P::sole().leave(); }

  /// For the work of a wake as a whole, in which gates are locked and words changed: true if the calling thread is the sole
  /// one, and stays that until let_go().
  [[nodiscard, gnu::always_inline]] static bool hold() noexcept { return P::sole().hold(); }
  [[gnu::always_inline]] static void let_go() noexcept { P::sole().let_go(); }

 private:
  Lock lock_;
};

/// Of this process.
struct EveryWord {
  using Os = os::PrivateFutex;

  static Sole<EveryWord>& sole() noexcept { return everywhere; }
  static std::uintptr_t me() noexcept { return reinterpret_cast<std::uintptr_t>(&of_thread); }
  static bool prepare() noexcept {
    static const bool prepared = Os::fences_others() && Os::in_children([] { sole().after_fork(me()); });
    return prepared;
  }

 private:
  static Sole<EveryWord> everywhere;
  alignas(2) static constinit thread_local char of_thread;
};
inline constinit Sole<EveryWord> EveryWord::everywhere;
alignas(2) inline constinit thread_local char EveryWord::of_thread = 0;

using Word = SoleWord<EveryWord>;

/// How a thread sleeps on such words: for the locks of a few instructions that coroutines share.
struct SoleFutex : os::PrivateFutex {
  using System = os::PrivateFutex;
  using Word = coroutine::Word;

  /// The sole thread has steps of its own.
  static void steps_between_fences() = delete;

  /// `words`: the one that such a lock sleeps on.
  static void sleep(std::span<const Sleep<Word>> words, const Limit& limit) {
    const Sleep<System::Word> plain{words.front().word, words.front().value};
    System::sleep({&plain, 1}, limit);
  }
};

}  // namespace trine::coroutine
