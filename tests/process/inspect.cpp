// SPDX-License-Identifier: BSL-1.0
//
// trine-inspect, on objects made for it. TRINE_INSPECT says where the program is.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <thread>
#include <trine/backend/processes.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/queue.hpp>
#include <trine/segment.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using P = processes;

struct Ran {
  int code;
  std::string out;
};

class Inspect : public Leakless {
 protected:
  void SetUp() override {
    Leakless::SetUp();
    if (std::getenv("TRINE_INSPECT") == nullptr) GTEST_SKIP() << "TRINE_INSPECT does not say where the program is";
    Segment::remove(name);
  }
  void TearDown() override {
    Segment::remove(name);
    Leakless::TearDown();
  }

  /// What it prints on both streams, in this order.
  static Ran run(const std::string& arguments) {
    const std::string command = "'" + std::string(std::getenv("TRINE_INSPECT")) + "' " + arguments + " 2>&1";
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    std::string out;
    std::array<char, 4096> part;
    for (std::size_t read = 0; (read = std::fread(part.data(), 1, part.size(), pipe)) > 0;) out.append(part.data(), read);
    return {WEXITSTATUS(::pclose(pipe)), out};
  }

  void says(const std::string& options, std::initializer_list<std::string_view> parts) const {
    const Ran ran = run(options + " " + name);
    EXPECT_EQ(ran.code, 0) << ran.out;
    for (const auto part : parts) EXPECT_NE(ran.out.find(part), std::string::npos) << part << " is missing in\n" << ran.out;
  }

  const std::string name = unique_name("inspect");
  const std::string path = Segment::path_of(name);
};

TEST_F(Inspect, ALock) {
  Lock<P> lock(create_only, name);
  says("", {"NAME", "Lock", "alive", "usable", "free"});
  const std::string me = std::to_string(::getpid());
  const auto held = lock.guard();
  says("", {"locked by thread " + me});
  says("--json",
       {"\"type\": \"Lock\"", "\"creator\": " + me, "\"owner\": " + me, "\"owner_alive\": true", "\"bytes\": 4096"});
}

TEST_F(Inspect, ADeadOwnerAndCreator) {
  EXPECT_EQ(in_child([&] {
              Lock<P> lock(create_only, name);
              lock.lock();
              return ::kill(::getpid(), SIGKILL);
            }),
            -SIGKILL);
  says("", {"dead", "its owner died", "usable"});
  says("--json", {"\"creator_life\": \"dead\"", "\"owner\": null"});
}

TEST_F(Inspect, AnEventAndItsWaiters) {
  Event<P> event(create_only, name);
  says("--json", {"\"state\": \"clear\"", "\"waiters\": false"});
  std::jthread waiter([&] { event.wait(); });
  while (run(name).out.find("yes") == std::string::npos) std::this_thread::yield();
  event.set();
  waiter.join();
  says("--json", {"\"state\": \"set\""});
}

TEST_F(Inspect, ASemaphore) {
  Semaphore<P> semaphore(create_only, name, 2, 5);
  says("", {"2 permits, at most 5"});
}

TEST_F(Inspect, AQueue) {
  Queue<double, P> queue(create_only, name, 10);
  queue.put(1);
  queue.put(2);
  says("", {"Queue<float64>", "2 items, room for 10"});
  queue.shutdown();
  says("", {"shut down"});
}

TEST_F(Inspect, AQueueWithRoomForOne) {
  Queue<double, P> queue(create_only, name, 1);
  says("", {"Queue<float64>", "0 items, room for 1"});
  queue.put(1);
  says("", {"1 items, room for 1"});
  queue.shutdown();
  says("", {"1 items, room for 1, shut down"});
}

TEST_F(Inspect, RemovesWhatIsStaleAlone) {
  { const Event<P> event(create_only, name); }
  EXPECT_EQ(run("--remove-stale " + name).code, 0);
  EXPECT_EQ(::truncate(path.c_str(), 300), 0);
  says("--json", {"\"status\": \"stale\"", "300 there", "\"removed\": false"});
  says("--remove-stale", {"stale", "removed"});
  const Ran ran = run(name);
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.out.find("there is no segment of that name"), std::string::npos) << ran.out;

  { const Event<P> event(create_only, name); }
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offsetof(SegmentHeader, version)).put(9);
  }
  says("", {"foreign", "version 9 there, " + std::to_string(SegmentHeader::current_version) + " here"});
  says("--remove-stale --json", {"\"status\": \"foreign\"", "\"removed\": false"});
  EXPECT_TRUE(Segment::remove(name));
  std::ofstream(path) << "what somebody else has put here";
  says("--remove-stale --json", {"\"status\": \"stale\"", "no segment of trine", "\"removed\": true"});
}

TEST_F(Inspect, HelpAndMistakes) {
  EXPECT_EQ(run("--help").code, 0);
  EXPECT_EQ(run("--help").out.substr(0, 20), "usage: trine-inspect");
  const Ran ran = run("--colour");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.out.find("'--colour'"), std::string::npos);
  EXPECT_EQ(run("").code, 0);
  EXPECT_EQ(run("--json").out.front(), '[');
}

}  // namespace
