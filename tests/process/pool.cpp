// SPDX-License-Identifier: BSL-1.0
//
// Pools of processes whose parties are killed, and what a pool leaves behind.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/event.hpp>
#include <trine/os/process_identity.hpp>
#include <trine/pool.hpp>
#include <trine/queue.hpp>
#include <trine/semaphore.hpp>

#include "support/backends.hpp"
#include "support/children.hpp"
#include "support/leaks.hpp"
#include "support/watchdog.hpp"

namespace {

using trine::processes;
using trine_test::Child;
using trine_test::eventually;
using trine_test::plenty;

using Event = trine::Event<processes>;
using Pool = trine::Pool<processes>;
using Pids = trine::Queue<pid_t, processes>;

class PoolOfProcesses : public trine_test::Leakless {};

int square(int n) { return n * n; }
pid_t own_pid() { return ::getpid(); }
pid_t nursery_pid() { return ::getppid(); }

/// Whether it runs: one that is dead and only not buried yet does not.
bool exists(pid_t pid) {
  const auto stat = trine::os::thread_stat(static_cast<std::uint32_t>(pid));
  return stat.error == 0 && !stat.ended;
}

std::size_t own_threads() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

bool is_stopped(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string word;
  std::string state;
  return stat >> word >> word >> state && state == "T";
}

/// While it lives, the system has no memory for the stack of a new thread.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    ::pthread_getattr_default_np(&before_);
    ::pthread_attr_t huge;
    ::pthread_attr_init(&huge);
    EXPECT_EQ(::pthread_attr_setstacksize(&huge, std::size_t{1} << 47), 0);
    EXPECT_EQ(::pthread_setattr_default_np(&huge), 0);
    ::pthread_attr_destroy(&huge);
  }
  NoMoreThreads(const NoMoreThreads&) = delete;
  NoMoreThreads& operator=(const NoMoreThreads&) = delete;
  ~NoMoreThreads() {
    ::pthread_setattr_default_np(&before_);
    ::pthread_attr_destroy(&before_);
  }

 private:
  ::pthread_attr_t before_;
};

/// Says who does the task, and then waits for the gate.
bool wait_at(Pids& who, Event& gate) {
  who.put(::getpid());
  return gate.wait();
}

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void expect_works(Pool& pool) {
  const std::vector<int> results = pool.map(square, numbers(100), 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], i * i);
}

TEST_F(PoolOfProcesses, WorkersAreOtherProcesses) {
  Pool pool(2);
  EXPECT_NE(pool.apply(own_pid), ::getpid());
  EXPECT_NE(pool.apply(nursery_pid), ::getpid());
}

TEST_F(PoolOfProcesses, AWorkerThatIsKilledInATaskFailsThatTaskAlone) {
  Event gate;
  Pids who;
  Pool pool(2);
  auto killed = pool.submit(wait_at, std::ref(who), std::ref(gate));
  const pid_t first = who.get();
  auto kept = pool.submit(wait_at, std::ref(who), std::ref(gate));
  const pid_t second = who.get();
  std::vector<trine::Future<int>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(pool.submit(square, i));
  ::kill(first, SIGKILL);
  const auto began = std::chrono::steady_clock::now();
  try {
    killed.get(plenty);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const trine::WorkerDied& e) {
    EXPECT_NE(std::string(e.what()).find("by signal 9"), std::string::npos);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(waiting[static_cast<std::size_t>(i)].get(plenty), i * i);
  EXPECT_FALSE(kept.ready());
  EXPECT_TRUE(exists(second));
  gate.set();
  EXPECT_TRUE(kept.get(plenty));
}

TEST_F(PoolOfProcesses, ADeathIsNoticedSoon) {
  std::vector<std::chrono::steady_clock::duration> times;
  for (int i = 0; i < 5; ++i) {
    Event gate;
    Pids who;
    Pool pool(1);
    auto killed = pool.submit(wait_at, std::ref(who), std::ref(gate));
    const pid_t pid = who.get();
    const auto began = std::chrono::steady_clock::now();
    ::kill(pid, SIGKILL);
    EXPECT_THROW(killed.get(plenty), trine::WorkerDied);
    times.push_back(std::chrono::steady_clock::now() - began);
  }
  EXPECT_LT(*std::min_element(times.begin(), times.end()), std::chrono::milliseconds(150));
}

TEST_F(PoolOfProcesses, ATaskMayEndItsProcess) {
  Pool pool(2);
  EXPECT_THROW(pool.apply([] { ::_exit(3); }), trine::WorkerDied);
  EXPECT_THROW(pool.apply([] { std::abort(); }), trine::WorkerDied);
  EXPECT_THROW(pool.map([](int n) { return n == 5 ? ::raise(SIGKILL) : n; }, numbers(20), 1), trine::WorkerDied);
  expect_works(pool);
}

TEST_F(PoolOfProcesses, AnIdleWorkerThatIsKilledFailsNothing) {
  Pool pool(1);
  std::set<pid_t> seen;
  for (int i = 0; i < 20; ++i) {
    const pid_t pid = pool.apply(own_pid);
    EXPECT_TRUE(seen.insert(pid).second);
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(eventually([&] { return !exists(pid); }));
  }
}

// It may be killed before or after it has begun with the next task, or has answered: what comes out is the right result or
// WorkerDied, and nothing hangs.
TEST_F(PoolOfProcesses, WorkersKilledAtAnyMoment) {
  Pids who(64);
  Pool pool(3, {.initializer = [&who] { who.put(::getpid()); }});
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> count{0};
  const trine_test::Watchdog watchdog([&] { return count.load(); }, [] { return std::string("killing workers"); });
  std::jthread killer([&] {
    std::mt19937 random(7);
    while (!over) {
      const auto pid = who.get(std::chrono::milliseconds(50));
      if (!pid) continue;
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 20000);
      while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
      ::kill(*pid, SIGKILL);
      ++count;
    }
  });
  int died = 0;
  const std::string large(std::size_t{3} << 19, 'x');
  for (int i = 0; i < 1500 || count < 50; ++i) {
    try {
      if (i % 50 == 0) {
        EXPECT_EQ(pool.apply([](std::string text) { return text; }, large), large);
      } else if (i % 10 == 0) {
        expect_works(pool);
      } else {
        EXPECT_EQ(pool.apply(square, i), i * i);
      }
    } catch (const trine::WorkerDied&) {
      ++died;
    }
  }
  over = true;
  killer.join();
  RecordProperty("died", died);
}

TEST_F(PoolOfProcesses, AWorkerKilledBetweenThePiecesOfItsAnswer) {
  Pids who;
  Pool pool(1);
  const auto large = [](Pids& to) {
    std::string answer(std::size_t{40} << 20, 'x');
    to.put(::getpid());
    return answer;  // in 40 pieces, which go through while the caller waits
  };
  for (int i = 0; i < 10; ++i) {
    auto big = pool.submit(large, std::ref(who));
    const pid_t worker = who.get();
    std::jthread killer([worker, i] {
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2 * i);
      while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
      ::kill(worker, SIGKILL);
    });
    try {
      EXPECT_EQ(std::move(big).get(plenty).size(), std::size_t{40} << 20);
    } catch (const trine::WorkerDied&) {
    }
    killer.join();
    ASSERT_TRUE(eventually([&] { return !exists(worker); }));
    EXPECT_EQ(pool.submit(square, 3).get(plenty), 9);
  }
}

TEST_F(PoolOfProcesses, AllWorkersKilledAtOnce) {
  Event gate;
  Pids who;
  Pool pool(4);
  for (int round = 0; round < 5; ++round) {
    std::vector<trine::Future<bool>> futures;
    for (int i = 0; i < 4; ++i) futures.push_back(pool.submit(wait_at, std::ref(who), std::ref(gate)));
    auto behind = pool.submit(square, 5);
    std::vector<pid_t> pids;
    for (int i = 0; i < 4; ++i) pids.push_back(who.get());
    for (const pid_t each : pids) ::kill(each, SIGKILL);
    for (auto& each : futures) EXPECT_THROW(each.get(plenty), trine::WorkerDied);
    EXPECT_EQ(behind.get(plenty), 25);
  }
  expect_works(pool);
}

TEST_F(PoolOfProcesses, WhenTheNurseryIsKilledEveryTaskFailsAndNoWorkerStays) {
  Event gate;
  Pids who;
  Pool pool(2);
  auto running = pool.submit(wait_at, std::ref(who), std::ref(gate));
  const pid_t worker = who.get();
  const pid_t nursery = pool.apply(nursery_pid);
  auto other = pool.submit(wait_at, std::ref(who), std::ref(gate));
  const pid_t second = who.get();
  auto waiting = pool.submit(square, 1);
  ::kill(nursery, SIGKILL);
  EXPECT_THROW(running.get(plenty), trine::WorkerDied);
  EXPECT_THROW(other.get(plenty), trine::WorkerDied);
  EXPECT_THROW(waiting.get(plenty), trine::WorkerDied);
  EXPECT_THROW(pool.apply(square, 1), trine::WorkerDied);
  EXPECT_THROW(pool.map(square, numbers(10)), trine::WorkerDied);
  EXPECT_TRUE(eventually([&] { return !exists(worker) && !exists(second); }));
  pool.close();
  EXPECT_TRUE(pool.join(plenty));
}

TEST_F(PoolOfProcesses, WhenTheParentIsKilledNobodyStays) {
  Event gate;
  Pids who;
  Child parent([&] {
    Pool pool(2);
    who.put(pool.apply(nursery_pid));
    auto first = pool.submit(wait_at, std::ref(who), std::ref(gate));
    auto second = pool.submit(wait_at, std::ref(who), std::ref(gate));
    first.wait();
    return 0;
  });
  const std::array<pid_t, 3> left{who.get(), who.get(), who.get()};
  for (const pid_t each : left) EXPECT_TRUE(exists(each));
  parent.signal(SIGKILL);
  EXPECT_EQ(parent.join(), -SIGKILL);
  for (const pid_t each : left) {
    EXPECT_TRUE(eventually([&] { return !exists(each); })) << each;
  }
}

TEST_F(PoolOfProcesses, ItOutlivesTheThreadThatMadeIt) {
  std::unique_ptr<Pool> pool;
  std::thread([&] { pool = std::make_unique<Pool>(2); }).join();
  expect_works(*pool);
}

TEST_F(PoolOfProcesses, APlaceWhoseWorkersCannotBeginFailsItsTasks) {
  Pool pool(2, {.initializer = [] { ::raise(SIGKILL); }});
  for (int i = 0; i < 5; ++i) EXPECT_THROW(pool.submit(square, 1).get(plenty), trine::WorkerDied);
  pool.close();
  EXPECT_TRUE(pool.join(plenty));
}

TEST_F(PoolOfProcesses, AfterSoManyTasksAWorkerIsAnother) {
  Pool pool(1, {.max_tasks_per_worker = 2});
  std::vector<pid_t> pids;
  for (int i = 0; i < 10; ++i) pids.push_back(pool.apply(own_pid));
  for (std::size_t i = 0; i < 10; i += 2) {
    EXPECT_EQ(pids[i], pids[i + 1]);
    if (i != 0) {
      EXPECT_NE(pids[i], pids[i - 1]);
    }
  }
}

TEST_F(PoolOfProcesses, AForkOfTheOwnerLetsGoOfIt) {
  auto pool = std::make_unique<Pool>(2);
  auto future = pool->submit(square, 3);
  future.wait();
  EXPECT_EQ(trine_test::in_child([&] {
              try {
                pool->apply(square, 1);
                return 1;
              } catch (const trine::Error&) {
              }
              pool.reset();
              return 0;
            }),
            0);
  expect_works(*pool);
}

TEST_F(PoolOfProcesses, AForkOfTheOwnerLetsGoOfItWhateverTheOwnersThreadsDo) {
  auto pool = std::make_unique<Pool>(2);
  std::atomic<bool> over{false};
  std::jthread user([&] {
    while (!over) {
      auto first = pool->submit(square, 1);
      auto second = pool->submit(square, 2);
      auto third = pool->submit(square, 3);
      EXPECT_EQ(third.get() + second.get() + first.get(), 14);
    }
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(trine_test::in_child([&] {
                ::alarm(10);  // which kills it if it hangs
                pool->close();
                pool->join();
                pool->terminate();
                pool.reset();
                return 0;
              }),
              0);
  }
  over = true;
  user.join();
  expect_works(*pool);
}

TEST_F(PoolOfProcesses, AForkOfTheOwnerTakesNoResultsAway) {
  Event gate;
  Pids who;
  Pool pool(1);
  auto future = pool.submit(wait_at, std::ref(who), std::ref(gate));
  who.get();
  EXPECT_EQ(trine_test::in_child([&] {
              gate.set();
              int refused = 0;
              const auto expect_refused = [&refused](auto call) {
                try {
                  call();
                } catch (const trine::Error&) {
                  ++refused;
                }
              };
              expect_refused([&] { (void)future.wait(plenty); });
              expect_refused([&] { (void)future.get(plenty); });
              expect_refused([&] { (void)future.ready(); });
              expect_refused([&] { future.on_success([](bool) {}); });
              return refused;
            }),
            4);
  EXPECT_TRUE(future.get(plenty));
  expect_works(pool);
}

// The limit comes while the workers are asked to end, which they don't.
void expect_join_gives_up_and_terminate_ends(Pool& pool) {
  pool.close();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(pool.join(std::chrono::milliseconds(100)));
  EXPECT_LT(std::chrono::steady_clock::now() - began, plenty / 2);
  std::jthread waiter([&pool] { EXPECT_TRUE(pool.join()); });
  EXPECT_FALSE(pool.join(trine_test::brief));
  pool.terminate();
  EXPECT_TRUE(pool.join());
}

TEST_F(PoolOfProcesses, JoinKeepsItsLimitWhenAnInitializerDoesNotEnd) {
  Pool pool(1, {.initializer = [] {
              for (;;) ::pause();
            }});
  expect_join_gives_up_and_terminate_ends(pool);
}

TEST_F(PoolOfProcesses, JoinKeepsItsLimitWhenAWorkerIsStopped) {
  Pool pool(2);
  const pid_t worker = pool.apply(own_pid);
  ::kill(worker, SIGSTOP);
  ASSERT_TRUE(eventually([&] { return is_stopped(worker); }));
  expect_join_gives_up_and_terminate_ends(pool);
}

TEST_F(PoolOfProcesses, JoinKeepsItsLimitWhenTheNurseryIsStopped) {
  Pool pool(2);
  const pid_t nursery = pool.apply(nursery_pid);
  ::kill(nursery, SIGSTOP);
  ASSERT_TRUE(eventually([&] { return is_stopped(nursery); }));
  expect_join_gives_up_and_terminate_ends(pool);
}

TEST_F(PoolOfProcesses, ACallbackMayTerminate) {
  for (const bool alone : {false, true}) {
    Event gate;
    std::atomic<bool> called{false};
    Pool pool(1);
    auto first = pool.submit([](Event& go) { return go.wait(); }, std::ref(gate));
    auto behind = pool.submit(square, 3);
    auto last = pool.submit(square, 4);
    first.on_success([&](bool) {
      pool.terminate();
      called = true;
    });
    gate.set();
    if (!alone) {
      EXPECT_TRUE(first.get(plenty));
    }
    ASSERT_TRUE(eventually([&] { return called.load(); }));
    EXPECT_THROW(pool.submit(square, 1), trine::Error);
    EXPECT_THROW((void)last.get(plenty), trine::WorkerDied);
    EXPECT_TRUE(pool.join(plenty));
  }
}

TEST_F(PoolOfProcesses, ACallbackMayDestroyThePool) {
  const std::size_t before = own_threads();
  Event gate;
  std::atomic<bool> called{false};
  auto pool = std::make_unique<Pool>(1);
  {
    auto first = pool->submit([](Event& go) { return go.wait(); }, std::ref(gate));
    first.on_success([&](bool) {
      pool.reset();
      called = true;
    });
  }
  gate.set();
  ASSERT_TRUE(eventually([&] { return called.load(); }));
  // The thread that called back has what is left of the pool, and lets go of it at its end.
  EXPECT_TRUE(eventually([&] { return own_threads() == before; }));
}

TEST_F(PoolOfProcesses, WithoutAThreadForItATaskIsNotSubmitted) {
  Event gate;
  Pids who;
  Pool pool(1);
  auto first = pool.submit(wait_at, std::ref(who), std::ref(gate));
  who.get();
  {
    const NoMoreThreads none;
    EXPECT_THROW(pool.submit(square, 2), std::system_error);
    EXPECT_THROW(first.on_success([](bool) { ADD_FAILURE() << "it said that it will not be called"; }), std::system_error);
    EXPECT_THROW(pool.map_async(square, numbers(3)), std::system_error);
  }
  gate.set();
  EXPECT_TRUE(first.get(plenty));
  EXPECT_EQ(pool.submit(square, 3).get(plenty), 9);
  pool.close();
  EXPECT_TRUE(pool.join(plenty));
}

TEST_F(PoolOfProcesses, WithoutFilesForItItIsNotMade) {
  int refused = 0;
  for (rlim_t spare = 0; spare < 5; ++spare) {
    const int code = trine_test::in_child([spare] {
      const int first_free = ::dup(0);
      ::close(first_free);
      rlimit before{};
      ::getrlimit(RLIMIT_NOFILE, &before);
      rlimit limit = before;
      limit.rlim_cur = static_cast<rlim_t>(first_free) + spare;
      ::setrlimit(RLIMIT_NOFILE, &limit);
      try {
        Pool pool(2);
        expect_works(pool);
        return ::testing::Test::HasFailure() ? 1 : 0;
      } catch (const std::system_error& e) {
        ::setrlimit(RLIMIT_NOFILE, &before);  // the undefined behaviour sanitizer opens files when it looks at an object
        return e.code().value() == EMFILE ? 2 : 3;
      }
    });
    EXPECT_TRUE(code == 0 || code == 2) << code;
    refused += code == 2;
  }
  EXPECT_GE(refused, 3);  // a bell, its children's ends, its parent's
}

TEST_F(PoolOfProcesses, ATaskMayUseAPoolOfItsOwn) {
  Pool pool(2);
  const auto nested = [](int n) {
    Pool inner(2);
    const std::vector<int> results = inner.map(square, numbers(n));
    return std::accumulate(results.begin(), results.end(), 0);
  };
  EXPECT_EQ(pool.map(nested, std::vector{1, 2, 3}, 1), (std::vector{0, 1, 5}));
}

TEST_F(PoolOfProcesses, ManyPoolsOneAfterTheOther) {
  for (int i = 0; i < 30; ++i) {
    Pool pool(3);
    if (i % 3 == 0) continue;
    EXPECT_EQ(pool.apply(square, i), i * i);
    if (i % 3 == 1) continue;
    auto left_behind = pool.submit([] {
      for (;;) ::pause();
    });
    pool.terminate();
    EXPECT_THROW(left_behind.get(), trine::WorkerDied);
  }
}

TEST_F(PoolOfProcesses, WorkersHaveTheSignalsOfTheOwner) {
  struct sigaction before {};
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGUSR1, &ignored, &before);
  Pool pool(1);
  ::sigaction(SIGUSR1, &before, nullptr);
  const auto kinds = pool.apply([] {
    std::vector<bool> same;
    for (const int number : {SIGUSR1, SIGCHLD, SIGINT, SIGQUIT}) {
      struct sigaction now {};
      ::sigaction(number, nullptr, &now);
      same.push_back(now.sa_handler == (number == SIGUSR1 ? SIG_IGN : SIG_DFL));
    }
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    same.push_back(sigismember(&blocked, SIGCHLD) == 0);
    return same;
  });
  EXPECT_EQ(kinds, std::vector<bool>(5, true));
}

TEST_F(PoolOfProcesses, AnOwnerThatIgnoresItsChildren) {
  EXPECT_EQ(trine_test::in_child([] {
              ::signal(SIGCHLD, SIG_IGN);
              Pool pool(2);
              try {
                pool.apply([] { ::raise(SIGKILL); });
                return 1;
              } catch (const trine::WorkerDied&) {
              }
              expect_works(pool);
              pool.close();
              return pool.join(plenty) ? 0 : 1;
            }),
            0);
}

}  // namespace
