// SPDX-License-Identifier: BSL-1.0
//
// The queues: a kill after each instruction, in each role. What put() returned from comes out once; what a victim was putting
// comes out once or not at all; what it was getting may go with it, and nothing else.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <trine/error.hpp>
#include <trine/type_text.hpp>

#include "process/killing/kill.hpp"
#include "process/killing/queues.hpp"

namespace trine_test {

inline constexpr std::size_t places = 4;

/// A queue with room for four items and no more, and the record of what came out.
template <class Q>
class Shop {
 public:
  using T = typename Q::value_type;
  using Item = Numbered<T>;

  Shop(Trial& trial, Q& the_queue) : queue(the_queue), record_(trial.make<Record>()) {}

  static T item(int n) { return Item::make(n); }
  void put(int n) { queue.put(item(n)); }
  void fill(int first, int last) {
    for (int n = first; n <= last; ++n) put(n);
  }
  void get() { came_out(queue.get()); }
  void came_out(const T& item) { record_.came_out(Item::number(item)); }
  [[nodiscard]] int times(int n) const { return record_.times(n); }
  [[nodiscard]] std::size_t got() const { return record_.count; }
  [[nodiscard]] const Record& record() const { return record_; }

  void drain() {
    try {
      while (const auto item = queue.try_get()) came_out(*item);
    } catch (const trine::QueueShutdown&) {
      // empty, and shut down
    }
  }

  /// It takes as many items as there are places, refuses another, and gives each back.
  void works() {
    require(queue.empty(), "not empty");
    for (std::size_t i = 0; i < places; ++i) require(queue.try_put(item(50 + static_cast<int>(i))), "a place is lost");
    require(!queue.try_put(item(60)), "there is a place too many");
    require(queue.size() == places, "size() is wrong");
    for (std::size_t i = 0; i < places; ++i) get();
    require(queue.empty() && !queue.try_get(), "an item too many");
    for (int n = 50; n < 50 + static_cast<int>(places); ++n) require(times(n) == 1, "an item did not come out once");
  }

  Q& queue;

 private:
  Record& record_;
};

template <class Q>
class KillQueue : public Kills {
 protected:
  using S = Shop<Q>;
  using T = typename Q::value_type;

  static constexpr bool in_place = std::is_trivially_copyable_v<T>;
  static constexpr std::size_t usual = in_place ? 24 : 12;

  static void sweep_as(const char* scenario, const std::function<void(Trial&, S&)>& body) {
    const std::string name = trine::type_text<T>() + " " + kind() + ": " + scenario;
    const auto with_queue = [&body](Trial& trial) {
      if constexpr (in_place) {
        S shop(trial, trial.make<Q>());
        body(trial, shop);
      } else {
        Q queue(places, Numbered<T>::bytes * places);
        S shop(trial, queue);
        body(trial, shop);
      }
    };
    sweep(name.c_str(), with_queue, usual);
  }

  static const char* kind() {
    if constexpr (requires(Q & q) { []<class U, class B, std::size_t N>(trine::Queue<U, B, N>&) {}(q); }) return "Queue";
    if constexpr (requires(Q & q) { []<class U, class B, std::size_t N>(trine::LifoQueue<U, B, N>&) {}(q); })
      return "LifoQueue";
    return "PriorityQueue";
  }

  static void getter(Trial& trial, S& shop) {
    trial.sleeper([&shop] { shop.get(); });
  }
  static void putter(Trial& trial, S& shop, int n) {
    trial.sleeper([&shop, n] { shop.put(n); });
  }

  /// Items that were put and those that somebody may have taken along; no other may be missing, and none come out twice.
  static void nothing_is_lost(Trial& trial, S& shop, const std::vector<int>& certain, const std::vector<int>& perhaps,
                              int most_missing = 0) {
    trial.newcomer([&shop] { shop.drain(); });
    int missing = 0;
    for (const int n : certain) {
      trial.check(shop.times(n) <= 1, "an item came out twice");
      missing += shop.times(n) == 0;
    }
    trial.check(missing <= most_missing, "an item is lost");
    for (const int n : perhaps) trial.check(shop.times(n) <= 1, "an item came out twice");
    trial.newcomer([&shop] { shop.works(); });
  }

  /// Nobody can put, and nobody waits for what will not come.
  static void is_over(Trial& trial, S& shop) {
    trial.newcomer([&shop] {
      try {
        shop.put(1);
        require(false, "put into a queue that was shut down");
      } catch (const trine::QueueShutdown&) {
      }
      try {
        shop.get();
        require(false, "got from an empty queue that was shut down");
      } catch (const trine::QueueShutdown&) {
      }
    });
  }

  /// Killed on its way to sleep for items, when another sleeps for them too.
  template <class Take>
  static void falls_asleep(Trial& trial, S& shop, Take take) {
    trial.victim([&] {
      trap();
      take();
    });
    getter(trial, shop);
    trial.step_to_sleep();
    trial.kill();
    trial.newcomer([&] { shop.put(1); });
    trial.now();
    trial.all_go_on();
    nothing_is_lost(trial, shop, {1}, {});
  }

  /// Those who sleep for items take those that are there.
  static void are_taken(Trial& trial, S& shop) {
    trial.check(holds_before(Clock::now() + hang, [&] { return shop.queue.empty(); }), "items are there, and nobody wakes");
  }
};

TYPED_TEST_SUITE_P(KillQueue);

TYPED_TEST_P(KillQueue, Put) {
  this->sweep_as("put; nobody waits", [this](Trial& trial, auto& shop) {
    shop.fill(1, 2);
    const auto item = shop.item(3);
    trial.victim([&] {
      trap();
      shop.queue.put(item);
    });
    trial.step();
    trial.kill();
    this->nothing_is_lost(trial, shop, {1, 2}, {3});
    trial.check(!trial.done() || shop.times(3) == 1, "an item is lost though its put returned");
  });
}

TYPED_TEST_P(KillQueue, PutForSleepers) {
  this->sweep_as("put; two wait for items", [this](Trial& trial, auto& shop) {
    const auto item = shop.item(3);
    trial.victim([&] {
      trap();
      shop.queue.put(item);
    });
    this->getter(trial, shop);
    this->getter(trial, shop);
    trial.step();
    trial.kill();
    this->are_taken(trial, shop);
    trial.newcomer([&] { shop.fill(4, 5); });
    trial.all_go_on();
    trial.check(!trial.done() || shop.times(3) == 1, "an item is lost though its put returned");
    this->nothing_is_lost(trial, shop, {4, 5}, {3});
  });
}

TYPED_TEST_P(KillQueue, PutFallsAsleep) {
  this->sweep_as("put into a full one, until it sleeps; another waits for room", [this](Trial& trial, auto& shop) {
    shop.fill(1, places);
    const auto item = shop.item(9);
    trial.victim([&] {
      trap();
      shop.queue.put(item);
    });
    this->putter(trial, shop, 8);
    trial.step_to_sleep();
    trial.kill();
    trial.newcomer([&] { shop.get(); });
    trial.now();
    trial.all_go_on();
    trial.check(shop.times(9) == 0, "an item of one that had no room");
    this->nothing_is_lost(trial, shop, {1, 2, 3, 4, 8}, {});
  });
}

TYPED_TEST_P(KillQueue, PutWoken) {
  this->sweep_as("put, woken for room; another waits for room", [this](Trial& trial, auto& shop) {
    shop.fill(1, places);
    const auto item = shop.item(9);
    trial.victim([&] {
      trap();
      shop.queue.put(item);
    });
    trial.fall_asleep();
    this->putter(trial, shop, 8);
    shop.get();
    trial.step();
    trial.kill();
    if (trial.done() || shop.queue.full()) trial.newcomer([&] { shop.get(); });
    trial.now();
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {1, 2, 3, 4, 8}, {9});
    trial.check(!trial.done() || shop.times(9) == 1, "an item is lost though its put returned");
  });
}

TYPED_TEST_P(KillQueue, Get) {
  this->sweep_as("get; nobody waits", [this](Trial& trial, auto& shop) {
    shop.fill(1, 3);
    trial.victim([&] {
      trap();
      shop.came_out(shop.queue.get());
    });
    trial.step();
    const std::size_t left = shop.queue.size();
    trial.kill();
    trial.check(left == 2 || left == 3, "size() is wrong");
    this->nothing_is_lost(trial, shop, {1, 2, 3}, {}, left == 3 || trial.done() ? 0 : 1);
  });
}

TYPED_TEST_P(KillQueue, GetForSleepers) {
  this->sweep_as("get out of a full one; two wait for room", [this](Trial& trial, auto& shop) {
    shop.fill(1, places);
    trial.victim([&] {
      trap();
      static_cast<void>(shop.queue.get());
    });
    this->putter(trial, shop, 8);
    this->putter(trial, shop, 9);
    trial.step();
    trial.kill();
    // The two need two places; the victim made one, or not.
    trial.newcomer([&] {
      shop.get();
      shop.get();
    });
    trial.now();
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {1, 2, 3, 4, 8, 9}, {}, 1);
  });
}

TYPED_TEST_P(KillQueue, GetFallsAsleep) {
  this->sweep_as("get, until it sleeps; another waits", [this](Trial& trial, auto& shop) {
    this->falls_asleep(trial, shop, [&] { static_cast<void>(shop.queue.get()); });
  });
}

TYPED_TEST_P(KillQueue, GetWoken) {
  this->sweep_as("get, woken for an item; another waits", [this](Trial& trial, auto& shop) {
    trial.victim([&] {
      trap();
      static_cast<void>(shop.queue.get());
    });
    trial.fall_asleep();
    this->getter(trial, shop);
    shop.put(1);
    trial.step();
    trial.kill();
    this->are_taken(trial, shop);
    // Taken by the victim, or by the other, who may not have said so yet.
    const bool again = shop.got() == 0;
    if (again) {
      trial.newcomer([&] { shop.put(2); });
      trial.now();
    }
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {}, {1, 2});
    trial.check(again ? shop.times(2) == 1 : shop.times(1) == 1, "an item is lost");
  });
}

TYPED_TEST_P(KillQueue, GetGivesUp) {
  this->sweep_as("get for a while, given up; another waits", [this](Trial& trial, auto& shop) {
    trial.victim([&] {
      trap();
      require(!shop.queue.get(std::chrono::milliseconds(1)), "an item that nobody put");
    });
    this->getter(trial, shop);
    trial.step();
    trial.kill();
    trial.newcomer([&] { shop.put(1); });
    trial.now();
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {1}, {});
  });
}

TYPED_TEST_P(KillQueue, PutMany) {
  this->sweep_as("put three at once; one waits for an item", [this](Trial& trial, auto& shop) {
    const std::vector items{shop.item(1), shop.item(2), shop.item(3)};
    trial.victim([&] {
      trap();
      shop.queue.put_many(items);
    });
    this->getter(trial, shop);
    trial.step();
    trial.kill();
    trial.newcomer([&] { shop.put(4); });
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {4}, {1, 2, 3});
    trial.check(shop.times(1) >= shop.times(2) && shop.times(2) >= shop.times(3), "one was put before those before it");
    trial.check(!trial.done() || shop.times(3) == 1, "an item is lost though its put returned");
  });
}

TYPED_TEST_P(KillQueue, GetMany) {
  this->sweep_as("get three at once; one waits for room", [this](Trial& trial, auto& shop) {
    shop.fill(1, places);
    trial.victim([&] {
      trap();
      static_cast<void>(shop.queue.get_many(3));
    });
    this->putter(trial, shop, 9);
    trial.step();
    trial.kill();
    trial.newcomer([&] { shop.get(); });
    trial.now();
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {1, 2, 3, 4, 9}, {}, 3);
  });
}

TYPED_TEST_P(KillQueue, PutManyFallsAsleep) {
  this->sweep_as("put three into a full one, until it sleeps; another waits for room", [this](Trial& trial, auto& shop) {
    shop.fill(1, places);
    const std::vector items{shop.item(5), shop.item(6), shop.item(7)};
    trial.victim([&] {
      trap();
      shop.queue.put_many(items);
    });
    this->putter(trial, shop, 8);
    trial.step_to_sleep();
    trial.kill();
    trial.newcomer([&] { shop.get(); });
    trial.now();
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {1, 2, 3, 4, 8}, {});
    for (const int n : {5, 6, 7}) trial.check(shop.times(n) == 0, "an item of one that had no room");
  });
}

TYPED_TEST_P(KillQueue, PutManyWoken) {
  this->sweep_as("put three, woken for two; another waits for room", [this](Trial& trial, auto& shop) {
    shop.fill(1, places);
    const std::vector items{shop.item(5), shop.item(6), shop.item(7)};
    trial.victim([&] {
      trap();
      shop.queue.put_many(items);
    });
    trial.fall_asleep();
    this->putter(trial, shop, 8);
    shop.get();
    shop.get();
    trial.step();
    trial.kill();
    if (shop.queue.full()) trial.newcomer([&] { shop.get(); });
    trial.now();
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {1, 2, 3, 4, 8}, {5, 6, 7});
    trial.check(shop.times(5) >= shop.times(6) && shop.times(6) >= shop.times(7), "one was put before those before it");
  });
}

TYPED_TEST_P(KillQueue, GetManyFallsAsleep) {
  this->sweep_as("get three, until it sleeps; another waits", [this](Trial& trial, auto& shop) {
    this->falls_asleep(trial, shop, [&] { static_cast<void>(shop.queue.get_many(3)); });
  });
}

TYPED_TEST_P(KillQueue, GetManyWoken) {
  this->sweep_as("get three, woken for two; another waits", [this](Trial& trial, auto& shop) {
    const std::vector items{shop.item(1), shop.item(2)};
    trial.victim([&] {
      trap();
      static_cast<void>(shop.queue.get_many(3));
    });
    trial.fall_asleep();
    this->getter(trial, shop);
    shop.queue.put_many(items);
    trial.step();
    trial.kill();
    // Taken by the victim, or one of them by the other, who may not have said so yet.
    const bool gone = holds_before(Clock::now() + hang, [&] { return shop.got() != 0 || shop.queue.empty(); });
    trial.check(gone, "items are there, and nobody wakes");
    trial.newcomer([&] { shop.put(3); });
    trial.now();
    trial.all_go_on();
    this->nothing_is_lost(trial, shop, {1, 2, 3}, {}, 2);
    trial.check(shop.times(3) == 1, "an item is lost");
  });
}

TYPED_TEST_P(KillQueue, TaskDone) {
  this->sweep_as("the last task is done; two join", [](Trial& trial, auto& shop) {
    shop.put(1);
    shop.get();
    trial.victim([&] {
      trap();
      shop.queue.task_done();
    });
    for (int i = 0; i < 2; ++i) {
      trial.sleeper([&] { shop.queue.join(); });
    }
    trial.step();
    trial.kill();
    const bool counted = shop.queue.join(std::chrono::seconds(0));
    trial.check(counted || !trial.done(), "a task that was done is not counted");
    if (!counted) trial.newcomer([&] { shop.queue.task_done(); });
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] {
      try {
        shop.queue.task_done();
        require(false, "a task was counted twice, or not");
      } catch (const trine::TaskDoneTooOften&) {
      }
      shop.works();
    });
  });
}

TYPED_TEST_P(KillQueue, JoinWoken) {
  this->sweep_as("join, woken; another joins", [](Trial& trial, auto& shop) {
    shop.put(1);
    shop.get();
    trial.victim([&] {
      trap();
      shop.queue.join();
    });
    trial.fall_asleep();
    trial.sleeper([&] { shop.queue.join(); });
    shop.queue.task_done();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.newcomer([&] { shop.works(); });
  });
}

TYPED_TEST_P(KillQueue, Shutdown) {
  this->sweep_as("shutdown; two wait for items", [this](Trial& trial, auto& shop) {
    trial.victim([&] {
      trap();
      shop.queue.shutdown();
    });
    for (int i = 0; i < 2; ++i) {
      trial.sleeper([&] {
        try {
          shop.get();
          require(false, "an item that nobody put");
        } catch (const trine::QueueShutdown&) {
        }
      });
    }
    trial.step();
    trial.kill();
    trial.check(shop.queue.is_shutdown() || !trial.done(), "not shut down");
    if (!shop.queue.is_shutdown()) trial.newcomer([&] { shop.queue.shutdown(); });
    trial.now();
    trial.all_go_on();
    this->is_over(trial, shop);
  });
}

TYPED_TEST_P(KillQueue, ShutdownOfAFullOne) {
  this->sweep_as("shutdown, immediate, of a full one; two wait for room", [this](Trial& trial, auto& shop) {
    shop.fill(1, places);
    trial.victim([&] {
      trap();
      shop.queue.shutdown(true);
    });
    for (int i = 0; i < 2; ++i) {
      trial.sleeper([&] {
        try {
          shop.put(9);
          require(false, "an item was put into a queue that was shut down");
        } catch (const trine::QueueShutdown&) {
        }
      });
    }
    trial.step();
    const bool shut = shop.queue.is_shutdown();
    trial.kill();
    if (!shut) trial.newcomer([&] { shop.queue.shutdown(); });
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] { shop.drain(); });
    for (int n = 1; n <= static_cast<int>(places); ++n) trial.check(shop.times(n) <= 1, "an item came out twice");
    trial.check(shut || shop.got() == places, "an item is lost");
    this->is_over(trial, shop);
  });
}

REGISTER_TYPED_TEST_SUITE_P(KillQueue, Put, PutForSleepers, PutFallsAsleep, PutWoken, Get, GetForSleepers, GetFallsAsleep,
                            GetWoken, GetGivesUp, PutMany, GetMany, PutManyFallsAsleep, PutManyWoken, GetManyFallsAsleep,
                            GetManyWoken, TaskDone, JoinWoken, Shutdown, ShutdownOfAFullOne);

struct QueueName {
  template <class Q>
  static std::string GetName(int number) {
    return number == 0 ? "Queue" : number == 1 ? "LifoQueue" : "PriorityQueue";
  }
};

}  // namespace trine_test
