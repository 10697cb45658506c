// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// One process waits until an event is set, another gives up after a while.
#include <chrono>
#include <iostream>

#include <trine/event.hpp>
#include <trine/process.hpp>

using namespace std::chrono_literals;

int main() {
  trine::Event<trine::processes> event;
  trine::Event<trine::processes> gave_up;
  std::cout << std::boolalpha << "main: waiting before calling Event.set()\n";

  trine::Process block(trine::Process::Options{.name = "block"}, [&] {
    event.wait();
    std::cout << "wait_for_event: e.is_set()-> " << event.is_set() << '\n';
  });
  trine::Process nonblock(trine::Process::Options{.name = "nonblock"}, [&] {
    event.wait(20ms);
    std::cout << "wait_for_event_timeout: e.is_set()-> " << event.is_set() << std::endl;
    gave_up.set();
  });

  gave_up.wait();
  std::cout << "main: event is set" << std::endl;
  event.set();
}
