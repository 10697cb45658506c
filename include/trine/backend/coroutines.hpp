// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <trine/backend.hpp>
#include <trine/backend/blocking.hpp>
#include <trine/coroutine/awaiting.hpp>
#include <trine/coroutine/first.hpp>
#include <trine/coroutine/on.hpp>
#include <trine/coroutine/scheduler.hpp>
#include <trine/coroutine/task.hpp>
#include <trine/coroutine/words.hpp>
#include <trine/coroutine/workplace.hpp>
#include <trine/os/futex.hpp>

namespace trine {

/// The awaiting coroutine suspends, and its thread goes on. Objects live anywhere in this process and may be used from any
/// thread; coroutines of any number of schedulers may wait for one object. A waiting member returns an Awaiting.
struct coroutines : coroutine::CoroutineWords<coroutine::Words, coroutine::SoleFutex> {
  /// Says that waiting members return something to await.
  using SuspendsCoroutines = void;
  /// How many threads the Scheduler has that trine::run(task) makes.
  static constexpr unsigned scheduler_threads = 1;

  template <class R>
  using Result = Awaiting<R>;

  /// Who is running: the task that was spawned, with all that it awaits. Outside of trine's tasks: the thread.
  static std::uint32_t self() { return coroutine::self(); }

  template <Operation O>
  static Result<typename O::Result> run(O operation, const Until& until) {
    if constexpr (coroutine::gives_up_late<O>) return coroutine::await_prepared(std::move(operation), until);
    if (operation.attempt()) [[likely]]
      return Awaiting<typename O::Result>(std::in_place, operation);
    return coroutine::await_later(std::move(operation), until);
  }

  template <class S, Selectable... O>
  [[gnu::noinline]] static Result<S> run_first(std::tuple<O...> operations, const Until& until) {
    using First = coroutine::First<S, O...>;
    const std::size_t done = First::try_each(operations);
    if (done < sizeof...(O)) {
      First::give_up_but(operations, done);
      return Awaiting<S>(coroutine::made, [&] { return S(done, operations); });
    }
    return Awaiting<S>(std::in_place_type<First>, std::move(operations), until);
  }

  template <class Step, class Enough>
  static auto repeat(Step step, Enough enough) -> Result<decltype(enough())> {
    using R = decltype(enough());
    R said = enough();
    if (said) return Awaiting<R>(coroutine::made, [&said] { return std::move(said); });
    return repeat_later<R>(std::move(step), std::move(enough)).awaited();
  }

  /// Does an operation where one can't await: on a thread of a Scheduler others run meanwhile.
  template <Operation O>
  static typename O::Result block(O operation) {
    if (operation.attempt()) return operation.result();
    Scheduler* const running = Scheduler::current();
    if (running == nullptr) return Scheduler().run(await_one(std::move(operation)));
    coroutine::Child<typename O::Result, coroutines> child(await_one(std::move(operation)));
    child.start(*running);
    running->work([&child] { return child.finished(); });
    return child.take();
  }

  /// Where the functions of a TaskGroup run: on a scheduler, or on that of whoever spawns.
  using Workplace = coroutine::Workplace;

  /// Runs a task which is destroyed where it waits, or when it next would, as soon as the token is stopped; nothing then. For a
  /// task that returns nothing, what it returned is a std::monostate.
  template <class T, class B>
  static Task<std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>>, B> run_stoppably(Task<T, B> task,
                                                                                                       std::stop_token stop) {
    coroutine::Child<T, B> child(std::move(task), std::move(stop));
    child.start(*Scheduler::current());
    co_await coroutine::await(ChildEnds<B>{child.end_op()}, Until::forever());
    if (!child.completed()) co_return std::nullopt;
    if constexpr (std::is_void_v<T>) {
      child.take();
      co_return std::monostate();
    } else {
      co_return child.take();
    }
  }

  /// Whether the caller is, or is awaited by, a task that runs like that with this token.
  static bool runs_stoppably(const std::stop_token& stop) {
    const coroutine::Root* const root = coroutine::here().root;
    return root != nullptr && root->cancel() == stop;
  }

 private:
  // Waited for by a parent that was cancelled as well: the child refers to its frame.
  template <class B>
  struct ChildEnds : coroutine::Ended<B> {
    using Shielded = void;
  };

  template <class R, class Step, class Enough>
  static Task<R, coroutines> repeat_later(Step step, Enough enough) {
    for (;;) {
      const bool go_on = co_await step();
      R said = enough();
      if (said || !go_on) co_return said;
    }
  }

  template <class O>
  static Task<typename O::Result, coroutines> await_one(O operation) {
    co_return co_await run(std::move(operation), Until::forever());
  }
};

template <class T, class B>
requires Suspending<B> T Task<T, B>::run() && {
  Scheduler scheduler(B::scheduler_threads);
  return scheduler.run(std::move(*this));
}

}  // namespace trine
