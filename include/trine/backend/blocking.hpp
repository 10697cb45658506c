// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/patience.hpp>
#include <trine/backend/short_lock.hpp>
#include <trine/backend/wait_loop.hpp>

namespace trine {

/// A backend on which the caller itself waits, be it a thread or a fiber, given how it sleeps. docs/backend.md says what
/// `Os` must have; what does not depend on it is here.
template <class Os>
struct Blocking {
  /// How it sleeps.
  using System = Os;

  using Word = typename Os::Word;
  template <class T>
  using Atomic = typename Os::template Atomic<T>;
  template <class T>
  using Cell = typename Os::template Cell<T>;
  template <class T>
  using Result = T;

  /// The state of a primitive, in the object itself.
  template <class S>
  class Storage {
   public:
    template <class... Arguments>
    explicit Storage(Arguments&&... arguments) : state_(std::forward<Arguments>(arguments)...) {}

    S* operator->() noexcept { return &state_; }
    const S* operator->() const noexcept { return &state_; }
    S& operator*() noexcept { return state_; }

   private:
    S state_;
  };

  /// Something of this process that goes with an object: a function, a limit.
  template <class T>
  using Attached = std::unique_ptr<T>;

  /// Whether one who takes part may die and leave the others behind.
  static constexpr bool mortal = false;

  /// A word that says who owns something. Nobody dies here without taking all others along: a plain word will do.
  struct Owned {
    Word word{0};
  };

  /// Sets the word to `desired`, which names the caller as the owner, if it holds `expected`; else reads it into `expected`.
  static bool claim(Owned& owned, std::uint32_t& expected, std::uint32_t desired, std::memory_order order) {
    if (alone()) {
      // Relaxed: there is nobody to be ordered with, and one who is started later sees it by that. A signal handler between
      // the two that takes the word has freed it again when it returns.
      const std::uint32_t seen = owned.word.load(std::memory_order_relaxed);
      if (seen == expected) owned.word.store(desired, std::memory_order_relaxed);
      return std::exchange(expected, seen) == seen;
    }
    return owned.word.compare_exchange_strong(expected, desired, order, std::memory_order_relaxed);
  }

  /// Sets the word, which `me` owns or nobody does, to 0 and says what it held. If it had the `sleepers` mark,
  /// wakes up to `count` of those who sleep on it; the woken ones set the mark again. Once the word is 0 the object may be
  /// gone.
  static std::uint32_t vacate(Owned& owned, std::uint32_t me, std::uint32_t sleepers, std::uint32_t count) {
    // Release, in all three: pairs with the acquire of the next claim; what the owner did is visible to the next owner.
    std::uint32_t held = me;
    if (alone()) {
      held = free_alone(owned);
    } else if (!exchange_as_owner(owned.word, held, 0)) {
      held = owned.word.exchange(0, std::memory_order_release);
    }
    if ((held & sleepers) != 0) wake(owned.word, count);
    return held;
  }

  /// The same for one who owns it for sure and knows that nobody sleeps on it.
  static void abandon(Owned& owned) { owned.word.store(0, std::memory_order_release); }

  /// Called by one who waits for an owner: makes the word say so if that has died.
  static void look_after(Owned& /*owned*/) noexcept {}

  /// For one who is about to sleep until the word, which somebody owns and which holds `seen`, is free: sets the mark
  /// `sleepers` in it with `order`, and says where to sleep. Needless: it has changed, or the mark was lost; the caller looks
  /// again. Others may have gone to sleep by a mark that was lost: up to `woken` of them are woken at once. They need not be if
  /// the caller goes on until it has taken the word with the mark, or sleeps.
  static Sleep<Word> mark(Word& word, std::uint32_t seen, std::uint32_t sleepers, std::memory_order order,
                          std::uint32_t woken) {
    const std::uint32_t marked = seen | sleepers;
    if (seen == marked) return {&word, marked};  // whoever set it sees to it
    if (!word.compare_exchange_strong(seen, marked, order, std::memory_order_relaxed)) return {};
    // The owner may have been amid exchange_as_owner(), with the word as it was before. After the fence it no longer is; so
    // too where it is only the owner's process that frees words that way.
    Os::fence_others();
    // Relaxed: what a thread stored before a fence in all threads is seen after it.
    if (word.load(std::memory_order_relaxed) == marked) return {&word, marked};
    if (woken != 0) Os::wake(word, woken);
    return {};
  }

  static void wake(Word& word, std::uint32_t count) { Os::wake(word, count); }

  /// Who is calling, as an owner: any thread may unlock what another locked, so all are one.
  static constexpr std::uint32_t holder() noexcept { return 1; }

  /// Does the operation, now or when it can be done, or gives up at the limit.
  template <Operation O>
  static typename O::Result run(O operation, const Until& until) {
    if (operation.attempt()) [[likely]]
      return operation.result();
    O finished = wait_for(std::move(operation), until);
    return finished.result();
  }

  /// Does the operation, on any backend without returning before it is done: for destructors, which can't await.
  template <Operation O>
  static typename O::Result block(O operation) {
    return run(std::move(operation), Until::forever());
  }

  /// Does `step` until `enough` is true, or step says that it gave up. Returns what `enough` said last.
  template <class Step, class Enough>
  static auto repeat(Step step, Enough enough) -> decltype(enough()) {
    for (;;) {
      decltype(enough()) said = enough();
      if (said) return said;
      if (!step()) return enough();
    }
  }

  /// Does the first operation that can be done. Makes an S of its number, or that of all if the limit came first, and of
  /// the operations.
  template <class S, Selectable... O>
  [[gnu::noinline]] static S run_first(std::tuple<O...> operations, const Until& until) {
    using Loop = WaitLoop<Os, sizeof...(O)>;
    const auto pending = std::apply([](auto&... each) { return std::array{Loop::pending(each)...}; }, operations);
    const std::size_t first = Loop(pending).wait(until, false);
    return S(first, operations);
  }

  /// How many are inside, in one word: the count, and whether somebody waits for it to become zero.
  ///
  /// | bits | meaning |
  /// | 0    | watched: somebody sleeps until nobody is inside (may be stale-set, never stale-clear) |
  /// | 1-30 | how many are inside |
  /// | 31   | in debt: more have left than were inside, and have yet to make that good |
  ///
  /// One who leaves takes itself off in one step, whatever it finds. If nobody was inside that made a debt, which the count
  /// rises out of again by one step for each that made it fall: either that of who made it, or that of one who enters and
  /// finds it in debt, which does not count as entering then. So a number without debt is that of those inside.
  class Tally {
   public:
    /// How many can be inside at a time.
    static constexpr std::uint32_t most = (1U << 30) - 1;

    // Sequentially consistent, all of them: a reader enters and then looks for a writer, a writer comes and then counts the
    // readers; one of the two must see the other.
    void enter(std::uint32_t /*tag*/ = 0) {
      while (word_.fetch_add(one, std::memory_order_seq_cst) >= debt) {
      }
    }

    /// false, and in the end nothing, if nobody was inside.
    bool leave() {
      const std::uint32_t before = word_.fetch_sub(one, std::memory_order_seq_cst);
      if (before - one >= debt) [[unlikely]]
        return make_good();
      if (before == (one | watched)) Os::wake(word_, everyone);
      return true;
    }

    [[nodiscard]] std::uint32_t count(std::uint32_t /*tag*/ = 0) const {
      const std::uint32_t seen = word_.load(std::memory_order_seq_cst);
      return is_empty(seen) ? 0 : seen / one;
    }

    /// Whether one who was inside has died there.
    static constexpr bool lost(std::uint32_t /*tag*/ = 0) noexcept { return false; }

    /// Nobody is inside any more, as soon as another tag is asked for; each of those who were says so by dismissed(), some time
    /// before it enters again.
    void clear() { word_.store(0, std::memory_order_relaxed); }
    void dismissed() noexcept {}

    /// Where to sleep until nobody is inside; needless: nobody is.
    Sleep<Word> watch() {
      const std::uint32_t seen = word_.fetch_or(watched, std::memory_order_seq_cst) | watched;
      if (is_empty(seen)) return {};
      return {&word_, seen};
    }

    void unwatch() { word_.fetch_and(~watched, std::memory_order_relaxed); }

   private:
    static constexpr std::uint32_t watched = 1;
    static constexpr std::uint32_t one = 2;
    static constexpr std::uint32_t debt = 1U << 31;

    // Who left without having been inside is in debt until that is made good, by itself or by who enters. Nobody sleeps for it.
    static constexpr bool is_empty(std::uint32_t seen) noexcept { return seen < one || seen >= debt; }

    // Says false. Sequentially consistent: as entering.
    [[gnu::noinline, gnu::cold]] bool make_good() {
      std::uint32_t seen = word_.load(std::memory_order_relaxed);
      while (seen >= debt) {
        if (word_.compare_exchange_weak(seen, seen + one, std::memory_order_seq_cst, std::memory_order_relaxed)) break;
      }
      return false;
    }

    Word word_{0};
  };

  /// What is known of the permits that are held by somebody who may die: nothing, for here nobody does. docs/backend.md says
  /// what the members are for.
  class Escrow {
   public:
    using Count = Word;
    using Number = std::uint32_t;
    static constexpr Word& word(Count& count) noexcept { return count; }

    struct Ticket {
      static constexpr void reserve(Escrow&, Count&, Number, std::uint32_t) noexcept {}
      static constexpr void free(Escrow&) noexcept {}
      static constexpr bool mine(Escrow&) noexcept { return true; }
      static constexpr Number taking() noexcept { return 0; }
      static constexpr Number giving() noexcept { return 0; }
    };
    static constexpr Number settle(Count&, Number seen) noexcept { return seen; }
    static constexpr bool bring_back(Count&, Number, std::uint32_t) noexcept { return false; }
    static constexpr std::uint32_t held_by_dead(Number) noexcept { return 0; }
  };

  /// Says "somebody waits for this to change" beside the data that change, for objects that outlive the call which changes
  /// them: who is about to sleep raises it and then looks at the data for the last time; who has changed the data wakes.
  ///
  /// | bits | meaning |
  /// | 0    | raised |
  /// | 1-31 | generation: counts the times that it was lowered |
  ///
  /// One sleeps on the flag itself, while it has the value that raising gave it. So a wake that comes between the last look
  /// and the sleep is not lost, nor one that comes before another raises the flag again (that is what the generation is
  /// for).
  ///
  /// Between changing and looking at the flag, and between raising it and looking at the data, there must be a full fence,
  /// or both could miss the other. Where the system can put one into all other threads (Os::fences_others()), the rare side
  /// pays for both, and wake() is a plain load; elsewhere both are read-modify-writes of the flag, of which the later sees
  /// what came before the earlier.
  class Flag {
   public:
    /// Where to sleep after a last look.
    Sleep<Word> raise() {
      const std::uint32_t seen = word_.fetch_or(raised, std::memory_order_acq_rel) | raised;
      Os::fence_others();
      return {&word_, seen};
    }

    /// Raises it on behalf of others that may still sleep, when there is nothing to look at.
    void keep_raised() { word_.fetch_or(raised, std::memory_order_relaxed); }

    /// After a change: wakes up to `count` of those who sleep.
    void wake(std::uint32_t count) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
      std::uint32_t seen = word_.load(std::memory_order_relaxed);
      if (Os::fences_others() && (seen & raised) == 0) [[likely]]
        return;
      while (
          !word_.compare_exchange_weak(seen, seen + (seen & raised), std::memory_order_acq_rel, std::memory_order_relaxed)) {
      }
      if ((seen & raised) != 0) Os::wake(word_, count);
    }

    /// After a change that concerns everyone, also those who have raised it and not slept yet.
    void wake_all() {
      word_.fetch_add(2, std::memory_order_acq_rel);
      Os::wake(word_, everyone);
    }

   private:
    static constexpr std::uint32_t raised = 1;

    Word word_{0};
  };

  using ShortLock = ShortLockOver<Blocking, Os>;

  /// What an end of a queue learns of how often to look at the other.
  using Patience = std::conditional_t<Os::spins, trine::Patience<Os>, NoPatience>;

 protected:
  /// Sets the word, which the caller owns, to `desired` if it holds `expected`; else reads it into `expected`. Others may do
  /// nothing to it meanwhile but mark() it. No locked instruction, where the system can put a fence into all other threads.
  static bool exchange_as_owner(Word& word, std::uint32_t& expected, std::uint32_t desired) {
    if constexpr (requires { Os::steps_between_fences(); }) {
      if (Os::steps_between_fences()) [[likely]]
        return Os::exchange_between_fences(word, expected, desired);
    }
    return word.compare_exchange_strong(expected, desired, std::memory_order_release, std::memory_order_relaxed);
  }

 private:
  // Whether nobody but the calling thread can use an object: then no atomic step is needed.
  static bool alone() noexcept {
    if constexpr (requires { Os::alone(); }) {
      return Os::alone();
    } else {
      return false;
    }
  }

  // Relaxed: as in claim(). A signal handler between the two finds it owned, and leaves it alone.
  static std::uint32_t free_alone(Owned& owned) {
    const std::uint32_t held = owned.word.load(std::memory_order_relaxed);
    owned.word.store(0, std::memory_order_relaxed);
    return held;
  }

  // Takes and returns the operation by value: then its address is not known outside, and on the fast path it never exists in
  // memory.
  template <class O>
  [[gnu::noinline]] static O wait_for(O operation, const Until& until) {
    using Loop = WaitLoop<Os, 1>;
    const std::array pending{Loop::pending(operation)};
    Loop(pending).wait(until, true);
    return operation;
  }
};

}  // namespace trine
