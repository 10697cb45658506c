// SPDX-License-Identifier: BSL-1.0
// requires: boost
// requires: cereal
//
// A process receives text through a queue.
#include <iostream>
#include <string>

#include <trine/codec.hpp>
#include <trine/process.hpp>
#include <trine/queue.hpp>

int main() {
  trine::Queue<std::string, trine::processes> queue;
  queue.put("Hello from the main process!");
  trine::Process worker([&] { std::cout << "Worker received: " << queue.get() << '\n'; });
  worker.join();
}
