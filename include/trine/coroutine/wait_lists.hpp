// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <trine/sleep.hpp>

namespace trine::coroutine {

template <class P>
class WaitTable;

/// The lists of a WaitTable, which says more: who stands in them, and how one gets in and out. Waking is the table's.
template <class P>
class WaitLists {
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
    virtual Placed settle(WaitTable<P>& table, bool front) noexcept = 0;
    /// It is over, or called off: hands it over to whom it concerns. The last that its owner does.
    virtual void deliver() noexcept = 0;

   protected:
    ~Sleeper() = default;

    static constexpr std::uint32_t calling_off = 1;  // somebody wants it out: a limit came
    static constexpr std::uint32_t owned = 2;        // in several lists: somebody has it
    static constexpr std::uint32_t again = 4;        // in several lists: woken while somebody had it
    static constexpr std::uint32_t handed_over = 8;  // to an executor

   private:
    friend WaitLists;
    friend WaitTable<P>;
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

 protected:
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

 private:
  std::array<Bucket, std::size_t{1} << bucket_bits> buckets_{};
};

}  // namespace trine::coroutine
