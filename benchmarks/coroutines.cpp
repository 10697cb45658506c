// SPDX-License-Identifier: BSL-1.0
//
// Coroutines on one thread: what a wait costs that need not wait, and what it costs to be woken. Beside trine, where Boost's
// headers are installed, the channels of Boost.Asio.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "harness.hpp"

#ifdef TRINE_HAVE_ASIO
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#endif

namespace {

using B = trine::coroutines;
using trine::Scheduler;
using trine::Task;

// Runs one coroutine that does `state`'s iterations.
template <class Body>
void run_alone(benchmark::State& state, Body body) {
  trine::run(body(state));
}

void lock_unlock(benchmark::State& state) {
  const auto body = [](benchmark::State& turns) -> Task<void, B> {
    trine::Lock<B> lock;
    for (auto each : turns) {
      (void)each;
      co_await bench::hidden(lock).lock();
      lock.unlock();
    }
  };
  run_alone(state, body);
}
BENCHMARK(lock_unlock)->Name("coroutine_lock_unlock/trine");

void await_task(benchmark::State& state) {
  const auto body = [](benchmark::State& turns) -> Task<void, B> {
    const auto one = [](int n) -> Task<int, B> { co_return n; };
    int sum = 0;
    for (auto each : turns) {
      (void)each;
      sum += co_await one(1);
    }
    benchmark::DoNotOptimize(sum);
  };
  run_alone(state, body);
}
BENCHMARK(await_task)->Name("coroutine_await_task/trine");

void hop(benchmark::State& state) {
  const auto body = [](benchmark::State& turns) -> Task<void, B> {
    Scheduler& here = *Scheduler::current();
    for (auto each : turns) {
      (void)each;
      co_await here.hop();
    }
  };
  run_alone(state, body);
}
BENCHMARK(hop)->Name("coroutine_hop/trine");

// Two coroutines wait for each other in turn; one iteration is there and back.
void semaphore_round_trip(benchmark::State& state) {
  trine::Semaphore<B> there(0);
  trine::Semaphore<B> back(0);
  bool over = false;
  const auto other = [&]() -> Task<void, B> {
    for (;;) {
      co_await there.acquire();
      if (over) co_return;
      back.release();
    }
  };
  const auto body = [&](benchmark::State& turns) -> Task<void, B> {
    Scheduler::current()->spawn(other());
    for (auto each : turns) {
      (void)each;
      there.release();
      co_await back.acquire();
    }
    over = true;
    there.release();
    co_await Scheduler::current()->hop();
  };
  run_alone(state, body);
}
BENCHMARK(semaphore_round_trip)->Name("coroutine_semaphore_round_trip/trine");

void event_round_trip(benchmark::State& state) {
  trine::Event<B> there;
  trine::Event<B> back;
  bool over = false;
  const auto other = [&]() -> Task<void, B> {
    for (;;) {
      co_await there.wait();
      there.clear();
      if (over) co_return;
      back.set();
    }
  };
  const auto body = [&](benchmark::State& turns) -> Task<void, B> {
    Scheduler::current()->spawn(other());
    for (auto each : turns) {
      (void)each;
      there.set();
      co_await back.wait();
      back.clear();
    }
    over = true;
    there.set();
    co_await Scheduler::current()->hop();
  };
  run_alone(state, body);
}
BENCHMARK(event_round_trip)->Name("coroutine_event_round_trip/trine");

// One iteration is one waiter: it begins to wait, is woken with a thousand others, and goes on.
void event_wakes_1000(benchmark::State& state) {
  static constexpr int waiters = 1000;
  trine::Event<B> go;
  bool over = false;
  const auto waiter = [&]() -> Task<void, B> {
    while (!over) co_await go.wait();
  };
  const auto body = [&](benchmark::State& turns) -> Task<void, B> {
    Scheduler& here = *Scheduler::current();
    trine::TaskGroup<B> group;
    for (int i = 0; i < waiters; ++i) group.spawn(std::ref(waiter));
    co_await here.hop();
    while (turns.KeepRunningBatch(waiters)) {
      go.set();
      go.clear();
      co_await here.hop();
    }
    over = true;
    go.set();
    co_await group.join();
  };
  run_alone(state, body);
}
BENCHMARK(event_wakes_1000)->Name("coroutine_event_wakes_1000/trine");

template <std::size_t Capacity>
void queue_between_two(benchmark::State& state) {
  trine::Queue<std::int64_t, B> queue(Capacity);
  const auto consumer = [&]() -> Task<void, B> {
    std::int64_t sum = 0;
    while (sum >= 0) sum += co_await queue.get();
    benchmark::DoNotOptimize(sum);
  };
  const auto body = [&](benchmark::State& turns) -> Task<void, B> {
    Scheduler::current()->spawn(consumer());
    for (auto each : turns) {
      (void)each;
      co_await queue.put(1);
    }
    co_await queue.put(-(std::int64_t{1} << 62));
    co_await Scheduler::current()->hop();
  };
  run_alone(state, body);
}
BENCHMARK(queue_between_two<1024>)->Name("coroutine_queue_between_two_1024/trine");
BENCHMARK(queue_between_two<1>)->Name("coroutine_queue_between_two_1/trine");

void spawn_and_join(benchmark::State& state) {
  static constexpr int tasks = 1000;
  const auto nothing = []() -> Task<void, B> { co_return; };
  const auto body = [&](benchmark::State& turns) -> Task<void, B> {
    while (turns.KeepRunningBatch(tasks)) {
      trine::TaskGroup<B> group;
      for (int i = 0; i < tasks; ++i) group.spawn(std::ref(nothing));
      co_await group.join();
    }
  };
  run_alone(state, body);
}
BENCHMARK(spawn_and_join)->Name("coroutine_spawn_1000_and_join/trine_task_group");

void spawn_and_run(benchmark::State& state) {
  static constexpr int tasks = 1000;
  const auto nothing = []() -> Task<void, B> { co_return; };
  Scheduler scheduler;
  while (state.KeepRunningBatch(tasks)) {
    for (int i = 0; i < tasks; ++i) scheduler.spawn(nothing());
    scheduler.run();
  }
}
BENCHMARK(spawn_and_run)->Name("coroutine_spawn_1000_and_join/trine_scheduler");

#ifdef TRINE_HAVE_ASIO

namespace asio = boost::asio;
using Channel = asio::experimental::channel<void(boost::system::error_code, std::int64_t)>;

template <class Body>
void run_in_asio(Body body) {
  asio::io_context context(1);
  asio::co_spawn(context, body(context), asio::detached);
  context.run();
}

// A channel of one place is Asio's lock: full is free.
void asio_lock_unlock(benchmark::State& state) {
  run_in_asio([&](asio::io_context& context) -> asio::awaitable<void> {
    Channel lock(context, 1);
    co_await lock.async_send({}, 1, asio::use_awaitable);
    for (auto each : state) {
      (void)each;
      co_await lock.async_receive(asio::use_awaitable);
      co_await lock.async_send({}, 1, asio::use_awaitable);
    }
  });
}
BENCHMARK(asio_lock_unlock)->Name("coroutine_lock_unlock/asio_channel");

void asio_hop(benchmark::State& state) {
  run_in_asio([&](asio::io_context& context) -> asio::awaitable<void> {
    for (auto each : state) {
      (void)each;
      co_await asio::post(context, asio::use_awaitable);
    }
  });
}
BENCHMARK(asio_hop)->Name("coroutine_hop/asio_post");

void asio_round_trip(benchmark::State& state) {
  asio::io_context context(1);
  Channel there(context, 0);
  Channel back(context, 0);
  const auto other = [&]() -> asio::awaitable<void> {
    while (co_await there.async_receive(asio::use_awaitable) == 0) co_await back.async_send({}, 0, asio::use_awaitable);
  };
  const auto body = [&]() -> asio::awaitable<void> {
    for (auto each : state) {
      (void)each;
      co_await there.async_send({}, 0, asio::use_awaitable);
      co_await back.async_receive(asio::use_awaitable);
    }
    co_await there.async_send({}, 1, asio::use_awaitable);
  };
  asio::co_spawn(context, other(), asio::detached);
  asio::co_spawn(context, body(), asio::detached);
  context.run();
}
BENCHMARK(asio_round_trip)->Name("coroutine_semaphore_round_trip/asio_channel");

template <std::size_t Capacity>
void asio_queue_between_two(benchmark::State& state) {
  asio::io_context context(1);
  Channel queue(context, Capacity);
  const auto consumer = [&]() -> asio::awaitable<void> {
    std::int64_t sum = 0;
    while (sum >= 0) sum += co_await queue.async_receive(asio::use_awaitable);
    benchmark::DoNotOptimize(sum);
  };
  const auto producer = [&]() -> asio::awaitable<void> {
    for (auto each : state) {
      (void)each;
      co_await queue.async_send({}, 1, asio::use_awaitable);
    }
    co_await queue.async_send({}, -(std::int64_t{1} << 62), asio::use_awaitable);
  };
  asio::co_spawn(context, consumer(), asio::detached);
  asio::co_spawn(context, producer(), asio::detached);
  context.run();
}
BENCHMARK(asio_queue_between_two<1024>)->Name("coroutine_queue_between_two_1024/asio_channel");
BENCHMARK(asio_queue_between_two<1>)->Name("coroutine_queue_between_two_1/asio_channel");

#endif

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv); }
