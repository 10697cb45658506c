// SPDX-License-Identifier: BSL-1.0
//
// Every primitive by its name, between programs that know nothing else of each other: this program starts itself again.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>
#if __has_include(<cereal/cereal.hpp>)
#include <trine/codec.hpp>
#endif
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/lock.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/segment_info.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;
using P = processes;

constexpr auto patience = 20s;

/// What the other program does with an object of that name: its exit code.
using Role = int (*)(const std::string& name);

/// A shared number, beside an object: a named semaphore used as one.
using Number = Semaphore<P>;

template <class L>
int add_under_lock(const std::string& name) {
  L lock(open_only, name);
  Number sum(open_only, name + ".sum");
  for (int i = 0; i < 1000; ++i) {
    const auto held = lock.guard(patience);
    if (!held) return 1;
    const auto before = sum.value();
    sum.release();
    if (sum.value() != before + 1) return 2;
  }
  return 0;
}

template <class L>
int die_with_lock(const std::string& name) {
  L lock(open_or_create, name);
  if (!lock.lock(patience)) return 1;
  ::kill(::getpid(), SIGKILL);
  return 2;
}

template <class Q>
int echo(const std::string& name) {
  Q queue(open_only, name);
  Q answers(open_only, name + ".sum");
  for (auto item : queue) answers.put(item, patience);
  return 0;
}

const std::map<std::string, Role> roles {
  {"echo_queue", echo<Queue<int, P>>}, {"echo_lifo_queue", echo<LifoQueue<int, P>>},
      {"echo_priority_queue", echo<PriorityQueue<int, P>>},
      {"die_in_get",
       [](const std::string& name) {
         Queue<int, P> queue(open_only, name);
         queue.get();
         return ::kill(::getpid(), SIGKILL);
       }},
#if __has_include(<cereal/cereal.hpp>)
      {"echo_strings", echo<Queue<std::string, P>>},
#endif
      {"set", [](const std::string& name) { return Event<P>(open_only, name).set(), 0; }},
      {"wait", [](const std::string& name) { return Event<P>(open_or_create, name).wait(patience) ? 0 : 1; }},
      {"lock", add_under_lock<Lock<P>>}, {"recursive_lock", add_under_lock<RecursiveLock<P>>},
      {"shared_lock", add_under_lock<SharedLock<P>>}, {"die_with_lock", die_with_lock<Lock<P>>},
      {"die_with_recursive_lock", die_with_lock<RecursiveLock<P>>}, {"die_with_shared_lock", die_with_lock<SharedLock<P>>},
      {"die_reading",
       [](const std::string& name) {
         SharedLock<P> lock(open_only, name);
         return lock.lock_shared(patience) ? ::kill(::getpid(), SIGKILL) : 1;
       }},
      {"acquire", [](const std::string& name) { return Semaphore<P>(open_only, name).acquire(patience) ? 0 : 1; }},
      {"die_with_permit",
       [](const std::string& name) {
         Semaphore<P> semaphore(open_only, name);
         const auto permit = semaphore.permit(patience);
         return permit ? ::kill(::getpid(), SIGKILL) : 1;
       }},
      {"count_down", [](const std::string& name) { return Latch<P>(open_only, name).count_down(), 0; }},
      {"arrive",
       [](const std::string& name) {
         Barrier<P> barrier(open_or_create, name, 3);
         for (int i = 0; i < 100; ++i) barrier.wait(patience);
         return 0;
       }},
      {"wait_for_condition", [](const std::string& name) {
         Lock<P> lock(open_only, name + ".lock");
         Condition<P> changed(open_only, name);
         Number number(open_only, name + ".sum");
         auto held = lock.guard(patience);
         return held && changed.wait(
                            held, [&] { return number.value() != 0; }, patience)
                    ? 0
                    : 1;
       }},
};

/// A program of its own that plays a role.
class Program : public Child {
 public:
  Program(const std::string& role, const std::string& name)
      : Child([&] {
          ::execl("/proc/self/exe", "named", role.c_str(), name.c_str(), nullptr);
          return 98;
        }) {}
};

int run(const std::string& role, const std::string& name) { return Program(role, name).join(); }

class Named : public Leakless {
 protected:
  void SetUp() override {
    Leakless::SetUp();
    clean();
  }
  void TearDown() override {
    clean();
    Leakless::TearDown();
  }

  void clean() const {
    for (const auto& suffix : {"", ".sum", ".lock"}) Segment::remove(name + suffix);
  }

  std::string type() const {
    for (const auto& each : SegmentList::read()) {
      if (each.name == name) return each.type;
    }
    return {};
  }

  /// Another program sends back what it gets.
  template <class Q>
  void echoes(const std::string& role, const std::vector<typename Q::value_type>& items) {
    Q queue(create_only, name, 4);
    Q answers(open_or_create, name + ".sum", 100);
    EXPECT_EQ(Q(open_only, name).capacity(), 4U);
    Program other(role, name);
    for (const auto& item : items) EXPECT_TRUE(queue.put(item, patience));
    std::vector<typename Q::value_type> back;
    for (std::size_t i = 0; i < items.size(); ++i) back.push_back(answers.get(patience).value());
    std::sort(back.begin(), back.end());
    EXPECT_EQ(back, items);
    queue.shutdown();
    EXPECT_EQ(other.join(), 0);
  }

  /// Three programs each lock it a thousand times, and one dies with it.
  template <class L>
  void excludes(const std::string& role) {
    L lock(create_only, name);
    Number sum(create_only, name + ".sum", 0);
    {
      std::vector<Program> programs;
      for (int i = 0; i < 3; ++i) programs.emplace_back(role, name);
      for (auto& each : programs) EXPECT_EQ(each.join(), 0);
    }
    EXPECT_EQ(sum.value(), 3000);
    EXPECT_EQ(run("die_with_" + role, name), -SIGKILL);
    EXPECT_THROW(lock.lock(patience), OwnerDied);
    EXPECT_THROW(L(open_only, name).lock(patience), OwnerDied);
    lock.recover(patience).unlock();
    EXPECT_EQ(run(role, name), 0);
  }

  const std::string name = unique_name("named");
};

TEST_F(Named, Event) {
  trine::Event<P> event(create_only, name);
  EXPECT_EQ(type(), "Event");
  Program waiter("wait", name);
  EXPECT_EQ(run("set", name), 0);
  EXPECT_TRUE(event.is_set());
  EXPECT_EQ(waiter.join(), 0);
}

TEST_F(Named, EventMadeByWhoeverComesFirst) {
  std::vector<Program> programs;
  for (int i = 0; i < 4; ++i) programs.emplace_back("wait", name);
  trine::Event<P>(open_or_create, name).set();
  for (auto& each : programs) EXPECT_EQ(each.join(), 0);
}

TEST_F(Named, Lock) {
  excludes<trine::Lock<P>>("lock");
  EXPECT_EQ(type(), "Lock");
}
TEST_F(Named, RecursiveLock) { excludes<trine::RecursiveLock<P>>("recursive_lock"); }

TEST_F(Named, SharedLock) {
  excludes<trine::SharedLock<P>>("shared_lock");
  trine::SharedLock<P> lock(open_only, name);
  EXPECT_EQ(run("die_reading", name), -SIGKILL);
  EXPECT_TRUE(lock.lock(patience));
  lock.unlock();
}

TEST_F(Named, Semaphore) {
  trine::Semaphore<P> semaphore(create_only, name, 0, 5);
  Program waiter("acquire", name);
  semaphore.release();
  EXPECT_EQ(waiter.join(), 0);
  EXPECT_EQ(semaphore.value(), 0);
  semaphore.release(5);
  EXPECT_THROW((trine::Semaphore<P>(open_only, name).release()), ReleasedTooManyTimes);
  EXPECT_EQ(run("die_with_permit", name), -SIGKILL);
  EXPECT_EQ(semaphore.value(), 5);
}

TEST_F(Named, BoundedSemaphore) {
  trine::BoundedSemaphore<P> semaphore(create_only, name, 2);
  EXPECT_EQ(run("acquire", name), 0);
  semaphore.release();
  EXPECT_THROW(semaphore.release(), ReleasedTooManyTimes);
}

TEST_F(Named, Latch) {
  trine::Latch<P> latch(create_only, name, 2);
  EXPECT_EQ(run("count_down", name), 0);
  EXPECT_FALSE(latch.wait(0ms));
  EXPECT_EQ(run("count_down", name), 0);
  EXPECT_TRUE(latch.wait(patience));
}

TEST_F(Named, Barrier) {
  Program one("arrive", name);
  Program two("arrive", name);
  int actions = 0;
  trine::Barrier<P> barrier(
      open_or_create, name, 3, [&actions] { ++actions; }, patience);
  for (int i = 0; i < 100; ++i) {
    const auto place = barrier.wait();
    EXPECT_LE(place, 2);
  }
  EXPECT_EQ(one.join(), 0);
  EXPECT_EQ(two.join(), 0);
  EXPECT_LE(actions, 100);
  EXPECT_EQ((trine::Barrier<P>(open_only, name).parties()), 3);
  EXPECT_THROW((trine::Barrier<P>(open_only, name, 4)), LayoutMismatch);
  EXPECT_THROW((trine::Barrier<P>(open_or_create, name, 2, 10ms)), LayoutMismatch);
}

TEST_F(Named, Condition) {
  trine::Condition<P> changed(create_only, name);
  trine::Lock<P> lock(create_only, name + ".lock");
  Number number(create_only, name + ".sum", 0);
  std::vector<Program> programs;
  for (int i = 0; i < 3; ++i) programs.emplace_back("wait_for_condition", name);
  {
    const auto held = lock.guard();
    number.release();
    changed.notify_all();
  }
  for (auto& each : programs) EXPECT_EQ(each.join(), 0);
}

TEST_F(Named, Queues) {
  std::vector<int> numbers(100);
  for (int i = 0; i < 100; ++i) numbers[static_cast<std::size_t>(i)] = i;
  echoes<trine::Queue<int, P>>("echo_queue", numbers);
  EXPECT_EQ(type(), "Queue<int32>");
  clean();
  echoes<trine::LifoQueue<int, P>>("echo_lifo_queue", numbers);
  EXPECT_EQ(type(), "LifoQueue<int32>");
  clean();
  echoes<trine::PriorityQueue<int, P>>("echo_priority_queue", numbers);
  EXPECT_EQ(type(), "PriorityQueue<int32>");
}

#if __has_include(<cereal/cereal.hpp>)
TEST_F(Named, AQueueOfStrings) {
  echoes<trine::Queue<std::string, P>>("echo_strings", {"", "a", std::string(5000, 'b'), "c"});
  EXPECT_EQ(type(), "Queue<string>");
  EXPECT_THROW((trine::Queue<int, P>(open_only, name)), LayoutMismatch);
}
#endif

TEST_F(Named, AQueueWhoseConsumerDied) {
  trine::Queue<int, P> queue(create_only, name, 4);
  Program consumer("die_in_get", name);
  queue.put(1);
  EXPECT_EQ(consumer.join(), -SIGKILL);
  queue.put(2);
  EXPECT_EQ(queue.get(patience), 2);
}

TEST_F(Named, BadArgumentsOfACreatorLeaveNothing) {
  EXPECT_THROW((trine::Semaphore<P>(create_only, name, -1)), std::invalid_argument);
  EXPECT_THROW((trine::Barrier<P>(open_or_create, name)), std::invalid_argument);
  EXPECT_THROW((trine::Latch<P>(create_only, name, -1)), std::invalid_argument);
  EXPECT_THROW((trine::Event<P>(open_only, "a/b")), std::invalid_argument);
  EXPECT_FALSE(trine::Event<P>::remove(name));
}

TEST_F(Named, OneTypeIsNotTakenForAnother) {
  const trine::Event<P> event(create_only, name);
  EXPECT_THROW((trine::Lock<P>(open_only, name)), LayoutMismatch);
  EXPECT_THROW((trine::Latch<P>(open_or_create, name, 1)), LayoutMismatch);
  EXPECT_THROW((trine::Event<P>(create_only, name)), std::system_error);
  EXPECT_THROW((trine::Event<P>(open_only, name + ".other")), std::system_error);
  EXPECT_TRUE(trine::Lock<P>::remove(name));
}

static_assert(!std::is_constructible_v<trine::Event<threads>, open_only_t, const char*>);
static_assert(!std::is_constructible_v<trine::Event<shared_memory>, open_only_t, const char*>);

// The owner lives on, but can't unlock it any more: for the others it is as if it had died.
TEST_F(Named, ALockedOneMayBeClosed) {
  trine::Lock<P> lock(create_only, name);
  { trine::Lock<P>(open_only, name).lock(); }
  EXPECT_THROW(lock.lock(patience), OwnerDied);
  lock.recover(patience).unlock();
  EXPECT_EQ(in_child([&] {
              { trine::Lock<P>(open_only, name).lock(); }
              trine::Lock<P> other(create_only, name + ".lock");
              const auto held = other.guard();
              return 0;
            }),
            0);
  EXPECT_THROW(lock.lock(patience), OwnerDied);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && roles.contains(argv[1])) {
    try {
      return roles.at(argv[1])(argv[2]);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s %s: %s\n", argv[1], argv[2], error.what());
      return 97;
    }
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
