// SPDX-License-Identifier: BSL-1.0
// requires: boost
// requires: cereal
//
// Several consumers take tasks from a queue until each has got a poison pill; join() waits for all tasks.
#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <trine/codec.hpp>
#include <trine/process.hpp>
#include <trine/queue.hpp>

struct Task {
  int a;
  int b;
};

int main() {
  constexpr int consumers = 4;
  constexpr int jobs = 10;
  trine::Queue<std::optional<Task>, trine::processes> tasks;
  trine::Queue<std::string, trine::processes> results;

  const auto consume = [&] {
    for (;;) {
      const std::optional<Task> task = tasks.get();
      if (task) {
        results.put(std::to_string(task->a) + " * " + std::to_string(task->b) + " = " + std::to_string(task->a * task->b));
      }
      tasks.task_done();
      if (!task) return;  // the poison pill
    }
  };

  std::cout << "Creating " << consumers << " consumers\n";
  std::vector<trine::Process> processes;
  for (int i = 0; i < consumers; ++i) processes.emplace_back(consume);

  for (int i = 0; i < jobs; ++i) tasks.put(Task{i, i});
  for (int i = 0; i < consumers; ++i) tasks.put(std::nullopt);
  tasks.join();

  // They come in the order in which they were finished.
  std::vector<std::string> all;
  for (int i = 0; i < jobs; ++i) all.push_back(results.get());
  std::sort(all.begin(), all.end());
  for (const auto& result : all) std::cout << "Result: " << result << '\n';
}
