// SPDX-License-Identifier: BSL-1.0
//
// Process: what a user of Python's multiprocessing.Process expects of it, with both ways to start one.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <support/leaks.hpp>
#include <trine/codec.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/process.hpp>
#include <trine/queue.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_memory.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;
using P = processes;

constexpr auto patience = 20s;

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

class ProcessTest : public Leakless {};

TEST_F(ProcessTest, RunsItsFunctionWithItsArguments) {
  Queue<int, P> results;
  Process child([&](int a, int b) { results.put(a + b); }, 40, 2);
  EXPECT_EQ(results.get(patience), 42);
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(child.exit_code(), 0);
  EXPECT_FALSE(child.is_alive());
}

TEST_F(ProcessTest, IsAliveUntilItEnds) {
  Event<P> go;
  Process child([&] { go.wait(); });
  EXPECT_TRUE(child.is_alive());
  EXPECT_EQ(child.exit_code(), std::nullopt);
  EXPECT_GT(child.pid(), 0);
  EXPECT_NE(child.pid(), ::getpid());
  EXPECT_FALSE(child.join(0s));
  EXPECT_FALSE(child.join(10ms));
  go.set();
  EXPECT_TRUE(child.join(patience));
  EXPECT_TRUE(child.join());
  EXPECT_FALSE(child.is_alive());
}

TEST_F(ProcessTest, ExitCodes) {
  const std::map<int, std::function<int()>> cases{
      {0, [] { return 0; }},
      {7, [] { return 7; }},
      {9, []() -> int { ::_exit(9); }},
      {1, []() -> int { throw std::runtime_error("on purpose"); }},
      {-SIGKILL, []() -> int { die(); }},
  };
  for (const auto& [code, function] : cases) {
    Process child(function);
    EXPECT_TRUE(child.join(patience));
    EXPECT_EQ(child.exit_code(), code);
  }
}

TEST_F(ProcessTest, AnExceptionIsPrinted) {
  ::testing::internal::CaptureStderr();
  Process child(Process::Options{.name = "unlucky"}, [] { throw std::runtime_error("out of luck"); });
  child.join();
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(printed.find("unlucky"), std::string::npos) << printed;
  EXPECT_NE(printed.find("out of luck"), std::string::npos) << printed;
}

TEST_F(ProcessTest, SomethingThrownThatIsNoExceptionIsPrintedToo) {
  ::testing::internal::CaptureStderr();
  Process child([] { throw 7; });
  child.join();
  EXPECT_EQ(child.exit_code(), 1);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("Process-"), std::string::npos);
}

TEST_F(ProcessTest, RunsATask) {
  Event<P> done;
  Process child([](Event<P>& set) -> Task<int, P> {
    set.set();
    co_await set.wait();
    co_return 3;
  }, std::ref(done));
  EXPECT_TRUE(done.wait(patience));
  child.join();
  EXPECT_EQ(child.exit_code(), 3);
}

TEST_F(ProcessTest, TerminateAndKill) {
  Event<P> never;
  Process terminated([&] { never.wait(); });
  Process killed([&] { never.wait(); });
  terminated.terminate();
  killed.kill();
  EXPECT_TRUE(terminated.join(patience));
  EXPECT_TRUE(killed.join(patience));
  EXPECT_EQ(terminated.exit_code(), -SIGTERM);
  EXPECT_EQ(killed.exit_code(), -SIGKILL);
  terminated.terminate();  // does nothing
  killed.kill();
}

TEST_F(ProcessTest, TheEndOfOneThatIsKilledIsNoticedInTime) {
  Event<P> never;
  std::vector<std::chrono::steady_clock::duration> waits;
  for (int i = 0; i < 20; ++i) {
    Process child([&] { never.wait(); });
    std::thread killer([&] { child.kill(); });
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(child.join(patience));
    waits.push_back(std::chrono::steady_clock::now() - begin);
    killer.join();
  }
  std::sort(waits.begin(), waits.end());
  EXPECT_LT(waits[10], 150ms);
}

TEST_F(ProcessTest, TheDestructorJoins) {
  Semaphore<P> done(0);
  {
    Process child([&] { done.release(); });
  }
  EXPECT_EQ(done.value(), 1U);
}

TEST_F(ProcessTest, TheDestructorTerminatesADaemon) {
  Event<P> never;
  {
    Process child(Process::Options{.daemon = true}, [&] { never.wait(); });
    EXPECT_TRUE(child.daemon());
  }
  EXPECT_FALSE(has_child());
}

TEST_F(ProcessTest, ADaemonThatDoesNotWantToEndIsKilled) {
  Event<P> ready;
  {
    Process child(Process::Options{.daemon = true}, [&] {
      ::signal(SIGTERM, SIG_IGN);
      ready.set();
      Event<P>().wait();
    });
    EXPECT_TRUE(ready.wait(patience));
  }
  EXPECT_FALSE(has_child());
}

TEST_F(ProcessTest, Moves) {
  Event<P> go;
  std::vector<Process> children;
  for (int i = 0; i < 3; ++i) children.emplace_back([&] { go.wait(); });
  Process last = std::move(children.back());
  children.pop_back();
  go.set();
  last = Process([] { return 4; });  // waits for the one before
  EXPECT_TRUE(last.join());
  EXPECT_EQ(last.exit_code(), 4);
}

TEST_F(ProcessTest, Names) {
  EXPECT_EQ(current_process().name, "MainProcess");
  EXPECT_EQ(current_process().pid, ::getpid());
  Process named(Process::Options{.name = "Sara"}, [] { return current_process().name == "Sara" ? 0 : 1; });
  Process nested([] {
    const std::string mine = current_process().name;
    Process grandchild([&] { return current_process().name == mine + ":1" ? 0 : 1; });
    grandchild.join();
    return *grandchild.exit_code();
  });
  EXPECT_EQ(named.name(), "Sara");
  EXPECT_TRUE(nested.name().starts_with("Process-")) << nested.name();
  named.join();
  nested.join();
  EXPECT_EQ(named.exit_code(), 0);
  EXPECT_EQ(nested.exit_code(), 0);
}

TEST_F(ProcessTest, ActiveChildren) {
  EXPECT_TRUE(active_children().empty());
  Event<P> go;
  Process first(Process::Options{.name = "first"}, [&] { go.wait(); });
  Process second(Process::Options{.name = "second"}, [&] { return static_cast<int>(active_children().size()); });
  second.join();
  EXPECT_EQ(second.exit_code(), 0);
  ASSERT_EQ(active_children().size(), 1U);
  EXPECT_EQ(active_children()[0].name, "first");
  EXPECT_EQ(active_children()[0].pid, first.pid());
  go.set();
  first.join();
  EXPECT_TRUE(active_children().empty());
}

TEST_F(ProcessTest, CpuCount) { EXPECT_GE(cpu_count(), 1U); }

TEST_F(ProcessTest, SentinelCanBePolled) {
  Event<P> go;
  Process child([&] { go.wait(); });
  pollfd ended{.fd = child.sentinel(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ended, 1, 0), 0);
  go.set();
  EXPECT_EQ(::poll(&ended, 1, 20'000), 1);
  child.join();
  EXPECT_EQ(::poll(&ended, 1, 0), 1);
}

TEST_F(ProcessTest, JoinIsSelectable) {
  Event<P> go;
  Event<P> never;
  Process child([&] {
    go.wait();
    return 5;
  });
  EXPECT_EQ(select(child.join_op(), never.wait_op(), 10ms).index(), (Selected<bool, bool>::none));
  go.set();
  const auto done = select(never.wait_op(), child.join_op(), Until(patience));
  EXPECT_EQ(done.index(), 1U);
  EXPECT_EQ(child.exit_code(), 5);
}

TEST_F(ProcessTest, OfTwoTheOneThatEndsIsSelected) {
  Event<P> never;
  Process idle(Process::Options{.daemon = true}, [&] { never.wait(); });
  Process killed([&] { die(); });
  EXPECT_EQ(select(idle.join_op(), killed.join_op(), Until(patience)).index(), 1U);
}

TEST_F(ProcessTest, OnlyTheParentJoins) {
  Event<P> go;
  Process first([&] { go.wait(); });
  Process second([&] {
    try {
      first.join();
    } catch (const std::logic_error&) {
      return 0;
    }
    return 1;
  });
  second.join();
  EXPECT_EQ(second.exit_code(), 0);
  go.set();
}

TEST_F(ProcessTest, ForkWhileOtherThreadsUseProcesses) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10; ++j) {
        Process child([] {
          Process grandchild([] { return static_cast<int>(active_children().size()); });
          grandchild.join();
          return active_children().empty() ? *grandchild.exit_code() : 1;
        });
        active_children();
        good += child.join(patience) && child.exit_code() == 0;
      }
    });
  }
  for (auto& each : threads) each.join();
  EXPECT_EQ(good, 40);
}

TEST_F(ProcessTest, AJoinIsStopped) {
  Event<P> go;
  Process child([&] { go.wait(); });
  std::stop_source stop;
  EXPECT_FALSE(child.join({1ms, stop.get_token()}));
  std::thread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(child.join(stop.get_token()));
  stopper.join();
  EXPECT_FALSE(child.join(stop.get_token()));
  go.set();
  EXPECT_TRUE(child.join({patience, std::stop_source().get_token()}));
  EXPECT_TRUE(child.join(stop.get_token()));
}

TEST_F(ProcessTest, ASignalDoesNotEndAJoin) {
  static std::atomic<int> signals{0};
  struct sigaction before {};
  struct sigaction counts {};
  counts.sa_handler = [](int) { ++signals; };
  ::sigaction(SIGUSR1, &counts, &before);
  Event<P> go;
  Process child([&, joiner = ::getpid()] {
    while (!go.wait(1ms)) ::kill(joiner, SIGUSR1);
  });
  EXPECT_FALSE(child.join(50ms));
  EXPECT_GT(signals, 0);
  go.set();
  EXPECT_TRUE(child.join());
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(ProcessTest, AJoinThatCanHaveNoPollWaitsAllTheSame) {
  Process limited([] {
    Event<P> go;
    Process child([&] { go.wait(); return 3; });
    rlimit none{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_NOFILE, &none);
    if (child.join(5ms)) return 1;
    go.set();
    return child.join() && child.exit_code() == 3 ? 0 : 2;
  });
  limited.join();
  EXPECT_EQ(limited.exit_code(), 0);
}

// What a child shares with its parent is used again by the next one.
TEST_F(ProcessTest, OneThatTheChildForkedSaysNothingInItsPlaceNorInThatOfTheNext) {
  Process forgetful([] {
    ::signal(SIGCHLD, SIG_IGN);  // so that exit codes are what the children said
    Event<P> go;
    int ends[2] = {};
    if (::pipe(ends) != 0) return 1;
    int said = 0;
    {
      Process first([&] {
        if (::fork() != 0) return 3;
        go.wait();
        return 9;
      });
      first.join();
      said = first.exit_code().value();
    }
    Process next([] { return 4; });
    next.join();
    ::close(ends[1]);
    go.set();
    char byte = 0;
    (void)!::read(ends[0], &byte, 1);  // until the fork of the first one has ended as well
    return said == 3 && next.exit_code() == 4 ? 0 : 2;
  });
  forgetful.join();
  EXPECT_EQ(forgetful.exit_code(), 0);
}

TEST_F(ProcessTest, AJoinWhoseTimeIsLongOverLooksOnce) {
  Event<P> go;
  Process child([&] { go.wait(); });
  EXPECT_FALSE(child.join(std::chrono::steady_clock::time_point::min()));
  EXPECT_FALSE(child.join(std::chrono::nanoseconds::min()));
  go.set();
  EXPECT_TRUE(child.join(patience));
}

// What it held is on a list that begins in memory which it does not have any more.
TEST_F(ProcessTest, OneThatUnmappedALockWhichItHeldSaysItsExitCode) {
  Process child([] {
    void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    auto* const lock = new (memory) Lock<shared_memory>;
    lock->lock();
    ::munmap(memory, 4096);
    return 7;
  });
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(child.exit_code(), 7);
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
// A fork of which nobody is told: what is kept for the next child is the parent's.
TEST_F(ProcessTest, AnUntoldForkHasAChildBesideOneOfItsParent) {
  Process parent([] {
    Process([] {}).join();  // something is kept
    ::signal(SIGCHLD, SIG_IGN);  // so that exit codes are what the children said
    Event<P> go;
    Event<P> gone;
    if (::_Fork() == 0) {
      go.wait();
      Process([] { return 6; }).join();
      gone.set();
      ::_exit(0);
    }
    Process mine([&] {
      go.set();
      gone.wait();
      return 5;
    });
    mine.join();
    return mine.exit_code() == 5 ? 0 : 2;
  });
  EXPECT_TRUE(parent.join(patience));
  EXPECT_EQ(parent.exit_code(), 0);
}
#endif

TEST_F(ProcessTest, ManyThreadsJoinOne) {
  Event<P> go;
  Process child([&] { go.wait(); });
  std::vector<std::thread> threads;
  std::atomic<int> joined{0};
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { joined += child.join(patience) && child.exit_code() == 0; });
  go.set();
  for (auto& each : threads) each.join();
  EXPECT_EQ(joined, 4);
}

TEST_F(ProcessTest, ALockThatAKilledChildHeldIsReported) {
  Lock<P> lock;
  Process child([&] {
    lock.lock();
    die();
  });
  child.join();
  EXPECT_THROW(lock.lock(), OwnerDied);
  lock.recover().unlock();
  EXPECT_TRUE(lock.lock());
  lock.unlock();
}

// Spawn.

int add_and_put(const std::string& name, int a, std::vector<int> more) {
  Queue<int, P> results(open_only, name);
  for (const int each : more) a += each;
  results.put(a);
  return 6;
}

TEST_F(ProcessTest, Spawn) {
  const std::string name = unique_name("spawn");
  Queue<int, P> results(create_only, name);
  Process child(Process::Options{.name = "fresh", .start_method = start_method::spawn}, add_and_put, name, 1,
                std::vector{20, 300});
  EXPECT_EQ(results.get(patience), 321);
  EXPECT_TRUE(child.join(patience));
  EXPECT_EQ(child.exit_code(), 6);
  Queue<int, P>::remove(name);
}

int length(const std::string& text) { return static_cast<int>(text.size()); }

TEST_F(ProcessTest, ASpawnedOneGetsTextAsAString) {
  Process child(Process::Options{.start_method = start_method::spawn}, length, "hello");
  child.join();
  EXPECT_EQ(child.exit_code(), 5);
}

int only_in_this_process = 0;

TEST_F(ProcessTest, SpawnBeginsAnew) {
  only_in_this_process = 1;
  Process spawned(Process::Options{.name = "fresh", .daemon = true, .start_method = start_method::spawn}, [] {
    const bool known = current_process().name == "fresh" && current_process().daemon;
    return known && only_in_this_process == 0 ? 0 : 1;
  });
  Process forked([] { return only_in_this_process; });
  spawned.join();
  forked.join();
  EXPECT_EQ(spawned.exit_code(), 0);
  EXPECT_EQ(forked.exit_code(), 1);
}

TEST_F(ProcessTest, SpawnInheritsNoFiles) {
  const auto before = static_cast<int>(open_files());
  Event<P> never;
  Process idle(Process::Options{.daemon = true}, [&] { never.wait(); });  // of which there is a sentinel here
  Process child(Process::Options{.start_method = start_method::spawn}, [] { return static_cast<int>(open_files()); });
  child.join();
  EXPECT_LE(child.exit_code(), before);
}

TEST_F(ProcessTest, ASpawnedOneThrowsAndIsKilled) {
  const auto spawned = Process::Options<start_method::Spawn>{};
  ::testing::internal::CaptureStderr();
  Process throws(spawned, [] { throw std::runtime_error("far away"); });
  throws.join();
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("far away"), std::string::npos);
  EXPECT_EQ(throws.exit_code(), 1);
  Process killed(spawned, [] { die(); });
  EXPECT_TRUE(killed.join(patience));
  EXPECT_EQ(killed.exit_code(), -SIGKILL);
  Process idle(Process::Options{.daemon = true, .start_method = start_method::spawn}, [] { Event<P>().wait(); });
  EXPECT_TRUE(idle.is_alive());
}

TEST_F(ProcessTest, AFunctionOfALibraryCantBeSpawned) {
  const Process::Options spawned{.start_method = start_method::spawn};
  EXPECT_THROW(Process(spawned, static_cast<int (*)(int)>(std::abs), 3), std::invalid_argument);
}

TEST_F(ProcessTest, ASpawnedProgramWithoutArgumentsEnds) {
  Process child([]() -> int {
    ::execl("/proc/self/exe", "process", os::Child::spawn_argument, "2", nullptr);
    return 2;
  });
  child.join();
  EXPECT_EQ(child.exit_code(), 1);
}

TEST_F(ProcessTest, NoMoreFiles) {
  Process limited([] {
    rlimit none{.rlim_cur = 3, .rlim_max = 3};
    ::setrlimit(RLIMIT_NOFILE, &none);
    try {
      Process child([] {});
    } catch (const std::system_error&) {
      return has_child() ? 1 : 0;
    }
    return 2;
  });
  limited.join();
  EXPECT_EQ(limited.exit_code(), 0);
}

TEST_F(ProcessTest, BeginsWhileAThreadReadsFromStdin) {
  Process reader([] {
    int ends[2] = {};
    if (::pipe(ends) != 0 || ::dup2(ends[0], STDIN_FILENO) == -1) return 2;
    std::thread reads([] { (void)std::getchar(); });
    while (::ftrylockfile(stdin) == 0) {
      ::funlockfile(stdin);
      std::this_thread::yield();
    }
    Process child([] { return 4; });
    child.join();
    const bool written = ::write(ends[1], "x", 1) == 1;
    reads.join();
    return written && child.exit_code() == 4 ? 0 : 1;
  });
  ASSERT_TRUE(reader.join(patience));
  EXPECT_EQ(reader.exit_code(), 0);
}

// The system forgets the children of such a process at once.
TEST_F(ProcessTest, TheExitCodeIsKnownThoughSIGCHLDIsIgnored) {
  Process parent([] {
    ::signal(SIGCHLD, SIG_IGN);
    for (const int code : {0, 5}) {
      Process child([code] { return code; });
      if (!child.join(patience) || child.exit_code() != code) return 1;
    }
    TaskGroup<P> group;
    group.spawn([] {});
    return group.join(patience) ? 0 : 2;
  });
  parent.join();
  EXPECT_EQ(parent.exit_code(), 0);
}

TEST_F(ProcessTest, TheExitCodeIsKnownThoughAnotherThreadWaitsForAllChildren) {
  Process parent([] {
    std::atomic<bool> over{false};
    std::thread undertaker([&over] {
      while (!over) ::waitpid(-1, nullptr, 0);
    });
    int wrong = 0;
    for (int i = 0; i < 300; ++i) {
      Process child([] { return 3; });
      if (!child.join(patience) || child.exit_code() != 3) ++wrong;
      child.terminate();
      pollfd ended{.fd = child.sentinel(), .events = POLLIN, .revents = 0};
      if (::poll(&ended, 1, 20'000) != 1) ++wrong;
    }
    over = true;
    undertaker.join();
    return wrong;
  });
  parent.join();
  EXPECT_EQ(parent.exit_code(), 0);
}

TEST_F(ProcessTest, OneThatWasMovedFromSaysSo) {
  Process child([] {});
  const Process moved(std::move(child));
  EXPECT_THROW(child.join(), std::logic_error); // NOLINT(bugprone-use-after-move)
  EXPECT_THROW((void)child.join_op(), std::logic_error); // NOLINT(bugprone-use-after-move)
  EXPECT_THROW((void)child.pid(), std::logic_error);  // NOLINT(bugprone-use-after-move)
  EXPECT_THROW(child.kill(), std::logic_error); // NOLINT(bugprone-use-after-move)
}

constexpr const char* without_hook = "TRINE_TEST_WITHOUT_HOOK";

// It would begin itself anew, and so forth.
TEST_F(ProcessTest, AProgramThatForgetsTheHookIsTold) {
  ::setenv(without_hook, "1", 1);
  Process child(Process::Options{.start_method = start_method::spawn}, [] {});
  ::unsetenv(without_hook);
  ASSERT_TRUE(child.join(patience));
  EXPECT_EQ(child.exit_code(), 77);
}

// What main() does when it is begun anew without the hook.
int spawn_again() {
  try {
    Process child(Process::Options{.start_method = start_method::spawn}, [] {});
    child.join();
  } catch (const std::logic_error& e) {
    return std::string(e.what()).find("main_hook") != std::string::npos ? 77 : 78;
  }
  return 79;
}

TEST_F(ProcessTest, ATaskGroupIsOfTheProcessThatMadeIt) {
  Event<P> go;
  Event<P> stopped;
  TaskGroup<P> group;
  group.spawn([&] {
    go.wait();
    if (group.stop_token().stop_requested()) stopped.set();
  });
  Process other([&] {
    int refused = 0;
    for (const auto& use : std::initializer_list<std::function<void()>>{
             [&] { group.join(); }, [&] { (void)group.running(); }, [&] { group.spawn([] {}); }}) {
      try {
        use();
      } catch (const std::logic_error&) {
        ++refused;
      }
    }
    group.~TaskGroup();  // as exit() does with a static one
    return refused;
  });
  other.join();
  EXPECT_EQ(other.exit_code(), 3);
  EXPECT_EQ(group.running(), 1U);
  go.set();
  EXPECT_TRUE(group.join(patience));
  EXPECT_FALSE(stopped.is_set());
}

}  // namespace

int main(int argc, char** argv) {
  if (std::getenv(without_hook) != nullptr) return spawn_again();
  main_hook(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
