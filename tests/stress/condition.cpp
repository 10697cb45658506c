// SPDX-License-Identifier: BSL-1.0
//
// Condition under many threads: no notification is lost to a waiter that gives up, and the lock is held on every return.
#include <trine/condition.hpp>
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>

#include <deque>

#include "stress/storm.hpp"
#include "support/backends.hpp"

namespace {

using trine::Condition;
using trine::Guard;
using trine::Lock;
using trine::RecursiveLock;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;

template <class B>
class ConditionStress : public ::testing::Test {};
TYPED_TEST_SUITE(ConditionStress, trine_test::Backends, trine_test::BackendName);

// One notify() for each change, of a buffer that holds two. Some parties wait patiently for what they need. The others wait
// for a short time without looking first, and look at the buffer only if they were told to: a notification that one of
// them swallows as it gives up is missing, and everything stands still.
template <class B, class L>
void notifications_are_not_lost() {
  static constexpr std::size_t capacity = 2;
  static constexpr int producers = 4;
  L lock;
  Condition<B> not_empty;
  Condition<B> not_full;
  std::deque<std::uint64_t> buffer;
  bool closed = false;
  int producing = producers;
  std::atomic<std::uint64_t> put{0};
  std::atomic<std::uint64_t> got{0};
  std::atomic<std::size_t> depth{0};
  Storm storm;
  storm.show([&] {
    return "put " + std::to_string(put) + ", got " + std::to_string(got) + ", in the buffer " + std::to_string(depth);
  });
  const auto changed = [&] { depth.store(buffer.size(), std::memory_order_relaxed); };
  storm.add(producers, "puts", [&](Party& me) {
    const bool patient = me.number() % 2 == 0;
    std::uint64_t sum = 0;
    while (!me.over()) {
      me.at("lock");
      Guard<L> held = lock.guard();
      me.at(patient ? "wait for room" : "wait for room with a limit");
      if (patient) {
        not_full.wait(held, [&] { return buffer.size() < capacity; });
      } else if (buffer.size() >= capacity && !not_full.wait(held, me.limit())) {
        me.must(held.lock() == &lock, "the guard is empty after giving up");
        continue;
      }
      if (buffer.size() >= capacity) continue;
      const std::uint64_t item = 1 + me.below(1000);
      buffer.push_back(item);
      changed();
      sum += item;
      if (me.one_in(2)) held.unlock();
      not_empty.notify();
    }
    put.fetch_add(sum, std::memory_order_relaxed);
    const Guard<L> held = lock.guard();
    if (--producing > 0) return;
    closed = true;
    not_empty.notify_all();
  });
  storm.add(4, "gets", [&](Party& me) {
    const bool patient = me.number() % 2 == 0;
    std::uint64_t sum = 0;
    for (bool done = false; !done;) {
      me.at("lock");
      Guard<L> held = lock.guard();
      me.at(patient ? "wait for an item" : "wait for an item with a limit");
      if (patient) {
        not_empty.wait(held, [&] { return !buffer.empty() || closed; });
      } else if (!closed && !not_empty.wait(held, me.limit())) {
        me.must(held.lock() == &lock, "the guard is empty after giving up");
        continue;
      }
      if (buffer.empty()) {
        done = closed;
        continue;
      }
      sum += buffer.front();
      buffer.pop_front();
      changed();
      if (me.one_in(2)) held.unlock();
      not_full.notify();
    }
    got.fetch_add(sum, std::memory_order_relaxed);
    not_full.notify_all();
  });
  storm.run();
  EXPECT_EQ(put, got);
}

TYPED_TEST(ConditionStress, notifications_are_not_lost_with_lock) {
  notifications_are_not_lost<TypeParam, Lock<TypeParam>>();
}
TYPED_TEST(ConditionStress, notifications_are_not_lost_with_recursive_lock) {
  notifications_are_not_lost<TypeParam, RecursiveLock<TypeParam>>();
}

// notify(n) wakes at least n of those who had begun, or all of them but those who gave up instead. Who had begun is known: a
// wait begins with the lock held.
TYPED_TEST(ConditionStress, at_least_as_many_as_notified) {
  Lock<TypeParam> lock;
  Condition<TypeParam> condition;
  struct {
    std::uint64_t epoch = 0;  // how many notifications there were
    int begun = 0;            // how many wait
    int woken = 0;            // of those who had begun at the last notification
    int gave_up = 0;          // likewise
    bool closed = false;
  } shared;  // with the lock held
  std::atomic<int> owed{0};
  Storm storm;
  storm.show([&] { return "owed " + std::to_string(owed) + ", locked " + std::to_string(lock.locked()); });
  storm.add(7, "waits", [&](Party& me) {
    for (;;) {
      me.at("lock");
      auto held = lock.guard();
      if (shared.closed) return;
      ++shared.begun;
      const std::uint64_t epoch = shared.epoch;
      const bool never = me.one_in(2);
      me.at(never ? "wait" : "wait with a limit");
      const bool said = condition.wait(held, never ? Until() : me.limit());
      me.must(said || !never, "a wait without a limit gave up");
      --shared.begun;
      if (epoch != shared.epoch) ++(said ? shared.woken : shared.gave_up);
    }
  });
  storm.add(1, "notifies", [&](Party& me) {
    while (!me.over()) {
      me.at("lock");
      auto held = lock.guard();
      const int n = static_cast<int>(me.below(4));
      const int begun = shared.begun;
      ++shared.epoch;
      shared.woken = shared.gave_up = 0;
      if (me.one_in(2)) {
        condition.notify(n);
        held.unlock();
      } else {
        held.unlock();
        condition.notify(n);
      }
      me.at("until they have woken");
      for (;;) {
        held = lock.guard();
        const int missing = std::min(n, begun - shared.gave_up) - shared.woken;
        owed.store(missing, std::memory_order_relaxed);
        held.unlock();
        if (missing <= 0) break;
        std::this_thread::yield();
      }
      me.dawdle();
    }
    const auto held = lock.guard();
    shared.closed = true;
    condition.notify_all();
  });
  storm.run();
}

// All wait for the next turn; the last to come makes it, and tells everyone.
TYPED_TEST(ConditionStress, everyone_hears_notify_all) {
  static constexpr int threads = 8;
  RecursiveLock<TypeParam> lock;
  Condition<TypeParam> next;
  std::uint64_t turn = 0;
  int here = 0;
  bool closed = false;
  Storm storm;
  storm.add(threads, "party", [&](Party& me) {
    for (std::uint64_t mine = 1;; ++mine) {
      me.at("lock");
      auto held = lock.guard();
      const unsigned levels = me.below(4);
      for (unsigned i = 0; i < levels; ++i) lock.lock();
      if (++here == threads) {
        here = 0;
        ++turn;
        closed = me.over();
        me.at("notify all");
        next.notify_all();
      } else {
        me.at("wait");
        while (!next.wait(held, [&] { return turn >= mine; }, me.limit_or_never())) {
          me.at("wait again");
          me.must(lock.depth() == levels + 1, "not as deep as before, after giving up");
        }
      }
      me.must(turn == mine, "a turn was passed over");
      me.must(lock.depth() == levels + 1, "not as deep as before");
      const bool last = closed;
      for (unsigned i = 0; i < levels; ++i) lock.unlock();
      if (last) return;
    }
  });
  storm.run();
  EXPECT_FALSE(lock.locked());
}

}  // namespace
