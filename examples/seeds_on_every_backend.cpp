// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// The well-known programs about threads, processes and coroutines whose bodies do not care what they are: each is written once,
// and runs as threads, as processes and as coroutines. A worker shares nothing with the others but what it is given.
#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <trine/trine.hpp>

using namespace std::chrono_literals;
using trine::Task;

// Five workers wait for an event that starts them all.
template <class B>
Task<void, B> wait_and_report(trine::Event<B>& event, trine::Queue<int, B>& got, int number) {
  co_await event.wait();
  co_await got.put(number * number);
}

template <class B>
Task<std::string, B> five_workers() {
  trine::Event<B> event;
  trine::Queue<int, B> got;
  trine::TaskGroup<B> workers;
  for (int i = 0; i < 5; ++i) workers.spawn(wait_and_report<B>, std::ref(event), std::ref(got), i);
  event.set();
  int sum = 0;
  for (int i = 0; i < 5; ++i) sum += co_await got.get();
  co_await workers.join();
  co_return "together they got " + std::to_string(sum);
}

// One waits until an event is set, another gives up after a while.
template <class B>
Task<void, B> wait_for_event(trine::Event<B>& event, trine::Queue<bool, B>& said, trine::Until until) {
  const bool set = co_await event.wait(until);
  co_await said.put(set);
}

template <class B>
Task<std::string, B> block_and_time_out() {
  trine::Event<B> event;
  trine::Queue<bool, B> said;
  trine::TaskGroup<B> workers;
  workers.spawn(wait_for_event<B>, std::ref(event), std::ref(said), trine::Until());
  workers.spawn(wait_for_event<B>, std::ref(event), std::ref(said), trine::Until(20ms));
  const bool first = co_await said.get();
  event.set();
  const bool second = co_await said.get();
  co_await workers.join();
  co_return std::string(first ? "set" : "not set") + " after a while, then " + (second ? "set" : "not set");
}

// Five workers add to one number, one at a time.
template <class B>
Task<void, B> update_shared_data(trine::Lock<B>& lock, trine::Value<int, B>& shared_data) {
  const auto held = co_await lock.guard();
  const int value = co_await shared_data.load();
  co_await shared_data.store(value + 1);
}

template <class B>
Task<std::string, B> shared_value() {
  trine::Lock<B> lock;
  trine::Value<int, B> shared_data(0);
  trine::TaskGroup<B> workers;
  for (int i = 0; i < 5; ++i) workers.spawn(update_shared_data<B>, std::ref(lock), std::ref(shared_data));
  co_await workers.join();
  const int value = co_await shared_data.load();
  co_return "final value " + std::to_string(value);
}

// Two do the second stage of a job when another has done the first.
template <class B>
struct Stages {
  trine::Lock<B> lock;
  trine::Condition<B> condition;
  trine::Event<B> first_done;
  trine::Queue<int, B> log;
};

template <class B>
Task<void, B> stage_1(Stages<B>& stages) {
  const auto held = co_await stages.lock.guard();
  co_await stages.log.put(1);
  stages.first_done.set();
  stages.condition.notify_all();
}

template <class B>
Task<void, B> stage_2(Stages<B>& stages) {
  auto held = co_await stages.lock.guard();
  co_await stages.condition.wait(held, [&stages] { return stages.first_done.is_set(); });
  co_await stages.log.put(2);
}

template <class B>
Task<std::string, B> stages() {
  Stages<B> shared;
  trine::TaskGroup<B> workers;
  workers.spawn(stage_2<B>, std::ref(shared));
  workers.spawn(stage_2<B>, std::ref(shared));
  workers.spawn(stage_1<B>, std::ref(shared));
  std::string order = "stages";
  for (int i = 0; i < 3; ++i) order += " " + std::to_string(co_await shared.log.get());
  co_await workers.join();
  co_return order;
}

// A semaphore lets three of ten be active at a time.
template <class B>
Task<void, B> be_active(trine::Semaphore<B>& semaphore, trine::Value<int, B>& active, trine::Value<int, B>& most) {
  const auto permit = co_await semaphore.permit();
  const int now = co_await active.update([](int& count) { return ++count; });
  co_await most.update([now](int& m) { m = std::max(m, now); });
  co_await active.update([](int& count) { --count; });
}

template <class B>
Task<std::string, B> active_pool() {
  trine::Semaphore<B> semaphore(3);
  trine::Value<int, B> active(0);
  trine::Value<int, B> most(0);
  trine::TaskGroup<B> workers;
  for (int i = 0; i < 10; ++i) workers.spawn(be_active<B>, std::ref(semaphore), std::ref(active), std::ref(most));
  co_await workers.join();
  const int peak = co_await most.load();
  const int left = co_await active.load();
  co_return std::string(peak >= 1 && peak <= 3 ? "never more than three" : "too many") + ", now " + std::to_string(left);
}

// Three meet at a barrier.
template <class B>
Task<void, B> meet(trine::Barrier<B>& barrier, trine::Value<int, B>& arrived, trine::Value<int, B>& saw_all) {
  co_await arrived.update([](int& count) { ++count; });
  co_await barrier.wait();
  const int all = co_await arrived.load();
  if (all == 3) co_await saw_all.update([](int& count) { ++count; });
}

template <class B>
Task<std::string, B> barrier_of_three() {
  trine::Barrier<B> barrier(3);
  trine::Value<int, B> arrived(0);
  trine::Value<int, B> saw_all(0);
  trine::TaskGroup<B> workers;
  for (int i = 0; i < 3; ++i) workers.spawn(meet<B>, std::ref(barrier), std::ref(arrived), std::ref(saw_all));
  co_await workers.join();
  const int count = co_await saw_all.load();
  co_return std::to_string(count) + " passed when all had come";
}

// Consumers take tasks from a queue until each has got a poison pill; join() waits for all tasks.
template <class B>
Task<void, B> consume(trine::Queue<std::optional<int>, B>& tasks, trine::Queue<int, B>& results) {
  for (bool more = true; more;) {
    const std::optional<int> number = co_await tasks.get();
    if (number) co_await results.put(*number * *number);
    tasks.task_done();
    more = number.has_value();
  }
}

template <class B>
Task<std::string, B> poison_pills() {
  trine::Queue<std::optional<int>, B> tasks;
  trine::Queue<int, B> results;
  trine::TaskGroup<B> consumers;
  for (int i = 0; i < 4; ++i) consumers.spawn(consume<B>, std::ref(tasks), std::ref(results));
  for (int i = 0; i < 10; ++i) co_await tasks.put(i);
  for (int i = 0; i < 4; ++i) co_await tasks.put(std::nullopt);
  co_await tasks.join();
  int sum = 0;
  for (int i = 0; i < 10; ++i) sum += co_await results.get();
  co_await consumers.join();
  co_return "results add up to " + std::to_string(sum);
}

// A pool of workers does what a loop would do.
int do_calculation(int data) { return data * 2; }

template <class B>
Task<std::string, B> pool() {
  trine::Pool<B> workers(4);
  std::vector<int> inputs;
  for (int i = 0; i < 10; ++i) inputs.push_back(i);
  const std::vector<int> outputs = co_await workers.map(do_calculation, inputs);
  workers.close();
  co_await workers.join();
  std::string text = "pool";
  for (const int each : outputs) text += " " + std::to_string(each);
  co_return text;
}

template <class B>
void run_all(const char* backend) {
  std::cout << backend << ":\n";
  for (const auto program : {five_workers<B>, block_and_time_out<B>, shared_value<B>, stages<B>, active_pool<B>,
                             barrier_of_three<B>, poison_pills<B>, pool<B>}) {
    std::cout << "  " << trine::run(program()) << std::endl;
  }
}

int main() {
  run_all<trine::processes>("processes");
  run_all<trine::threads>("threads");
  run_all<trine::coroutines>("coroutines");
}
