// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include <trine/backend/threads.hpp>

namespace trine {

template <class T, class B>
class Task;

namespace task {

template <class A>
concept Awaiter = requires(A& awaiter, std::coroutine_handle<> waiter) {
  { awaiter.await_ready() } -> std::convertible_to<bool>;
  awaiter.await_suspend(waiter);
  awaiter.await_resume();
};

template <class A>
concept Awaitable = Awaiter<std::remove_reference_t<A>> || requires(A&& a) { std::forward<A>(a).operator co_await(); } ||
                    requires(A&& a) { operator co_await(std::forward<A>(a)); };

template <class T>
inline constexpr bool is_task = false;
template <class T, class B>
inline constexpr bool is_task<Task<T, B>> = true;
template <class A>
concept Lazy = is_task<std::remove_cvref_t<A>>;

/// What a function comes to that returns a T: what the task returns, if it is one.
template <class T>
struct ReturnedBy {
  using type = T;
};
template <class T, class B>
struct ReturnedBy<Task<T, B>> {
  using type = T;
};
template <class T>
using Returned = typename ReturnedBy<std::remove_cvref_t<T>>::type;

/// A plain value that is awaited: it is there already.
template <class T>
struct Ready {
  T&& value;
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  T await_resume() { return std::forward<T>(value); }
};

/// What a task came to.
template <class T>
class Outcome {
 public:
  template <class U>
    requires std::constructible_from<T, U>
  void return_value(U&& value) {
    outcome_.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { outcome_.template emplace<2>(std::current_exception()); }

  T take() {
    if (outcome_.index() == 2) std::rethrow_exception(std::get<2>(std::move(outcome_)));
    return std::get<1>(std::move(outcome_));
  }
  [[nodiscard]] std::exception_ptr failure() const noexcept {
    return outcome_.index() == 2 ? *std::get_if<2>(&outcome_) : nullptr;
  }

 private:
  std::variant<std::monostate, T, std::exception_ptr> outcome_;
};

template <>
class Outcome<void> {
 public:
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { failure_ = std::current_exception(); }
  void take() const {
    if (failure_) std::rethrow_exception(failure_);
  }
  [[nodiscard]] std::exception_ptr failure() const noexcept { return failure_; }

 private:
  std::exception_ptr failure_;
};

}  // namespace task

/// A function that may wait, written once for all backends: its waits are `co_await event.wait()`. On a blocking backend
/// the wait itself blocks, and awaiting its result costs nothing.
///
///     template <class B>
///     trine::Task<void, B> worker(trine::Event<B>& go, trine::Queue<int, B>& results, int n) {
///       co_await go.wait();
///       co_await results.put(n);
///     }
///
/// It is lazy: it begins when it is awaited, or started by run() or TaskGroup::spawn(), and it is awaited once. An exception
/// that leaves it comes out there. Arguments that it takes by reference must outlive it. Movable.
template <class T = void, class B = threads>
class [[nodiscard]] Task {
 public:
  struct promise_type : task::Outcome<T> {
    bool begun = false;

    Task get_return_object() noexcept { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }

    template <class A>
    decltype(auto) await_transform(A&& value) noexcept {
      static_assert(!task::Lazy<A> || task::Awaitable<A>, "a task is awaited once: co_await std::move(task)");
      if constexpr (task::Awaitable<A>) {
        return std::forward<A>(value);
      } else {
        return task::Ready<A>{std::forward<A>(value)};
      }
    }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    Task moved(std::move(other));
    std::swap(handle_, moved.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  /// Runs it to its end, and returns what it returned or throws what it threw. Throws std::logic_error if it was begun before
  /// or moved from, or if it awaits something that does not block.
  T run() && {
    if (!handle_ || std::exchange(handle_.promise().begun, true)) {
      throw std::logic_error("trine: Task: it was begun before, or moved from");
    }
    handle_.resume();
    if (!handle_.done()) throw std::logic_error("trine: Task: it awaits what its backend can't wait for");
    return handle_.promise().take();
  }

  /// What a member of an object returns that waits by a task, on any backend: here, what run() returns.
  T awaited() && { return std::move(*this).run(); }

  /// A task is awaited once: `co_await std::move(task)`.
  void operator co_await() & = delete;

  /// Awaiting a task runs it, within the one that awaits it, as a call would.
  auto operator co_await() && noexcept {
    struct Running {
      Task task;
      bool await_ready() const noexcept { return true; }
      void await_suspend(std::coroutine_handle<>) const noexcept {}
      T await_resume() { return std::move(task).run(); }
    };
    return Running{std::move(*this)};
  }

 private:
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) noexcept : handle_(handle) {}

  Handle handle_;
};

/// Runs a task to its end on the calling thread, and returns what it returned or throws what it threw.
template <class T, class B>
T run(Task<T, B> task) {
  return std::move(task).run();
}

}  // namespace trine
