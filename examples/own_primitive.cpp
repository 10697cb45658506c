// SPDX-License-Identifier: BSL-1.0
//
// A primitive of one's own: AutoResetEvent, a flag whose set() lets exactly one waiter go. It runs on every backend,
// has limits and stop tokens, and goes into select(), because it says no more than what its word can hold and when to
// sleep.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/event.hpp>
#include <trine/select.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

template <class B = trine::threads>
class AutoResetEvent {
  using Word = typename B::Word;

 public:
  class WaitOperation;

  AutoResetEvent() = default;
  AutoResetEvent(const AutoResetEvent&) = delete;
  AutoResetEvent& operator=(const AutoResetEvent&) = delete;

  /// Lets one waiter go: one that sleeps, or the next to come. Further sets before it goes have no effect.
  void set() {
    Word& word = state_->word;
    // The mark is read in the same step that changes the word, so that no waiter can slip in between the two.
    // Release: pairs with the acquire of the waiter that goes.
    if (word.exchange(ready, std::memory_order_release) == awaited) B::wake(word, 1);
  }

  /// Waits for a set() and uses it up: true, or false when it gave up. One line, on every backend.
  typename B::template Result<bool> wait(const trine::Until& until = {}) { return B::run(wait_op(), until); }

  /// The same operation, not yet started: for select().
  [[nodiscard]] WaitOperation wait_op() noexcept { return WaitOperation(state_->word); }

 private:
  // | value   | meaning |
  // | clear   | not set, and nobody sleeps, or one who was woken is on its way |
  // | ready   | set; the next waiter takes it |
  // | awaited | not set, and somebody may sleep: set() has to wake one |
  static constexpr std::uint32_t clear = 0;
  static constexpr std::uint32_t ready = 1;
  static constexpr std::uint32_t awaited = 2;

  // Everything that other threads (or processes) change, and nothing else. The backend says where it lies.
  struct State {
    Word word{clear};
  };
  typename B::template Storage<State> state_;
};

/// How one waits for it. The backend calls attempt() first, and most often that is all. If it fails, the caller will
/// sleep: then the backend calls announce() before each sleep, and sleeps where announce() says.
template <class B>
class AutoResetEvent<B>::WaitOperation : public trine::OperationOf<bool, B> {
 public:
  explicit WaitOperation(Word& word) noexcept : word_(&word) {}

  /// Tries without a trace: ready => clear.
  bool attempt() noexcept {
    std::uint32_t seen = ready;
    done_ = word_->compare_exchange_strong(seen, clear, std::memory_order_acquire, std::memory_order_relaxed);
    return done_;
  }

  /// Tries as one who is about to sleep, or has slept. It must leave the mark `awaited` before it sleeps: set() wakes
  /// nobody when it finds no mark, so a waiter that first fell asleep and then left it could sleep for ever. And
  /// because it sleeps only as long as the word holds just the value that it returns, a set() that comes between the
  /// mark and the sleep is not missed either: the word has changed, and the sleep does not begin.
  trine::Sleep<Word> announce() noexcept {
    std::uint32_t seen = word_->load(std::memory_order_relaxed);
    for (;;) {
      if (seen == ready) {
        // ready => awaited, not clear: set() has removed the mark, and others may be asleep beside this one.
        if (word_->compare_exchange_weak(seen, awaited, std::memory_order_acquire, std::memory_order_relaxed)) {
          done_ = true;
          return {};  // no need to sleep
        }
      } else if (seen == awaited ||
                 word_->compare_exchange_weak(seen, awaited, std::memory_order_relaxed, std::memory_order_relaxed)) {
        return {word_, awaited};
      }
    }
  }

  /// Ends an operation that is not done: nothing was taken, so there is nothing to put back. A mark that stays costs
  /// one needless wake. A wake-up that this waiter may have swallowed is passed on by the backend.
  bool give_up() noexcept { return true; }

  /// What the operation came to; asked once, when it is done or given up.
  bool result() const noexcept { return done_; }

 private:
  Word* word_;
  bool done_ = false;
};

// Two players return a ball, each woken by the other.
template <class B>
trine::Task<void, B> play(AutoResetEvent<B>& mine, AutoResetEvent<B>& other, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    co_await mine.wait();
    other.set();
  }
}

// Whether the ball is back on the left, where it began.
template <class B>
trine::Task<bool, B> match(int rounds) {
  AutoResetEvent<B> left;
  AutoResetEvent<B> right;
  trine::TaskGroup<B> players;
  players.spawn(play<B>, std::ref(left), std::ref(right), rounds);
  players.spawn(play<B>, std::ref(right), std::ref(left), rounds);
  left.set();
  co_await players.join();
  co_return co_await left.wait(std::chrono::milliseconds(0));
}

template <class B>
void show(const char* backend) {
  const bool back = trine::run(match<B>(1000));
  std::cout << backend << ": the ball is " << (back ? "back" : "lost") << " after 1000 rounds\n";
}

int main() {
  show<trine::threads>("threads");
  show<trine::portable_threads>("portable_threads");

  AutoResetEvent signal;
  trine::Event never;
  std::cout << "with a limit: " << (signal.wait(std::chrono::milliseconds(5)) ? "came" : "gave up") << '\n';
  signal.set();
  signal.set();
  std::cout << "set twice: " << (signal.wait() ? "came" : "gave up");
  std::cout << ", then " << (signal.wait(std::chrono::milliseconds(0)) ? "came" : "gave up") << '\n';
  signal.set();
  std::cout << "select chose operation " << trine::select(never.wait_op(), signal.wait_op()).index() << '\n';
}
