// SPDX-License-Identifier: BSL-1.0
// requires: boost
// requires: cereal
//
// Two processes talk through a pipe.
#include <iostream>
#include <string>

#include <trine/codec.hpp>
#include <trine/pipe.hpp>
#include <trine/process.hpp>

int main() {
  auto [parent, child] = trine::Pipe<std::string, trine::processes>();
  trine::Process sender([&connection = parent] { connection.send("Hello from the sender!"); });
  trine::Process receiver([&connection = child] { std::cout << "Receiver received: " << connection.recv() << '\n'; });
  sender.join();
  receiver.join();
}
