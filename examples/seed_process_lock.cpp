// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// Two processes write to the same stream, one at a time.
#include <iostream>

#include <trine/lock.hpp>
#include <trine/process.hpp>

int main() {
  trine::Lock<trine::processes> lock;
  trine::Process with([&] {
    const auto held = lock.guard();
    std::cout << "Lock acquired via guard" << std::endl;
  });
  with.join();
  trine::Process without([&] {
    lock.lock();
    std::cout << "Lock acquired directly" << std::endl;
    lock.unlock();
  });
}
