// SPDX-License-Identifier: BSL-1.0
//
// The first program of a well-known introduction to Python's threading.Event, line by line in C++.
#include <chrono>
#include <functional>
#include <iostream>
#include <thread>

#include <trine/event.hpp>

void wait_for_event(trine::Event<>& event) {
  std::cout << "Thread is waiting for the event to be set\n";
  event.wait();  // Wait until the event is set
  std::cout << "Event has been set, continuing execution...\n";
}

int main() {
  trine::Event event;
  std::thread thread(wait_for_event, std::ref(event));

  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // Simulate some work being done

  event.set();  // Set the event

  thread.join();
}
