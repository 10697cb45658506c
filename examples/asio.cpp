// SPDX-License-Identifier: BSL-1.0
// requires: boost_asio
//
// trine's objects in coroutines of Boost.Asio: they are awaited by asio::awaitable, and resumed by the io_context. A thread
// outside sets the event that they await.
#include <coroutine>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <trine/backend/coroutines.hpp>
#include <trine/event.hpp>
#include <trine/queue.hpp>

namespace asio = boost::asio;
using trine::coroutines;

// Asio's coroutines await operations of Asio alone, so a small coroutine stands between: it awaits for them, on their
// executor, and then calls the handler that Asio has made of the one that waits.
struct Between {
  struct promise_type {
    Between get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

template <class Start, class Executor, class Handler>
Between await_and_call(Start start, Executor executor, Handler handler) {
  const auto resume = [executor](std::coroutine_handle<> me) { asio::post(executor, [me] { me.resume(); }); };
  std::exception_ptr failure;
  using R = typename std::invoke_result_t<Start>::Result;
  R result{};
  try {
    result = co_await trine::on(resume, start());
  } catch (...) {
    failure = std::current_exception();
  }
  handler(failure, std::move(result));
}

/// `co_await use(executor, [&] { return event.wait(); })` in an asio::awaitable.
template <class Executor, class Start>
auto use(Executor executor, Start start) {
  using R = typename std::invoke_result_t<Start>::Result;
  return asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, R)>(
      [executor](auto handler, Start begin) {
        // An operation must not call its handler before it has returned.
        asio::post(executor, [executor, begin = std::move(begin), handler = std::move(handler)]() mutable {
          await_and_call(std::move(begin), executor, std::move(handler));
        });
      },
      asio::use_awaitable, std::move(start));
}

asio::awaitable<void> consume(trine::Event<coroutines>& start, trine::Queue<int, coroutines>& numbers) {
  const auto here = co_await asio::this_coro::executor;
  co_await use(here, [&start] { return start.wait(); });
  std::cout << "started\n";
  int sum = 0;
  try {
    for (;;) sum += co_await use(here, [&numbers] { return numbers.get(); });
  } catch (const trine::QueueShutdown&) {
    std::cout << "the sum is " << sum << '\n';
  }
}

asio::awaitable<void> produce(trine::Queue<int, coroutines>& numbers) {
  const auto here = co_await asio::this_coro::executor;
  for (int n = 1; n <= 10; ++n) {
    co_await use(here, [&numbers, n] { return numbers.put(n); });
  }
  numbers.shutdown();
}

int main() {
  asio::io_context context;
  const auto work = asio::make_work_guard(context);
  trine::Event<coroutines> start;
  trine::Queue<int, coroutines> numbers(2);
  asio::co_spawn(context, consume(start, numbers), [&](std::exception_ptr) { context.stop(); });
  asio::co_spawn(context, produce(numbers), asio::detached);
  std::jthread outside([&start] { start.set(); });
  context.run();
}
