// SPDX-License-Identifier: BSL-1.0
//
// requires: boost
//
// The second program about multiprocessing.Pool of a well-known introduction to Python's multiprocessing: each worker makes place
// for a new one after two tasks, whether there is more to do or not. With a single worker at a time it is known which one does
// what: five do the ten tasks, and the sixth finds nothing to do.
#include <unistd.h>

#include <cstddef>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/pool.hpp>
#include <trine/semaphore.hpp>

std::pair<int, int> do_calculation(int data) { return {data * 2, ::getpid()}; }

void print(const std::string& name, const std::vector<int>& numbers) {
  std::cout << name << ": [";
  for (std::size_t i = 0; i < numbers.size(); ++i) std::cout << (i == 0 ? "" : ", ") << numbers[i];
  std::cout << "]\n";
}

int main() {
  std::vector<int> inputs;
  for (int i = 0; i < 10; ++i) inputs.push_back(i);
  print("Input   ", inputs);

  std::vector<int> builtin_outputs;
  for (const int data : inputs) builtin_outputs.push_back(data * 2);
  print("Built-in", builtin_outputs);

  trine::Semaphore<trine::processes> started(0);
  const auto start_process = [&] {
    started.release();
    std::cout << "Starting PoolWorker-" << started.value() << std::endl;
  };
  std::vector<int> pool_outputs;
  std::map<int, int> tasks;  // of each worker
  {
    trine::Pool<trine::processes> pool(1, {.initializer = start_process, .max_tasks_per_worker = 2});
    for (const auto& [output, worker] : pool.map(do_calculation, inputs, 1)) {
      pool_outputs.push_back(output);
      ++tasks[worker];
    }
    while (started.value() < 6) pool.apply([] {});  // the sixth says that it has started before it does this
    pool.close();
    pool.join();
  }
  print("Pool    ", pool_outputs);
  std::cout << tasks.size() << " workers did it:";
  for (const auto& each : tasks) std::cout << ' ' << each.second;
  std::cout << " tasks\n";
}
