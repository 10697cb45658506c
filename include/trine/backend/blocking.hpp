// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <tuple>
#include <utility>

#include <trine/backend.hpp>
#include <trine/backend/wait_loop.hpp>
#include <trine/spin.hpp>

namespace trine {

/// A backend on which the caller itself waits, be it a thread or a fiber, given how it sleeps: `Os` has a Word, sleep(words,
/// until), wake(word, count), pause() and yield(). Everything that does not depend on that is here.
template <class Os>
struct Blocking {
  using Word = typename Os::Word;
  template <class T>
  using Atomic = std::atomic<T>;
  template <class T>
  using Result = T;

  /// Plain data that the algorithm guards.
  template <class T>
  class Cell {
   public:
    Cell() = default;
    explicit Cell(T value) : value_(std::move(value)) {}

    [[nodiscard]] const T& read() const noexcept { return value_; }
    [[nodiscard]] T& write() noexcept { return value_; }

   private:
    T value_{};
  };

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

  /// What carries out a task of a TaskGroup: started by its constructor, with join().
  using Worker = std::thread;

  /// Something of this process that goes with an object: a function, a limit.
  template <class T>
  using Attached = std::unique_ptr<T>;

  /// A word that says who owns something. Nobody dies here without taking all others along: a plain word will do.
  struct Owned {
    Word word{0};
  };

  /// Sets the word to `desired`, which names the caller as the owner, if it holds `expected`; else reads it into `expected`.
  static bool claim(Owned& owned, std::uint32_t& expected, std::uint32_t desired, std::memory_order order) noexcept {
    return owned.word.compare_exchange_strong(expected, desired, order, std::memory_order_relaxed);
  }

  /// Sets the word to 0 and, if it had the `sleepers` mark, wakes up to `count` of those who sleep on it. The woken ones set
  /// the mark again. Once the word is 0 the object may be gone.
  static void vacate(Owned& owned, std::uint32_t sleepers, std::uint32_t count) {
    // Release: pairs with the acquire of the next claim; what the owner did is visible to the next owner.
    if (owned.word.exchange(0, std::memory_order_release) & sleepers) wake(owned.word, count);
  }

  static void wake(Word& word, std::uint32_t count) { Os::wake(word, count); }

  /// Who is calling, as an owner: any thread may unlock what another locked, so all are one.
  static constexpr std::uint32_t holder() noexcept { return 1; }

  /// Does the operation, now or when it can be done, or gives up at the limit.
  template <Operation O>
  static typename O::Result run(O operation, const Until& until) {
    if (operation.attempt()) [[likely]] return operation.result();
    return run_slowly(std::move(operation), until);
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
  /// | 1-31 | how many are inside |
  class Tally {
   public:
    // Sequentially consistent, all of them: a reader enters and then looks for a writer, a writer comes and then counts the
    // readers; one of the two must see the other.
    void enter() noexcept { word_.fetch_add(one, std::memory_order_seq_cst); }

    void leave() {
      if (word_.fetch_sub(one, std::memory_order_seq_cst) == (one | watched)) Os::wake(word_, everyone);
    }

    [[nodiscard]] std::uint32_t count() const noexcept { return word_.load(std::memory_order_seq_cst) / one; }

    void clear() noexcept { word_.store(0, std::memory_order_relaxed); }

    Sleep<Word> watch() noexcept { return {&word_, word_.fetch_or(watched, std::memory_order_seq_cst) | watched}; }

    void unwatch() noexcept { word_.fetch_and(~watched, std::memory_order_relaxed); }

   private:
    static constexpr std::uint32_t watched = 1;
    static constexpr std::uint32_t one = 2;

    Word word_{0};
  };

  /// A lock for a few instructions, never held while its owner waits, which carries marks for its users beside.
  ///
  /// | bits | meaning |
  /// | 0    | locked |
  /// | 1    | sleepers: somebody may sleep until it is unlocked (a woken one sets it again) |
  /// | 2-31 | marks of the users: raised at any time, cleared and reported by unlock |
  class ShortLock {
   public:
    void lock() {
      std::uint32_t seen = word_.load(std::memory_order_relaxed);
      // Acquire: pairs with the release in unlock; what the last owner did is visible to this one.
      if ((seen & locked) != 0 || !word_.compare_exchange_strong(seen, seen | locked, std::memory_order_acquire,
                                                                 std::memory_order_relaxed)) {
        lock_slowly();
      }
    }

    /// Unlocks, clears those of `marks` that are raised, and returns them.
    std::uint32_t unlock(std::uint32_t marks) {
      std::uint32_t seen = word_.load(std::memory_order_relaxed);
      // Release: pairs with the acquire in lock and in raise.
      while (!word_.compare_exchange_weak(seen, seen & ~(locked | sleepers | marks), std::memory_order_release,
                                          std::memory_order_relaxed)) {
      }
      if ((seen & sleepers) != 0) Os::wake(word_, 1);
      return seen & marks;
    }

    /// Raises marks. Either the owner sees them in its unlock, or what it did before is visible to the caller: both are
    /// read-modify-writes of the same word.
    void raise(std::uint32_t marks) noexcept { word_.fetch_or(marks, std::memory_order_acq_rel); }

   private:
    static constexpr std::uint32_t locked = 1;
    static constexpr std::uint32_t sleepers = 2;

    [[gnu::noinline]] void lock_slowly() {
      Spin<Os> spin;
      std::uint32_t slept = 0;
      for (;;) {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        if ((seen & locked) == 0) {
          if (word_.compare_exchange_weak(seen, seen | locked | slept, std::memory_order_acquire,
                                          std::memory_order_relaxed)) {
            return;
          }
        } else if (slept != 0 || !spin.again()) {
          if ((seen & sleepers) == 0 &&
              !word_.compare_exchange_weak(seen, seen | sleepers, std::memory_order_relaxed, std::memory_order_relaxed)) {
            continue;
          }
          const Sleep<Word> sleep{&word_, seen | sleepers};
          Os::sleep({&sleep, 1}, std::chrono::steady_clock::time_point::max());
          slept = sleepers;
        }
      }
    }

    Word word_{0};
  };

 private:
  template <class O>
  [[gnu::noinline]] static typename O::Result run_slowly(O operation, const Until& until) {
    using Loop = WaitLoop<Os, 1>;
    const std::array pending{Loop::pending(operation)};
    Loop(pending).wait(until, true);
    return operation.result();
  }
};

}  // namespace trine
