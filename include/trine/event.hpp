// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/until.hpp>

namespace trine {

/// A flag that one sets and others wait for.
///
///     trine::Event go;
///     std::jthread worker([&] { go.wait(); start(); });
///     prepare();
///     go.set();
///
/// Visibility: what a thread did before set() is visible to whoever returns from wait() because of it, or sees is_set().
/// A pulse is never lost: set() lets everyone go who was waiting at that moment, even if clear() follows at once.
/// Lifetime: when wait() returns, the waiter may destroy the Event; set() touches nothing of it after it has let anyone go.
/// set(), clear() and is_set() never block, take no lock, and may be called in a signal handler where `threads` sleeps by
/// futex. Every operation takes constant time but for the waking, which takes the kernel a step for each sleeper.
template <class B = threads>
class Event {
  struct State;
  using Word = typename B::Word;

 public:
  class WaitOperation;

  explicit Event(bool set = false) : state_(set) {}
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create.
  template <NameTagOf<B> Tag>
  Event(Tag tag, std::string_view name, bool set = false) : state_(tag, name, set) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  [[nodiscard]] bool is_set() const noexcept {
    // Acquire: pairs with the release in set().
    return (state_->word.load(std::memory_order_acquire) & is_set_bit) != 0;
  }

  /// Lets everyone go who waits, and those who come later until clear(). Never blocks.
  void set() noexcept {
    Word& word = state_->word;
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    // Release: pairs with the acquire of is_set() and of waiters. It is written even when the event is set already, so that
    // what this caller did is visible as well.
    while (!word.compare_exchange_weak(seen, after_set(seen), std::memory_order_release, std::memory_order_relaxed)) {
    }
    if ((seen & sleepers) != 0) B::wake(word, everyone);
  }

  /// Later waiters wait again. Never blocks. Acquire: who clears and then looks at the data sees what the last set() said.
  [[gnu::always_inline]] void clear() noexcept { state_->word.fetch_and(~is_set_bit, std::memory_order_acq_rel); }

  /// Waits until the event is set: true, or false when it gave up.
  typename B::template Result<bool> wait(const Until& until = Until::forever()) { return B::run(wait_op(), until); }

  [[nodiscard]] WaitOperation wait_op() noexcept { return WaitOperation(state_->word); }

  /// Removes a name; those who have the object keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  // | bits | meaning |
  // | 0    | set |
  // | 1    | sleepers: somebody may sleep here (may be stale-set, never stale-clear) |
  // | 2-31 | generation: counts the times that a clear event was set |
  // A waiter whose generation has passed goes, set or not. A generation comes again after 2^30 pulses; a waiter that slept
  // through exactly so many, each of which woke it, waits for the next.
  static constexpr std::uint32_t is_set_bit = 1;
  static constexpr std::uint32_t sleepers = 2;
  static constexpr std::uint32_t generation = 4;
  static constexpr std::uint32_t generations = ~(is_set_bit | sleepers);

  static constexpr std::uint32_t after_set(std::uint32_t word) noexcept {
    return (word & is_set_bit) != 0 ? word & ~sleepers : ((word | is_set_bit) & ~sleepers) + generation;
  }

  struct State {
    static constexpr std::string_view type_name = "Event";

    explicit State(bool set) noexcept : word(set ? is_set_bit : 0) {}
    Word word;
  };

  typename B::template Storage<State> state_;
};

template <class B>
class Event<B>::WaitOperation : public OperationOf<bool, B> {
 public:
  static constexpr bool only_looks = true;

  explicit WaitOperation(Word& word) noexcept : word_(&word) {}

  bool attempt() noexcept {
    // Acquire: pairs with the release in set().
    return let_go(word_->load(std::memory_order_acquire));
  }

  Sleep<Word> announce() noexcept {
    Word& word = *word_;
    std::uint32_t seen = word.load(std::memory_order_acquire);
    while (!let_go(seen)) {
      if ((seen & sleepers) != 0 || word.compare_exchange_weak(seen, seen | sleepers, std::memory_order_acquire,
                                                               std::memory_order_acquire)) {
        return {&word, seen | sleepers};
      }
    }
    return {};
  }

  bool result() const noexcept { return began_ == gone; }

 private:
  // Values that no waiter can have begun with: it would not have waited.
  static constexpr std::uint32_t not_begun = is_set_bit;
  static constexpr std::uint32_t gone = is_set_bit | sleepers;

  bool let_go(std::uint32_t seen) noexcept {
    if ((seen & is_set_bit) == 0) {
      if (began_ == not_begun) began_ = seen;
      if (((seen ^ began_) & generations) == 0) return false;
    }
    began_ = gone;
    return true;
  }

  Word* word_;
  std::uint32_t began_ = not_begun;
};

}  // namespace trine
