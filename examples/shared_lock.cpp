// SPDX-License-Identifier: BSL-1.0
//
// SharedLock: many threads look up addresses at the same time while one changes them.
#include <atomic>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <trine/shared_lock.hpp>

int main() {
  trine::SharedLock lock;
  std::map<std::string, int> ports{{"http", 0}, {"https", 0}};
  std::atomic<int> torn = 0;
  {
    std::vector<std::jthread> threads;
    for (int reader = 0; reader < 3; ++reader) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          auto reading = lock.shared_guard();  // together with other readers
          if (ports.at("http") != ports.at("https")) ++torn;
        }
      });
    }
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        auto writing = lock.guard();  // alone
        ++ports["http"];
        ++ports["https"];
      }
    });
  }
  std::cout << "changes " << ports["http"] << ", half changes seen " << torn << '\n';
}
