// SPDX-License-Identifier: BSL-1.0
//
// Pool: a kill after each instruction of a worker, of the process that makes the workers, and of the pool's owner. A task is done
// once or fails with WorkerDied, the places are filled again, and nobody is left behind.

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/pool.hpp>

#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using Pool = trine::Pool<trine::processes>;
using Future = trine::Future<int>;

pid_t own_pid() { return ::getpid(); }
pid_t nursery_pid() { return ::getppid(); }
int square(int n) { return n * n; }
int count_and_square(std::atomic<int>& runs, int n) {
  ++runs;
  return n * n;
}

/// One that is dead and only not buried yet does not live.
bool lives(pid_t id) {
  std::ifstream stat("/proc/" + std::to_string(id) + "/stat");
  std::string word;
  std::string state;
  return stat >> word >> word >> state && state != "Z" && state != "X";
}

/// The living children of a process that has one thread.
std::vector<pid_t> children_of(pid_t id) {
  std::ifstream list("/proc/" + std::to_string(id) + "/task/" + std::to_string(id) + "/children");
  std::vector<pid_t> all;
  for (pid_t each = 0; list >> each;) {
    if (lives(each)) all.push_back(each);
  }
  return all;
}

/// What became of a task: its result, or nothing if its worker died. Throws if it is neither, before long.
std::optional<int> outcome(Future& future) {
  try {
    return future.get(hang);
  } catch (const trine::WorkerDied&) {
    return std::nullopt;
  } catch (const trine::TimedOut&) {
    require(false, "a task of a worker that died is neither done nor fails");
  }
  return std::nullopt;
}

void works(Pool& pool) {
  std::vector<int> numbers(12);
  std::iota(numbers.begin(), numbers.end(), 0);
  auto all = pool.imap(square, numbers);
  for (const int n : numbers) {
    const auto result = all.next(hang);
    require(result == n * n, "a result is wrong");
  }
  require(!all.next(hang), "a result too many");
}

bool is_filled(Pool& pool, pid_t nursery) {
  return holds_before(Clock::now() + hang, [&] { return children_of(nursery).size() == pool.workers(); });
}

class KillPool : public Kills {
 protected:
  /// A worker of the test's own pool is killed on its way from waiting for a task to waiting for the next.
  static void sweep_worker(const char* scenario, std::size_t workers, std::size_t others, std::size_t usual) {
    Pool pool(static_cast<std::ptrdiff_t>(workers));
    const pid_t nursery = pool.apply(nursery_pid);
    sweep(
        scenario,
        [&](Trial& trial) {
          auto& runs = shared_count();
          runs = 0;
          trial.seize(pool.apply(own_pid));
          std::vector<Future> futures;
          for (std::size_t i = 0; i <= others; ++i) futures.push_back(pool.submit(count_and_square, std::ref(runs), 7));
          trial.step_to_sleep();
          trial.kill();
          int died = 0;
          for (Future& each : futures) {
            const auto result = outcome(each);
            died += !result;
            trial.check(result.value_or(49) == 49, "a result is wrong");
          }
          trial.check(died <= 1, "more than the one task failed");
          const int most = static_cast<int>(futures.size());
          trial.check(runs <= most && runs >= most - died, "a task was done twice, or not at all");
          try {
            works(pool);
          } catch (const std::exception& e) {
            trial.trouble(e.what());
          }
          trial.check(is_filled(pool, nursery), "the dead worker has no successor");
        },
        usual);
  }

  /// In memory that the workers have had since before the pool was made.
  static std::atomic<int>& shared_count() {
    static auto* const place = new SharedPlace;
    static auto& count = place->make<std::atomic<int>>(0);
    return count;
  }

  void SetUp() override {
    shared_count();
    Kills::SetUp();
  }

  /// A pool whose owner is a child of the test, so that the test can trace the one who makes the workers.
  struct Owned {
    struct Shared {
      std::atomic<pid_t> worker{0};
      std::atomic<pid_t> nursery{0};
      trine::Event<trine::shared_memory> go;
      trine::Event<trine::shared_memory> killed;
      std::atomic<int> done{0};
      std::atomic<int> died{0};
    };

    explicit Owned(Trial& trial) : shared(trial.make<Shared>()) {}

    void make(Pool& pool) {
      shared.worker = pool.apply(own_pid);
      shared.nursery = pool.apply(nursery_pid);
    }
    void submit(Pool& pool) {
      Future future = pool.submit(square, 7);
      const auto result = outcome(future);
      require(result.value_or(49) == 49, "a result is wrong");
      ++(result ? shared.done : shared.died);
    }
    /// The life of an owner: a task when it may go on, and a look at the pool when the worker was killed.
    void use_one_worker() {
      Pool pool(1);
      make(pool);
      shared.go.wait();
      submit(pool);
      shared.killed.wait();
      works(pool);
      require(is_filled(pool, shared.nursery), "the dead worker has no successor");
    }
    bool is_made(Trial& trial) const {
      const bool made = holds_before(Clock::now() + hang, [this] { return shared.nursery != 0; });
      trial.check(made, "no pool was made");
      return made;
    }
    /// The worker is killed, and its successor stopped before its first instruction.
    void seize_successor(Trial& trial) const {
      const pid_t next = Tracee::next_child_of(shared.nursery, [this] { ::kill(shared.worker, SIGKILL); });
      trial.check(next != 0, "there was no successor");
      if (next != 0) trial.seize(next, true);
    }

    Shared& shared;
  };

  /// Those whose parents have died become children of the test: true when there is none any more.
  static bool nobody_is_left() {
    return holds_before(Clock::now() + hang, [] {
      while (::waitpid(-1, nullptr, WNOHANG | __WALL) > 0) {
      }
      return ::waitpid(-1, nullptr, WNOHANG | __WALL) == -1 && errno == ECHILD;
    });
  }
};

TEST_F(KillPool, OneWorker) { sweep_worker("Pool of 1: a worker, from one wait to the next", 1, 0, 24); }
TEST_F(KillPool, OneWorkerAndTasksBehind) { sweep_worker("Pool of 1: the same, and two tasks wait", 1, 2, 16); }
TEST_F(KillPool, OneOfTwoWorkers) { sweep_worker("Pool of 2: one worker, two tasks", 2, 1, 16); }

TEST_F(KillPool, IdleSuccessor) {
  sweep(
      "Pool: a new worker, nobody has a task",
      [](Trial& trial) {
        Owned owned(trial);
        trial.survivor([&] { owned.use_one_worker(); });
        if (!owned.is_made(trial)) return;
        owned.seize_successor(trial);
        trial.step_to_sleep();
        trial.kill();
        owned.shared.killed.set();
        owned.shared.go.set();
        trial.now();
        trial.all_go_on();
        trial.check(owned.shared.died == 0, "a task failed with a worker that had not got it");
      },
      8);
}

TEST_F(KillPool, SuccessorForWhomATaskWaits) {
  sweep(
      "Pool: a new worker, a task waits",
      [](Trial& trial) {
        Owned owned(trial);
        trial.survivor([&] { owned.use_one_worker(); });
        if (!owned.is_made(trial)) return;
        owned.seize_successor(trial);
        owned.shared.go.set();
        trial.step_to_sleep();
        trial.kill();
        owned.shared.killed.set();
        trial.all_go_on();
        trial.check(owned.shared.died + owned.shared.done == 1, "the task is neither done nor failed");
      },
      8);
}

TEST_F(KillPool, WhoMakesTheWorkers) {
  sweep(
      "Pool: the one who makes workers, while it replaces one",
      [](Trial& trial) {
        Owned owned(trial);
        trial.survivor([&] {
          Pool pool(2);
          owned.make(pool);
          owned.shared.go.wait();
          owned.submit(pool);
          owned.submit(pool);
          const bool lost = holds_before(Clock::now() + hang, [&] {
            try {
              (void)pool.apply(square, 2);
              return false;
            } catch (const trine::WorkerDied&) {
              return true;
            }
          });
          require(lost, "nobody is told that there will be no more workers");
        });
        if (!owned.is_made(trial)) return;
        const std::vector<pid_t> workers = children_of(owned.shared.nursery);
        trial.seize(owned.shared.nursery);
        ::kill(workers.front(), SIGKILL);
        trial.step_to_sleep();
        const std::vector<pid_t> left = children_of(owned.shared.nursery);
        trial.kill();
        owned.shared.go.set();
        trial.now();
        trial.all_go_on();
        for (const pid_t each : left) {
          trial.check(holds_before(Clock::now() + hang, [each] { return !lives(each); }), "a worker is left behind");
        }
      },
      20);
}

class KillOwner : public KillPool {
 protected:
  void SetUp() override {
    KillPool::SetUp();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  void TearDown() override {
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    KillPool::TearDown();
  }

  static void sweep_owner(const char* scenario, const std::function<void()>& body, std::size_t usual) {
    sweep(
        scenario,
        [&](Trial& trial) {
          trial.victim([&body] {
            // It would stop for the signal that tells of a child's end.
            sigset_t of_children;
            ::sigemptyset(&of_children);
            ::sigaddset(&of_children, SIGCHLD);
            ::sigprocmask(SIG_BLOCK, &of_children, nullptr);
            body();
          });
          trial.step();
          trial.kill();
          trial.check(nobody_is_left(), "somebody is left whose owner is dead");
        },
        usual);
  }
};

TEST_F(KillOwner, Makes) {
  sweep_owner(
      "Pool: the owner, while it makes it",
      [] {
        trap();
        Pool pool(2);
      },
      24);
}

TEST_F(KillOwner, Maps) {
  sweep_owner(
      "Pool: the owner, in a map",
      [] {
        Pool pool(2);
        works(pool);
        trap();
        (void)pool.map(square, std::vector{1, 2, 3, 4, 5, 6}, 1);
      },
      6);
}

TEST_F(KillOwner, ClosesAndJoins) {
  sweep_owner(
      "Pool: the owner, in close and join",
      [] {
        Pool pool(2);
        works(pool);
        trap();
        pool.close();
        pool.join();
      },
      16);
}

TEST_F(KillOwner, Terminates) {
  sweep_owner(
      "Pool: the owner, in terminate",
      [] {
        Pool pool(2);
        works(pool);
        trap();
        pool.terminate();
      },
      16);
}

}  // namespace
