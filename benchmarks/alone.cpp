// SPDX-License-Identifier: BSL-1.0
//
// Fast paths in a process that never had a second thread: glibc leaves the atomic instructions out of its mutex there.
#include <cstdint>

#include "harness.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  enroll("alone_lock_unlock", locks, []<class Lock>(benchmark::State& state) {
    alignas(64) Lock object;
    auto& lock = hidden(object);
    for (auto _ : state) {
      lock.lock();
      lock.unlock();
    }
  });
  enroll("alone_acquire_release", semaphores, []<class Semaphore>(benchmark::State& state) {
    alignas(64) Semaphore object(1);
    auto& semaphore = hidden(object);
    for (auto _ : state) {
      semaphore.acquire();
      semaphore.release();
    }
  });
  enroll("alone_queue_8_bounded", bounded_queues, []<class Queues>(benchmark::State& state) {
    alignas(64) typename Queues::template Of<std::uint64_t> object(1024);
    auto& queue = hidden(object);
    std::uint64_t item = 0;
    for (auto _ : state) {
      benchmark::DoNotOptimize(item);
      queue.put(item);
      item = queue.get();
    }
  });
  return run(argc, argv, Company::none);
}
