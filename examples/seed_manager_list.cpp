// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// Five processes each set one item of a shared list.
#include <cstddef>
#include <iostream>
#include <vector>

#include <trine/manager.hpp>
#include <trine/process.hpp>

int main() {
  trine::Manager manager;
  auto list = manager.list<int>();
  for (int i = 0; i < 5; ++i) list.append(0);
  {
    std::vector<trine::Process> processes;
    for (int i = 0; i < 5; ++i) {
      processes.emplace_back([&list, i] { list.set(static_cast<std::size_t>(i), i * i); });
    }
  }  // which joins them
  std::cout << "Updated shared list:";
  for (const int each : list.items()) std::cout << ' ' << each;
  std::cout << '\n';
}
