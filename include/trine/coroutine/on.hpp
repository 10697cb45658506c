// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <coroutine>
#include <utility>

#include <trine/coroutine/awaiting.hpp>

namespace trine {

/// Lets a coroutine that is not one of trine's tasks be resumed by an executor that it names:
///
///     co_await trine::on([&](std::coroutine_handle<> me) { boost::asio::post(pool, me); }, event.wait());
///
/// The executor is called, with the coroutine to resume, by the thread that made the wait end, after that thread's own work;
/// it must not resume the coroutine in the call. It is copied before it is called. If the wait is over at once the coroutine
/// goes on without it. The coroutine may be destroyed while it waits, by any thread, if what the executor has of it is not
/// resumed then; with a limit, not while that may come. Coroutines that name no executor, and were not on a Scheduler when they
/// began to wait, are resumed by the thread that woke them, one after the other, before its call of set(), unlock() and so on
/// returns.
template <class F, class R>
requires std::copy_constructible<F> && std::invocable<F&, std::coroutine_handle<>>
class [[nodiscard]] On final : private coroutine::Resumer {
 public:
  On(F executor, Awaiting<R>& awaiting) : executor_(std::move(executor)), awaiting_(awaiting) {}
  On(const On&) = delete;
  On& operator=(const On&) = delete;

  bool await_ready() noexcept { return awaiting_.await_ready(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> coroutine) {
    static_assert(!coroutine::Driven<P>, "a Task goes on on its scheduler: await the operation itself");
    return awaiting_.suspend(coroutine, *this);
  }
  R await_resume() { return awaiting_.await_resume(); }

 private:
  void resume(std::coroutine_handle<> coroutine, coroutine::Waiting& waiting) override {
    F executor(executor_);
    waiting.hand_over();
    executor(coroutine);
  }

  F executor_;
  Awaiting<R>& awaiting_;
};

template <class F, class R>
[[nodiscard]] On<F, R> on(F executor, Awaiting<R>&& awaiting) {
  return On<F, R>(std::move(executor), awaiting);
}

}  // namespace trine
