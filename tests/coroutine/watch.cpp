// SPDX-License-Identifier: BSL-1.0
//
// Coroutines that await what threads signal, and what other processes signal through memory that they share.
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Event;
using trine::Queue;
using trine::Scheduler;
using trine::Semaphore;
using trine::Task;
using trine_test::plenty;
using trine_test::Visits;

/// Callers block in the system, on words that other processes wake too.
struct across : trine::Blocking<trine::os::LinuxFutex<trine::os::FutexScope::machine>> {
  using Worker = std::thread;
  static std::uint32_t self() noexcept { return trine::threads::self(); }
};
static_assert(trine::Backend<across>);

/// An object in memory that is shared with children made by fork().
template <class T>
class Shared {
 public:
  template <class... A>
  explicit Shared(A&&... arguments)
      : at_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
    ::new (at_) T(std::forward<A>(arguments)...);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    operator*().~T();
    ::munmap(at_, sizeof(T));
  }
  T& operator*() const { return *static_cast<T*>(at_); }
  T* operator->() const { return static_cast<T*>(at_); }

 private:
  void* at_;
};

std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(threads), end(threads)));
}

template <class B>
class WatchTest : public ::testing::Test {};
TYPED_TEST_SUITE(WatchTest, trine_test::CoroutineBackends, trine_test::BackendName);

TYPED_TEST(WatchTest, AnEventThatIsSetIsNotWaitedFor) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<> event(true);
    const bool set = co_await Scheduler::current()->watch(event.wait_op());
    EXPECT_TRUE(set);
  };
  trine::run(body());
}

TYPED_TEST(WatchTest, AThreadSetsAnEvent) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 100; ++round) {
      Event<> event;
      int written = 0;
      std::jthread other([&] {
        written = round + 1;
        event.set();
      });
      const bool set = co_await Scheduler::current()->watch(event.wait_op());
      EXPECT_TRUE(set);
      EXPECT_EQ(written, round + 1);
    }
  };
  trine::run(body());
}

TYPED_TEST(WatchTest, OthersGoOnMeanwhile) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<> event;
    std::atomic<bool> over = false;
    const auto busy = [&]() -> Task<void, B> {
      for (int i = 0; i < 1000; ++i) co_await Scheduler::current()->hop();
      event.set();
      // A scheduler that always has something to run looks at its words too.
      while (!over) co_await Scheduler::current()->hop();
    };
    trine::TaskGroup<B> group;
    group.spawn(std::ref(busy));
    const bool set = co_await Scheduler::current()->watch(event.wait_op());
    EXPECT_TRUE(set);
    over = true;
    co_await group.join();
  };
  trine::run(body());
}

TYPED_TEST(WatchTest, KeepsLimits) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Event<> never;
    std::stop_source stop;
    const auto begin = std::chrono::steady_clock::now();
    const bool late = co_await Scheduler::current()->watch(never.wait_op(), 5ms);
    EXPECT_FALSE(late);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);
    std::jthread stopper([&] { stop.request_stop(); });
    const bool stopped = co_await Scheduler::current()->watch(never.wait_op(), stop.get_token());
    EXPECT_FALSE(stopped);
  };
  trine::run(body());
}

TYPED_TEST(WatchTest, ThreadsFeedAQueueAndNoItemIsLost) {
  using B = TypeParam;
  static constexpr int items = 3000;
  Queue<int> queue(4);
  std::atomic<int> got{0};
  std::atomic<std::int64_t> sum{0};
  std::vector<std::jthread> producers;
  for (int p = 0; p < 2; ++p) {
    producers.emplace_back([&] {
      for (int n = 1; n <= items; ++n) queue.put(n);
    });
  }
  const auto consumer = [&]() -> Task<void, B> {
    try {
      for (;;) {
        sum += co_await Scheduler::current()->watch(queue.get_op());
        if (++got == 2 * items) queue.shutdown();
      }
    } catch (const trine::QueueShutdown&) {
      co_return;
    }
  };
  const auto body = [&]() -> Task<void, B> { co_await trine::gather(consumer(), consumer(), consumer()); };
  trine::run(body());
  EXPECT_EQ(got, 2 * items);
  EXPECT_EQ(sum, std::int64_t{items} * (items + 1));
}

// Threads and coroutines compete for the same permits: a wake that a scheduler swallowed must not be lost to a thread.
TYPED_TEST(WatchTest, ThreadsAndCoroutinesShareASemaphore) {
  using B = TypeParam;
  static constexpr int turns = 2000;
  Semaphore<> slots(1);
  int inside = 0;  // plain: the semaphore orders the accesses
  std::vector<std::jthread> others;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&] {
      for (int n = 0; n < turns; ++n) {
        EXPECT_TRUE(slots.acquire(plenty));
        ++inside;
        slots.release();
      }
    });
  }
  const auto taker = [&]() -> Task<void, B> {
    for (int n = 0; n < turns; ++n) {
      const bool acquired = co_await Scheduler::current()->watch(slots.acquire_op(), plenty);
      EXPECT_TRUE(acquired);
      ++inside;
      slots.release();
      if (n % 16 == 0) co_await Scheduler::current()->hop();
    }
  };
  const auto body = [&]() -> Task<void, B> { co_await trine::gather(taker(), taker()); };
  trine::run(body());
  others.clear();
  EXPECT_EQ(inside, 4 * turns);
  EXPECT_EQ(slots.value(), 1);
}

TYPED_TEST(WatchTest, MoreWordsThanOneSystemCallTakes) {
  using B = TypeParam;
  static constexpr std::size_t count = 200;
  const auto body = []() -> Task<void, B> {
    std::vector<std::unique_ptr<Event<>>> events;
    for (std::size_t i = 0; i < count; ++i) events.push_back(std::make_unique<Event<>>());
    std::atomic<std::size_t> passed{0};
    const auto waiter = [&](std::size_t which) -> Task<void, B> {
      const bool set = co_await Scheduler::current()->watch(events[which]->wait_op(), plenty);
      if (set) ++passed;
    };
    std::vector<Task<void, B>> tasks;
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(waiter(i));
    std::jthread other([&] {
      for (auto& event : events) event->set();
    });
    co_await trine::gather(std::move(tasks));
    EXPECT_EQ(passed, count);
  };
  trine::run(body());
}

TYPED_TEST(WatchTest, IsOneOfSeveralInASelect) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Scheduler& scheduler = *Scheduler::current();
    Event<> of_threads;
    Event<trine::coroutines> of_coroutines;
    for (int round = 0; round < 50; ++round) {
      of_threads.clear();
      of_coroutines.clear();
      std::jthread other([&] {
        if (round % 2 == 0) {
          of_threads.set();
        } else {
          of_coroutines.set();
        }
      });
      const auto first = co_await trine::select(scheduler.watch_op(of_threads.wait_op()), of_coroutines.wait_op(), plenty);
      EXPECT_EQ(first.index(), round % 2 == 0 ? 0U : 1U);
    }
    Event<> never;
    const auto none = co_await trine::select(scheduler.watch_op(never.wait_op()), 1ms);
    EXPECT_EQ(none.index(), none.none);
  };
  trine::run(body());
}

TYPED_TEST(WatchTest, IsTakenOffWhenItsTaskIsDestroyed) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    Visits visits;
    {
      Event<> never;
      const auto waiter = [&]() -> Task<void, B> {
        const Visits::Scope inside(visits);
        co_await Scheduler::current()->watch(never.wait_op());
      };
      const bool ended = co_await trine::with_timeout(waiter(), 2ms);
      EXPECT_FALSE(ended);
    }
    EXPECT_EQ(visits.left, visits.entered);
    co_await Scheduler::current()->sleep(1ms);  // it would look at freed memory
  };
  trine::run(body());
}

TYPED_TEST(WatchTest, AnotherProcessSetsAnEvent) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    for (int round = 0; round < 20; ++round) {
      Shared<Event<across>> go;
      Shared<Event<across>> done;
      const pid_t child = ::fork();
      if (child == 0) {
        const bool came = go->wait(plenty);
        if (came) done->set();
        ::_exit(came ? 0 : 1);
      }
      go->set();
      const bool set = co_await Scheduler::current()->watch(done->wait_op(), plenty);
      EXPECT_TRUE(set);
      int status = 0;
      EXPECT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0);
    }
  };
  if constexpr (B::scheduler_threads == 1) trine::run(body());  // one must not fork with threads about
}

TYPED_TEST(WatchTest, NoThreadIsStartedForIt) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    const std::size_t before = threads_of_this_process();
    Event<> of_threads;
    Shared<Event<across>> of_processes;
    const bool first = co_await Scheduler::current()->watch(of_threads.wait_op(), 3ms);
    const bool second = co_await Scheduler::current()->watch(of_processes->wait_op(), 3ms);
    EXPECT_FALSE(first || second);
    EXPECT_EQ(threads_of_this_process(), before);
  };
  trine::run(body());
}

template <class O>
concept CanBeWatched = requires(Scheduler& scheduler, O operation) {
  scheduler.watch(std::move(operation));
};

/// A backend whose locks belong to the thread.
struct owning : across {
  static std::uint32_t holder() noexcept { return self(); }
};

TEST(Watch, RefusesWhatBelongsToAThread) {
  static_assert(CanBeWatched<decltype(std::declval<trine::Lock<>>().lock_op())>);
  static_assert(CanBeWatched<decltype(std::declval<trine::Lock<across>>().guard_op())>);
  static_assert(!CanBeWatched<decltype(std::declval<trine::RecursiveLock<>>().lock_op())>);
  static_assert(!CanBeWatched<decltype(std::declval<trine::Lock<owning>>().lock_op())>);
  static_assert(!CanBeWatched<decltype(std::declval<trine::Lock<owning>>().guard_op())>);
  static_assert(!CanBeWatched<decltype(std::declval<trine::SharedLock<owning>>().lock_op())>);
  static_assert(CanBeWatched<decltype(std::declval<trine::Event<owning>>().wait_op())>);
  static_assert(!CanBeWatched<decltype(std::declval<trine::Event<trine::portable_threads>>().wait_op())>);
  static_assert(!CanBeWatched<decltype(std::declval<trine::Event<trine::coroutines>>().wait_op())>);
}

}  // namespace
