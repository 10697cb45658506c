// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <trine/sleep.hpp>

namespace trine::coroutine {

/// Who sleeps on which word, where a sleeper is not a thread but an object in a coroutine's frame: FIFO lists in a table
/// hashed by the word's address. The lists are not in the words, so that a waker touches nothing of an object which its wake
/// may have freed.
///
/// A coroutine suspends once for each wait, so the waker tries for the sleeper, and hands it over to be resumed only when
/// the wait is over; one that has to sleep on goes back to the head of its list. Whoever has a sleeper out of the table owns it:
/// one that waits in a single list is owned by who took its node out; one that waits in several by who set its `owned` bit,
/// with the lock of one of its lists held.
///
/// Rules: no two lists are locked at once; nobody's attempt runs with a list locked; a wake that an attempt makes does not
/// nest but lengthens the work of the outermost one; after a sleeper was delivered or put back nothing of it is touched. Nobody
/// goes on before all were tried of whom one wake took hold.
///
/// `P` says what the table is made of: `Os` (as for Blocking), `Gate`, a lock of a few instructions as SoleGate is one,
/// `bucket_bits`, `address(word)`, by which words are told apart, `work()`, what the calling thread has in hand,
/// `deliver(sleeper)`, which calls that, `deliver_to_this_thread(sleeper)`, which does so if nobody but the calling thread can
/// resume it (else false), and `delivered()`, which is called when such work is done.
template <class P>
class WaitTable {
 public:
  using Os = typename P::Os;
  using Word = typename Os::Word;
  class Sleeper;
  struct Batch;
  struct Work;

  /// A sleeper's place in a list. The nodes of one word are a ring; the first of each ring is in the chain of its bucket.
  struct Node {
    // The word whose list the node is in; nullptr: in none. Written with the list locked.
    typename Os::template Atomic<Word*> word{nullptr};
    // Where the owner last said that it sleeps. Not a Sleep: g++ copies what has a size of 13 bytes in two parts that overlap,
    // and the processor then waits for the stores of which it was just made.
    Word* where = nullptr;
    Node* next;  // this, `previous` and `next_head`: while it is in a list
    std::uint32_t value;
    Node* previous;
    Node* next_head;
    Sleeper* sleeper;

    void sleep_on(const Sleep<Word>& sleep) noexcept {
      where = sleep.word;
      value = sleep.value;
    }
  };

  enum class Placed : std::uint8_t { asleep, changed, called_off };

  /// Someone who waits. The virtual functions are called by its owner.
  class Sleeper {
   public:
    Sleeper() = default;
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;

    /// Tries: true when the wait is over. Does not throw.
    virtual bool rouse() noexcept = 0;
    /// After a rouse() in vain: puts it (back) into its lists, unless a word has changed.
    virtual Placed settle(WaitTable& table, bool front) noexcept = 0;
    /// It is over, or called off: hands it over to whom it concerns. The last that its owner does.
    virtual void deliver() noexcept = 0;

   protected:
    ~Sleeper() = default;

    static constexpr std::uint32_t calling_off = 1;  // somebody wants it out: a limit came
    static constexpr std::uint32_t owned = 2;        // in several lists: somebody has it
    static constexpr std::uint32_t again = 4;        // in several lists: woken while somebody had it
    static constexpr std::uint32_t handed_over = 8;  // to an executor

   private:
    friend WaitTable;
    friend struct Batch;

    // With a list locked that it is in: whether the caller gets it. If not, the one who has it tries again.
    bool claim() noexcept {
      if (!several_) return true;
      // Acquire: pairs with the release of who last had it and let it go.
      return (state_.fetch_or(owned | again, std::memory_order_acq_rel) & owned) == 0;
    }

    Sleeper* after_;  // in a Batch

   protected:
    // Last, so that what derives from this can use the rest of the eight bytes.
    typename Os::template Atomic<std::uint32_t> state_{0};
    bool several_ = false;            // may be in several lists
    bool may_be_called_off_ = false;  // somebody may call call_off()
  };

  /// Whom one call of wake() has yet to try.
  struct Batch {
    Sleeper* first = nullptr;  // in order
    Sleeper* last = nullptr;

    void append(Sleeper& sleeper) noexcept { push(first, last, sleeper); }

    static Sleeper* take(Sleeper*& list) noexcept {
      Sleeper* const sleeper = list;
      if (sleeper != nullptr) list = sleeper->after_;
      return sleeper;
    }

    static void push(Sleeper*& head, Sleeper*& tail, Sleeper& sleeper) noexcept {
      sleeper.after_ = nullptr;
      (head != nullptr ? tail->after_ : head) = &sleeper;
      tail = &sleeper;
    }
  };

  /// Of a thread: whether a wake is in progress, and whom that has yet to try. A wake that an attempt makes adds to it.
  struct Work {
    bool in_progress = false;
    Batch batch;
  };

  /// Puts a node, which is in no list, into that of the word where it sleeps, if the word still holds its value. The waker
  /// changed the word before it locked the list: it finds the node, or the comparison finds the change.
  Placed enqueue(Node& node, bool front, bool check_call_off, const Sleeper& sleeper) noexcept {
    Bucket& bucket = bucket_of(node.where);
    const Hold hold(bucket);
    if (node.where->load(std::memory_order_relaxed) != node.value) return Placed::changed;
    bucket.link(bucket.find(node.where), node, front);
    if (!check_call_off) {
      node.word.store(node.where, std::memory_order_relaxed);
      return Placed::asleep;
    }
    // Sequentially consistent, both: who calls off sets the bit and then looks for the node; one of the two sees the other.
    node.word.store(node.where, std::memory_order_seq_cst);
    if ((sleeper.state_.load(std::memory_order_seq_cst) & Sleeper::calling_off) == 0) return Placed::asleep;
    unlink(bucket.find(node.where).at, node);
    return Placed::called_off;
  }

  /// The same at the end of the list, by the sole thread, for a node that nobody calls off. false: nothing was done, because
  /// there are other threads or the word has changed.
  [[nodiscard, gnu::always_inline]] bool enqueue_alone(Node& node) noexcept {
    Word* const word = node.where;
    const std::uint32_t value = node.value;
    Bucket& bucket = bucket_of(word);
    if (!bucket.gate.lock_alone()) [[unlikely]]
      return false;
    const bool same = word->load(std::memory_order_relaxed) == value;
    if (same) [[likely]] {
      bucket.link(bucket.find(word), node, false);
      node.word.store(word, std::memory_order_relaxed);
    }
    bucket.gate.unlock_alone();
    return same;
  }

  /// Takes a node out of its list: false if it was in none, or somebody else was faster.
  bool remove(Node& node) noexcept {
    Word* const word = node.word.load(std::memory_order_seq_cst);
    if (word == nullptr) return false;
    Bucket& bucket = bucket_of(word);
    const Hold hold(bucket);
    if (node.word.load(std::memory_order_relaxed) != word) return false;
    unlink(bucket.find(word).at, node);
    return true;
  }

  /// As wake(), where a wake is in progress, the calling thread is not the sole one, or those who sleep run code of the user's when
  /// they look, which may wait for somebody who changes a word.
  [[gnu::noinline]] void wake_among_others(Word& word, std::uint32_t count) noexcept {
    Work& now = P::work();
    if (now.in_progress) return take(word, count, now.batch);
    Sleeper* only = nullptr;
    {
      Bucket& bucket = bucket_of(&word);
      const Hold hold(bucket);
      const auto [at, node] = bucket.find(&word);
      if (node == nullptr) return;
      if ((count == 1 || node->next == node) && node->sleeper->claim()) {
        only = node->sleeper;
        unlink(at, *node);
      }
    }
    if (only == nullptr) {
      take(word, count, now.batch);
      if (now.batch.first == nullptr) return;
    }
    now.in_progress = true;
    Tried tried;
    if (only != nullptr) {
      if (!only->rouse()) {
        tried.fail(*only);
      } else if (now.batch.first != nullptr) {
        finish(*only, tried);
      } else {
        now.in_progress = false;
        P::deliver(*only);
        return P::delivered();
      }
    }
    finish_work(now, tried, false);
  }

  /// Wakes up to `count` of those who sleep on the word, the longest asleep first: tries for each, and delivers those whose
  /// wait is over. Uses the word's address alone.
  [[gnu::noinline]] void wake(Word& word, std::uint32_t count) noexcept {
    Work& now = P::work();
    if (now.in_progress || !P::Gate::hold()) [[unlikely]]
      return wake_among_others(word, count);
    const auto [at, node] = bucket_of(&word).find(&word);
    if (node == nullptr) return P::Gate::let_go();
    Sleeper& only = *node->sleeper;
    if (only.several_) [[unlikely]]
      return wake_ring(at, word, count);
    if (node->next == node) {
      node->word.store(nullptr, std::memory_order_relaxed);
      *at = node->next_head;
    } else {
      if (count != 1) return wake_ring(at, word, count);
      unlink(at, *node);
    }
    now.in_progress = true;
    const bool over = only.rouse();
    const bool delivered = over && P::deliver_to_this_thread(only);
    if (!delivered || now.batch.first != nullptr) [[unlikely]]
      return go_on_with(delivered ? nullptr : &only, over);
    now.in_progress = false;
    P::Gate::let_go();
  }

 private:
  /// Whom one call of wake() has tried.
  struct Tried {
    Sleeper* vain = nullptr;  // the latest first
    Sleeper* over = nullptr;  // to be delivered, in order
    Sleeper* over_last;

    void fail(Sleeper& sleeper) noexcept {
      sleeper.after_ = vain;
      vain = &sleeper;
    }
    void finish(Sleeper& sleeper) noexcept { Batch::push(over, over_last, sleeper); }
  };

  static constexpr std::size_t bucket_bits = P::bucket_bits;

  /// The ring of a word, or the end of the chain.
  struct Found {
    Node** at;  // what points to it
    Node* head;
  };

  struct alignas(64) Bucket {
    typename P::Gate gate;
    Node* heads = nullptr;

    [[gnu::always_inline]] Found find(const Word* word) noexcept {
      Found found{&heads, heads};
      while (found.head != nullptr && found.head->word.load(std::memory_order_relaxed) != word) {
        found = {&found.head->next_head, found.head->next_head};
      }
      return found;
    }

    // `found`: what find() said of the node's word.
    [[gnu::always_inline]] void link(Found found, Node& node, bool front) noexcept {
      const auto [at, head] = found;
      if (head == nullptr) {
        node.next = node.previous = &node;
        node.next_head = nullptr;
        *at = &node;
        return;
      }
      node.next = head;
      node.previous = head->previous;
      head->previous->next = &node;
      head->previous = &node;
      if (front) {
        node.next_head = head->next_head;
        *at = &node;
      }
    }
  };

  // `at`: what find() said of the node's word.
  [[gnu::always_inline]] static void unlink(Node** at, Node& node) noexcept {
    node.word.store(nullptr, std::memory_order_relaxed);
    if (node.next == &node) {
      *at = node.next_head;
      return;
    }
    node.next->previous = node.previous;
    node.previous->next = node.next;
    if (*at == &node) {
      node.next->next_head = node.next_head;
      *at = node.next;
    }
  }

  class Hold {
   public:
    [[gnu::always_inline]] explicit Hold(Bucket& bucket) noexcept : bucket_(bucket), locked_(bucket.gate.lock()) {}
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    [[gnu::always_inline]] ~Hold() { bucket_.gate.unlock(locked_); }

   private:
    Bucket& bucket_;
    const bool locked_;  // what lock() said
  };

  Bucket& bucket_of(const Word* word) noexcept {
    constexpr std::uint64_t golden = 0x9E3779B97F4A7C15;  // 2^64 divided by the golden ratio
    return buckets_[P::address(*word) * golden >> (64 - bucket_bits)];
  }

  // As wake(), by the sole thread, after one was tried: it is over or not, and may have been delivered.
  [[gnu::noinline]] void go_on_with(Sleeper* one, bool over) noexcept {
    Tried tried;
    if (one != nullptr) over ? tried.finish(*one) : tried.fail(*one);
    finish_work(P::work(), tried, true);
  }

  // As wake(), by the sole thread. `at`: what find() said of the word.
  [[gnu::noinline]] void wake_ring(Node** at, Word& word, std::uint32_t count) noexcept {
    Work& now = P::work();
    Tried tried;
    now.in_progress = true;
    Node* const last = (*at)->previous;
    Node* const left = count == everyone ? try_ring(at, tried) : nullptr;
    if (left != nullptr) rejoin(*left, *last, word);
    if (left != nullptr || count != everyone) take(word, count, now.batch);
    finish_work(now, tried, true);
  }

  // Takes a word's ring out as a whole, and tries for each where it stands: nobody else sees it meanwhile. Returns the first
  // that has to be asked whether it can be had, if there is one.
  Node* try_ring(Node** at, Tried& tried) noexcept {
    Node* node = *at;
    Node* const last = node->previous;
    *at = node->next_head;
    while (!node->sleeper->several_) [[likely]] {
      Node* const next = node->next;
      const bool end = node == last;
      node->word.store(nullptr, std::memory_order_relaxed);
      try_for(*node->sleeper, tried);
      if (end) return nullptr;
      node = next;
    }
    return node;
  }

  // The rest of a ring is one again. What was tried meanwhile has put nobody into it.
  void rejoin(Node& first, Node& last, const Word& word) noexcept {
    first.previous = &last;
    last.next = &first;
    first.next_head = nullptr;
    *bucket_of(&word).find(&word).at = &first;
  }

  void take(Word& word, std::uint32_t count, Batch& batch) noexcept {
    Bucket& bucket = bucket_of(&word);
    const Hold hold(bucket);
    auto [at, node] = bucket.find(&word);
    if (node == nullptr) return;
    Node* const last = node->previous;
    // The rule is that all can be had: the ring is cut once.
    Node* const next_head = node->next_head;
    while (count > 0 && node->sleeper->claim()) {
      node->word.store(nullptr, std::memory_order_relaxed);
      batch.append(*node->sleeper);
      if (node == last) {
        *at = next_head;
        return;
      }
      node = node->next;
      --count;
    }
    node->previous = last;
    last->next = node;
    node->next_head = next_head;
    *at = node;
    while (count > 0) {
      Node* const next = node->next;
      const bool end = node == last;
      Sleeper& sleeper = *node->sleeper;
      // One that somebody has, and that may be content with something else, doesn't use up a wake: it was somebody's.
      if (sleeper.claim()) {
        unlink(at, *node);
        batch.append(sleeper);
        --count;
      }
      if (end) return;
      node = next;
    }
  }

  // `held`: by the sole thread, which lets go before others can run because of what it did.
  [[gnu::noinline]] void finish_work(Work& now, Tried& tried, bool held) noexcept {
    while (now.batch.first != nullptr || tried.vain != nullptr) {
      if (Sleeper* const sleeper = Batch::take(now.batch.first)) {
        try_for(*sleeper, tried);
      } else {
        // Those that came last go back first, so that the first is at the head in the end.
        put_back(*Batch::take(tried.vain), tried);
      }
    }
    now.in_progress = false;
    if (held) P::Gate::let_go();
    while (Sleeper* const sleeper = Batch::take(tried.over)) P::deliver(*sleeper);
    P::delivered();
  }

  [[gnu::always_inline]] static void try_for(Sleeper& sleeper, Tried& tried) noexcept {
    if (sleeper.rouse()) [[likely]] {
      finish(sleeper, tried);
    } else {
      tried.fail(sleeper);
    }
  }

  // What this thread itself resumes does not run before all this is done.
  [[gnu::always_inline]] static void finish(Sleeper& sleeper, Tried& tried) noexcept {
    if (!P::deliver_to_this_thread(sleeper)) tried.finish(sleeper);
  }

  void put_back(Sleeper& sleeper, Tried& tried) noexcept {
    for (;;) {
      const Placed placed = sleeper.settle(*this, true);
      if (placed == Placed::asleep) return;
      if (placed == Placed::called_off || sleeper.rouse()) return finish(sleeper, tried);
    }
  }

  std::array<Bucket, std::size_t{1} << bucket_bits> buckets_{};
};

}  // namespace trine::coroutine
