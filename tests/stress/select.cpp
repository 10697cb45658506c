// SPDX-License-Identifier: BSL-1.0
//
// select() under many threads: exactly one operation is done, the others have taken nothing, and no wake-up stays with one
// who chose something else.
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>

#include <optional>

#include "stress/storm.hpp"
#include "support/backends.hpp"

namespace {

using trine::Event;
using trine::Lock;
using trine::PriorityQueue;
using trine::Queue;
using trine::Semaphore;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;

template <class B>
class SelectStress : public ::testing::Test {};
TYPED_TEST_SUITE(SelectStress, trine_test::Backends, trine_test::BackendName);

// Items and permits are carried from object to object. Afterwards each is somewhere, once.
TYPED_TEST(SelectStress, items_and_permits_are_conserved) {
  using B = TypeParam;
  using Item = std::unique_ptr<unsigned>;
  static constexpr unsigned items = 5;
  static constexpr int permits = 3;
  Queue<Item, B> few(2);
  Queue<Item, B> many;
  Semaphore<B> left(permits);
  Semaphore<B> right(0);
  Event<B> pulse;
  Lock<B> lock;
  std::uint64_t locked = 0;  // plain: the lock guards it
  std::atomic<std::uint64_t> times_locked{0};
  for (unsigned i = 0; i < items; ++i) many.put(std::make_unique<unsigned>(i));
  Storm storm;
  storm.show([&] {
    return "queues " + std::to_string(few.size()) + " and " + std::to_string(many.size()) + ", semaphores " +
           std::to_string(left.value()) + " and " + std::to_string(right.value());
  });
  storm.add(8, "carries", [&](Party& me) {
    std::uint64_t mine = 0;
    while (!me.over()) {
      me.at("select what there is");
      auto done = trine::select(few.get_op(), many.get_op(), left.acquire_op(), right.acquire_op(), pulse.wait_op(),
                                lock.guard_op(), me.limit());
      Item item;
      switch (done.index()) {
        case 0: item = std::move(done.template get<0>()); break;
        case 1: item = std::move(done.template get<1>()); break;
        case 2:
          me.must(done.template get<2>(), "selected a permit, and has none");
          right.release();
          break;
        case 3:
          me.must(done.template get<3>(), "selected a permit, and has none");
          left.release();
          break;
        case 4: me.must(done.template get<4>(), "selected an event that was not set"); break;
        case 5: {
          me.must(bool(done.template get<5>()), "selected a lock, and does not hold it");
          ++locked;
          ++mine;
          break;
        }
        default: me.must(done.index() == trine::Selected<bool>::none, "an index out of range");
      }
      me.must((done.index() <= 1) == (item != nullptr), "an item came from nowhere, or did not come");
      while (item) {
        me.at("select where to put it");
        const auto put = me.one_in(2)
                             ? trine::select(few.put_op(std::move(item)), many.put_op(std::move(item)), me.limit())
                             : trine::select(many.put_op(std::move(item)), few.put_op(std::move(item)), me.limit());
        me.must((put.index() == put.none) == (item != nullptr), "the item is in the queue and here, or in neither");
      }
      if (me.one_in(8)) {
        pulse.set();
        pulse.clear();
      }
    }
    times_locked += mine;
  });
  storm.run();
  EXPECT_EQ(left.value() + right.value(), permits);
  EXPECT_EQ(locked, times_locked);
  EXPECT_FALSE(lock.locked());
  std::vector<bool> found(items);
  for (Queue<Item, B>* queue : {&few, &many}) {
    while (const auto item = queue->try_get()) {
      ASSERT_TRUE(*item);
      ASSERT_LT(**item, items);
      EXPECT_FALSE(found[**item]);
      found[**item] = true;
    }
  }
  EXPECT_EQ(few.size() + many.size(), 0U);
  EXPECT_EQ(std::count(found.begin(), found.end(), true), std::ptrdiff_t{items});
}

// A token goes round, now as an item and now as a permit. Nobody has a limit: one lost wake-up, and it stands still.
TYPED_TEST(SelectStress, a_token_goes_round) {
  using B = TypeParam;
  static constexpr std::size_t places = 8;
  struct Place {
    Queue<int, B> items;
    Semaphore<B> permits{0};
  };
  std::vector<Place> ring(places);
  Event<B> closing;
  std::atomic<std::uint64_t> hops{0};
  static constexpr unsigned tokens = 3;
  for (unsigned i = 0; i < tokens; ++i) ring[i].permits.release();
  Storm storm;
  storm.show([&] { return "hops " + std::to_string(hops); });
  storm.add(places, "passes on", [&](Party& me) {
    Place& here = ring[me.number()];
    Place& next = ring[(me.number() + 1) % places];
    for (;;) {
      me.at("select");
      const auto done = trine::select(here.items.get_op(), closing.wait_op(), here.permits.acquire_op());
      if (done.index() == 1) return;
      me.must(done.index() == 0 || done.index() == 2, "an index out of range");
      hops.fetch_add(1, std::memory_order_relaxed);
      if (me.over()) closing.set();
      if (me.one_in(2)) {
        next.items.put(1);
      } else {
        next.permits.release();
      }
    }
  });
  storm.run();
  std::ptrdiff_t left = 0;
  for (Place& place : ring) left += static_cast<std::ptrdiff_t>(place.items.size()) + place.permits.value();
  EXPECT_EQ(left, std::ptrdiff_t{tokens});
}

// Patient ones and those who give up or choose something else share the same objects: whoever was woken for one thing and
// took another, or left, must pass the wake-up on.
TYPED_TEST(SelectStress, a_wake_up_that_is_not_used_is_passed_on) {
  using B = TypeParam;
  static constexpr int producers = 2;
  Queue<unsigned, B> first(1);
  PriorityQueue<unsigned, B> second(1);
  Semaphore<B> third(0);
  Event<B> closing;
  std::atomic<int> producing{producers};
  std::atomic<std::uint64_t> put{0};
  std::atomic<std::uint64_t> got{0};
  std::atomic<std::uint64_t> released{0};
  std::atomic<std::uint64_t> acquired{0};
  Storm storm;
  storm.show([&] {
    return "queues " + std::to_string(first.size()) + " and " + std::to_string(second.size()) + ", permits " +
           std::to_string(third.value()) + ", put " + std::to_string(put) + ", got " + std::to_string(got);
  });
  storm.add(producers, "puts", [&](Party& me) {
    while (!me.over()) {
      const unsigned item = 1 + me.below(100);
      unsigned left_over = item;
      me.at("put");
      const bool never = me.one_in(2);
      const auto done = trine::select(first.put_op(std::move(left_over)), second.put_op(item),
                                      never ? Until() : me.limit());
      me.must(!never || done.index() != done.none, "a select without a limit gave up");
      if (done.index() != done.none) put.fetch_add(item, std::memory_order_relaxed);
      if (me.one_in(2)) {
        released.fetch_add(1, std::memory_order_relaxed);
        third.release();
      }
    }
    if (producing.fetch_sub(1) == 1) closing.set();
  });
  const auto count = [&](auto& done, std::size_t item_a, std::size_t item_b) {
    if (done.index() == item_a || done.index() == item_b) {
      got.fetch_add(done.index() == 0 ? done.template get<0>() : done.template get<1>(), std::memory_order_relaxed);
    } else if (done.index() == 2) {
      acquired.fetch_add(1, std::memory_order_relaxed);
    }
  };
  storm.add(3, "gets any", [&](Party& me) {
    for (;;) {
      me.at("select");
      auto done = trine::select(first.get_op(), second.get_op(), third.acquire_op(), closing.wait_op());
      count(done, 0, 1);
      if (done.index() == 3) return;
    }
  });
  storm.add(2, "gives up", [&](Party& me) {
    while (!me.over()) {
      me.at("select with a limit");
      auto done = trine::select(first.get_op(), second.get_op(), third.acquire_op(), me.limit());
      count(done, 0, 1);
    }
  });
  storm.add(1, "gets one", [&](Party& me) {
    while (!closing.is_set()) {
      me.at("get with a limit");
      if (const auto item = first.get(me.limit())) got.fetch_add(*item, std::memory_order_relaxed);
      me.at("acquire with a limit");
      if (third.acquire(me.limit())) acquired.fetch_add(1, std::memory_order_relaxed);
    }
  });
  storm.run();
  while (const auto item = first.try_get()) got += *item;
  while (const auto item = second.try_get()) got += *item;
  EXPECT_EQ(put, got);
  EXPECT_EQ(released, acquired + static_cast<std::uint64_t>(third.value()));
}

}  // namespace
