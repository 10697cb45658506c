// SPDX-License-Identifier: BSL-1.0
//
// PriorityQueue: a workshop takes the most urgent job first.
#include <compare>
#include <iostream>
#include <string>
#include <thread>

#include <trine/priority_queue.hpp>

struct Job {
  int priority;  // the smallest first
  int order;     // among equals, the one that came first
  std::string what;
  auto operator<=>(const Job&) const = default;
};

int main() {
  trine::PriorityQueue<Job> jobs;
  int order = 0;
  jobs.put({2, order++, "oil the door"});
  jobs.put({1, order++, "mend the roof"});
  jobs.put({3, order++, "paint the fence"});
  jobs.put({1, order++, "mend the pipe"});
  jobs.shutdown();  // no more; what is inside can still be taken

  std::jthread worker([&] {
    for (const Job& job : jobs) std::cout << job.priority << " " << job.what << '\n';
  });
}
