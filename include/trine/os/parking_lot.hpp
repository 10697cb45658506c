// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>

#include <trine/os/native.hpp>
#include <trine/sleep.hpp>

namespace trine::os {

struct ThreadYield {
  void operator()() const noexcept { std::this_thread::yield(); }
};

/// Sleeping on 32-bit words where the system has no call for it: a table of FIFO lists, hashed by the word's address, each
/// under a mutex, and a condition variable for each sleeper. The lists are not in the words, so that a waker touches
/// nothing of an object that its wake may have freed. With other types of mutex and condition variable the same code puts
/// fibers to sleep. The idea is that of WebKit's WTF::ParkingLot and of parking_lot for Rust.
template <class Mutex = std::mutex, class ConditionVariable = std::condition_variable, class Yield = ThreadYield>
class ParkingLot : public Native {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::size_t most_words = 128;

  static void yield() noexcept { Yield()(); }

  /// There is no portable way to put a fence into other threads.
  static constexpr bool fences_others() noexcept { return false; }
  static void fence_others() noexcept {}
  static void fence_others_or_wait() noexcept {}

  /// Nor to hear of a fork.
  static constexpr bool in_children(void (* /*call*/)()) noexcept { return false; }

  /// Wakes up to `count` of those who sleep on the word, the longest asleep first.
  static void wake(Word& word, std::uint32_t count) {
    Bucket& bucket = bucket_of(word);
    const std::lock_guard hold(bucket.mutex);
    for (Node* node = bucket.first; node != nullptr && count > 0;) {
      Node* const next = node->next;
      if (node->word == &word) {
        bucket.unlink(*node);
        // Under the bucket's mutex: the sleeper takes it before it leaves, so the node is there until we are done.
        node->sleeper->wake();
        --count;
      }
      node = next;
    }
  }

  /// For a word of the sleeper's own, which is there until this returns.
  static void set_and_wake(Word& word, std::uint32_t value) {
    word.store(value, std::memory_order_relaxed);
    wake(word, 1);
  }

  /// Sleeps until one of the words no longer holds its value, somebody wakes one of them, or the time has come.
  static void sleep(std::span<const Sleep<Word>> words, const Limit& limit) {
    Queued queued;
    const std::size_t count = std::min(words.size(), most_words);
    while (queued.count < count && queued.add(words[queued.count])) {
    }
    if (queued.count < count) return;
    TimePoint until = limit.sleep_until();
    // More words than there are places: the others are looked at now and then.
    if (words.size() > count) until = std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
    queued.sleeper.sleep(until);
  }

 private:
  struct Sleeper {
    Mutex mutex;
    ConditionVariable woken_up;
    bool woken = false;

    void wake() {
      const std::lock_guard hold(mutex);
      woken = true;
      woken_up.notify_one();
    }

    void sleep(TimePoint until) {
      std::unique_lock hold(mutex);
      while (!woken) {
        if (until == TimePoint::max()) {
          woken_up.wait(hold);
        } else if (woken_up.wait_until(hold, until) == decltype(woken_up.wait_until(hold, until))::timeout) {
          return;
        }
      }
    }
  };

  struct Node {
    const Word* word;
    Sleeper* sleeper;
    Node* previous;
    Node* next;
    bool queued;
  };

  // A FIFO list of sleepers whose words hash to the same place.
  struct alignas(64) Bucket {
    Mutex mutex;
    Node* first = nullptr;
    Node* last = nullptr;

    void append(Node& node) noexcept {
      node.previous = last;
      node.next = nullptr;
      (last != nullptr ? last->next : first) = &node;
      last = &node;
      node.queued = true;
    }

    void unlink(Node& node) noexcept {
      (node.previous != nullptr ? node.previous->next : first) = node.next;
      (node.next != nullptr ? node.next->previous : last) = node.previous;
      node.queued = false;
    }
  };

  // Never destroyed: threads may sleep and wake while the program ends.
  static Bucket& bucket_of(const Word& word) {
    static constexpr std::size_t count = 256;
    static auto& buckets = *new std::array<Bucket, count>();
    const auto address = reinterpret_cast<std::uintptr_t>(&word);
    return buckets[(address >> 2 ^ address >> 10 ^ address >> 18) % count];
  }

  /// A sleeper in all its lists, until the end of the scope.
  struct Queued {
    Queued() = default;
    Queued(const Queued&) = delete;
    Queued& operator=(const Queued&) = delete;
    ~Queued() {
      for (std::size_t i = 0; i < count; ++i) dequeue(nodes[i]);
    }

    bool add(const Sleep<Word>& sleep) {
      if (!enqueue(nodes[count], sleep, sleeper)) return false;
      ++count;
      return true;
    }

    Sleeper sleeper;
    std::array<Node, most_words> nodes;
    std::size_t count = 0;
  };

  // The word is compared under the bucket's mutex: a waker has changed it before it took that mutex, so it either finds the
  // node or the comparison finds the change.
  static bool enqueue(Node& node, const Sleep<Word>& sleep, Sleeper& sleeper) {
    Bucket& bucket = bucket_of(*sleep.word);
    const std::lock_guard hold(bucket.mutex);
    if (sleep.word->load(std::memory_order_relaxed) != sleep.value) return false;
    node.word = sleep.word;
    node.sleeper = &sleeper;
    bucket.append(node);
    return true;
  }

  static void dequeue(Node& node) {
    Bucket& bucket = bucket_of(*node.word);
    const std::lock_guard hold(bucket.mutex);
    if (node.queued) bucket.unlink(node);
  }
};

}  // namespace trine::os
