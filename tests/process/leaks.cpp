// SPDX-License-Identifier: BSL-1.0
//
// What is left behind after each kind of worker and shared object, with and without kills: no descriptor, no mapping, no zombie,
// no file in /dev/shm. Each case is done several times, so that what is made once for a program is not taken for a leak, and
// what leaks a little is.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
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
#include <trine/task_group.hpp>
#include <trine/value.hpp>

#include "process/killing/children.hpp"

namespace {

using namespace trine;
using namespace trine_test;
using P = processes;

/// What this process has of the system.
struct Held {
  std::size_t descriptors = 0;
  std::multiset<std::string> mappings;  // the shared ones, by size and file
  std::set<std::string> files;          // in /dev/shm, with this process' number
  bool child = false;

  static Held now() {
    Held held;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) ++held.descriptors;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      const auto permissions = line.find(' ') + 1;
      if (line.size() > permissions + 3 && line[permissions + 3] == 's') held.mappings.insert(line.substr(permissions));
    }
    for (const auto& each : std::filesystem::directory_iterator("/dev/shm")) {
      const std::string name = each.path().filename().string();
      if (name.find(std::to_string(::getpid())) != std::string::npos) held.files.insert(name);
    }
    held.child = ::waitpid(-1, nullptr, WNOHANG | __WALL) != -1 || errno != ECHILD;
    return held;
  }
};

class Leaks : public ::testing::Test {
 protected:
  // The first to ask is the test, not a child, whose number is another.
  static const std::string& own_name() {
    static const std::string name = "trine-leaks-" + std::to_string(::getpid());
    return name;
  }

  static void leaves_nothing(const std::function<void()>& use) {
    use();
    const Held before = Held::now();
    for (int i = 0; i < 5; ++i) use();
    const Held after = Held::now();
    EXPECT_EQ(after.descriptors, before.descriptors) << "descriptors are left";
    EXPECT_EQ(after.mappings.size(), before.mappings.size()) << "mappings are left";
    EXPECT_EQ(after.files, before.files) << "files in /dev/shm are left";
    EXPECT_TRUE(after.files.empty()) << *after.files.begin();
    EXPECT_FALSE(after.child) << "a child is left";
  }

  static void stay() { Event<P>().wait(); }
};

TEST_F(Leaks, Process) {
  leaves_nothing([] {
    trine::Process child([] { return 3; });
    EXPECT_TRUE(child.join());
    EXPECT_EQ(child.exit_code(), 3);
  });
}
TEST_F(Leaks, ProcessThatNobodyJoins) {
  leaves_nothing([] { const trine::Process child([] {}); });
}
TEST_F(Leaks, ProcessThatIsKilled) {
  leaves_nothing([] {
    trine::Process child(stay);
    child.kill();
    EXPECT_TRUE(child.join(hang));
  });
}
TEST_F(Leaks, ProcessThatIsADaemon) {
  leaves_nothing([] { const trine::Process child(trine::Process::Options<>{.daemon = true}, stay); });
}
TEST_F(Leaks, ProcessThatCannotBeMade) {
  leaves_nothing([] {
    EXPECT_THROW(trine::Process(trine::Process::Options<start_method::Spawn>{.start_method = start_method::spawn},
                                static_cast<unsigned (*)(unsigned)>(&::sleep), 1U),
                 std::invalid_argument);
  });
}

TEST_F(Leaks, TaskGroup) {
  leaves_nothing([] {
    trine::TaskGroup<P> group;
    for (int i = 0; i < 4; ++i) group.spawn([] {});
    EXPECT_TRUE(group.join());
  });
}
TEST_F(Leaks, TaskGroupThatFails) {
  leaves_nothing([] {
    trine::TaskGroup<P> group;
    group.spawn([&group] { Event<P>().wait(group.stop_token()); });
    group.spawn([] { ::raise(SIGKILL); });
    EXPECT_THROW(group.join(), WorkerDied);
  });
}

TEST_F(Leaks, Pipe) {
  leaves_nothing([] {
    auto pipe = trine::Pipe<std::string, P>();
    trine::Process child([&] { pipe.second.send(pipe.second.recv()); });
    pipe.first.send("there and back");
    EXPECT_EQ(pipe.first.recv(), "there and back");
    EXPECT_TRUE(child.join());
  });
}
TEST_F(Leaks, PipeWhosePeerIsKilled) {
  leaves_nothing([] {
    auto pipe = trine::Pipe<std::string, P>();
    trine::Process child([&] { (void)pipe.second.recv(); });
    pipe.second.close();
    child.kill();
    EXPECT_THROW(pipe.first.recv(hang), EndOfStream);
    EXPECT_TRUE(child.join(hang));
  });
}

TEST_F(Leaks, ValueAndArray) {
  leaves_nothing([] {
    trine::Value<int, P> value(1);
    trine::Array<int, P> array(100);
    trine::Process child([&] {
      value.store(2);
      array.store(99, 2);
    });
    EXPECT_TRUE(child.join());
    EXPECT_EQ(value.load() + array.load(99), 4);
  });
}
TEST_F(Leaks, ValueWhoseHolderIsKilled) {
  leaves_nothing([] {
    trine::Value<int, P> value(1);
    trine::Process child([&] { value.update([](int&) { ::raise(SIGKILL); }); });
    EXPECT_TRUE(child.join(hang));
    EXPECT_THROW((void)value.load(), OwnerDied);
    value.get_lock().recover().unlock();
  });
}
TEST_F(Leaks, NamedValueAndArray) {
  leaves_nothing([] {
    {
      trine::Value<int, P> value(create_only, own_name(), 1);
      trine::Process child([] { trine::Value<int, P>(open_only, own_name()).store(2); });
      EXPECT_TRUE(child.join());
      EXPECT_EQ(value.load(), 2);
      EXPECT_THROW((trine::Array<int, P>(open_only, own_name())), LayoutMismatch);
    }
    EXPECT_TRUE((trine::Value<int, P>::remove(own_name())));
  });
}

TEST_F(Leaks, Manager) {
  leaves_nothing([] {
    trine::Manager manager;
    auto dict = manager.dict<std::string, int>();
    auto list = manager.list<std::string>();
    auto space = manager.ns();
    trine::Process child([&] {
      dict.set("a", 1);
      list.append("b");
      space.set("c", 2.5);
    });
    EXPECT_TRUE(child.join());
    EXPECT_EQ(dict.at("a"), 1);
    EXPECT_EQ(list.pop(), "b");
    EXPECT_EQ(space.get<double>("c"), 2.5);
  });
}
TEST_F(Leaks, ManagerWhoseUserIsKilled) {
  leaves_nothing([] {
    trine::Manager manager;
    auto dict = manager.dict<int, int>();
    trine::Process child([&] { dict.with_lock([&] { dict.set(1, 1), ::raise(SIGKILL); }); });
    EXPECT_TRUE(child.join(hang));
    EXPECT_THROW((void)dict.size(), OwnerDied);
    EXPECT_TRUE(dict.recover());
    EXPECT_EQ(dict.at(1), 1);
  });
}
TEST_F(Leaks, NamedManager) {
  leaves_nothing([] {
    {
      trine::Manager manager(create_only, own_name());
      auto dict = manager.dict<int, int>("d");
      trine::Process child([] { trine::Manager(open_only, own_name()).dict<int, int>("d").set(1, 1); });
      EXPECT_TRUE(child.join());
      EXPECT_EQ(dict.at(1), 1);
      trine::Process killed([] {
        trine::Manager mine(open_only, own_name());
        ::raise(SIGKILL);
      });
      EXPECT_TRUE(killed.join(hang));
    }
    EXPECT_TRUE(trine::Manager::remove(own_name()));
  });
}

int square(int n) { return n * n; }

TEST_F(Leaks, Pool) {
  leaves_nothing([] {
    trine::Pool<P> pool(2);
    EXPECT_EQ(pool.map(square, std::vector{1, 2, 3}), (std::vector{1, 4, 9}));
    EXPECT_EQ(pool.submit(square, 4).get(hang), 16);
    pool.close();
    EXPECT_TRUE(pool.join(hang));
  });
}
TEST_F(Leaks, PoolThatIsTerminated) {
  leaves_nothing([] {
    trine::Pool<P> pool(2);
    auto never = pool.submit([] { return stay(), 0; });
    EXPECT_EQ(pool.apply(square, 4), 16);
    pool.terminate();
    EXPECT_THROW((void)never.get(hang), WorkerDied);
  });
}
TEST_F(Leaks, PoolWhoseWorkersAreKilled) {
  leaves_nothing([] {
    trine::Pool<P> pool(2);
    for (int i = 0; i < 4; ++i) EXPECT_THROW((void)pool.apply([] { return ::raise(SIGKILL); }), WorkerDied);
    EXPECT_EQ(pool.apply(square, 4), 16);
  });
}
TEST_F(Leaks, PoolWhoseNurseryIsKilled) {
  leaves_nothing([] {
    trine::Pool<P> pool(2);
    const pid_t nursery = pool.apply([] { return ::getppid(); });
    ::kill(nursery, SIGKILL);
    EXPECT_TRUE(holds_before(Clock::now() + hang, [&] {
      try {
        return pool.apply(square, 4) != 16;
      } catch (const WorkerDied&) {
        return true;
      }
    }));
  });
}
TEST_F(Leaks, PoolWithWorkersThatMakePlace) {
  leaves_nothing([] {
    trine::Pool<P> pool(2, {.max_tasks_per_worker = 2});
    EXPECT_EQ(pool.map(square, std::vector{1, 2, 3, 4, 5, 6, 7}, 1), (std::vector{1, 4, 9, 16, 25, 36, 49}));
  });
}
TEST_F(Leaks, PoolWithLargeResults) {
  leaves_nothing([] {
    trine::Pool<P> pool(1);
    auto large = pool.submit([](std::string text) { return text + text; }, std::string(std::size_t{3} << 20, 'x'));
    EXPECT_EQ(large.get(std::chrono::seconds(20)).size(), std::size_t{6} << 20);
  });
}

}  // namespace
