// SPDX-License-Identifier: BSL-1.0
//
// Latch: a server opens its doors when all of its parts are ready.
#include <array>
#include <cstddef>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <trine/latch.hpp>

int main() {
  const std::array<std::string, 3> names{"cache", "database", "mail"};
  std::array<std::string, 3> states;
  trine::Latch ready(static_cast<std::ptrdiff_t>(names.size()));

  std::vector<std::jthread> parts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    parts.emplace_back([&, i] {
      states[i] = names[i] + " ready";
      ready.count_down();  // does not wait; the part goes on with its work
    });
  }

  ready.wait();
  for (const std::string& state : states) std::cout << state << '\n';
  std::cout << "open\n";
}
