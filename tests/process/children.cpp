// SPDX-License-Identifier: BSL-1.0
//
// Every primitive as a local variable of a parent, and with children that inherit it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <support/mapped.hpp>
#include <support/scenarios.hpp>
#include <trine/trine.hpp>
#include <utility>
#include <vector>

// Text that this program encodes by itself.
namespace {
struct Text {
  std::string text;
  friend bool operator<(const Text& left, const Text& right) { return left.text < right.text; }
  friend bool operator==(const Text&, const Text&) = default;
};
}  // namespace

template <>
struct trine::Codec<Text> {
  static std::vector<std::byte> encode(const Text& item) {
    const auto bytes = std::as_bytes(std::span(item.text));
    return {bytes.begin(), bytes.end()};
  }
  static Text decode(std::span<const std::byte> bytes) {
    return {std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
  }
};

namespace {

using namespace trine_test;
using B = trine::processes;

template <class S>
class Children : public Leakless {};
TYPED_TEST_SUITE(Children, Scenarios<B>, ScenarioName);

// The plain data of a scenario lie in shared memory; the objects in it place their own state.
TYPED_TEST(Children, ParentAndChild) {
  Mapped<TypeParam> mapped;
  Child child([&] {
    mapped.first().second();
    return 0;
  });
  EXPECT_NO_THROW(mapped.first().first());
  EXPECT_EQ(child.join(), 0);
}

TYPED_TEST(Children, TwoChildren) {
  Mapped<TypeParam> mapped;
  in_children(2, [&](int i) {
    i == 0 ? mapped.first().first() : mapped.first().second();
    return 0;
  });
}

// More than two

class Family : public Leakless {};

constexpr int children = 4;

TEST_F(Family, AnEventLetsAllGoAndALatchTellsThatAllAreThere) {
  trine::Event<B> go;
  trine::Latch<B> there(children);
  trine::Latch<B> gone(children);
  std::vector<Child> family;
  for (int i = 0; i < children; ++i) {
    family.emplace_back([&] {
      there.count_down();
      check(go.wait(in_time));
      check(gone.arrive_and_wait(in_time));
      return 10;
    });
  }
  EXPECT_TRUE(there.wait(in_time));
  EXPECT_FALSE(gone.try_wait());
  go.set();
  EXPECT_TRUE(gone.wait(in_time));
  for (auto& child : family) EXPECT_EQ(child.join(), 10);
}

template <class L, class Deeper>
void counts_under(L& lock, Deeper deeper) {
  Mapped<std::int64_t> sum;
  constexpr int rounds = 2000;
  in_children(children, [&](int) {
    for (int i = 0; i < rounds; ++i) {
      const auto guard = lock.guard(in_time);
      check(static_cast<bool>(guard));
      deeper();
      sum.first() = sum.first() + 1;
    }
    return 0;
  });
  EXPECT_EQ(sum.first(), children * rounds);
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

TEST_F(Family, LocksExclude) {
  trine::Lock<B> lock;
  counts_under(lock, [] {});
  trine::RecursiveLock<B> recursive;
  counts_under(recursive, [&] {
    const auto deeper = recursive.guard();
    check(recursive.depth() == 2);
  });
  trine::SharedLock<B> shared;
  counts_under(shared, [] {});
}

TEST_F(Family, ASemaphoreLetsSoManyIn) {
  struct Room {
    std::atomic<int> inside{0}, most{0};
  };
  Mapped<Room> room;
  trine::BoundedSemaphore<B> places(2);
  in_children(children, [&](int) {
    for (int i = 0; i < 500; ++i) {
      const auto permit = places.permit(in_time);
      check(static_cast<bool>(permit));
      const int now = ++room.first().inside;
      if (now > room.first().most) room.first().most = now;
      if (i % 16 == 0) std::this_thread::yield();
      --room.first().inside;
    }
    return 0;
  });
  EXPECT_LE(room.first().most, 2);
  EXPECT_EQ(places.value(), 2);
  EXPECT_THROW(places.release(), trine::ReleasedTooManyTimes);
}

TEST_F(Family, ABarrierGivesEachItsPlaceAndRunsTheActionInOne) {
  struct Counts {
    std::array<std::atomic<int>, children> places{};
    std::atomic<int> actions{0};
  };
  Mapped<Counts> counts;
  constexpr int rounds = 200;
  trine::Barrier<B> step(children, [&] { ++counts.first().actions; });
  in_children(children, [&](int) {
    for (int i = 1; i <= rounds; ++i) {
      const auto place = step.wait(in_time);
      check(counts.first().actions == i);
      ++counts.first().places.at(static_cast<std::size_t>(place));
    }
    return 0;
  });
  for (const auto& count : counts.first().places) EXPECT_EQ(count, rounds);
}

TEST_F(Family, AConditionServesThemAll) {
  struct Data {
    int jobs = 0, done = 0;
    bool closed = false;
  };
  Mapped<Data> data;
  trine::Lock<B> lock;
  trine::Condition<B> changed;
  std::vector<Child> family;
  for (int i = 0; i < children; ++i) {
    family.emplace_back([&] {
      Data& d = data.first();
      for (;;) {
        auto held = lock.guard(in_time);
        check(changed.wait(
            held, [&] { return d.jobs > 0 || d.closed; }, in_time));
        if (d.jobs == 0) return 0;
        --d.jobs;
        ++d.done;
        changed.notify_all();
      }
    });
  }
  Data& d = data.first();
  for (int i = 0; i < 500; ++i) {
    const auto held = lock.guard(in_time);
    ++d.jobs;
    changed.notify();
  }
  {
    auto held = lock.guard(in_time);
    EXPECT_TRUE(changed.wait(
        held, [&] { return d.done == 500; }, in_time));
    d.closed = true;
    changed.notify_all();
  }
  for (auto& child : family) EXPECT_EQ(child.join(), 0);
}

/// Two children put the numbers 1 to `each` and two get them; what `number` makes of an item is summed up.
template <class Q, class Make, class Number>
void every_item_once(Q& queue, Make make, Number number, int each) {
  struct Totals {
    std::atomic<std::int64_t> sum{0}, count{0};
  };
  Mapped<Totals> totals;
  std::vector<Child> producers, consumers;
  for (int i = 0; i < 2; ++i) {
    consumers.emplace_back([&] {
      for (auto item : queue) {
        totals.first().sum += number(item);
        ++totals.first().count;
        queue.task_done();
      }
      return 0;
    });
    producers.emplace_back([&] {
      for (int n = 1; n <= each; ++n) check(queue.put(make(n), in_time));
      return 0;
    });
  }
  for (auto& producer : producers) EXPECT_EQ(producer.join(), 0);
  EXPECT_TRUE(queue.join(in_time));
  queue.shutdown();
  for (auto& consumer : consumers) EXPECT_EQ(consumer.join(), 0);
  EXPECT_EQ(totals.first().count, 2 * each);
  EXPECT_EQ(totals.first().sum, std::int64_t{each} * (each + 1));
}

const auto an_int = [](int n) { return n; };
const auto of_int = [](int n) { return std::int64_t{n}; };
const auto a_record = [](int n) { return Record::of(n); };
const auto of_record = [](const Record& record) {
  check(record.sound());
  return std::int64_t{record.number};
};
// Of many lengths, so that they take one block and several.
const auto a_text = [](int n) {
  std::string text = std::to_string(n);
  return Text{std::string(static_cast<std::size_t>(n % 300), '0') + text};
};
const auto of_text = [](const Text& text) { return std::int64_t{std::stoll(text.text)}; };

template <template <class...> class Q>
void every_item_of_every_kind_once() {
  for (const std::size_t capacity : {0, 1, 7}) {
    Q<int, B> ints(capacity);
    every_item_once(ints, an_int, of_int, 1000);
    Q<Record, B> records(capacity);
    every_item_once(records, a_record, of_record, 500);
    Q<Text, B> texts(capacity);
    every_item_once(texts, a_text, of_text, 500);
  }
}

// The templates have more arguments than one.
template <class T, class Of>
using Fifo = trine::Queue<T, Of>;
template <class T, class Of>
using Lifo = trine::LifoQueue<T, Of>;
template <class T, class Of>
using Smallest = trine::PriorityQueue<T, Of>;

TEST_F(Family, AQueueHandsEachItemToOne) { every_item_of_every_kind_once<Fifo>(); }
TEST_F(Family, ALifoQueueHandsEachItemToOne) { every_item_of_every_kind_once<Lifo>(); }
TEST_F(Family, APriorityQueueHandsEachItemToOne) { every_item_of_every_kind_once<Smallest>(); }

// Encoded items

class Encoded : public Leakless {};

TEST_F(Encoded, KeepTheOrderOfTheirQueue) {
  trine::Queue<Text, B> fifo;
  trine::LifoQueue<Text, B> lifo;
  trine::PriorityQueue<Text, B> smallest;
  const std::vector<Text> texts{{"pear"}, {""}, {std::string(1000, 'a')}, {"apple"}};
  EXPECT_EQ(in_child([&] {
              for (const Text& text : texts) check(fifo.put(text) && lifo.put(text) && smallest.put(text));
              return 3;
            }),
            3);
  std::vector<Text> sorted = texts;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(fifo.get_many(9), texts);
  EXPECT_EQ(lifo.get_many(9), std::vector<Text>(texts.rbegin(), texts.rend()));
  EXPECT_EQ(smallest.get_many(9), sorted);
}

TEST_F(Encoded, AnItemLargerThanAllThereIsIsRefused) {
  constexpr std::size_t all = 4096 - sizeof(std::uint64_t);  // the rest says what type it is
  trine::Queue<Text, B> queue(0, std::size_t{4096});
  EXPECT_THROW(queue.put(Text{std::string(all + 1, 'x')}), trine::ItemTooLarge);
  EXPECT_THROW(queue.put(Text{std::string(5000, 'x')}), trine::ItemTooLarge);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.put(Text{std::string(all, 'x')}));
  EXPECT_FALSE(queue.try_put(Text{"y"}));
  Child child([&] {
    check(queue.put(Text{std::string(4000, 'z')}, in_time));
    return 0;
  });
  EXPECT_EQ(queue.get().text.size(), all);
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(queue.get().text, std::string(4000, 'z'));
}

// A queue whose bytes are the bound: many blocks are taken and given back, in all orders.
TEST_F(Encoded, ShareTheirBytes) {
  trine::Queue<Text, B> queue(0, std::size_t{2048});
  every_item_once(queue, a_text, of_text, 500);
}

#if __has_include(<cereal/cereal.hpp>)
TEST_F(Encoded, StandardTypesComeWithACodec) {
  trine::Queue<std::string, B> names;
  trine::Queue<std::vector<std::pair<int, std::string>>, B> lists;
  EXPECT_EQ(in_child([&] {
              names.put("abc");
              lists.put({{1, "one"}, {2, std::string(500, '2')}});
              return 0;
            }),
            0);
  EXPECT_EQ(names.get(), "abc");
  const auto list = lists.get();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1], std::pair(2, std::string(500, '2')));
}
#endif

// A child's end is no end of an object: the others have it still.
TEST_F(Family, ObjectsOutliveThoseWhoInheritedThem) {
  auto event = std::make_unique<trine::Event<B>>();
  auto queue = std::make_unique<trine::Queue<int, B>>(2);
  Child child([&] {
    check(event->wait(in_time) && queue->get(in_time) == 1);
    check(queue->put(2, in_time));
    event.reset();
    queue.reset();
    return 0;
  });
  event->set();
  EXPECT_TRUE(queue->put(1, in_time));
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(queue->get(in_time), 2);
  EXPECT_TRUE(event->is_set());
  Child orphan([&] {
    check(queue->get(in_time) == 3);
    return 0;
  });
  queue->put(3);
  queue.reset();  // the child's copy lives on
  EXPECT_EQ(orphan.join(), 0);
}

}  // namespace
