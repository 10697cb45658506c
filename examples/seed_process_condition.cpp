// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// One process waits for a condition, another notifies it.
#include <iostream>

#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/process.hpp>
#include <trine/value.hpp>

int main() {
  trine::Lock<trine::processes> lock;
  trine::Condition<trine::processes> condition;
  trine::Event<trine::processes> waiting;
  trine::Value<bool, trine::processes> ready(false);

  trine::Process worker([&] {
    auto held = lock.guard();
    std::cout << "Worker waiting for a condition." << std::endl;
    waiting.set();
    condition.wait(held, [&] { return ready.load(); });
    std::cout << "Worker woke up!\n";
  });
  trine::Process notifier([&] {
    waiting.wait();
    const auto held = lock.guard();
    std::cout << "Notifier notifying the condition." << std::endl;
    ready.store(true);
    condition.notify_all();
  });
}
