// SPDX-License-Identifier: BSL-1.0
//
// Task: one function body for every backend; here on two of them.
#include <functional>
#include <iostream>

#include <trine/event.hpp>
#include <trine/queue.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

// A wait is always `co_await`: it blocks where the backend blocks, and suspends where the backend suspends.
template <class B>
trine::Task<void, B> square(trine::Event<B>& start, trine::Queue<int, B>& results, int n) {
  co_await start.wait();
  co_await results.put(n * n);
}

// A Task may return something, and may wait for others.
template <class B>
trine::Task<int, B> sum_of_squares(int count) {
  trine::Event<B> start;
  trine::Queue<int, B> results(2);
  trine::TaskGroup<B> group;
  for (int n = 1; n <= count; ++n) group.spawn(square<B>, std::ref(start), std::ref(results), n);
  start.set();
  int sum = 0;
  for (int n = 1; n <= count; ++n) sum += co_await results.get();
  co_await group.join();
  co_return sum;
}

int main() {
  std::cout << "threads: " << trine::run(sum_of_squares<trine::threads>(5)) << '\n';
  std::cout << "portable_threads: " << trine::run(sum_of_squares<trine::portable_threads>(5)) << '\n';
}
