// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// One process waits for an event that another sets after a while.
#include <chrono>
#include <iostream>

#include <trine/event.hpp>
#include <trine/process.hpp>

using namespace std::chrono_literals;

int main() {
  trine::Event<trine::processes> event;
  trine::Event<trine::processes> waiting;
  trine::Process waiter([&] {
    std::cout << "Waiting for event to be set." << std::endl;
    waiting.set();
    event.wait();
    std::cout << "Event has been set. Continuing.\n";
  });
  trine::Process setter([&] {
    waiting.wait();
    std::cout << "Working for a while before setting the event." << std::endl;
    trine::Event<trine::processes>().wait(20ms);
    event.set();
  });
}
