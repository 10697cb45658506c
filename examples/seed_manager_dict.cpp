// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// Ten processes write to one dict.
#include <iostream>
#include <vector>

#include <trine/manager.hpp>
#include <trine/process.hpp>

int main() {
  trine::Manager manager;
  auto dict = manager.dict<int, int>();
  std::vector<trine::Process> jobs;
  for (int i = 0; i < 10; ++i) jobs.emplace_back([&](int key, int value) { dict.set(key, value); }, i, i * 2);
  for (auto& job : jobs) job.join();

  std::cout << "Results: {";
  const char* between = "";
  for (const auto& [key, value] : dict.items()) {
    std::cout << between << key << ": " << value;
    between = ", ";
  }
  std::cout << "}\n";
}
