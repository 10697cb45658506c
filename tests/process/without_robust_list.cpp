// SPDX-License-Identifier: BSL-1.0
//
// Where the kernel does not mark what the dead owned: those who wait find out within their slices.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>

#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>

#include "process/killing/children.hpp"
#include "process/killing/guarded.hpp"
#include "support/faulty_calls.hpp"

namespace {

using namespace trine_test;
using namespace std::chrono_literals;
using B = trine::shared_memory;
using trine::os::Robust;

/// The test itself uses no object: whoever does is a child, and begins without the kernel.
class WithoutRobustList : public LeavesNothing {
 protected:
  void SetUp() override {
    LeavesNothing::SetUp();
    Robust::do_without_kernel(true);
    place_.emplace();
  }
  void TearDown() override {
    place_.reset();
    Robust::do_without_kernel(false);
    LeavesNothing::TearDown();
  }

  SharedPlace& place() { return *place_; }

  void not_taken_for_dead(const std::function<void()>& first);
  void not_taken_for_dead_elsewhere(const std::function<void(const std::function<void()>&)>& fork_inside);

  Child child(const std::function<void()>& body) {
    return Child(place_->report(), [body] {
      body();
      require(!Robust::kernel_watches(), "the kernel watches all the same");
    });
  }

  /// One that does something and is killed thereafter; meanwhile `waits` sleeps, and must go on.
  void killed_after(const char* name, const std::function<void()>& body, const std::function<void()>& waits,
                    const std::function<void()>& newcomer) {
    Report& stage = place_->report();
    Child victim = child([&] {
      body();
      stage.stage = 1;
      for (;;) ::pause();
    });
    ASSERT_TRUE(holds_before(Clock::now() + hang, [&] { return stage.stage == 1; }));
    Child waiter = child(waits);
    ASSERT_TRUE(waiter.falls_asleep());
    ASSERT_FALSE(waiter.finished()) << "it did not wait for the living";
    const Clock::time_point killed = Clock::now();
    victim.kill();
    victim.bury();
    EXPECT_TRUE(waiter.ends_before(killed + hang)) << name << ": the survivor hangs";
    EXPECT_EQ(waiter.trouble(), "") << name;
    Child later = child(newcomer);
    EXPECT_TRUE(later.ends_before(Clock::now() + hang)) << name << ": the newcomer hangs";
    EXPECT_EQ(later.trouble(), "") << name;
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(waiter.finished_at() - killed);
    std::printf("without the kernel's list, %-14s: the survivor went on after %5.1f ms\n", name,
                static_cast<double>(time.count()) / 1000);
  }

 private:
  std::optional<SharedPlace> place_;
};

TEST_F(WithoutRobustList, Lock) {
  auto& data = place().make<Guarded<trine::Lock<B>>>();
  killed_after(
      "Lock", [&] { data.lock.lock(); }, [&] { data.use(); }, [&] { data.use_after_all(); });
  EXPECT_EQ(data.deaths, 1);
}

TEST_F(WithoutRobustList, RecursiveLock) {
  auto& data = place().make<Guarded<trine::RecursiveLock<B>>>();
  killed_after(
      "RecursiveLock", [&] { data.lock.lock(); }, [&] { data.use(); }, [&] { data.use_after_all(); });
  EXPECT_EQ(data.deaths, 1);
}

TEST_F(WithoutRobustList, Writer) {
  auto& data = place().make<Guarded<trine::SharedLock<B>>>();
  killed_after(
      "writer", [&] { data.lock.lock(); }, [&] { data.use(); }, [&] { data.use_after_all(); });
  EXPECT_EQ(data.deaths, 1);
}

TEST_F(WithoutRobustList, WriterWhileAReaderWaits) {
  auto& lock = place().make<trine::SharedLock<B>>();
  const auto read = [&] {
    try {
      lock.lock_shared();
      require(false, "read beside a dead writer");
    } catch (const trine::OwnerDied&) {
      lock.recover().unlock();
    }
  };
  const auto later = [&] { lock.shared_guard().unlock(); };
  killed_after(
      "writer, reader", [&] { lock.lock(); }, read, later);
}

TEST_F(WithoutRobustList, Reader) {
  auto& data = place().make<Guarded<trine::SharedLock<B>>>();
  killed_after(
      "reader", [&] { data.lock.lock_shared(); }, [&] { data.use(); }, [&] { data.use_after_all(); });
  EXPECT_EQ(data.deaths, 0);
}

TEST_F(WithoutRobustList, Permit) {
  auto& semaphore = place().make<trine::Semaphore<B>>(1, 1);
  auto& held = place().make<trine::Permit<B>>();
  killed_after(
      "permit", [&] { held = semaphore.permit(); }, [&] { static_cast<void>(semaphore.permit()); },
      [&] {
        require(semaphore.value() == 1, "the permit did not come back once");
        require(semaphore.try_acquire() && !semaphore.try_acquire(), "the permit did not come back once");
      });
}

TEST_F(WithoutRobustList, Barrier) {
  auto& barrier = place().make<trine::Barrier<B>>(3);
  const auto waits = [&] {
    try {
      barrier.wait();
      require(false, "passed with a dead party");
    } catch (const trine::BrokenBarrier&) {
    }
  };
  const auto arrives = [&] {
    auto operation = barrier.wait_op();
    require(!operation.attempt(), "passed alone");
  };
  killed_after("barrier", arrives, waits, [&] {
    require(barrier.broken(), "not broken");
    barrier.reset();
    require(!barrier.broken(), "not whole after reset()");
  });
}

/// One that lives owns a lock; somebody else, who has done `first`, must not get it.
void WithoutRobustList::not_taken_for_dead(const std::function<void()>& first) {
  auto& lock = place().make<trine::Lock<B>>();
  Report& stage = place().report();
  Child owner = child([&] {
    const auto held = lock.guard();
    stage.stage = 1;
    for (;;) ::pause();
  });
  ASSERT_TRUE(holds_before(Clock::now() + hang, [&] { return stage.stage == 1; }));
  Child waiter = child([&] {
    first();
    require(!lock.lock(200ms), "locked by two");
  });
  EXPECT_TRUE(waiter.ends_before(Clock::now() + hang));
  EXPECT_EQ(waiter.trouble(), "");
}

TEST_F(WithoutRobustList, OneThatLivesIsNotTakenForDead) {
  not_taken_for_dead([] {});
}

TEST_F(WithoutRobustList, OneThatLivesIsNotTakenForDeadByOneThatCanOpenNoFile) {
  not_taken_for_dead([] {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    require(::setrlimit(RLIMIT_NOFILE, &none) == 0 && ::open("/", O_RDONLY | O_CLOEXEC) < 0 && errno == EMFILE,
            "a file can be opened");
  });
}

/// One that lives owns a lock; somebody in another PID namespace, whom `fork_inside` calls there, must not get it.
void WithoutRobustList::not_taken_for_dead_elsewhere(const std::function<void(const std::function<void()>&)>& fork_inside) {
  Child allowed(place().report(), [] { require(::unshare(CLONE_NEWPID) == 0, "not allowed"); });
  ASSERT_TRUE(allowed.ends_before(Clock::now() + hang));
  if (!allowed.trouble().empty()) GTEST_SKIP() << "no PID namespace can be made here";
  for (const bool without : {true, false}) {
    Robust::do_without_kernel(without);
    auto& lock = place().make<trine::Lock<B>>();
    Report& stage = place().report();
    Report& report = place().report();
    Child owner(place().report(), [&] {
      const auto held = lock.guard();
      stage.stage = 1;
      for (;;) ::pause();
    });
    ASSERT_TRUE(holds_before(Clock::now() + hang, [&] { return stage.stage == 1; }));
    Child outside(place().report(), [&] {
      Robust::self();
      require(::unshare(CLONE_NEWPID) == 0, "unshare");
      fork_inside([&] {
        Child inside(report, [&] { require(!lock.lock(200ms), "locked by two"); });
        require(inside.ends_before(Clock::now() + hang), "it does not end");
      });
    });
    EXPECT_TRUE(outside.ends_before(Clock::now() + hang));
    EXPECT_EQ(outside.trouble(), "");
    EXPECT_STREQ(report.text.data(), "");
  }
}

// Its number says nothing there, or is another's.
TEST_F(WithoutRobustList, OneThatLivesIsNotTakenForDeadInAnotherPidNamespace) {
  not_taken_for_dead_elsewhere([](const std::function<void()>& run) { run(); });
}

// The parent is in the same namespace then, and has never looked at which that is.
TEST_F(WithoutRobustList, OneThatLivesIsNotTakenForDeadByAGrandchildInAnotherPidNamespace) {
  not_taken_for_dead_elsewhere([](const std::function<void()>& run) {
    const pid_t first = ::fork();
    if (first == 0) {
      run();
      ::_exit(0);
    }
    int status = -1;
    require(::waitpid(first, &status, 0) == first && status == 0, "the first one there");
  });
}

TEST(LifeOfAThread, DeadOnlyIfTheSystemSaysSo) {
  using trine::os::Life;
  const std::uint32_t me = trine::os::thread_id();
  const std::uint64_t started = trine::os::thread_stat(me).start;
  const auto life = [](std::uint32_t id, std::uint64_t start) { return trine::os::life_of_thread<FaultyCalls>(id, start); };
  EXPECT_EQ(life(me, started), Life::alive);
  EXPECT_EQ(life(me, 0), Life::alive);
  EXPECT_EQ(life(me, started + 1), Life::dead) << "the number came again";

  Faults::now() = {};
  EXPECT_EQ(life(me, started), Life::alive);
  const int calls = Faults::now().count;
  EXPECT_GE(calls, 5);
  for (int at = 1; at <= calls; ++at) {
    Faults::now() = {.at = at, .error = EINTR};
    static_cast<void>(life(me, started));
    const char* const call = Faults::now().call;
    for (const int error : plausible_errors(call)) {
      Faults::now() = {.at = at, .error = error};
      EXPECT_NE(life(me, started), Life::dead) << call << ": " << std::strerror(error);
    }
  }
  Faults::now() = {};
}

TEST(LifeOfAThread, OneThatIsGone) {
  using trine::os::Life;
  SharedPlace place;
  Child child(place.report(), [] {
    for (;;) ::pause();
  });
  const auto id = static_cast<std::uint32_t>(child.id());
  const std::uint64_t started = trine::os::thread_stat(id).start;
  EXPECT_EQ(trine::os::life_of_thread(id, started), Life::alive);
  child.kill();
  EXPECT_TRUE(holds_before(Clock::now() + hang, [&] { return trine::os::life_of_thread(id, started) == Life::dead; }))
      << "not buried";
  child.bury();
  EXPECT_EQ(trine::os::life_of_thread(id, started), Life::dead);
}

}  // namespace
