// SPDX-License-Identifier: BSL-1.0
//
// Several threads want the same object all the time: how many operations they get done together.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness.hpp"

namespace {

using namespace bench;

constexpr std::size_t capacity = 1024;

template <std::size_t Bytes>
using Item = std::array<std::uint64_t, Bytes / sizeof(std::uint64_t)>;

/// Adapts a semaphore of one permit to the interface of a lock.
template <class Semaphore>
struct AsLock {
  static constexpr const char* name = Semaphore::name;

  void lock() { semaphore.acquire(); }
  void unlock() { semaphore.release(); }

  Semaphore semaphore{1};
};

template <class... Semaphores>
constexpr List<AsLock<Semaphores>...> as_locks(List<Semaphores...>) {
  return {};
}

/// The threads take turns to count until all operations are done, so that they compete until the end.
/// `least`: how many the thread that got the fewest did, compared with an even share.
template <class Lock>
void count_together(benchmark::State& state, std::size_t threads) {
  std::vector<std::int64_t> turns(threads);
  struct Shared {
    alignas(64) Lock lock;
    alignas(64) std::int64_t count = 0;
  };
  std::unique_ptr<Shared> shared;
  measure_team(state, threads, Placement::all_cores, [&] {
    shared = std::make_unique<Shared>();
    return [&](std::size_t number, std::int64_t operations) {
      std::int64_t mine = 0;
      for (bool over = false; !over; ++mine) {
        shared->lock.lock();
        over = shared->count == operations;
        if (!over) ++shared->count;
        shared->lock.unlock();
      }
      turns[number] = mine - 1;
    };
  });
  const auto least = static_cast<double>(*std::min_element(turns.begin(), turns.end()));
  state.counters["least"] = least * static_cast<double>(threads) / static_cast<double>(state.max_iterations);
}

template <class Contenders>
void enroll_locks(const std::string& name, Contenders contenders) {
  for (const std::size_t threads : team_sizes()) {
    const auto shape = [threads]<class Lock>(benchmark::State& state) { count_together<Lock>(state, threads); };
    for (auto* each : enroll(name + "_" + std::to_string(threads), contenders, shape)) each->UseManualTime();
  }
}

/// What no lock can undercut: the counter's cache line goes to and fro, at most once for each turn.
void enroll_counter() {
  for (const std::size_t threads : team_sizes()) {
    benchmark::RegisterBenchmark(("lock_" + std::to_string(threads) + "/limit_fetch_add").c_str(),
                                 [threads](benchmark::State& state) {
                                   alignas(64) std::atomic<std::int64_t> count{0};
                                   measure_team(state, threads, Placement::all_cores, [&] {
                                     return [&](std::size_t number, std::int64_t operations) {
                                       for (std::int64_t left = share(operations, number, threads); left > 0; --left)
                                         count.fetch_add(1, std::memory_order_relaxed);
                                     };
                                   });
                                 })
        ->UseManualTime();
  }
}

/// Nothing but readers: they need not wait for each other, and yet have to share a cache line.
void enroll_readers() {
  for (const std::size_t threads : team_sizes()) {
    const auto shape = [threads]<class Lock>(benchmark::State& state) {
      std::unique_ptr<Lock> lock;
      measure_team(state, threads, Placement::all_cores, [&] {
        lock = std::make_unique<Lock>();
        return [&](std::size_t number, std::int64_t operations) {
          for (std::int64_t left = share(operations, number, threads); left > 0; --left) {
            lock->lock_shared();
            benchmark::ClobberMemory();
            lock->unlock_shared();
          }
        };
      });
    };
    for (auto* each : enroll("shared_read_" + std::to_string(threads), shared_locks, shape)) each->UseManualTime();
  }
}

/// So many producers and as many consumers; the time is that of one item. A consumer runs on another core
/// than the producer of the same number.
template <class Queue>
void move_items(benchmark::State& state, std::size_t producers) {
  using Value = decltype(std::declval<Queue&>().get());
  std::unique_ptr<Queue> queue;
  measure_team(state, 2 * producers, Placement::all_cores, [&] {
    queue = std::make_unique<Queue>(capacity);
    return [&](std::size_t number, std::int64_t operations) {
      const std::size_t pair = number / 2;
      const bool producing = (number + pair) % 2 == 0;
      std::int64_t left = share(operations, pair, producers);
      if (producing) {
        Value item{};
        for (; left > 0; --left) {
          benchmark::DoNotOptimize(item);
          queue->put(item);
        }
      } else {
        for (; left > 0; --left) {
          Value item = queue->get();
          benchmark::DoNotOptimize(item);
        }
      }
    };
  });
}

/// Of so many bytes each, from so many producers to as many consumers.
template <std::size_t Bytes, class Contenders>
void enroll_moving(std::size_t producers, Contenders contenders) {
  const auto shape = [producers]<class Queues>(benchmark::State& state) {
    move_items<typename Queues::template Of<Item<Bytes>>>(state, producers);
  };
  const std::string number = std::to_string(producers);
  for (auto* each : enroll("queue_" + std::to_string(Bytes) + "_" + number + "to" + number, contenders, shape))
    each->UseManualTime();
}

template <std::size_t Bytes>
void enroll_queues() {
  enroll_moving<Bytes>(1, one_to_one_queues);
  for (const std::size_t producers : team_sizes()) enroll_moving<Bytes>(producers, moving_queues);
}

/// As move_items() from one to one, 16 at a time.
template <class Queue>
void move_batches(benchmark::State& state) {
  constexpr std::int64_t many = 16;
  using Batch = std::array<Item<8>, static_cast<std::size_t>(many)>;
  std::unique_ptr<Queue> queue;
  measure_team(state, 2, Placement::all_cores, [&] {
    queue = std::make_unique<Queue>(capacity);
    return [&](std::size_t number, std::int64_t operations) {
      Batch batch{};
      std::int64_t left = operations;
      while (left > 0) {
        const std::size_t size = static_cast<std::size_t>(std::min(left, many));
        benchmark::DoNotOptimize(batch);
        if (number == 0) queue->put_many(batch.data(), size);
        left -= static_cast<std::int64_t>(number == 0 ? size : queue->get_many(batch.data(), size));
      }
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  enroll_counter();
  enroll_locks("lock", locks);
  enroll_locks("semaphore", as_locks(semaphores));
  enroll_readers();
  enroll_queues<8>();
  enroll_queues<256>();
  enroll_queues<4096>();
  for (auto* each : enroll("queue_8_1to1_16_at_a_time", batch_queues, []<class Queues>(benchmark::State& state) {
         move_batches<typename Queues::template Of<Item<8>>>(state);
       })) {
    each->UseManualTime();
  }
  return bench::run(argc, argv);
}
