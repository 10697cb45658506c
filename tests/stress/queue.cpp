// SPDX-License-Identifier: BSL-1.0
//
// The three queues under many threads: every item is got exactly once and in order, and shutdown releases everyone.
#include <trine/lifo_queue.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>

#include <map>
#include <optional>
#include <span>

#include "stress/storm.hpp"
#include "support/backends.hpp"

namespace {

using trine::LifoQueue;
using trine::PriorityQueue;
using trine::Queue;
using trine::QueueShutdown;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;

/// Who put it and as which; owns memory, so that a sanitizer sees one that is taken twice, lost or not made.
class Item {
 public:
  Item(unsigned producer, unsigned number) : body_(new Body{producer, number}) { alive.fetch_add(1); }
  Item(const Item& other) : Item(other.producer(), other.number()) {}
  Item(Item&& other) noexcept : body_(std::move(other.body_)) {}
  Item& operator=(Item&& other) noexcept {
    Item moved(std::move(other));
    body_.swap(moved.body_);
    return *this;
  }
  ~Item() {
    if (body_) alive.fetch_sub(1);
  }

  [[nodiscard]] bool whole() const noexcept { return body_ != nullptr; }
  [[nodiscard]] unsigned producer() const noexcept { return body_->producer; }
  [[nodiscard]] unsigned number() const noexcept { return body_->number; }

  friend bool operator<(const Item& left, const Item& right) noexcept {
    return std::pair(left.number(), left.producer()) < std::pair(right.number(), right.producer());
  }

  static inline std::atomic<std::int64_t> alive{0};

 private:
  struct Body {
    unsigned producer;
    unsigned number;
  };
  std::unique_ptr<Body> body_;
};

/// Sleeps and wakes as `Os` does, but lingers at random between the steps of an algorithm, so that what is rare happens often.
template <class Os>
struct Lingering : Os {
  static bool fences_others() noexcept {
    loiter();
    return Os::fences_others();
  }
  static void sleep(std::span<const trine::Sleep<typename Os::Word>> words, const typename Os::Limit& limit) {
    loiter();
    Os::sleep(words, limit);
  }
  static void wake(typename Os::Word& word, std::uint32_t count) {
    loiter();
    Os::wake(word, count);
  }

 private:
  static void loiter() noexcept {
    static thread_local std::minstd_rand random(
        static_cast<unsigned>(std::hash<std::thread::id>()(std::this_thread::get_id())));
    if (random() % 4 != 0) return;
    for (auto turns = random() % 20; turns > 0; --turns) std::this_thread::yield();
  }
};
struct lingering_threads : trine::ThreadsOver<Lingering<trine::os::PrivateFutex>> {};
static_assert(trine::Backend<lingering_threads>);

enum class Order { first_in, last_in, smallest };

template <class B, template <class, class> class Q, Order O>
struct Kind {
  using Backend = B;
  using Tested = Q<Item, B>;
  static constexpr Order order = O;
};

template <class T, class B>
using SmallestFirst = PriorityQueue<T, B>;

template <class K>
class QueueStress : public ::testing::Test {};

using trine::portable_threads;
using trine::threads;
using Kinds = ::testing::Types<Kind<threads, Queue, Order::first_in>, Kind<threads, LifoQueue, Order::last_in>,
                               Kind<threads, SmallestFirst, Order::smallest>,
                               Kind<portable_threads, Queue, Order::first_in>,
                               Kind<portable_threads, LifoQueue, Order::last_in>,
                               Kind<portable_threads, SmallestFirst, Order::smallest>,
                               Kind<lingering_threads, Queue, Order::first_in>,
                               Kind<lingering_threads, SmallestFirst, Order::smallest>>;

struct KindName {
  template <class K>
  static std::string GetName(int) {
    static constexpr const char* const orders[] = {"queue", "lifo", "priority"};
    const std::string order = orders[static_cast<int>(K::order)];
    if constexpr (std::is_same_v<typename K::Backend, lingering_threads>) {
      return order + "_lingering_threads";
    } else {
      return order + "_" + trine_test::BackendName::GetName<typename K::Backend>(0);
    }
  }
};
TYPED_TEST_SUITE(QueueStress, Kinds, KindName);

constexpr unsigned producers = 4;
constexpr unsigned consumers = 4;

/// What one consumer got.
struct Bag {
  std::vector<std::pair<unsigned, unsigned>> items;
  std::map<unsigned, unsigned> last;  // by producer

  void add(Party& me, const Item& item, bool in_order) {
    me.must(item.whole(), "an item was moved from");
    unsigned& last_number = last[item.producer()];
    me.must(!in_order || item.number() > last_number, "a producer's items are out of order");
    last_number = item.number();
    items.emplace_back(item.producer(), item.number());
  }
};

// Puts items numbered from `next` on in one of the ways there are. Says how many; throws QueueShutdown.
template <class Q>
unsigned put_some(Q& queue, Party& me, unsigned producer, unsigned next) {
  const bool never = me.one_in(2);
  const Until limit = never ? Until() : me.limit();
  Item item(producer, next);
  switch (me.below(5)) {
    case 0: {
      me.at("put");
      const bool put = queue.put(std::move(item), limit);
      me.must(put || !never, "put without a limit gave up");
      me.must(item.whole() == !put, "put left an item that it took, or took one that it refused");
      return put;
    }
    case 1: {
      me.at("put a copy");
      const bool put = queue.put(std::as_const(item), limit);
      me.must(item.whole(), "put moved from an item that it was to copy");
      return put;
    }
    case 2: {
      me.at("try_put");
      const bool put = queue.try_put(std::move(item));
      me.must(item.whole() == !put, "try_put left an item that it took, or took one that it refused");
      return put;
    }
    case 3: {
      me.at("try_put a copy");
      return queue.try_put(std::as_const(item));
    }
    default: {
      std::vector<Item> several;
      const unsigned count = me.below(8);
      for (unsigned i = 0; i < count; ++i) several.emplace_back(producer, next + i);
      me.at("put_many");
      return static_cast<unsigned>(queue.put_many(several, limit));
    }
  }
}

// Gets items in one of the ways there are; throws QueueShutdown.
template <Order order, class Q>
std::vector<Item> get_some(Q& queue, Party& me) {
  std::vector<Item> got;
  const auto add = [&got](std::optional<Item> item) {
    if (item) got.push_back(std::move(*item));
  };
  switch (me.below(5)) {
    case 0: me.at("get"); got.push_back(queue.get()); break;
    case 1: me.at("get with a limit"); add(queue.get(me.limit())); break;
    case 2: me.at("try_get"); add(queue.try_get()); break;
    case 3: {
      me.at("get by iterator");
      if (auto next = queue.begin(); next != queue.end()) got.push_back(*next);
      break;
    }
    default: {
      const unsigned most = 1 + me.below(5);
      const bool never = me.one_in(2);
      me.at(never ? "get_many" : "get_many with a limit");
      got = queue.get_many(most, never ? Until() : me.limit());
      me.must(got.size() <= most && (!never || !got.empty()), "get_many got too many or none");
      // Several that were taken at once come out in order.
      for (std::size_t i = 1; i < got.size(); ++i) {
        const Item& before = got[i - 1];
        const Item& item = got[i];
        if constexpr (order == Order::smallest) me.must(before < item, "a larger item came before a smaller one");
        if (before.producer() != item.producer()) continue;
        if constexpr (order == Order::first_in) me.must(before.number() < item.number(), "not in order");
        if constexpr (order == Order::last_in) me.must(before.number() > item.number(), "not in reverse order");
      }
    }
  }
  return got;
}

// Checks that the bags together have the items 1 to put[p] of each producer p, each once.
void expect_each_once(const std::vector<Bag>& bags, const std::vector<unsigned>& put) {
  std::vector<std::vector<unsigned>> times(put.size());
  for (std::size_t p = 0; p < put.size(); ++p) times[p].resize(put[p]);
  for (const Bag& bag : bags) {
    for (const auto& [producer, number] : bag.items) {
      ASSERT_LT(producer, put.size());
      ASSERT_GE(number, 1U);
      ASSERT_LE(number, put[producer]) << "an item that was not put";
      ++times[producer][number - 1];
    }
  }
  for (std::size_t p = 0; p < put.size(); ++p) {
    for (std::size_t i = 0; i < put[p]; ++i) {
      ASSERT_EQ(times[p][i], 1U) << "item " << i + 1 << " of " << put[p] << " of producer " << p;
    }
  }
}

template <class K>
void each_item_once(std::size_t capacity) {
  {
    typename K::Tested queue(capacity);
    std::vector<unsigned> put(producers);
    std::vector<Bag> bags(consumers);
    std::atomic<unsigned> producing{producers};
    Storm storm;
    storm.show([&] { return "size " + std::to_string(queue.size()) + " of " + std::to_string(capacity); });
    storm.add(producers, "puts", [&](Party& me) {
      const auto producer = static_cast<unsigned>(me.number());
      while (!me.over()) {
        put[producer] += put_some(queue, me, producer, put[producer] + 1);
        me.must(capacity == 0 || queue.size() <= capacity, "fuller than full");
        // Leaves an unbounded queue to its consumers.
        while (queue.size() > 1000 && !me.over()) std::this_thread::yield();
      }
      if (producing.fetch_sub(1) == 1) queue.shutdown();
    });
    storm.add(consumers, "gets", [&](Party& me) {
      Bag& bag = bags[me.number() - producers];
      try {
        for (;;) {
          for (const Item& item : get_some<K::order>(queue, me)) {
            bag.add(me, item, K::order == Order::first_in);
            queue.task_done();
          }
          // The iterator says that the queue has ended by its end alone.
          if (queue.is_shutdown() && queue.empty()) return;
        }
      } catch (const QueueShutdown&) {
        me.must(queue.empty(), "shut down, and yet not empty");
      }
    });
    storm.add(1, "joins", [&](Party& me) {
      while (!me.over()) {
        me.at("join");
        (void)queue.join(me.limit());
      }
      me.at("join without a limit");
      me.must(queue.join(), "join without a limit gave up");
    });
    storm.run();
    expect_each_once(bags, put);
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(queue.join(Until(std::chrono::seconds(0))));
    EXPECT_THROW(queue.task_done(), trine::TaskDoneTooOften);
    EXPECT_THROW((void)queue.get(), QueueShutdown);
    EXPECT_THROW((void)queue.try_put(Item(0, 0)), QueueShutdown);
  }
  EXPECT_EQ(Item::alive, 0);
}

TYPED_TEST(QueueStress, each_item_once) { each_item_once<TypeParam>(0); }
TYPED_TEST(QueueStress, each_item_once_of_one) { each_item_once<TypeParam>(1); }
TYPED_TEST(QueueStress, each_item_once_of_few) { each_item_once<TypeParam>(7); }

// In each round every consumer gets exactly one item and then gets no more, so that nobody who is awake comes to the rescue of
// one who sleeps on: each of them must have been woken for its own item, or have seen it.
TYPED_TEST(QueueStress, everyone_who_waits_is_woken) {
  using Tested = typename TypeParam::Tested;
  static constexpr unsigned parties = 3;
  Tested items;
  Tested room(1);
  std::atomic<unsigned> round{0};
  std::atomic<unsigned> done{0};
  std::atomic<unsigned> last_round{~0U};
  Storm storm;
  storm.show([&] {
    return "round " + std::to_string(round) + ", done " + std::to_string(done) + ", items " +
           std::to_string(items.size()) + ", in the queue of one " + std::to_string(room.size());
  });
  storm.add(1, "serves all", [&](Party& me) {
    for (unsigned number = 1; number <= last_round; ++number) {
      if (me.over()) last_round = number;
      done = 0;
      round = number;
      for (unsigned i = 0; i < parties; ++i) {
        me.at("put and get");
        me.dawdle();
        items.put(Item(0, number));
        me.dawdle();
        (void)room.get();
      }
      me.at("until all have done their part");
      while (done != 2 * parties) std::this_thread::yield();
    }
  });
  const auto each_round = [&](Party& me, auto part) {
    for (unsigned number = 1; number <= last_round; ++number) {
      me.at("until the round begins");
      while (round < number) std::this_thread::yield();
      me.at("its part of the round");
      part(number);
      ++done;
    }
  };
  storm.add(parties, "gets one", [&](Party& me) { each_round(me, [&](unsigned) { (void)items.get(); }); });
  storm.add(parties, "puts one", [&](Party& me) { each_round(me, [&](unsigned number) { room.put(Item(1, number)); }); });
  storm.run();
  EXPECT_EQ(items.size() + room.size(), 0U);
}

// The queue of each round is shut down while everyone is in the middle of something. All are released, and what was put has
// been got, or was left inside and dropped.
template <class K>
void shut_down_at_any_time(bool immediate) {
  struct alignas(64) Counts {
    std::uint64_t put = 0;
    std::uint64_t got = 0;
  };
  std::mt19937_64 random(trine_test::stress_seed());
  const auto end = std::chrono::steady_clock::now() + trine_test::stress_time();
  std::printf("seed %llu\n", static_cast<unsigned long long>(trine_test::stress_seed()));
  std::atomic<std::uint64_t> steps{0};
  std::atomic<std::size_t> capacity{0};
  std::atomic<bool> shut{false};
  const trine_test::Watchdog watchdog([&] { return steps.load(std::memory_order_relaxed); },
                                      [&] {
                                        return "capacity " + std::to_string(capacity) + ", shutdown() has returned: " +
                                               std::to_string(shut);
                                      });
  do {
    {
      capacity = random() % 4;
      shut = false;
      typename K::Tested queue(capacity);
      std::vector<Counts> counts(8);
      {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < counts.size(); ++i) {
          threads.emplace_back([&queue, &counts, &steps, i] {
            Counts& mine = counts[i];
            try {
              for (unsigned number = 0;; ++number) {
                if (i % 2 == 0) {
                  Item item(i, number);
                  if (number % 4 == 3) {
                    mine.put += queue.put(std::move(item), std::chrono::microseconds(number % 64));
                  } else {
                    mine.put += queue.put(std::move(item));
                  }
                  while (queue.size() > 1000 && !queue.is_shutdown()) std::this_thread::yield();
                } else {
                  std::optional<Item> item;
                  if (number % 4 == 3) {
                    item = queue.get(std::chrono::microseconds(number % 64));
                  } else {
                    item.emplace(queue.get());
                  }
                  if (!item) continue;
                  ++mine.got;
                  if (i == 1) queue.task_done();
                }
              }
            } catch (const QueueShutdown&) {
              steps.fetch_add(1, std::memory_order_relaxed);
            } catch (const trine::TaskDoneTooOften&) {
              ADD_FAILURE() << "fewer tasks than items that were got";
            }
          });
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
        queue.shutdown(immediate);
        shut = true;
      }
      Counts all;
      for (const Counts& each : counts) {
        all.put += each.put;
        all.got += each.got;
      }
      if (immediate) {
        EXPECT_GE(all.put, all.got);
      } else {
        EXPECT_EQ(all.put, all.got);
      }
      EXPECT_EQ(queue.size(), 0U);
      EXPECT_EQ(Item::alive, 0);
    }
    steps.fetch_add(1, std::memory_order_relaxed);
  } while (std::chrono::steady_clock::now() < end && !::testing::Test::HasFailure());
}

TYPED_TEST(QueueStress, shut_down_at_any_time) { shut_down_at_any_time<TypeParam>(false); }
TYPED_TEST(QueueStress, shut_down_at_once_at_any_time) { shut_down_at_any_time<TypeParam>(true); }

// Items inside are destroyed with the queue.
TYPED_TEST(QueueStress, destroyed_with_items_inside) {
  std::mt19937_64 random(trine_test::stress_seed());
  for (int round = 0; round < 200; ++round) {
    {
      typename TypeParam::Tested queue;
      const auto count = static_cast<unsigned>(random() % 300);
      for (unsigned i = 0; i < count; ++i) queue.put(Item(0, i));
      for (unsigned i = static_cast<unsigned>(random() % (count + 1)); i > 0; --i) (void)queue.get();
    }
    ASSERT_EQ(Item::alive, 0);
  }
}

}  // namespace
