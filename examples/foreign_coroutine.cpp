// SPDX-License-Identifier: BSL-1.0
//
// trine's awaitables in a coroutine type of one's own, resumed by an executor of one's own.
#include <coroutine>
#include <deque>
#include <exception>
#include <iostream>
#include <mutex>
#include <utility>

#include <trine/backend/coroutines.hpp>
#include <trine/event.hpp>
#include <trine/queue.hpp>

// The least that a coroutine type can be: it begins at once, and destroys itself at its end.
struct Fire {
  struct promise_type {
    Fire get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

// The least that an executor can be: a line of coroutines.
class Line {
 public:
  void post(std::coroutine_handle<> coroutine) {
    const std::lock_guard hold(mutex_);
    line_.push_back(coroutine);
  }

  void run() {
    while (const std::coroutine_handle<> first = take()) first.resume();
  }

 private:
  std::coroutine_handle<> take() {
    const std::lock_guard hold(mutex_);
    if (line_.empty()) return {};
    const std::coroutine_handle<> first = line_.front();
    line_.pop_front();
    return first;
  }

  std::mutex mutex_;
  std::deque<std::coroutine_handle<>> line_;
};

// Names the executor by which the calling coroutine goes on.
template <class R>
auto on_line(Line& line, trine::Awaiting<R>&& awaiting) {
  return trine::on([&line](std::coroutine_handle<> me) { line.post(me); }, std::move(awaiting));
}

Fire producer(Line& line, trine::Event<trine::coroutines>& start, trine::Queue<int, trine::coroutines>& numbers) {
  co_await on_line(line, start.wait());
  for (int n = 1; n <= 3; ++n) co_await on_line(line, numbers.put(n));
  numbers.shutdown();
}

Fire consumer(Line& line, trine::Queue<int, trine::coroutines>& numbers) {
  try {
    for (;;) {
      const int n = co_await on_line(line, numbers.get());
      std::cout << "got " << n << '\n';
    }
  } catch (const trine::QueueShutdown&) {
    std::cout << "that was all\n";
  }
}

int main() {
  Line line;
  trine::Event<trine::coroutines> start;
  trine::Queue<int, trine::coroutines> numbers(1);
  consumer(line, numbers);
  producer(line, start, numbers);
  start.set();
  std::cout << "nobody runs inside set()\n";
  line.run();
}
