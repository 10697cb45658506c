// SPDX-License-Identifier: BSL-1.0
//
// requires: boost
//
// The program about multiprocessing.Pool of a well-known introduction to Python's multiprocessing: a pool of processes does what
// the built-in map does. The lines of the workers come in the order in which they start, whoever is the first.
#include <cstddef>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/lock.hpp>
#include <trine/pool.hpp>
#include <trine/semaphore.hpp>

int do_calculation(int data) { return data * 2; }

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
  for (const int data : inputs) builtin_outputs.push_back(do_calculation(data));
  print("Built-in", builtin_outputs);

  constexpr int pool_size = 4;
  trine::Lock<trine::processes> lock;
  trine::Semaphore<trine::processes> started(0);
  const auto start_process = [&] {
    const auto held = lock.guard();
    started.release();
    std::cout << "Starting PoolWorker-" << started.value() << std::endl;
  };
  trine::Pool<trine::processes> pool(pool_size, {.initializer = start_process});
  const std::vector<int> pool_outputs = pool.map(do_calculation, inputs);
  pool.close();  // no more tasks
  pool.join();   // wrap up current tasks

  print("Pool    ", pool_outputs);
}
