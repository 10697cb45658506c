// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// Five workers add to one number: as threads and as processes, by the same function.
#include <functional>
#include <iostream>

#include <trine/backend/processes.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>
#include <trine/value.hpp>

template <class B>
trine::Task<void, B> update_shared_data(trine::Value<int, B>& shared_data) {
  co_await shared_data.update([](int& value) { value += 1; });
}

template <class B>
int final_value() {
  trine::Value<int, B> shared_data(0);
  trine::TaskGroup<B> workers;
  for (int i = 0; i < 5; ++i) workers.spawn(update_shared_data<B>, std::ref(shared_data));
  workers.join();
  return shared_data.load();
}

int main() {
  std::cout << "Final value of threads: " << final_value<trine::threads>() << '\n';
  std::cout << "Final value of processes: " << final_value<trine::processes>() << '\n';
}
