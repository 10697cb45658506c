// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// Three processes meet at a barrier.
#include <iostream>
#include <vector>

#include <trine/barrier.hpp>
#include <trine/process.hpp>
#include <trine/value.hpp>

int main() {
  constexpr int workers = 3;
  trine::Value<int, trine::processes> arrived(0);
  trine::Value<int, trine::processes> saw_all(0);
  trine::Barrier<trine::processes> barrier(workers);
  {
    std::vector<trine::Process> processes;
    for (int i = 0; i < workers; ++i) {
      processes.emplace_back([&] {
        arrived.update([](int& n) { ++n; });
        barrier.wait();
        if (arrived.load() == workers) saw_all.update([](int& n) { ++n; });
      });
    }
  }  // which joins them
  std::cout << saw_all.load() << " workers passed the barrier when all had come to it.\n";
  std::cout << "Main process has completed.\n";
}
