// SPDX-License-Identifier: BSL-1.0
//
// Every primitive in a struct that is mapped at two addresses: two threads of one process, each with its own, and a parent and
// its child, which has none of the parent's.

#include <gtest/gtest.h>

#include <stdexcept>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <support/mapped.hpp>
#include <support/scenarios.hpp>
#include <thread>
#include <trine/trine.hpp>

namespace {

using namespace trine_test;
using B = trine::shared_memory;

template <class S>
class Mappings : public Leakless {};

TYPED_TEST_SUITE(Mappings, Scenarios<B>, ScenarioName);

TYPED_TEST(Mappings, AtTwoAddressesOfOneProcess) {
  Mapped<TypeParam> mapped;
  TypeParam& far = mapped.again();
  ASSERT_NE(&far, &mapped.first());
  std::jthread other([&far] { EXPECT_NO_THROW(far.second()); });
  EXPECT_NO_THROW(mapped.first().first());
}

TYPED_TEST(Mappings, AtAnotherAddressInTheChild) {
  Mapped<TypeParam> mapped;
  const TypeParam* const near = &mapped.first();
  Child child([&] {
    TypeParam& far = mapped.again();
    if (&far == near) return 2;
    mapped.keep_last();
    far.second();
    return 0;
  });
  EXPECT_NO_THROW(mapped.first().first());
  EXPECT_EQ(child.join(), 0);
}

TYPED_TEST(Mappings, AtAnotherAddressInTheParent) {
  Mapped<TypeParam> mapped;
  Child child([&] {
    mapped.first().first();
    return 0;
  });
  TypeParam& far = mapped.again();
  EXPECT_NO_THROW(far.second());
  EXPECT_EQ(child.join(), 0);
}

// One thread may come by either address, also for what it owns.
TEST(OneThread, UsesBothAddresses) {
  struct Locks {
    trine::Lock<B> lock;
    trine::RecursiveLock<B> recursive;
    trine::SharedLock<B> shared;
    trine::Semaphore<B> semaphore{1};
    trine::Queue<int, B, 3> queue;
  };
  Mapped<Locks> mapped;
  Locks& near = mapped.first();
  Locks& far = mapped.again();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(near.lock.lock() && near.recursive.lock() && near.shared.lock());
    EXPECT_TRUE(far.lock.locked() && !far.lock.try_lock());
    EXPECT_TRUE(far.recursive.lock());
    EXPECT_EQ(near.recursive.depth(), 2U);
    far.recursive.unlock();
    far.lock.unlock();
    far.recursive.unlock();
    far.shared.unlock();
    EXPECT_FALSE(near.lock.locked() || near.recursive.locked());
    EXPECT_TRUE(near.shared.try_lock_shared());
    far.shared.unlock_shared();
    EXPECT_TRUE(near.semaphore.try_acquire() && !far.semaphore.try_acquire());
    far.semaphore.release();
    EXPECT_TRUE(near.queue.try_put(i));
    EXPECT_EQ(far.queue.try_get(), i);
  }
}

// A queue in shared memory has as many places as its type says, whatever they are rounded up to, and goes round.
template <std::size_t N>
void goes_round() {
  struct Queues {
    trine::Queue<std::int64_t, B, N> fifo;
    trine::LifoQueue<std::int64_t, B, N> lifo;
    trine::PriorityQueue<std::int64_t, B, std::greater<>, N> largest;
  };
  Mapped<Queues> mapped;
  Queues& near = mapped.first();
  Queues& far = mapped.again();
  EXPECT_EQ(near.fifo.capacity(), N);
  EXPECT_EQ(far.largest.capacity(), N);
  std::int64_t put = 0;
  std::int64_t got = 0;
  for (int round = 0; round < 50; ++round) {
    while (near.fifo.try_put(put)) {
      EXPECT_TRUE(near.lifo.try_put(put));
      EXPECT_TRUE(near.largest.try_put(put));
      ++put;
    }
    EXPECT_EQ(far.fifo.size(), N);
    EXPECT_TRUE(far.fifo.full() && far.lifo.full() && far.largest.full());
    EXPECT_FALSE(near.lifo.try_put(-1) || near.largest.try_put(-1));
    for (std::size_t i = 0; i <= static_cast<std::size_t>(round) % N; ++i) {
      EXPECT_EQ(far.fifo.try_get(), got++);
      const auto last = far.lifo.try_get();
      const auto largest = far.largest.try_get();
      EXPECT_TRUE(last && largest);
      if (i == 0) {
        EXPECT_EQ(last, put - 1);
        EXPECT_EQ(largest, put - 1);
      }
    }
  }
  EXPECT_GT(got, 49);
}

TEST(QueueInSharedMemory, HasAsManyPlacesAsItsTypeSays) {
  goes_round<1>();
  goes_round<2>();
  goes_round<3>();
  goes_round<5>();
  goes_round<8>();
  goes_round<100>();
}

}  // namespace
