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
/// `P`: `Os` (as for Blocking); `number()`, an even number that is not 0 and differs from thread to thread (that of a thread
/// which has ended may come again: its successor is the sole one then); and `prepare()`, which is called by a thread at first, and
/// says whether one may be the sole one at all. Where there is one Sole for a P, the number may be the same for all if there
/// is `mine()` as well: a variable of the calling thread that says whether it was the sole one and has not retired.
template <class P>
class Sole {
 public:
  /// true: nobody else changes a word until leave(). false: everybody uses locked instructions.
  [[gnu::always_inline]] bool enter() noexcept { return enter_again() || settle(); }

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
    if (own() && who_.load(std::memory_order_relaxed) == P::number()) return;
    // Acquire: as in settle().
    if (who_.load(std::memory_order_acquire) != everybody && settle_first()) leave();
  }

  /// The calling thread ends: if it is the sole one, the next that changes a word is that. It may change words still, as any
  /// other may.
  void retire() noexcept {
    if (!P::mine()) return;
    P::mine() = false;
    std::uintptr_t seen = P::number();
    // Release: pairs with the acquire of the next one. Where it fails somebody comes along, and waits for nothing.
    who_.compare_exchange_strong(seen, nobody, std::memory_order_release, std::memory_order_relaxed);
  }

  /// In the child of a fork, in its one thread: if the sole thread was another, it is not there.
  void after_fork() noexcept {
    if (own() && who_.load(std::memory_order_relaxed) == P::number()) return;
    inside_.store(0, std::memory_order_relaxed);
    held_.store(0, std::memory_order_relaxed);
    who_.store(everybody, std::memory_order_relaxed);
  }

 private:
  using Flag = typename P::Os::template Atomic<std::uint32_t>;

  // Who changes words:
  static constexpr std::uintptr_t nobody = 0;     // has yet
  static constexpr std::uintptr_t everybody = 1;  // does
  static constexpr std::uintptr_t closing = 1;    // added to a thread's number: it was the sole one, and may be inside

  // Whether the calling thread is the sole one, or was.
  [[gnu::always_inline]] bool own() noexcept {
    if constexpr (requires { P::mine(); }) {
      return P::mine();
    } else {
      return (who_.load(std::memory_order_relaxed) & ~closing) == P::number();
    }
  }

  // Only the sole thread finds that it is or was that: it alone writes the flags.
  [[gnu::always_inline]] bool say(Flag& flag) noexcept {
    if (!own()) [[unlikely]]
      return false;
    flag.store(1, std::memory_order_relaxed);
    // For the compiler; who comes along fences this thread.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (who_.load(std::memory_order_relaxed) == P::number()) [[likely]]
      return true;
    flag.store(0, std::memory_order_release);
    return false;
  }

  // As enter().
  [[gnu::always_inline]] bool settle() noexcept {
    // Acquire: pairs with the release of who has seen the sole one leave.
    return who_.load(std::memory_order_acquire) == everybody ? false : settle_first();
  }

  [[gnu::noinline, gnu::cold]] bool settle_first() noexcept {
    const bool possible = P::prepare();
    for (;;) {
      std::uintptr_t seen = who_.load(std::memory_order_acquire);
      if (seen == everybody) return false;
      if (seen == nobody) {
        // Acquire: pairs with the release of one that has retired. There is nothing to show.
        const std::uintptr_t then = possible ? P::number() : everybody;
        if (who_.compare_exchange_strong(seen, then, std::memory_order_acq_rel, std::memory_order_relaxed)) {
          if constexpr (requires { P::mine(); }) P::mine() = possible;
        }
      } else if (own()) {
        if (seen == P::number()) return enter();
        // Who comes along waits for let_go().
        if (held_.load(std::memory_order_relaxed) != 0) return true;
        // This is the sole thread, and it is not inside. Release: pairs with the acquire of those to whom its changes matter.
        who_.store(everybody, std::memory_order_release);
      } else if ((seen & closing) != 0 || who_.compare_exchange_strong(seen, seen | closing, std::memory_order_acq_rel,
                                                                       std::memory_order_relaxed)) {
        close();
      }
    }
  }

  // Whoever comes along meanwhile does the same.
  void close() noexcept {
    P::Os::fence_others_or_wait();  // the sole one never asks whether that still works
    // Acquire: pairs with the release in leave().
    while (inside_.load(std::memory_order_acquire) != 0 || in_a_row()) P::Os::yield();
    who_.store(everybody, std::memory_order_release);
  }

  // Acquire: pairs with the release in let_go().
  [[nodiscard]] bool in_a_row() noexcept { return held_.load(std::memory_order_acquire) != 0; }

  typename P::Os::template Atomic<std::uintptr_t> who_{nobody};
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

  [[gnu::always_inline]] std::uint32_t exchange(std::uint32_t value, Order order = Order::seq_cst) noexcept {
    return change([value](std::uint32_t) { return value; }, [=, this] { return Plain::exchange(value, order); });
  }
  [[gnu::always_inline]] std::uint32_t fetch_add(std::uint32_t by, Order order = Order::seq_cst) noexcept {
    return change([by](std::uint32_t old) { return old + by; }, [=, this] { return Plain::fetch_add(by, order); });
  }
  [[gnu::always_inline]] std::uint32_t fetch_sub(std::uint32_t by, Order order = Order::seq_cst) noexcept {
    return change([by](std::uint32_t old) { return old - by; }, [=, this] { return Plain::fetch_sub(by, order); });
  }
  [[gnu::always_inline]] std::uint32_t fetch_or(std::uint32_t bits, Order order = Order::seq_cst) noexcept {
    return change([bits](std::uint32_t old) { return old | bits; }, [=, this] { return Plain::fetch_or(bits, order); });
  }
  [[gnu::always_inline]] std::uint32_t fetch_and(std::uint32_t bits, Order order = Order::seq_cst) noexcept {
    return change([bits](std::uint32_t old) { return old & bits; }, [=, this] { return Plain::fetch_and(bits, order); });
  }

  [[gnu::always_inline]] bool compare_exchange_strong(std::uint32_t& expected, std::uint32_t desired, Order success,
                                                      Order failure) noexcept {
    const std::uint32_t wanted = expected;
    if (P::sole().enter_again()) [[likely]] {
      const std::uint32_t old = Plain::load(Order::acquire);
      if (old == wanted) [[likely]] {
        Plain::store(desired, Order::release);
        P::sole().leave();
        return true;
      }
      P::sole().leave();
      expected = old;
      return false;
    }
    expected = swap(wanted, desired, success, failure);
    return expected == wanted;
  }
  [[gnu::always_inline]] bool compare_exchange_weak(std::uint32_t& expected, std::uint32_t desired, Order success,
                                                    Order failure) noexcept {
    return compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  template <class To, class Locked>
  [[gnu::always_inline]] std::uint32_t change(To to, Locked locked) noexcept {
    if (P::sole().enter_again()) [[likely]]
      return change_alone(to);
    return change_at_first(to, locked);
  }

  // For one that is inside.
  template <class To>
  [[gnu::always_inline]] std::uint32_t change_alone(To to) noexcept {
    const std::uint32_t old = Plain::load(Order::acquire);
    Plain::store(to(old), Order::release);
    P::sole().leave();
    return old;
  }

  template <class To, class Locked>
  [[gnu::noinline]] std::uint32_t change_at_first(To to, Locked locked) noexcept {
    return P::sole().enter() ? change_alone(to) : locked();
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
  static bool& mine() noexcept { return of_thread; }
  static constexpr std::uintptr_t number() noexcept { return 2; }
  static bool prepare() noexcept {
    static thread_local const AtTheEnd at_the_end;
    static const bool prepared = Os::fences_others() && Os::in_children([] { sole().after_fork(); });
    return prepared && Os::fences_others();  // it may be refused since
  }

 private:
  struct AtTheEnd {
    AtTheEnd() noexcept {}
    AtTheEnd(const AtTheEnd&) = delete;
    AtTheEnd& operator=(const AtTheEnd&) = delete;
    ~AtTheEnd() { sole().retire(); }
  };

  static Sole<EveryWord> everywhere;
  static constinit thread_local bool of_thread;
};
inline constinit Sole<EveryWord> EveryWord::everywhere;
inline constinit thread_local bool EveryWord::of_thread = false;

/// What one thread alone does with an object: there may be any number of these.
struct EachObject {
  using Os = os::PrivateFutex;

  static std::uintptr_t number() noexcept { return reinterpret_cast<std::uintptr_t>(&of_thread); }
  static bool prepare() noexcept { return EveryWord::prepare(); }

 private:
  alignas(2) static constinit thread_local char of_thread;
};
alignas(2) inline constinit thread_local char EachObject::of_thread = 0;

using Word = SoleWord<EveryWord>;

/// How a thread sleeps on such words: for the locks of a few instructions that coroutines share.
struct SoleFutex : os::PrivateFutex {
  using System = os::PrivateFutex;
  using Word = coroutine::Word;

  /// The sole thread has steps of its own.
  static void steps_between_fences() = delete;
  static void alone() = delete;

  /// `words`: the one that such a lock sleeps on.
  static void sleep(std::span<const Sleep<Word>> words, const Limit& limit) {
    const Sleep<System::Word> plain{words.front().word, words.front().value};
    System::sleep({&plain, 1}, limit);
  }
};

}  // namespace trine::coroutine
