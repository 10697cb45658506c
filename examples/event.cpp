// SPDX-License-Identifier: BSL-1.0
//
// Event: three runners wait for the start, and all go when it is given.
#include <array>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <trine/event.hpp>

int main() {
  trine::Event start;
  std::string course;
  std::array<std::string, 3> reports;
  {
    std::vector<std::jthread> runners;
    for (std::string& report : reports) {
      runners.emplace_back([&] {
        start.wait();
        report = "ran " + course;  // what was written before set() is visible after wait()
      });
    }
    course = "around the lake";
    start.set();
  }  // each jthread is joined here
  for (const std::string& report : reports) std::cout << report << '\n';

  // It stays set: who comes late does not wait. After clear() one waits again.
  std::cout << "late: " << (start.wait() ? "went at once" : "gave up") << '\n';
  start.clear();
  std::cout << "next race: " << (start.is_set() ? "started" : "not started") << '\n';
}
