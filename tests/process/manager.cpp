// SPDX-License-Identifier: BSL-1.0
//
// Manager: containers, attributes and primitives in one segment, and what a death in one does to that one alone.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <support/children.hpp>
#include <support/leaks.hpp>
#include <trine/codec.hpp>
#include <trine/manager.hpp>
#include <trine/task_group.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;

constexpr auto patience = 20s;

int die() { return ::kill(::getpid(), SIGKILL); }

class ManagerTest : public Leakless {};

TEST_F(ManagerTest, ADict) {
  Manager manager;
  auto dict = manager.dict<std::string, int>();
  EXPECT_EQ(dict.size(), 0U);
  EXPECT_EQ(dict.get("one"), std::nullopt);
  EXPECT_THROW((void)dict.at("one"), std::out_of_range);
  dict.set("two", 2);
  dict.set("one", 7);
  dict.set("one", 1);
  EXPECT_EQ(dict.at("one"), 1);
  EXPECT_TRUE(dict.contains("two"));
  EXPECT_EQ(dict.keys(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(dict.items(), (std::vector<std::pair<std::string, int>>{{"one", 1}, {"two", 2}}));
  EXPECT_TRUE(dict.erase("one"));
  EXPECT_FALSE(dict.erase("one"));
  dict.clear();
  EXPECT_EQ(dict.size(), 0U);
}

TEST_F(ManagerTest, ADictOfAnything) {
  Manager manager;
  auto dict = manager.dict<std::pair<int, std::string>, std::map<int, std::vector<std::string>>>();
  dict.set({1, "a"}, {{1, {"x", "y"}}});
  auto copy = dict.at({1, "a"});
  copy[1].push_back("z");
  EXPECT_EQ(dict.at({1, "a"})[1].size(), 2U);  // a copy
  dict.set({1, "a"}, copy);
  EXPECT_EQ(dict.at({1, "a"})[1].size(), 3U);
}

TEST_F(ManagerTest, AList) {
  Manager manager;
  auto list = manager.list<std::string>();
  EXPECT_THROW(list.pop(), std::out_of_range);
  EXPECT_THROW((void)list.at(0), std::out_of_range);
  list.append("b");
  list.insert(0, "a");
  list.insert(2, "d");
  list.set(2, "c");
  EXPECT_THROW(list.insert(4, "e"), std::out_of_range);
  EXPECT_EQ(list.items(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(list.remove("b"));
  EXPECT_FALSE(list.remove("b"));
  EXPECT_EQ(list.at(1), "c");
  EXPECT_EQ(list.pop(0), "a");
  EXPECT_EQ(list.pop(), "c");
  EXPECT_EQ(list.size(), 0U);
  auto numbers = manager.list<double>();
  for (int i = 0; i < 1000; ++i) numbers.append(i);
  EXPECT_EQ(numbers.pop(500), 500.0);
  numbers.clear();
  EXPECT_TRUE(numbers.items().empty());
}

TEST_F(ManagerTest, ANamespace) {
  Manager manager;
  auto space = manager.ns();
  try {
    (void)space.get<int>("value");
    FAIL();
  } catch (const NoSuchAttribute& error) {
    EXPECT_NE(std::string(error.what()).find("value"), std::string::npos);
  }
  space.set("value", 7);
  space.set("text", "hello");
  space.set("list", std::vector<std::string>{"a", "b"});
  EXPECT_EQ(space.get<int>("value"), 7);
  EXPECT_EQ(space.get<std::string>("text"), "hello");
  EXPECT_EQ(space.get<std::vector<std::string>>("list").size(), 2U);
  EXPECT_THROW((void)space.get<long>("value"), LayoutMismatch);
  EXPECT_EQ(space.names(), (std::vector<std::string>{"list", "text", "value"}));
  EXPECT_TRUE(space.erase("text"));
  EXPECT_FALSE(space.contains("text"));
}

TEST_F(ManagerTest, PrimitivesBetweenProcesses) {
  Manager manager;
  auto& go = manager.event();
  auto& lock = manager.lock();
  auto& sum = manager.value(0);
  auto& results = manager.queue<int, 8>();
  auto& barrier = manager.barrier(2);
  Child child([&] {
    go.wait();
    const auto held = lock.guard();
    sum.update([](int& s) { s = 5; });
    results.put(3);
    barrier.wait(patience);
    return 0;
  });
  go.set();
  barrier.wait(patience);
  EXPECT_EQ(results.get(patience), 3);
  EXPECT_EQ(sum.load(), 5);
  EXPECT_EQ(child.join(), 0);
}

TEST_F(ManagerTest, NamesAreFoundAgain) {
  Manager manager;
  manager.dict<int, int>("d").set(1, 2);
  EXPECT_EQ((manager.dict<int, int>("d").at(1)), 2);
  EXPECT_EQ((manager.dict<int, int>().size()), 0U);
  EXPECT_THROW((void)(manager.dict<int, long>("d")), LayoutMismatch);
  EXPECT_THROW((void)manager.event("d"), LayoutMismatch);
  EXPECT_EQ(&manager.event("e"), &manager.event("e"));
  EXPECT_NE(&manager.event(), &manager.event());
  EXPECT_THROW((void)manager.event(std::string(64, 'x')), std::invalid_argument);
}

struct Square {
  int column;
  int row;
};

TEST_F(ManagerTest, QueuesInOtherOrdersAndKeysWithoutOne) {
  Manager manager;
  auto& last = manager.lifo_queue<int, 4>("last");
  auto& least = manager.priority_queue<int, 4>("least");
  for (const int each : {2, 1, 3}) {
    last.put(each);
    least.put(each);
  }
  EXPECT_EQ(last.get(), 3);
  EXPECT_EQ(least.get(), 1);
  auto pieces = manager.dict<Square, char>("board");
  pieces.set({4, 0}, 'K');
  pieces.set({3, 0}, 'Q');
  EXPECT_EQ(pieces.at({4, 0}), 'K');
  EXPECT_EQ(pieces.size(), 2U);
}

TEST_F(ManagerTest, ADamagedTableIsNoticed) {
  const std::string name = unique_name();
  Manager manager(create_only, name, 1 << 20);
  (void)manager.event("an event");
  (void)manager.dict<int, int>("a dict", 16384);
  for (const std::string object : {"a dict", "an event"}) {
    std::fstream file("/dev/shm/trine." + name, std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto entry = bytes.find(object + '\0');
    ASSERT_NE(entry, std::string::npos);
    file.clear();
    file.seekp(static_cast<std::streamoff>(entry + 64 + 16));  // its size: behind the name, the type and where it is
    file.write("\1\0\0\0\0\0\0", 8);
  }
  EXPECT_THROW((void)(manager.dict<int, int>("a dict")), LayoutMismatch);
  EXPECT_THROW((void)manager.event("an event"), LayoutMismatch);
  Manager::remove(name);
}

TEST_F(ManagerTest, FoundByItsName) {
  const std::string name = unique_name();
  Manager manager(create_only, name, 4 << 20);
  auto dict = manager.dict<std::string, int>("ages");
  EXPECT_EQ(in_child([&] {
              Manager same(open_only, name);
              same.dict<std::string, int>("ages").set("Ada", 36);
              return same.event("done").set(), 0;
            }),
            0);
  EXPECT_EQ(dict.at("Ada"), 36);
  EXPECT_TRUE(manager.event("done").is_set());
  EXPECT_THROW(Manager(create_only, name), std::system_error);
  EXPECT_TRUE(Manager::remove(name));
}

TEST_F(ManagerTest, NoChangeIsLost) {
  Manager manager;
  auto counts = manager.dict<std::string, int>();
  auto list = manager.list<int>();
  in_children(4, [&](int i) {
    for (int j = 0; j < 500; ++j) {
      counts.with_lock([&] { counts.set("all", counts.get("all").value_or(0) + 1); });
      counts.set(std::to_string(i), j);
      list.append(j);
    }
    return 0;
  });
  EXPECT_EQ(counts.at("all"), 2000);
  EXPECT_EQ(counts.size(), 5U);
  EXPECT_EQ(list.size(), 2000U);
}

TEST_F(ManagerTest, WhatIsFullSaysSo) {
  Manager manager(1 << 18);
  auto dict = manager.dict<int, std::string>("small", 1 << 16);
  int stored = 0;
  try {
    for (;; ++stored) dict.set(stored, std::string(1000, 'x'));
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_buffer_space);
    EXPECT_NE(std::string(error.what()).find("small"), std::string::npos) << error.what();
  }
  EXPECT_GT(stored, 40);
  EXPECT_EQ(dict.size(), static_cast<std::size_t>(stored));
  EXPECT_TRUE(dict.erase(0));
  dict.set(stored, std::string(900, 'y'));
  EXPECT_THROW((void)(manager.dict<int, int>("large", 1 << 18)), std::system_error);
  EXPECT_THROW((void)(manager.dict<int, int>("tiny", 10)), std::invalid_argument);
  (void)manager.event("still works");
}

/// A number whose comparison kills who compares, if it is told so.
struct Deadly {
  static inline bool armed = false;
  int number = 0;
  friend bool operator<(const Deadly& a, const Deadly& b) {
    if (armed) die();
    return a.number < b.number;
  }
};

TEST_F(ManagerTest, ADeathInsideAChangeEmptiesThatContainerAlone) {
  Manager manager;
  auto dict = manager.dict<Deadly, int>();
  auto other = manager.dict<int, int>();
  for (int i = 0; i < 10; ++i) dict.set({i}, i), other.set(i, i);
  EXPECT_EQ(in_child([&] {
              Deadly::armed = true;
              dict.set({11}, 11);
              return 0;
            }),
            -SIGKILL);
  EXPECT_THROW((void)dict.size(), OwnerDied);
  EXPECT_THROW(dict.set({1}, 1), OwnerDied);
  EXPECT_THROW((void)dict.get({1}), OwnerDied);
  other.set(11, 11);
  EXPECT_EQ(other.size(), 11U);
  EXPECT_FALSE(dict.recover());
  EXPECT_EQ(dict.size(), 0U);
  dict.set({1}, 1);
  EXPECT_EQ(dict.at({1}), 1);
  EXPECT_TRUE(dict.recover());
  EXPECT_EQ(dict.size(), 1U);
}

TEST_F(ManagerTest, ADeathWhileLookingOrBetweenCallsKeepsAll) {
  Manager manager;
  auto dict = manager.dict<Deadly, int>();
  for (int i = 0; i < 10; ++i) dict.set({i}, i);
  EXPECT_EQ(in_child([&] { return Deadly::armed = true, dict.contains({5}) ? 1 : 2; }), -SIGKILL);
  EXPECT_THROW((void)dict.size(), OwnerDied);
  EXPECT_TRUE(dict.recover());
  EXPECT_EQ(dict.size(), 10U);
  EXPECT_EQ(in_child([&] { return dict.with_lock([&] { return dict.set({10}, 1), die(); }); }), -SIGKILL);
  EXPECT_THROW((void)dict.size(), OwnerDied);
  EXPECT_TRUE(dict.recover());
  EXPECT_EQ(dict.size(), 11U);
}

TEST_F(ManagerTest, KilledAnywhereInAChange) {
  Manager manager;
  auto dict = manager.dict<std::string, std::string>();
  auto list = manager.list<std::string>();
  auto space = manager.ns();
  auto& begun = manager.semaphore(0);
  int died = 0;
  for (int round = 0; round < 150; ++round) {
    Child writer([&] {
      begun.release();
      for (int i = 0;; ++i) {
        const std::string text = std::to_string(i % 100) + std::string(static_cast<std::size_t>(i) % 90, 'x');
        if (round % 3 == 0) i % 3 == 0 ? void(dict.erase(std::to_string(i % 50))) : dict.set(std::to_string(i % 100), text);
        if (round % 3 == 1) i % 3 == 0 && list.size() > 50 ? void(list.pop(0)) : list.insert(0, text);
        if (round % 3 == 1 && list.size() > 100) list.clear();
        if (round % 3 == 2) space.set(std::to_string(i % 100), text);
      }
      return 0;
    });
    ASSERT_TRUE(begun.acquire(patience));
    const auto end = std::chrono::steady_clock::now() + (round % 50) * 5us;
    while (std::chrono::steady_clock::now() < end) {
    }
    writer.signal(SIGKILL);
    EXPECT_EQ(writer.join(), -SIGKILL);
    const auto check = [&died](auto& container, auto use) {
      try {
        use();
      } catch (const OwnerDied&) {
        ++died;
        container.recover();
        use();
      }
    };
    check(dict, [&] {
      for (const auto& [key, value] : dict.items()) EXPECT_TRUE(value.starts_with(key)) << key;
      dict.set("1", "1");
      EXPECT_EQ(dict.at("1"), "1");
    });
    check(list, [&] {
      list.append("last");
      EXPECT_EQ(list.pop(), "last");
    });
    check(space, [&] {
      space.set("mine", 1);
      EXPECT_EQ(space.get<int>("mine"), 1);
    });
  }
  EXPECT_GT(died, 0);
}

}  // namespace
