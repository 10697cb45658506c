// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// A semaphore lets three of ten processes be active at a time; a list of a Manager holds their names.
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <string>
#include <vector>

#include <trine/lock.hpp>
#include <trine/manager.hpp>
#include <trine/process.hpp>
#include <trine/semaphore.hpp>
#include <trine/value.hpp>

using trine::processes;
using Options = trine::Process::Options<>;

class ActivePool {
 public:
  std::size_t make_active(const std::string& name) {
    const auto held = lock_.guard();
    active_.append(name);
    return active_.size();
  }
  void make_inactive(const std::string& name) {
    const auto held = lock_.guard();
    active_.remove(name);
  }
  std::size_t size() {
    const auto held = lock_.guard();
    return active_.size();
  }

 private:
  trine::Manager manager_;
  trine::List<std::string> active_ = manager_.list<std::string>();
  trine::Lock<processes> lock_;
};

int main() {
  ActivePool pool;
  trine::Semaphore<processes> semaphore(3);
  trine::Value<std::size_t, processes> most(0);
  trine::Value<int, processes> activated(0);

  std::vector<trine::Process> jobs;
  for (int i = 0; i < 10; ++i) {
    jobs.emplace_back(Options{.name = std::to_string(i)}, [&] {
      const auto permit = semaphore.permit();
      const std::string name = trine::current_process().name;
      const std::size_t active = pool.make_active(name);
      most.update([active](std::size_t& m) { m = std::max(m, active); });
      activated.update([](int& a) { ++a; });
      pool.make_inactive(name);
    });
  }
  for (auto& job : jobs) job.join();
  std::cout << "Activated: " << activated.load() << '\n';
  std::cout << "Never more than three: " << (most.load() <= 3 ? "yes" : "no") << '\n';
  std::cout << "Now running: " << pool.size() << '\n';
}
