// SPDX-License-Identifier: BSL-1.0
//
// Processes that run another program than this one: support/stranger.cpp, which attaches to objects by their names.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <support/leaks.hpp>
#include <trine/codec.hpp>
#include <trine/trine.hpp>
#include <vector>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;
using P = processes;

/// Runs the other program in the calling process.
template <class... A>
int become_stranger(const A&... arguments) {
  ::execl(TRINE_STRANGER, "stranger", arguments.c_str()..., nullptr);
  return 97;
}

Process stranger(const std::string& role, const std::string& name) {
  return Process([role, name] { return become_stranger(role, name); });
}

/// What the stranger attaches to.
struct Shared {
  explicit Shared(const std::string& name) : base(name) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    for (const char* each : {"go", "lock", "permits", "barrier", "texts", "numbers", "value", "array", "manager"}) {
      EXPECT_TRUE(Segment::remove(base + "." + each)) << each;
    }
  }

  const std::string base;
  Event<P> go{create_only, base + ".go"};
  Lock<P> lock{create_only, base + ".lock"};
  Semaphore<P> permits{create_only, base + ".permits", 0};
  Barrier<P> barrier{create_only, base + ".barrier", 2};
  Queue<std::string, P> texts{create_only, base + ".texts"};
  Queue<std::vector<int>, P> numbers{create_only, base + ".numbers"};
  Value<long, P> value{create_only, base + ".value", 37};
  Array<int, P> array{create_only, base + ".array", 3};
  Manager manager{create_only, base + ".manager"};
};

class Strangers : public Leakless {
 protected:
  const std::string name = "strangers-" + std::to_string(::getpid());
};

TEST_F(Strangers, TakePartInEverything) {
  Shared shared(name);
  auto dict = shared.manager.dict<std::string, std::map<int, std::string>>("dict");
  auto space = shared.manager.ns("ns");
  Process other = stranger("take_part", name);
  shared.texts.put("there");
  shared.numbers.put({4, 5});
  shared.go.set();
  EXPECT_TRUE(shared.permits.acquire(20s));
  EXPECT_TRUE(shared.permits.acquire(20s));
  EXPECT_EQ(shared.texts.get(), "there and back");
  EXPECT_EQ(shared.numbers.get(), (std::vector{4, 5, 2}));
  EXPECT_EQ(shared.value.load(), 42);
  EXPECT_EQ(shared.array.load(2), 9);
  EXPECT_EQ(dict.at("from the stranger"), (std::map<int, std::string>{{1, "one"}}));
  EXPECT_EQ(space.get<double>("state"), 3.5);
  EXPECT_TRUE(other.is_alive());  // it waits at the barrier
  shared.barrier.wait();
  EXPECT_TRUE(other.join(20s));
  EXPECT_EQ(other.exit_code(), 7);
}

TEST_F(Strangers, AreHeardOfWhenTheyDie) {
  Shared shared(name);
  Process other = stranger("die_with_the_lock", name);
  EXPECT_TRUE(other.join(20s));
  EXPECT_EQ(other.exit_code(), -SIGKILL);
  EXPECT_THROW(shared.lock.lock(), OwnerDied);
  shared.lock.recover().unlock();
  EXPECT_TRUE(shared.lock.try_lock());
  shared.lock.unlock();
}

TEST_F(Strangers, AreKilledWhereTheyWait) {
  Shared shared(name);
  Process other = stranger("take_part", name);
  EXPECT_FALSE(other.join(30ms));
  other.kill();
  EXPECT_TRUE(other.join(20s));
  EXPECT_EQ(other.exit_code(), -SIGKILL);
}

TEST_F(Strangers, AreRefusedWhatIsSomethingElse) {
  Shared shared(name);
  (void)shared.manager.dict<std::string, std::map<int, std::string>>("dict");
  shared.numbers.put({1, 2});
  Process other = stranger("open_others", name);
  other.join();
  EXPECT_EQ(other.exit_code(), 0);
  EXPECT_TRUE(shared.texts.empty());
}

// What is meant for this program is of no use to another: the function would be somewhere else there.
TEST_F(Strangers, AreNotSpawnedWithAFunctionOfThisProgram) {
  Process other([] {
    const int file = static_cast<int>(::syscall(SYS_memfd_create, "trine", 0U));
    const os::SpawnOrder order{.image = os::Image::here().identity(), .function = 0, .bytes = 0};
    const auto at = static_cast<off_t>(os::Child::order_at<ChildReport<P>>());
    if (file == -1 || ::pwrite(file, &order, sizeof order, at) != sizeof order) return 96;
    ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
    return become_stranger(std::string(os::Child::spawn_argument), std::to_string(file));
  });
  other.join();
  EXPECT_EQ(other.exit_code(), EXIT_FAILURE);
}

}  // namespace
