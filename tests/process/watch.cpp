// SPDX-License-Identifier: BSL-1.0
//
// Coroutines that await processes: what they signal, that they end, and that they die.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Process;
using trine::processes;
using trine::Queue;
using trine::Scheduler;
using trine::Semaphore;
using trine::shared_memory;
using trine::Task;
using trine_test::plenty;
using trine_test::Visits;

std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(threads), end(threads)));
}

/// A child that ends when it is told to.
struct Patient {
  Event<processes> begun;
  Event<processes> end;
  Process child{[this] {
    begun.set();
    end.wait(plenty);
  }};
};

// Children are made before a scheduler has threads: one must not fork with threads about.
template <class B>
class ProcessWatchTest : public ::testing::Test {};
TYPED_TEST_SUITE(ProcessWatchTest, trine_test::CoroutineBackends, trine_test::BackendName);

template <class B>
Task<bool, B> ended(Process& child, trine::Until until = plenty) {
  co_return co_await Scheduler::current()->watch(child.join_op(), until);
}

TYPED_TEST(ProcessWatchTest, TheEndOfAProcess) {
  using B = TypeParam;
  for (int round = 0; round < 20; ++round) {
    Process child([round] { return round; });
    EXPECT_TRUE(trine::run(ended<B>(child)));
    EXPECT_EQ(child.exit_code(), round);
    EXPECT_TRUE(trine::run(ended<B>(child))) << "and again, at once";
  }
}

TYPED_TEST(ProcessWatchTest, TheEndOfAKilledProcess) {
  using B = TypeParam;
  for (int round = 0; round < 10; ++round) {
    Patient patient;
    const auto killer = [&]() -> Task<void, B> {
      // Also before it has said that it lives.
      if (round % 2 == 0) co_await Scheduler::current()->watch(patient.begun.wait_op());
      patient.child.kill();
    };
    const auto body = [&]() -> Task<void, B> {
      const auto both = co_await trine::gather(ended<B>(patient.child), killer());
      EXPECT_TRUE(std::get<0>(both));
    };
    trine::run(body());
    EXPECT_EQ(patient.child.exit_code(), -SIGKILL);
  }
}

TYPED_TEST(ProcessWatchTest, KeepsLimits) {
  using B = TypeParam;
  Patient patient;
  const auto body = [&]() -> Task<void, B> {
    const auto begin = std::chrono::steady_clock::now();
    const bool in_time = co_await ended<B>(patient.child, 5ms);
    EXPECT_FALSE(in_time);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
    std::stop_source stop;
    const auto stopper = [&]() -> Task<void, B> {
      stop.request_stop();
      co_return;
    };
    const auto both = co_await trine::gather(ended<B>(patient.child, stop.get_token()), stopper());
    EXPECT_FALSE(std::get<0>(both));
    EXPECT_TRUE(patient.child.is_alive());
    patient.end.set();
    const bool at_last = co_await ended<B>(patient.child);
    EXPECT_TRUE(at_last);
  };
  trine::run(body());
}

TYPED_TEST(ProcessWatchTest, IsTakenOffWhenItsTaskIsCancelled) {
  using B = TypeParam;
  Visits visits;
  Patient patient;
  const auto waiter = [&]() -> Task<void, B> {
    const Visits::Scope inside(visits);
    co_await ended<B>(patient.child);
  };
  const auto body = [&]() -> Task<void, B> {
    const bool in_time = co_await trine::with_timeout(waiter(), 2ms);
    EXPECT_FALSE(in_time);
  };
  trine::run(body());
  EXPECT_EQ(visits.entered, 1);
  EXPECT_EQ(visits.left, 1);
  patient.end.set();
  EXPECT_TRUE(patient.child.join(plenty));
}

TYPED_TEST(ProcessWatchTest, TheFirstOfAProcessAThreadACoroutineAndATimer) {
  using B = TypeParam;
  Patient patient;
  Event<> of_thread;
  Event<trine::coroutines> of_coroutine;
  Event<processes> of_process;
  const auto first = [&](trine::Until until) -> Task<std::size_t, B> {
    Scheduler& here = *Scheduler::current();
    const auto done = co_await trine::select(here.watch_op(patient.child.join_op()), here.watch_op(of_thread.wait_op()),
                                             of_coroutine.wait_op(), here.watch_op(of_process.wait_op()), until);
    co_return done.index();
  };
  const auto body = [&]() -> Task<void, B> {
    std::size_t index = co_await first(3ms);
    EXPECT_EQ(index, trine::Selected<bool>::none);
    {
      const std::jthread other([&] { of_thread.set(); });
      index = co_await first(plenty);
      EXPECT_EQ(index, 1U);
    }
    of_thread.clear();
    Scheduler::current()->post([&] { of_coroutine.set(); });
    index = co_await first(plenty);
    EXPECT_EQ(index, 2U);
    of_coroutine.clear();
    {
      const std::jthread other([&] { of_process.set(); });
      index = co_await first(plenty);
      EXPECT_EQ(index, 3U);
    }
    of_process.clear();
    patient.end.set();
    index = co_await first(plenty);
    EXPECT_EQ(index, 0U);
  };
  trine::run(body());
}

// A scheduler that always has something to run looks at its children too.
TYPED_TEST(ProcessWatchTest, OthersGoOnMeanwhile) {
  using B = TypeParam;
  Patient patient;
  std::atomic<bool> over = false;
  const auto busy = [&]() -> Task<void, B> {
    for (int i = 0; i < 1000; ++i) co_await Scheduler::current()->hop();
    patient.end.set();
    while (!over) co_await Scheduler::current()->hop();
  };
  const auto waiter = [&]() -> Task<void, B> {
    const bool joined = co_await ended<B>(patient.child);
    EXPECT_TRUE(joined);
    over = true;
  };
  const auto body = [&]() -> Task<void, B> { co_await trine::gather(busy(), waiter()); };
  trine::run(body());
}

TYPED_TEST(ProcessWatchTest, MoreChildrenThanOneSystemCallTakesWords) {
  using B = TypeParam;
  static constexpr int count = 140;
  Event<processes> end;
  std::list<Process> children;
  for (int i = 0; i < count; ++i) {
    children.emplace_back([&] { end.wait(plenty); });
  }
  const auto body = [&]() -> Task<void, B> {
    std::vector<Task<bool, B>> all;
    for (Process& child : children) all.push_back(ended<B>(child));
    Scheduler::current()->post([&] { end.set(); });
    for (const bool joined : co_await trine::gather(std::move(all))) EXPECT_TRUE(joined);
  };
  trine::run(body());
}

TYPED_TEST(ProcessWatchTest, AnotherProcessGivesAndTakes) {
  using B = TypeParam;
  Event<processes> go;
  Queue<std::string, processes> there(4);
  Queue<std::string, processes> back(4);
  Semaphore<processes> slots(0);
  Process child([&] {
    go.wait(plenty);
    for (const std::string& word : there) {
      back.put(word + word);
      slots.release();
    }
    back.shutdown();
  });
  const auto body = [&]() -> Task<void, B> {
    Scheduler& here = *Scheduler::current();
    go.set();
    for (int n = 0; n < 200; ++n) {
      std::string word = std::to_string(n);
      const bool put = co_await here.watch(there.put_op(word));
      EXPECT_TRUE(put);
      const std::string twice = co_await here.watch(back.get_op());
      EXPECT_EQ(twice, std::to_string(n) + std::to_string(n));
      const bool acquired = co_await here.watch(slots.acquire_op(), plenty);
      EXPECT_TRUE(acquired);
    }
    there.shutdown();
    bool over = false;
    try {
      co_await here.watch(back.get_op());
    } catch (const trine::QueueShutdown&) {
      over = true;
    }
    EXPECT_TRUE(over);
    const bool joined = co_await ended<B>(child);
    EXPECT_TRUE(joined);
  };
  trine::run(body());
}

TYPED_TEST(ProcessWatchTest, AnObjectInMappedMemory) {
  using B = TypeParam;
  trine::SharedMemory memory(1 << 16);
  auto& event = *memory.construct<Event<shared_memory>>("event")();
  Event<processes> go;
  Process child([&] {
    go.wait(plenty);
    event.set();
  });
  const auto body = [&]() -> Task<void, B> {
    go.set();
    const bool set = co_await Scheduler::current()->watch(event.wait_op(), plenty);
    EXPECT_TRUE(set);
  };
  trine::run(body());
}

TYPED_TEST(ProcessWatchTest, AGroupOfProcesses) {
  using B = TypeParam;
  trine::TaskGroup<processes> group;
  Event<processes> go;
  for (int i = 0; i < 3; ++i) group.spawn([&] { go.wait(plenty); });
  group.spawn([&] {
    go.wait(plenty);
    throw std::out_of_range("in a child");
  });
  std::string text;
  const auto body = [&]() -> Task<void, B> {
    const bool early = co_await Scheduler::current()->watch(group.join_op(), 3ms);
    EXPECT_FALSE(early);
    go.set();
    try {
      co_await Scheduler::current()->watch(group.join_op(), plenty);
    } catch (const trine::RemoteError& e) {
      text = e.what();
    }
  };
  trine::run(body());
  EXPECT_NE(text.find("in a child"), std::string::npos);
}

/// ThreadSanitizer keeps the threads of a parent in its books, and ends a child in which a new one has the number of one of them.
#if defined(__SANITIZE_THREAD__)
constexpr bool children_may_start_threads = false;
#else
constexpr bool children_may_start_threads = true;
#endif

// The child has nothing of the scheduler on whose thread it was begun.
TYPED_TEST(ProcessWatchTest, AProcessThatACoroutineBeginsRunsTasksOfItsOwn) {
  if (!children_may_start_threads) GTEST_SKIP() << "children may not start threads";
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Process task([]() -> Task<int, B> {
      co_await Scheduler::current()->sleep(1ms);
      co_return 5;
    });
    Process runner([] { return Scheduler::current() == nullptr && trine::run([]() -> Task<bool, B> { co_return true; }()) ? 6 : 1; });
    co_await Scheduler::current()->watch(task.join_op(), plenty);
    co_await Scheduler::current()->watch(runner.join_op(), plenty);
    EXPECT_EQ(task.exit_code(), 5);
    EXPECT_EQ(runner.exit_code(), 6);
  };
  trine::run(body());
}

trine_test::Foreign wait_in_vain(Event<trine::coroutines>& event, bool& over) {
  const bool set = co_await event.wait(1ms);
  over = !set;
}

bool limit_is_kept() {
  Event<trine::coroutines> event;
  bool over = false;
  const trine_test::Foreign waiting = wait_in_vain(event, over);
  return trine_test::eventually([&] { return waiting.done(); }) && over;
}

// Where no scheduler runs, limits are kept by a thread, which a child made by fork() does not have.
TEST(ForkedTest, ALimitIsKeptInAChild) {
  EXPECT_TRUE(limit_is_kept());
  if (!children_may_start_threads) GTEST_SKIP() << "children may not start threads";
  Process child([] { std::exit(limit_is_kept() ? 5 : 1); });
  EXPECT_TRUE(child.join(plenty));
  EXPECT_EQ(child.exit_code(), 5);
  Process idle([] { std::exit(6); });
  EXPECT_TRUE(idle.join(plenty));
  EXPECT_EQ(idle.exit_code(), 6);
}

/// Keeps a scheduler from sleeping.
template <class B>
Task<void, B> keep_busy(const std::atomic<bool>& over) {
  while (!over) co_await Scheduler::current()->hop();
}

// While another thread of the scheduler is about to sleep on it.
TYPED_TEST(ProcessWatchTest, AnObjectThatIsDestroyedWhenItsWaitIsOver) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 300; ++round) {
      auto event = std::make_unique<Event<processes>>();
      std::thread setter([&] { event->set(); });
      const bool set = co_await Scheduler::current()->watch(event->wait_op(), plenty);
      EXPECT_TRUE(set);
      setter.join();
      event.reset();
    }
  };
  const auto others = [&]() -> Task<void, B> {
    co_await trine::gather(body(), body(), body());
  };
  trine::run(others());
}

// One after the other they end, and are forgotten, while another thread looks at the words that tell of it.
TYPED_TEST(ProcessWatchTest, AGroupWhoseProcessesEndOneByOne) {
  using B = TypeParam;
  for (int round = 0; round < 20; ++round) {
    trine::TaskGroup<processes> group;
    std::atomic<bool> over{false};
    for (int i = 0; i < 6; ++i) {
      group.spawn([i] {
        for (std::atomic<int> work{0}; work < 20'000 * i; ++work) {
        }
      });
    }
    const auto body = [&]() -> Task<void, B> {
      trine::TaskGroup<B> busy;
      busy.spawn(keep_busy<B>, std::ref(over));
      const bool joined = co_await Scheduler::current()->watch(group.join_op(), plenty);
      EXPECT_TRUE(joined);
      over = true;
      co_await busy.join();
    };
    trine::run(body());
  }
}

// Nobody tells that a peer has died: it is seen when the watched operations look again, whether the scheduler sleeps or not.
TYPED_TEST(ProcessWatchTest, TheDeathOfThePeerOfAPipe) {
  using B = TypeParam;
  for (const bool busy : {false, true}) {
    auto [here, there] = trine::Pipe<int, processes>();
    Event<processes> never;
    Process child([&] { never.wait(); });
    there.close();
    std::atomic<bool> over = !busy;
    bool at_end = false;
    const auto receiver = [&]() -> Task<void, B> {
      Scheduler::current()->post([&] { child.kill(); });
      try {
        co_await Scheduler::current()->watch(here.recv_op());
      } catch (const trine::EndOfStream&) {
        at_end = true;
      }
      over = true;
    };
    const auto body = [&]() -> Task<void, B> { co_await trine::gather(receiver(), keep_busy<B>(over)); };
    trine::run(body());
    EXPECT_TRUE(at_end);
  }
}

TYPED_TEST(ProcessWatchTest, APermitOfTheDeadComesBack) {
  using B = TypeParam;
  Semaphore<processes> slots(1);
  Event<processes> holds;
  Event<processes> never;
  Process child([&] {
    const auto permit = slots.permit();
    holds.set();
    never.wait();
  });
  const auto body = [&]() -> Task<void, B> {
    Scheduler& here = *Scheduler::current();
    const bool held = co_await here.watch(holds.wait_op(), plenty);
    EXPECT_TRUE(held);
    here.post([&] { child.kill(); });
    const bool acquired = co_await here.watch(slots.acquire_op(), plenty);
    EXPECT_TRUE(acquired);
  };
  trine::run(body());
}

TYPED_TEST(ProcessWatchTest, NoThreadIsStartedForIt) {
  using B = TypeParam;
  Patient patient;
  Event<processes> of_process;
  Event<> of_thread;
  Queue<int, processes> queue(2);
  const auto body = [&]() -> Task<void, B> {
    Scheduler& here = *Scheduler::current();
    const std::size_t before = threads_of_this_process();
    const auto watcher = [&](int kind) -> Task<void, B> {
      if (kind == 0) co_await here.watch(patient.child.join_op(), plenty);
      if (kind == 1) co_await here.watch(of_process.wait_op(), plenty);
      if (kind == 2) co_await here.watch(of_thread.wait_op(), plenty);
      if (kind == 3) co_await here.watch(queue.get_op(), plenty);
      EXPECT_EQ(threads_of_this_process(), before);
    };
    const auto looker = [&]() -> Task<void, B> {
      co_await here.sleep(3ms);  // all the others wait by now
      EXPECT_EQ(threads_of_this_process(), before);
      patient.end.set();
      of_process.set();
      of_thread.set();
      queue.put(1);
    };
    co_await trine::gather(watcher(0), watcher(1), watcher(2), watcher(3), looker());
    EXPECT_EQ(threads_of_this_process(), before);
  };
  trine::run(body());
}

template <class O>
concept CanBeWatched = requires(Scheduler& scheduler, O operation) { scheduler.watch(std::move(operation)); };
TEST(ProcessWatch, RefusesWhatBelongsToAThread) {
  using E = Event<processes>;
  using S = Semaphore<processes>;
  using L = trine::Lock<processes>;
  using R = trine::RecursiveLock<shared_memory>;
  using W = trine::SharedLock<processes>;
  using A = trine::Barrier<processes>;
  static_assert(CanBeWatched<Process::JoinOperation>);
  static_assert(CanBeWatched<E::WaitOperation> && CanBeWatched<Event<shared_memory>::WaitOperation>);
  static_assert(CanBeWatched<S::AcquireOperation>);
  static_assert(!CanBeWatched<S::PermitOperation>, "it comes back when the thread that holds it dies");
  static_assert(CanBeWatched<Semaphore<>::PermitOperation>);
  static_assert(!CanBeWatched<L::LockOperation> && !CanBeWatched<L::GuardOperation>);
  static_assert(!CanBeWatched<R::LockOperation> && !CanBeWatched<R::GuardOperation>);
  static_assert(!CanBeWatched<W::LockOperation> && !CanBeWatched<W::SharedOperation>);
  static_assert(!CanBeWatched<W::SharedGuardOperation>);
  static_assert(CanBeWatched<trine::SharedLock<>::SharedOperation>);
  static_assert(!CanBeWatched<A::WaitOperation> && CanBeWatched<trine::Barrier<>::WaitOperation>);
}

}  // namespace
