// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// Five processes wait for an event that starts them all.
#include <iostream>
#include <string>
#include <vector>

#include <trine/event.hpp>
#include <trine/process.hpp>
#include <trine/queue.hpp>
#include <trine/semaphore.hpp>

int main() {
  trine::Event<trine::processes> event;
  trine::Semaphore<trine::processes> turn(0);
  trine::Queue<int, trine::processes> got;
  const auto task = [&](int number) {
    std::cout << "Process " << number << " waiting..." << std::endl;
    turn.release();
    event.wait();
    got.put(number * number);
  };

  std::vector<trine::Process> processes;
  for (int i = 0; i < 5; ++i) {
    processes.emplace_back(task, i);
    turn.acquire();  // so that they print in this order
  }
  std::cout << "Main process set the event\n";
  event.set();
  int sum = 0;
  for (int i = 0; i < 5; ++i) sum += got.get();
  std::cout << "Together they got " << sum << '\n';
}
