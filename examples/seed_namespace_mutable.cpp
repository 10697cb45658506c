// SPDX-License-Identifier: BSL-1.0
// requires: boost
// requires: cereal
//
// What is read from a namespace is a copy: a change of it is seen by others when it is set again.
#include <iostream>
#include <string>
#include <vector>

#include <trine/codec.hpp>
#include <trine/event.hpp>
#include <trine/manager.hpp>
#include <trine/process.hpp>

using Strings = std::vector<std::string>;

int main() {
  trine::Manager manager;
  auto space = manager.ns();
  space.set("my_list", Strings{});
  trine::Event<trine::processes> changed_copy;
  trine::Event<trine::processes> looked;
  trine::Event<trine::processes> set_again;

  trine::Process producer([&] {
    Strings copy = space.get<Strings>("my_list");
    copy.push_back("This is the value");  // does not change what is shared
    changed_copy.set();
    looked.wait();
    space.set("my_list", copy);
    set_again.set();
  });
  trine::Process consumer([&] {
    const auto print = [&](const char* when) { std::cout << when << space.get<Strings>("my_list").size() << " items\n"; };
    print("Before event: ");
    changed_copy.wait();
    print("After event: ");
    looked.set();
    set_again.wait();
    print("After it was set again: ");
  });
}
