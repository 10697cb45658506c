// SPDX-License-Identifier: BSL-1.0
//
// What CPython's tests of multiprocessing look at and no other test here does: docs/python-tests.md says which test is for which.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <trine/array.hpp>
#include <trine/backend/processes.hpp>
#include <trine/codec.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/manager.hpp>
#include <trine/pipe.hpp>
#include <trine/pool.hpp>
#include <trine/process.hpp>
#include <trine/queue.hpp>
#include <trine/value.hpp>

#include "process/killing/children.hpp"

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;
using P = processes;

constexpr auto patience = 20s;

class PythonCases : public LeavesNothing {};

// Processes that start processes; each tells the way to it.
void tell_ways(Queue<std::string, P>& ways, const std::string& way) {
  ways.put(way);
  if (way.size() == 2) return;
  for (const char* step : {"0", "1"}) {
    Process next([&] { tell_ways(ways, way + step); });
    next.join();
  }
}
TEST_F(PythonCases, ProcessesStartProcesses) {
  Queue<std::string, P> ways;
  tell_ways(ways, "");
  std::vector<std::string> all;
  while (auto way = ways.try_get()) all.push_back(*way);
  EXPECT_EQ(all, (std::vector<std::string>{"", "0", "00", "01", "1", "10", "11"}));
}

TEST_F(PythonCases, ManyProcesses) {
  std::vector<Process> quick;
  std::vector<Process> slow;
  for (int i = 0; i < 10; ++i) {
    quick.emplace_back([i] { return i; });
    slow.emplace_back([] { Event<P>().wait(); });
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(quick[static_cast<std::size_t>(i)].join(patience));
    EXPECT_EQ(quick[static_cast<std::size_t>(i)].exit_code(), i);
  }
  for (Process& each : slow) each.terminate();
  for (Process& each : slow) {
    EXPECT_TRUE(each.join(patience));
    EXPECT_EQ(each.exit_code(), -SIGTERM);
  }
}

// What a process was given is not kept by its parent.
TEST_F(PythonCases, ArgumentsAreReleasedWhenItHasStarted) {
  auto given = std::make_shared<int>(7);
  Process child([](const std::shared_ptr<int>& mine) { return *mine; }, given);
  EXPECT_EQ(given.use_count(), 1);
  Process other([given] { return *given; });
  EXPECT_EQ(given.use_count(), 1);
  EXPECT_TRUE(child.join(patience) && other.join(patience));
  EXPECT_EQ(child.exit_code().value_or(0) + other.exit_code().value_or(0), 14);
}

std::ptrdiff_t open_files() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}
// A child has no more descriptors because its parent has other children.
TEST_F(PythonCases, DescriptorsDoNotPileUpInChildren) {
  Value<std::ptrdiff_t, P> first(0);
  Value<std::ptrdiff_t, P> last(0);
  Event<P> over;
  std::vector<Process> children;
  Process before([&] { first.store(open_files()); });
  EXPECT_TRUE(before.join(patience));
  for (int i = 0; i < 5; ++i) children.emplace_back([&] { over.wait(); });
  Process after([&] { last.store(open_files()); });
  EXPECT_TRUE(after.join(patience));
  over.set();
  for (Process& each : children) EXPECT_TRUE(each.join(patience));
  // One for each child: the file that says when it ends.
  EXPECT_LE(last.load(), first.load() + 6);
}

// Unlike Python's, a process does not wait for the threads that its function leaves.
TEST_F(PythonCases, ThreadsOfAChildEndWithIt) {
  Process child([] {
    std::thread([] { Event<P>().wait(); }).detach();
    return 3;
  });
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(child.exit_code(), 3);
}

TEST_F(PythonCases, AChildWithoutOutput) {
  Process child([] {
    std::fclose(stdout);
    ::close(STDERR_FILENO);
    std::fputs("to nobody", stderr);
    return 5;
  });
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(child.exit_code(), 5);
}

template <class T>
void changes_in_a_child(T before, T after) {
  Value<T, P> value(before);
  EXPECT_EQ(value.load(), before);
  Process child([&] { value.store(after); });
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(value.load(), after);
}
struct Point {
  int x;
  double y;
  friend bool operator==(const Point&, const Point&) = default;
};
TEST_F(PythonCases, ValuesOfManyTypes) {
  changes_in_a_child<int>(4343, 24234);
  changes_in_a_child<double>(3.625, -4.25);
  changes_in_a_child<short>(-232, 234);
  changes_in_a_child<std::int64_t>(std::int64_t{1} << 33, std::int64_t{1} << 34);
  changes_in_a_child<char>('a', 'b');
  changes_in_a_child<bool>(false, true);
  changes_in_a_child<Point>({1, 2.5}, {3, 4.5});
}

TEST_F(PythonCases, AnArrayIsChangedByAChild) {
  Array<int, P> array{680, 626, 934, 821, 150, 233, 548, 982, 714, 831};
  std::vector<int> expected = array.load();
  const auto sums = [](auto& all) { std::partial_sum(std::begin(all), std::end(all), std::begin(all)); };
  Process child([&] { array.with_lock(sums); });
  sums(expected);
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(array.load(), expected);
  std::copy(expected.begin(), expected.begin() + 4, array.begin() + 4);
  std::copy(expected.begin(), expected.begin() + 4, expected.begin() + 4);
  EXPECT_EQ(array.load(), expected);
  Array<int, P> zeros(10);
  EXPECT_EQ(zeros.load(), std::vector<int>(10));
}

// What comes out of a container is a copy, also when it is a container.
TEST_F(PythonCases, NestedContainersAreCopies) {
  Manager manager;
  auto lists = manager.list<std::vector<int>>();
  lists.append({1, 2});
  auto copy = lists.at(0);
  copy.push_back(3);
  EXPECT_EQ(lists.at(0), (std::vector{1, 2}));
  lists.set(0, copy);
  EXPECT_EQ(lists.at(0), (std::vector{1, 2, 3}));
  auto pets = manager.dict<std::string, std::vector<std::string>>();
  Process child([&] { pets.set("ferrets", {"Hob", "Jill"}); });
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(pets.at("ferrets"), (std::vector<std::string>{"Hob", "Jill"}));
}

TEST_F(PythonCases, MessagesKeepTheirBoundaries) {
  auto pipe = Pipe<std::string, P>(false);
  EXPECT_FALSE(pipe.first.poll());
  const std::vector<std::string> sent{"", "hello", "", "a", std::string(3000, 'x'), "b"};
  Process sender([&] {
    for (const std::string& each : sent) pipe.second.send(each);
  });
  for (const std::string& each : sent) {
    EXPECT_TRUE(pipe.first.poll(patience));
    EXPECT_TRUE(pipe.first.poll()) << "poll took it";
    EXPECT_EQ(pipe.first.recv(), each);
  }
  EXPECT_TRUE(sender.join(patience));
  EXPECT_FALSE(pipe.first.poll());
}

// A heap in which pieces of all sizes come and go keeps its room.
TEST_F(PythonCases, AContainersMemoryIsUsedAgain) {
  Manager manager(std::size_t{1} << 20);
  auto dict = manager.dict<int, std::string>("dict", std::size_t{1} << 18);
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    const int key = static_cast<int>(random() % 50);
    if (random() % 3 == 0) {
      dict.erase(key);
    } else {
      dict.set(key, std::string(random() % 2000, static_cast<char>('a' + key % 26)));
    }
  }
  for (const auto& [key, text] : dict.items()) {
    EXPECT_EQ(text, std::string(text.size(), static_cast<char>('a' + key % 26)));
  }
  dict.clear();
  dict.set(1, std::string(std::size_t{200} << 10, 'x'));
  EXPECT_EQ(dict.at(1).size(), std::size_t{200} << 10);
}

/// Interrupts this thread every now and then, as long as it lives.
class Interruptions {
 public:
  Interruptions() : process_([parent = ::getpid()] {
    for (;;) {
      ::kill(parent, SIGUSR1);
      ::usleep(2000);
    }
  }) {}
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;
  ~Interruptions() { process_.kill(); }

  static void ignore_them() {
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &nothing, nullptr);
  }

 private:
  Process process_;
};
TEST_F(PythonCases, SignalsDoNotEndAWait) {
  Interruptions::ignore_them();
  auto pipe = Pipe<int, P>(false);
  Value<int, P> value(0);
  Process child([&] {
    Event<P>().wait(300ms);
    value.store(1);
    pipe.second.send(7);
    Event<P>().wait(300ms);
  });
  Pool<P> pool(1);
  const Interruptions interruptions;
  EXPECT_EQ(pipe.first.recv(), 7);
  EXPECT_EQ(value.load(), 1);
  EXPECT_TRUE(child.join());
  EXPECT_EQ(child.exit_code(), 0);
  EXPECT_TRUE(pool.apply([] { return !Event<P>().wait(100ms); }));
}

int square(int n) { return n * n; }

TEST_F(PythonCases, APoolInAProcess) {
  Process child([] {
    Pool<P> pool(2);
    return pool.map(square, std::vector{1, 2, 3}) == std::vector{1, 4, 9} ? 0 : 1;
  });
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(child.exit_code(), 0);
}

TEST_F(PythonCases, ALargePool) {
  Pool<P> pool(64);
  std::vector<int> numbers(1000);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<int> squares;
  for (const int n : numbers) squares.push_back(n * n);
  EXPECT_EQ(pool.map(square, numbers, 1), squares);
}

TEST_F(PythonCases, APoolClosedEarlyWithWorkersThatMakePlace) {
  Pool<P> pool(3, {.max_tasks_per_worker = 1});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 12; ++i) futures.push_back(pool.submit(square, i));
  pool.close();
  EXPECT_TRUE(pool.join(patience));
  for (int i = 0; i < 12; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i * i);
}

// When one of a map fails the others' are done all the same.
TEST_F(PythonCases, AMapDoesNotEndWithItsFirstFailure) {
  SharedPlace place;
  auto& done = place.make<std::atomic<int>>(0);
  Pool<P> pool(2);
  const auto first_fails = [count = &done](int n) {
    if (n == 0) throw std::runtime_error("the first");
    ++*count;
    return n;
  };
  std::vector<int> numbers(20);
  std::iota(numbers.begin(), numbers.end(), 0);
  EXPECT_THROW((void)pool.map(first_fails, numbers, 1), RemoteError);
  EXPECT_EQ(done, 19);
}

/// Cannot be encoded, or cannot be decoded, if it says so.
struct Stubborn {
  int number = 0;
  bool encodes = true;
  bool decodes = true;

  Stubborn() = default;
  Stubborn(int n, bool can_encode, bool can_decode) : number(n), encodes(can_encode), decodes(can_decode) {}
  Stubborn(const Stubborn& other) : number(other.number), encodes(other.encodes), decodes(other.decodes) {}
  Stubborn& operator=(const Stubborn&) = default;
  ~Stubborn() {}

  template <class Archive>
  void save(Archive& archive) const {
    if (!encodes) throw std::runtime_error("does not encode");
    archive(number, encodes, decodes);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(number, encodes, decodes);
    if (!decodes) throw std::runtime_error("does not decode");
  }
};
TEST_F(PythonCases, WhatCannotBeSentFailsItsTaskAlone) {
  Pool<P> pool(2);
  const auto number_of = [](const Stubborn& s) { return s.number; };
  const auto make = [](int n, bool encodes, bool decodes) { return Stubborn(n, encodes, decodes); };
  for (int round = 0; round < 3; ++round) {
    EXPECT_THROW((void)pool.apply(number_of, Stubborn(1, false, true)), std::runtime_error);
    EXPECT_THROW((void)pool.apply(number_of, Stubborn(2, true, false)), RemoteError);
    EXPECT_THROW((void)pool.apply(make, 3, false, true), RemoteError);
    EXPECT_THROW((void)pool.apply(make, 4, true, false), std::runtime_error);
    EXPECT_EQ(pool.apply(number_of, Stubborn(5, true, true)), 5);
    EXPECT_EQ(pool.apply(make, 6, true, true).number, 6);
  }
  pool.close();
  EXPECT_TRUE(pool.join(patience)) << "a task that could not be sent is waited for";
}
TEST_F(PythonCases, WhatCannotBeSentIsNotInThePipe) {
  auto pipe = Pipe<Stubborn, P>(false);
  EXPECT_THROW(pipe.second.send(Stubborn(1, false, true)), std::runtime_error);
  EXPECT_FALSE(pipe.first.poll());
  pipe.second.send(Stubborn(2, true, false));
  pipe.second.send(Stubborn(3, true, true));
  EXPECT_THROW((void)pipe.first.recv(), std::runtime_error);
  EXPECT_EQ(pipe.first.recv().number, 3);
}

// Names may be used again as soon as they are removed.
TEST_F(PythonCases, ManagersOfOneNameOneAfterTheOther) {
  const std::string name = own_name();
  for (int i = 0; i < 20; ++i) {
    Manager manager(create_only, name, 1 << 16);
    EXPECT_FALSE(manager.ns("n", 10000).contains("x"));
    manager.ns("n", 10000).set("x", i);
    Process child([&] { return Manager(open_only, name).ns("n", 10000).get<int>("x"); });
    EXPECT_TRUE(child.join(patience));
    EXPECT_EQ(child.exit_code(), i);
    EXPECT_TRUE(Manager::remove(name));
  }
}

}  // namespace
