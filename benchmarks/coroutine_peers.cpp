// SPDX-License-Identifier: BSL-1.0
//
// The shapes of coroutines.cpp on coroutine libraries that lie in the folder TRINE_PEERS: cppcoro, libcoro, TooManyCooks.
// Without any of them this has no rows.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "harness.hpp"

#ifdef TRINE_HAVE_CPPCORO
#include "contenders/cppcoro.hpp"
#endif
#ifdef TRINE_HAVE_LIBCORO
#include "contenders/libcoro.hpp"
#endif
#ifdef TRINE_HAVE_TOOMANYCOOKS
#include "contenders/toomanycooks.hpp"
#endif

namespace {

// A library has a Task, run(task), all(tasks), and its primitives; `posts` says that those who are woken run only when the one
// who woke them lets them, by pause(): otherwise they run at once.

template <class L>
void lock_unlock(benchmark::State& state) {
  const auto body = [](benchmark::State& turns) -> typename L::template Task<void> {
    typename L::Lock lock;
    for (auto each : turns) {
      (void)each;
      co_await L::lock(bench::hidden(lock));
      lock.unlock();
    }
  };
  L::run(body(state));
}

template <class L>
void await_task(benchmark::State& state) {
  const auto body = [](benchmark::State& turns) -> typename L::template Task<void> {
    const auto one = [](int n) -> typename L::template Task<int> { co_return n; };
    int sum = 0;
    for (auto each : turns) {
      (void)each;
      sum += co_await one(1);
    }
    benchmark::DoNotOptimize(sum);
  };
  L::run(body(state));
}

template <class L>
void hop(benchmark::State& state) {
  typename L::Line line;
  const auto body = [](benchmark::State& turns, typename L::Line& at) -> typename L::template Task<void> {
    co_await at.hop();
    for (auto each : turns) {
      (void)each;
      co_await at.hop();
    }
  };
  L::run(body(state, line));
}

/// Runs two coroutines until both have ended.
template <class L, class First, class Second>
void run_two(First first, Second second) {
  const auto both = [](First one, Second other) -> typename L::template Task<void> {
    std::vector<typename L::template Task<void>> tasks;
    tasks.push_back(one());
    tasks.push_back(other());
    co_await L::all(tasks);
  };
  L::run(both(first, second));
}

template <class L>
void semaphore_round_trip(benchmark::State& state) {
  typename L::Semaphore there = L::empty_semaphore();
  typename L::Semaphore back = L::empty_semaphore();
  bool over = false;
  const auto other = [&]() -> typename L::template Task<void> {
    for (;;) {
      co_await L::acquire(there);
      if (over) co_return;
      if constexpr (L::release_suspends)
        co_await L::release(back);
      else
        L::release(back);
    }
  };
  const auto body = [&]() -> typename L::template Task<void> {
    for (auto each : state) {
      (void)each;
      if constexpr (L::release_suspends)
        co_await L::release(there);
      else
        L::release(there);
      co_await L::acquire(back);
    }
    over = true;
    if constexpr (L::release_suspends)
      co_await L::release(there);
    else
      L::release(there);
  };
  run_two<L>(other, body);
}

template <class L>
void event_round_trip(benchmark::State& state) {
  typename L::Event there;
  typename L::Event back;
  bool over = false;
  const auto other = [&]() -> typename L::template Task<void> {
    for (;;) {
      co_await there;
      there.reset();
      if (over) co_return;
      back.set();
    }
  };
  const auto body = [&]() -> typename L::template Task<void> {
    for (auto each : state) {
      (void)each;
      there.set();
      co_await back;
      back.reset();
    }
    over = true;
    there.set();
  };
  run_two<L>(other, body);
}

/// Two events in turn: who is woken at once would find the one that woke it still set.
template <class L>
void event_wakes_1000(benchmark::State& state) {
  static constexpr int waiters = 1000;
  using Task = typename L::template Task<void>;
  typename L::Event go[2];
  bool over = false;
  int waiting = 0;
  const auto waiter = [&]() -> Task {
    for (unsigned round = 0;; ++round) {
      if (over) co_return;
      ++waiting;
      co_await go[round % 2];
    }
  };
  const auto body = [&]() -> Task {
    if constexpr (L::posts) {
      while (waiting != waiters) co_await L::pause();
    }
    unsigned round = 0;
    const auto wake = [&] { go[round++ % 2].set(); };
    while (state.KeepRunningBatch(waiters)) {
      waiting = 0;
      wake();
      if constexpr (L::posts) {
        while (waiting != waiters) co_await L::pause();
      }
      go[(round - 1) % 2].reset();
    }
    over = true;
    wake();
  };
  const auto all = [&]() -> Task {
    std::vector<Task> tasks;
    for (int i = 0; i < waiters; ++i) tasks.push_back(waiter());
    tasks.push_back(body());
    co_await L::all(tasks);
  };
  L::run(all());
}

template <class L, std::size_t Capacity>
void queue_between_two(benchmark::State& state) {
  typename L::template Queue<Capacity> queue;
  const auto consumer = [&]() -> typename L::template Task<void> {
    std::int64_t sum = 0;
    while (sum >= 0) sum += L::item(co_await queue.get());
    benchmark::DoNotOptimize(sum);
  };
  const std::int64_t one = 1;
  const std::int64_t last = -(std::int64_t{1} << 62);
  const auto producer = [&]() -> typename L::template Task<void> {
    for (auto each : state) {
      (void)each;
      co_await queue.put(one);
    }
    co_await queue.put(last);
  };
  run_two<L>(consumer, producer);
}

template <class L>
void spawn_and_join(benchmark::State& state) {
  static constexpr int tasks = 1000;
  using Task = typename L::template Task<void>;
  const auto nothing = []() -> Task { co_return; };
  const auto body = [&]() -> Task {
    while (state.KeepRunningBatch(tasks)) {
      std::vector<Task> all;
      all.reserve(tasks);
      for (int i = 0; i < tasks; ++i) all.push_back(nothing());
      co_await L::all(all);
    }
  };
  L::run(body());
}

// L::Pool has two threads. A task hops to come there, but where `spawns_on_pool`.

template <class L>
void two_threads_hop(benchmark::State& state) {
  typename L::Pool pool;
  const auto body = [&]() -> typename L::template Task<void> {
    co_await pool.hop();
    for (auto each : state) {
      (void)each;
      co_await pool.hop();
    }
  };
  pool.run(body());
}

template <class L, class Turn>
void two_threads_take_turns(benchmark::State& state, typename L::Pool& pool, int tasks, Turn turn) {
  static constexpr int turns = 1000;
  using Task = typename L::template Task<void>;
  const auto task = [&]() -> Task {
    co_await pool.hop();
    for (int i = 0; i < turns; ++i) co_await turn();
  };
  const auto body = [&]() -> Task {
    while (state.KeepRunningBatch(turns * tasks)) {
      std::vector<Task> all;
      for (int i = 0; i < tasks; ++i) all.push_back(task());
      co_await L::all(all);
    }
  };
  pool.run(body());
}

template <class L>
void two_threads_eight_hop(benchmark::State& state) {
  typename L::Pool pool;
  two_threads_take_turns<L>(state, pool, 8, [&] { return pool.hop(); });
}

template <class L>
void two_threads_lock_and_hop(benchmark::State& state) {
  typename L::Pool pool;
  typename L::Lock lock;
  two_threads_take_turns<L>(state, pool, 2, [&]() -> typename L::template Task<void> {
    co_await L::lock(lock);
    lock.unlock();
    co_await pool.hop();
  });
}

template <class L>
void two_threads_spawn_and_join(benchmark::State& state) {
  static constexpr int tasks = 1000;
  using Task = typename L::template Task<void>;
  typename L::Pool pool;
  const auto nothing = [&]() -> Task {
    if constexpr (!L::spawns_on_pool) co_await pool.hop();
    co_return;
  };
  const auto body = [&]() -> Task {
    while (state.KeepRunningBatch(tasks)) {
      std::vector<Task> all;
      all.reserve(tasks);
      for (int i = 0; i < tasks; ++i) all.push_back(nothing());
      co_await L::all(all);
    }
  };
  pool.run(body());
}

template <class L>
void enroll_library() {
  const std::string name = L::name;
  const auto enroll = [&name](const char* shape, void (*function)(benchmark::State&)) {
    return benchmark::RegisterBenchmark((shape + ("/" + name)).c_str(), function);
  };
  enroll("coroutine_lock_unlock", lock_unlock<L>);
  enroll("coroutine_await_task", await_task<L>);
  enroll("coroutine_hop", hop<L>);
  enroll("coroutine_semaphore_round_trip", semaphore_round_trip<L>);
  enroll("coroutine_event_round_trip", event_round_trip<L>);
  enroll("coroutine_event_wakes_1000", event_wakes_1000<L>);
  if constexpr (requires { typename L::template Queue<1>; }) {
    enroll("coroutine_queue_between_two_1024", queue_between_two<L, 1024>);
    enroll("coroutine_queue_between_two_1", queue_between_two<L, 1>);
  }
  enroll("coroutine_spawn_1000_and_join", spawn_and_join<L>);
  enroll("coroutine_two_threads_hop", two_threads_hop<L>)->UseRealTime();
  enroll("coroutine_two_threads_eight_hop", two_threads_eight_hop<L>)->UseRealTime();
  enroll("coroutine_two_threads_lock_and_hop", two_threads_lock_and_hop<L>)->UseRealTime();
  enroll("coroutine_two_threads_spawn_1000_and_join", two_threads_spawn_and_join<L>)->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
#ifdef TRINE_HAVE_CPPCORO
  enroll_library<bench::Cppcoro>();
#endif
#ifdef TRINE_HAVE_LIBCORO
  enroll_library<bench::Libcoro>();
#endif
#ifdef TRINE_HAVE_TOOMANYCOOKS
  enroll_library<bench::TooManyCooks>();
#endif
  return bench::run(argc, argv);
}
