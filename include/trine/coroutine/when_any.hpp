// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <trine/coroutine/children.hpp>
#include <trine/select.hpp>

namespace trine {

namespace coroutine {

/// Which of several operations was done.
struct Which {
  template <class... O>
  Which(std::size_t first, std::tuple<O...>& /*operations*/) noexcept : index(first) {}
  std::size_t index;
};

/// What a child came to, as Selected asks for it.
template <class T, class B>
struct Outcome {
  Child<T, B>& child;
  ValueOf<T> result() { return value_of(child); }
};

template <class B, class Ends>
Task<void, B> end_all(Family& family, const Ends& ends) {
  family.end();
  for (const Ended<B>& end : ends) co_await await(EndedForSure<B>{end}, Until::forever());
}

}  // namespace coroutine

/// Runs tasks at the same time until the first has ended, and returns which that was and what it returned (for void a
/// std::monostate), or throws what it threw. The others are cancelled: each is destroyed where it waits, or when it next
/// would, before this returns. What they had taken by guards and permits is given back. One that joins a TaskGroup goes on until
/// it has joined; one whose waits are all over at once goes on as well, until it waits or comes to a Scheduler's hop(). To destroy
/// tasks that await each other, one within the other, takes stack for each: 100,000 are no problem, 1,000,000 may be.
///
///     auto first = co_await trine::when_any(ask(one), ask(another));
///     if (first.index() == 0) use(first.get<0>());
template <class B, class... T>
requires Suspending<B> &&(sizeof...(T) > 0) Task<Selected<coroutine::ValueOf<T>...>, B> when_any(Task<T, B>... tasks) {
  Scheduler& scheduler = coroutine::parents_scheduler();
  coroutine::Family family;
  std::tuple<std::unique_ptr<coroutine::Child<T, B>>...> children{coroutine::make_child(std::move(tasks), family)...};
  const auto ends =
      std::apply([](auto&... child) { return std::array<coroutine::Ended<B>, sizeof...(T)>{child->end_op()...}; }, children);
  auto operations =
      std::apply([](auto&... child) { return std::tuple{coroutine::EndedForSure<B>{child->end_op()}...}; }, children);
  auto all = coroutine::end_all<B>(family, ends);
  auto any = coroutines::run_first<coroutine::Which>(std::move(operations), Until::forever());
  std::apply([&scheduler](auto&... child) { (child->start(scheduler), ...); }, children);
  const coroutine::Which first = co_await any;
  const bool completed = ends[first.index].completed();
  co_await std::move(all);
  if (!completed) co_await coroutine::end_here<B>();
  co_return std::apply(
      [&first](auto&... child) {
        std::tuple<coroutine::Outcome<T, B>...> outcomes{coroutine::Outcome<T, B>{*child}...};
        return Selected<coroutine::ValueOf<T>...>(first.index, outcomes);
      },
      children);
}

/// What with_timeout() returns: the task's result or nothing; for void whether it ended.
template <class T>
using TimedResult = std::conditional_t<std::is_void_v<T>, bool, std::optional<coroutine::ValueOf<T>>>;

/// Runs a task until it has ended or the limit comes: then it is cancelled, that is destroyed where it waits, or when it
/// next would, before this returns nothing (for void: false). A task that ended all the same has ended. As with when_any(), one
/// that joins a TaskGroup joins it first, and the limit does not cut that off; nor does it end one that never has to wait, whose
/// operations are all done at once, for ever: let such a loop `co_await Scheduler::current()->hop()` now and then.
///
///     if (auto answer = co_await trine::with_timeout(ask(server), 200ms)) use(*answer);
template <class T, class B>
requires Suspending<B> Task<TimedResult<T>, B> with_timeout(Task<T, B> task, Until until) {
  Scheduler& scheduler = coroutine::parents_scheduler();
  coroutine::Family family;
  const auto child = coroutine::make_child(std::move(task), family);
  child->start(scheduler);
  bool ended = false;
  std::exception_ptr no_memory;  // for the limit: the child runs already
  try {
    ended = co_await coroutine::await(coroutine::EndedForSure<B>{child->end_op()}, until);
  } catch (...) {
    no_memory = std::current_exception();
  }
  if (!ended) {
    family.end();
    co_await coroutine::await(coroutine::EndedForSure<B>{child->end_op()}, Until::forever());
  }
  if (no_memory) std::rethrow_exception(std::move(no_memory));
  if (!child->completed()) {
    if (ended) co_await coroutine::end_here<B>();
    co_return TimedResult<T>();
  }
  if constexpr (std::is_void_v<T>) {
    child->take();
    co_return true;
  } else {
    co_return child->take();
  }
}

}  // namespace trine
