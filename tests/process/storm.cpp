// SPDX-License-Identifier: BSL-1.0
//
// Random kills of processes that use one object: Lock, RecursiveLock, SharedLock, Event, Latch, Condition, Semaphore, Barrier.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>

#include "process/killing/guarded.hpp"
#include "process/killing/kill_storm.hpp"

namespace {

using namespace trine_test;
using B = trine::shared_memory;

class Storm : public KillStorm {};

TEST_F(Storm, Lock) {
  auto& data = place().make<Guarded<trine::Lock<B>>>();
  const auto check = [&] {
    data.use_after_all();
    // Each turn that was done changed the data, and one whose worker was killed did or did not.
    const auto changes = static_cast<std::uint64_t>(data.x) - 3;
    require(changes >= done() && changes <= begun(), "a change under the lock is lost");
  };
  storm({.name = "storm: Lock", .turn = [&](std::size_t) { data.use(); }, .check = check});
}

TEST_F(Storm, RecursiveLock) {
  auto& data = place().make<Guarded<trine::RecursiveLock<B>>>();
  const auto turn = [&](std::size_t) {
    try {
      data.lock.lock();
    } catch (const trine::OwnerDied& e) {
      data.repair_after(e);
    }
    require(data.lock.depth() == 1, "the levels of another are counted");
    data.lock.lock();
    data.lock.unlock();
    data.change_and_unlock();
  };
  storm({.name = "storm: RecursiveLock", .turn = turn, .check = [&] { data.use_after_all(); }});
}

TEST_F(Storm, SharedLock) {
  auto& data = place().make<Guarded<trine::SharedLock<B>>>();
  const auto turn = [&](std::size_t worker) {
    if (worker % 2 == 0) return data.use();
    try {
      auto reading = data.lock.shared_guard();
      require(data.x == data.y, "a reader saw data that are half changed, and was not told of a death");
    } catch (const trine::OwnerDied& e) {
      data.repair_after(e);
      data.lock.unlock();
    }
  };
  storm({.name = "storm: SharedLock", .turn = turn, .check = [&] { data.use_after_all(); }});
}

TEST_F(Storm, Event) {
  auto& event = place().make<trine::Event<B>>();
  const auto turn = [&](std::size_t worker) {
    if (worker % 2 == 0) {
      event.set();
      event.clear();
    } else {
      require(event.wait(), "a wait without a limit gave up");
    }
  };
  const auto check = [&] {
    event.set();
    require(event.wait(), "not set");
  };
  storm({.name = "storm: Event", .turn = turn, .check = check, .release = [&] { event.set(); }});
}

TEST_F(Storm, Latch) {
  constexpr std::ptrdiff_t all = trine::Latch<B>::largest;
  auto& latch = place().make<trine::Latch<B>>(all);
  const auto check = [&] {
    // What is left is at least this much, and not more than one more for each that was killed.
    std::ptrdiff_t left = all - static_cast<std::ptrdiff_t>(done());
    const std::ptrdiff_t least = all - static_cast<std::ptrdiff_t>(begun());
    for (;; --left) {
      require(left >= least, "a count is lost or was made twice");
      try {
        latch.count_down(left);
        break;
      } catch (const std::invalid_argument&) {
      }
    }
    require(latch.try_wait() && latch.wait(), "the count is not zero");
  };
  const auto turn = [&](std::size_t) {
    require(!latch.wait(std::chrono::microseconds(20)), "the count is zero");
    latch.count_down();
  };
  storm({.name = "storm: Latch", .turn = turn, .check = check});
}

struct Tickets : Guarded<trine::Lock<B>> {
  trine::Condition<B> changed;
  volatile long there = 0;

  void lock_or_repair() {
    try {
      lock.lock();
    } catch (const trine::OwnerDied& e) {
      repair_after(e);
    }
  }
  void hand_out() {
    lock_or_repair();
    there = there + 1;
    change_and_unlock();
    changed.notify();
  }
  void take() {
    lock_or_repair();
    trine::Guard held(lock);
    try {
      changed.wait(held, [this] { return there > 0; });
    } catch (const trine::OwnerDied& e) {
      repair_after(e);
      change_and_unlock();
      return;
    }
    there = there - 1;
    held.release();
    change_and_unlock();
  }
};

TEST_F(Storm, Condition) {
  auto& tickets = place().make<Tickets>();
  const auto turn = [&](std::size_t worker) { worker % 2 == 0 ? tickets.hand_out() : tickets.take(); };
  const auto release = [&] {
    tickets.hand_out();
    tickets.changed.notify_all();
  };
  storm({.name = "storm: Condition", .turn = turn, .check = [&] { tickets.use_after_all(); }, .release = release});
}

TEST_F(Storm, Semaphore) {
  constexpr std::ptrdiff_t permits = 3;
  auto& semaphore = place().make<trine::Semaphore<B>>(permits, permits);
  const auto turn = [&](std::size_t) {
    auto permit = semaphore.permit();
    require(static_cast<bool>(permit), "a wait without a limit gave up");
    permit.release();  // it throws if there is one too many
  };
  const auto check = [&] {
    require(semaphore.value() == permits, "value() is wrong");
    for (std::ptrdiff_t i = 0; i < permits; ++i) require(semaphore.acquire(hang), "a permit is lost");
    require(!semaphore.try_acquire(), "there is a permit too many");
    semaphore.release(permits);
  };
  storm({.name = "storm: Semaphore", .workers = 6, .turn = turn, .check = check});
}

TEST_F(Storm, Barrier) {
  constexpr std::size_t parties = 4;
  auto& barrier = place().make<trine::Barrier<B>>(static_cast<std::ptrdiff_t>(parties));
  auto& passed = place().make<std::atomic<std::uint64_t>>(0);
  const auto turn = [&](std::size_t) {
    try {
      barrier.wait();
      ++passed;
    } catch (const trine::BrokenBarrier&) {
      if (barrier.broken()) barrier.reset();
    }
  };
  const auto check = [&] {
    barrier.reset();
    require(!barrier.broken() && barrier.waiting() == 0, "not whole and empty after reset()");
  };
  storm({.name = "storm: Barrier", .workers = parties, .turn = turn, .check = check, .release = [&] { barrier.abort(); }});
  EXPECT_GT(passed, 0U);
}

}  // namespace
