// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// Two processes run the second stage of a job when a third has done the first.
#include <iostream>
#include <string>
#include <vector>

#include <trine/condition.hpp>
#include <trine/lock.hpp>
#include <trine/process.hpp>
#include <trine/semaphore.hpp>
#include <trine/value.hpp>

using trine::processes;
using Options = trine::Process::Options<>;

int main() {
  trine::Lock<processes> lock;
  trine::Condition<processes> condition;
  trine::Value<bool, processes> done(false);
  trine::Semaphore<processes> waiting(0);
  trine::Semaphore<processes> finished(0);

  const auto stage_2 = [&] {
    std::cout << "Starting " << trine::current_process().name << std::endl;
    auto held = lock.guard();
    waiting.release();
    condition.wait(held, [&] { return done.load(); });
    finished.release();
  };
  const auto stage_1 = [&] {
    const std::string name = trine::current_process().name;
    std::cout << "Starting " << name << std::endl;
    const auto held = lock.guard();
    std::cout << name << " done and ready for stage 2" << std::endl;
    done.store(true);
    condition.notify_all();
  };

  std::vector<trine::Process> clients;
  for (int i = 1; i <= 2; ++i) {
    clients.emplace_back(Options{.name = "stage_2[" + std::to_string(i) + "]"}, stage_2);
    waiting.acquire();
  }
  trine::Process s1(Options{.name = "s1"}, stage_1);
  finished.acquire();
  finished.acquire();
  for (auto& client : clients) {
    client.join();
    std::cout << client.name() << " has run\n";
  }
}
