// SPDX-License-Identifier: BSL-1.0
//
// The classic example of asyncio.Event: five tasks wait for an event, and when it is set each works for a random time and
// reports. They end in any order; their values are printed in the order of the tasks.
#include <chrono>
#include <iostream>
#include <random>
#include <utility>
#include <vector>

#include <trine/backend/coroutines.hpp>
#include <trine/coroutine/gather.hpp>
#include <trine/event.hpp>

using trine::coroutines;
using trine::Scheduler;
using trine::Task;

Task<double, coroutines> task(trine::Event<coroutines>& event, unsigned number) {
  // wait for the event to be set
  co_await event.wait();
  // a random value between 0 and 1
  std::minstd_rand random(number + 1);
  const double value = std::uniform_real_distribution(0.0, 1.0)(random);
  // wait for a moment
  co_await Scheduler::current()->sleep(std::chrono::duration<double>(value / 100));
  co_return value;
}

Task<void, coroutines> main_task() {
  trine::Event<coroutines> event;
  // create the tasks
  std::vector<Task<double, coroutines>> tasks;
  for (unsigned i = 0; i < 5; ++i) tasks.push_back(task(event, i));
  const auto start = [&event]() -> Task<void, coroutines> {
    std::cout << "Main blocking...\n";
    co_await Scheduler::current()->hop();
    // start the work in all tasks
    std::cout << "Main setting the event\n";
    event.set();
  };
  // wait for all of them
  const auto [values, nothing] = co_await trine::gather(trine::gather(std::move(tasks)), start());
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::cout << "Task " << i << " got a value " << (values[i] < 1 ? "below 1" : "that is too large") << '\n';
  }
}

int main() { trine::run(main_task()); }
