// SPDX-License-Identifier: BSL-1.0
//
// Queue: one producer, three consumers, and an end that everybody notices.
#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

#include <trine/queue.hpp>

int main() {
  trine::Queue<int> numbers(4);  // put() waits while four are inside
  std::atomic<int> sum = 0;

  std::vector<std::jthread> consumers;
  for (int i = 0; i < 3; ++i) {
    consumers.emplace_back([&] {
      for (const int n : numbers) {  // ends at shutdown(), when nothing is left
        sum += n;
        numbers.task_done();
      }
    });
  }

  for (int n = 1; n <= 100; ++n) numbers.put(n);
  numbers.join();  // all that was put so far is done
  std::cout << "the sum to 100 is " << sum << '\n';

  for (int n = 101; n <= 200; ++n) numbers.put(n);
  numbers.shutdown();
  for (std::jthread& consumer : consumers) consumer.join();
  std::cout << "the sum to 200 is " << sum << '\n';
}
