// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// One process sets an attribute of a namespace that another reads, before it is there and after.
#include <iostream>
#include <string>

#include <trine/error.hpp>
#include <trine/event.hpp>
#include <trine/manager.hpp>
#include <trine/process.hpp>

int main() {
  trine::Manager manager;
  auto space = manager.ns();
  trine::Event<trine::processes> looked;
  trine::Event<trine::processes> event;

  trine::Process consumer([&] {
    try {
      const auto value = space.get<std::string>("value");
      std::cout << "Before event: " << value << '\n';
    } catch (const trine::NoSuchAttribute& error) {
      std::cout << "Before event, error: " << error.what() << '\n';
    }
    looked.set();
    event.wait();
    std::cout << "After event: " << space.get<std::string>("value") << '\n';
  });
  trine::Process producer([&] {
    looked.wait();
    space.set("value", "This is the value");
    event.set();
  });
}
