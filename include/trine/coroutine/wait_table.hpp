// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

#include <trine/coroutine/wait_lists.hpp>
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
class WaitTable : public WaitLists<P> {
  using Lists = WaitLists<P>;

 public:
  using typename Lists::Batch;
  using typename Lists::Node;
  using typename Lists::Placed;
  using typename Lists::Sleeper;
  using typename Lists::Word;
  using typename Lists::Work;

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
    if (node->next == node) [[likely]] {
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
  using typename Lists::Bucket;
  using typename Lists::Hold;
  using Lists::bucket_of;
  using Lists::unlink;

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
};

}  // namespace trine::coroutine
