// SPDX-License-Identifier: BSL-1.0
//
// One thread, nobody waits, nothing blocks: what each operation costs on its fast path.

#include <array>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <thread>

#include <trine/os/pause.hpp>

#include "contenders/limits.hpp"
#include "harness.hpp"

namespace {

using namespace bench;

constexpr std::size_t capacity = 1024;

template <std::size_t Bytes>
using Item = std::array<std::uint64_t, Bytes / sizeof(std::uint64_t)>;

/// A coroutine that starts at once, and that its owner resumes and destroys.
struct LeastCoroutine {
  struct promise_type {
    LeastCoroutine get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  std::coroutine_handle<promise_type> handle;
};

/// What no primitive can undercut: its fast path has to do as much.
void enroll_floors() {
  benchmark::RegisterBenchmark("floor/acquire_load", [](benchmark::State& state) {
    alignas(64) std::atomic<std::uint32_t> object{1};
    auto& word = hidden(object);
    for (auto _ : state) {
      bool seen = word.load(std::memory_order_acquire) != 0;
      benchmark::DoNotOptimize(seen);
    }
  });
  benchmark::RegisterBenchmark("floor/one_rmw", [](benchmark::State& state) {
    alignas(64) std::atomic<std::uint32_t> object{0};
    auto& word = hidden(object);
    for (auto _ : state) word.fetch_add(1, std::memory_order_relaxed);
  });
  benchmark::RegisterBenchmark("floor/two_rmw", [](benchmark::State& state) {
    alignas(64) std::atomic<std::uint32_t> object{0};
    auto& word = hidden(object);
    for (auto _ : state) {
      std::uint32_t expected = 0;
      if (!word.compare_exchange_strong(expected, 1, std::memory_order_acquire)) state.SkipWithError("not free");
      if (word.exchange(0, std::memory_order_release) != 1) state.SkipWithError("not taken");
    }
  });
}

/// What machine and system alone take for the parts of which waits, queues and coroutines are made.
void enroll_parts() {
  benchmark::RegisterBenchmark("floor/yield", [](benchmark::State& state) {
    for (auto _ : state) std::this_thread::yield();
  });
  benchmark::RegisterBenchmark("floor/pause", [](benchmark::State& state) {
    for (auto _ : state) trine::os::pause();
  });
#ifdef __linux__
  benchmark::RegisterBenchmark("floor/futex_wake", [](benchmark::State& state) {
    std::atomic<std::uint32_t> word{0};
    for (auto _ : state) Parking::wake_all(word);
  });
#endif
  benchmark::RegisterBenchmark("floor/coroutine_resume", [](benchmark::State& state) {
    LeastCoroutine coroutine = []() -> LeastCoroutine {
      for (;;) co_await std::suspend_always();
    }();
    auto& handle = hidden(coroutine.handle);
    for (auto _ : state) handle.resume();
    coroutine.handle.destroy();
  });
  benchmark::RegisterBenchmark("floor/coroutine_create", [](benchmark::State& state) {
    const auto make = []() -> LeastCoroutine { co_await std::suspend_always(); };
    for (auto _ : state) {
      LeastCoroutine coroutine = make();
      auto& handle = hidden(coroutine.handle);
      handle.resume();
      handle.destroy();
    }
  });
}

template <std::size_t Bytes>
void enroll_copy() {
  benchmark::RegisterBenchmark(("floor/copy_" + std::to_string(Bytes)).c_str(), [](benchmark::State& state) {
    Item<Bytes> from{};
    Item<Bytes> to;
    for (auto _ : state) {
      benchmark::DoNotOptimize(from);
      to = from;
      benchmark::DoNotOptimize(to);
    }
  });
}

void enroll_locks() {
  enroll("lock_unlock", locks, []<class Lock>(benchmark::State& state) {
    alignas(64) Lock object;
    auto& lock = hidden(object);
    for (auto _ : state) {
      lock.lock();
      lock.unlock();
    }
  });
  enroll("recursive_outer", recursive_locks, []<class Lock>(benchmark::State& state) {
    alignas(64) Lock object;
    auto& lock = hidden(object);
    for (auto _ : state) {
      lock.lock();
      lock.unlock();
    }
  });
  enroll("recursive_inner", recursive_locks, []<class Lock>(benchmark::State& state) {
    alignas(64) Lock object;
    auto& lock = hidden(object);
    lock.lock();
    for (auto _ : state) {
      lock.lock();
      lock.unlock();
    }
    lock.unlock();
  });
  enroll("shared_read", shared_locks, []<class Lock>(benchmark::State& state) {
    alignas(64) Lock object;
    auto& lock = hidden(object);
    for (auto _ : state) {
      lock.lock_shared();
      lock.unlock_shared();
    }
  });
  enroll("shared_write", shared_locks, []<class Lock>(benchmark::State& state) {
    alignas(64) Lock object;
    auto& lock = hidden(object);
    for (auto _ : state) {
      lock.lock();
      lock.unlock();
    }
  });
}

void enroll_signals() {
  enroll("wait_when_set", set_once_events, []<class Event>(benchmark::State& state) {
    alignas(64) Event object;
    auto& event = hidden(object);
    event.set();
    for (auto _ : state) {
      bool said = event.wait();
      benchmark::DoNotOptimize(said);
    }
  });
  enroll("set_clear", events_of_two, []<class Event>(benchmark::State& state) {
    alignas(64) Event object;
    auto& event = hidden(object);
    for (auto _ : state) {
      event.set();
      event.clear();
    }
  });
  enroll("acquire_release", semaphores, []<class Semaphore>(benchmark::State& state) {
    alignas(64) Semaphore object(1);
    auto& semaphore = hidden(object);
    for (auto _ : state) {
      semaphore.acquire();
      semaphore.release();
    }
  });
  enroll("notify_nobody", conditions, []<class Condition>(benchmark::State& state) {
    alignas(64) Condition object;
    auto& condition = hidden(object);
    for (auto _ : state) {
      condition.notify();
      benchmark::ClobberMemory();
    }
  });
  enroll("count_down_try_wait", latches, []<class Latch>(benchmark::State& state) {
    alignas(64) Latch object(std::numeric_limits<std::int32_t>::max());
    auto& latch = hidden(object);
    for (auto _ : state) {
      latch.count_down();
      bool said = latch.try_wait();
      benchmark::DoNotOptimize(said);
    }
  });
  enroll("barrier_of_one", barriers, []<class Barrier>(benchmark::State& state) {
    alignas(64) Barrier object(1);
    auto& barrier = hidden(object);
    for (auto _ : state) barrier.wait();
  });
}

template <std::size_t Bytes, class Contenders>
void enroll_put_get(const std::string& name, Contenders contenders, std::size_t limit) {
  enroll(name, contenders, [limit]<class Queues>(benchmark::State& state) {
    alignas(64) typename Queues::template Of<Item<Bytes>> object(limit);
    auto& queue = hidden(object);
    Item<Bytes> item{};
    for (auto _ : state) {
      benchmark::DoNotOptimize(item);
      queue.put(item);
      Item<Bytes> got = queue.get();
      benchmark::DoNotOptimize(got);
    }
  });
}

template <class Contenders>
void enroll_many(const char* name, Contenders contenders, std::size_t limit) {
  // The time is that of one item.
  enroll(name, contenders, [limit]<class Queues>(benchmark::State& state) {
    constexpr std::size_t many = 16;
    alignas(64) typename Queues::template Of<Item<8>> object(limit);
    auto& queue = hidden(object);
    std::array<Item<8>, many> items{};
    while (state.KeepRunningBatch(many)) {
      benchmark::DoNotOptimize(items);
      queue.put_many(items.data(), many);
      for (std::size_t got = 0; got < many;) got += queue.get_many(items.data(), many - got);
      benchmark::DoNotOptimize(items);
    }
  });
}

void enroll_queues() {
  enroll_put_get<8>("queue_8_bounded", bounded_queues, capacity);
  enroll_put_get<256>("queue_256_bounded", bounded_queues, capacity);
  enroll_put_get<4096>("queue_4096_bounded", bounded_queues, capacity);
  enroll_put_get<8>("queue_8_unbounded", queues, 0);
  enroll_put_get<256>("queue_256_unbounded", queues, 0);
  enroll("queue_try_get_empty", queues, []<class Queues>(benchmark::State& state) {
    alignas(64) typename Queues::template Of<Item<8>> object(capacity);
    auto& queue = hidden(object);
    for (auto _ : state) {
      bool got = queue.try_get().has_value();
      benchmark::DoNotOptimize(got);
    }
  });
  enroll_many("queue_8_16_at_a_time_bounded", trine_batches, capacity);
  enroll_many("queue_8_16_at_a_time_unbounded", batch_queues, 0);
}

}  // namespace

int main(int argc, char** argv) {
  enroll_floors();
  enroll_parts();
  enroll_copy<256>();
  enroll_copy<4096>();
  enroll_locks();
  enroll_signals();
  enroll_queues();
  return bench::run(argc, argv);
}
