// SPDX-License-Identifier: BSL-1.0
//
// Task: one function body for every backend; here on two of them.
#include <functional>
#include <iostream>

#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

// A wait is always `co_await`: it blocks where the backend blocks, and suspends where the backend suspends.
template <class B>
trine::Task<void, B> work(trine::Event<B>& start, trine::Lock<B>& lock, int& sum, int n) {
  co_await start.wait();
  auto held = co_await lock.guard();
  sum += n;
}

// A Task may wait for others, and return something.
template <class B>
trine::Task<int, B> add_up(int workers) {
  trine::Event<B> start;
  trine::Lock<B> lock;
  int sum = 0;
  trine::TaskGroup<B> group;
  for (int n = 1; n <= workers; ++n) group.spawn(work<B>, std::ref(start), std::ref(lock), std::ref(sum), n);
  start.set();
  co_await group.join();
  co_return sum;
}

int main() {
  std::cout << "threads: " << trine::run(add_up<trine::threads>(10)) << '\n';
  std::cout << "portable_threads: " << trine::run(add_up<trine::portable_threads>(10)) << '\n';
}
