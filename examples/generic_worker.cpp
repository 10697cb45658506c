// SPDX-License-Identifier: BSL-1.0
//
// requires: boost
//
// One body for every backend: workers wait for a start, take jobs from a queue until it is shut down, and add up. On threads
// each worker is a thread, on processes a child, and each wait blocks; on coroutines each is a coroutine, and each wait suspends.
#include <functional>
#include <iostream>

#include <trine/trine.hpp>

template <class B>
struct Office {
  trine::Event<B> open;
  trine::Queue<int, B> jobs{4};
  trine::Value<long, B> sum{0};
};

template <class B>
trine::Task<void, B> worker(Office<B>& office) {
  co_await office.open.wait();
  try {
    for (;;) {
      const int job = co_await office.jobs.get();
      co_await office.sum.update([job](long& sum) { sum += job; });
    }
  } catch (const trine::QueueShutdown&) {
    // no jobs are left
  }
}

template <class B>
trine::Task<long, B> work() {
  Office<B> office;
  trine::TaskGroup<B> workers;
  for (int i = 0; i < 3; ++i) workers.spawn(worker<B>, std::ref(office));
  office.open.set();
  for (int job = 1; job <= 100; ++job) co_await office.jobs.put(job);
  office.jobs.shutdown();
  co_await workers.join();
  co_return co_await office.sum.load();
}

int main() {
  std::cout << "processes: " << trine::run(work<trine::processes>()) << '\n';
  std::cout << "threads: " << trine::run(work<trine::threads>()) << '\n';
  std::cout << "coroutines: " << trine::run(work<trine::coroutines>()) << '\n';
}
