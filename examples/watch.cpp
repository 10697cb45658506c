// SPDX-License-Identifier: BSL-1.0
//
// Coroutines that await threads: the scheduler sleeps on the words of the threads' objects, and no thread is started for it.
#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <thread>

#include <trine/trine.hpp>

using namespace std::chrono_literals;
using trine::coroutines;
using trine::Scheduler;
using trine::Task;

// Takes what a thread puts into its queue. To the thread this is one more consumer.
Task<void, coroutines> print_all(trine::Queue<std::string>& from_threads) {
  try {
    for (;;) {
      const std::string word = co_await Scheduler::current()->watch(from_threads.get_op());
      std::cout << word << '\n';
    }
  } catch (const trine::QueueShutdown&) {
    std::cout << "the thread has no more\n";
  }
}

// Whatever comes first: a thread's event, a coroutine's, or the limit.
Task<void, coroutines> wait_for_one(trine::Event<>& of_thread, trine::Event<coroutines>& of_coroutine) {
  Scheduler& here = *Scheduler::current();
  const auto first = co_await trine::select(here.watch_op(of_thread.wait_op()), of_coroutine.wait_op(), 10s);
  std::cout << "number " << first.index() << " came first\n";
}

int main() {
  trine::Queue<std::string> words(2);
  trine::Event<> done;
  trine::Event<coroutines> never;
  std::jthread thread([&] {
    for (const char* word : {"from", "a", "thread"}) words.put(word);
    words.shutdown();
    done.set();
  });
  trine::run(print_all(words));
  trine::run(wait_for_one(done, never));
}
