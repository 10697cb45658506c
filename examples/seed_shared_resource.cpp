// SPDX-License-Identifier: BSL-1.0
//
// The second program of a well-known introduction to Python's threading.Event: threads that wait for a shared resource.
//
// The original says that the event prevents race conditions. It does not: all threads go at once when it is set, and
// `self.value += 1` by several of them is a race, as is reading the value back for the message. An event orders what
// comes before set() with what comes after wait(); what the waiters do to each other needs a lock, as here. The
// original also sleeps until the threads have probably printed their line; here a Latch says so.
#include <chrono>
#include <functional>
#include <iostream>
#include <thread>
#include <vector>

#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lock.hpp>

class SharedResource {
 public:
  explicit SharedResource(int threads) : trying(threads) {}

  void increment() {
    event.wait();  // Wait for the event to be set before incrementing
    auto held = lock_.guard();
    ++value_;
    std::cout << "Incremented value to " << value_ << '\n';
  }

  trine::Event<> event;
  trine::Latch<> trying;

 private:
  trine::Lock<> lock_;
  int value_ = 0;
};

void thread_function(SharedResource& shared_resource) {
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // Perform some work
  std::cout << "Thread is trying to increment shared resource...\n";
  shared_resource.trying.count_down();
  shared_resource.increment();
}

int main() {
  constexpr int count = 5;
  SharedResource shared_resource(count);

  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(thread_function, std::ref(shared_resource));

  shared_resource.trying.wait();  // All threads have said what they want

  // Set the event, allowing threads to proceed with incrementing
  std::cout << "Allowing threads to increment shared resource...\n";
  shared_resource.event.set();

  for (std::thread& thread : threads) thread.join();  // Wait for all threads to finish
  std::cout << "All threads have finished.\n";
}
