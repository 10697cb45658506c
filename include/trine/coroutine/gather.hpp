// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include <trine/coroutine/children.hpp>

namespace trine {

namespace coroutine {

// Waits for the ends of children, and then throws the first failure. Where one was cancelled its parent is, and ends here.
template <class B, class Ends>
Task<void, B> wait_for_all(const Family& family, const Ends& ends) {
  for (const Ended<B>& end : ends) co_await await(EndedForSure<B>{end}, Until::forever());
  family.rethrow();
  for (const Ended<B>& end : ends) {
    if (!end.completed()) co_await end_here<B>();
  }
}

}  // namespace coroutine

/// Runs tasks at the same time, as spawned ones, and returns what they returned, in their order (for void a std::monostate).
///
///     auto [page, size] = co_await trine::gather(load(name), measure(name));
///
/// The first exception that leaves one of them comes out, when the others have ended: they are cancelled, which means that
/// each is destroyed where it waits, or when it next would. It runs on the scheduler of its caller.
template <class B, class... T>
requires Suspending<B> Task<std::tuple<coroutine::ValueOf<T>...>, B> gather(Task<T, B>... tasks) {
  Scheduler& scheduler = coroutine::parents_scheduler();
  coroutine::Family family;
  std::tuple<std::unique_ptr<coroutine::Sibling<T, B>>...> children{coroutine::make_sibling(std::move(tasks), family)...};
  const auto ends =
      std::apply([](auto&... child) { return std::array<coroutine::Ended<B>, sizeof...(T)>{child->end_op()...}; }, children);
  auto all = coroutine::wait_for_all<B>(family, ends);
  std::apply([&scheduler](auto&... child) { (child->start(scheduler), ...); }, children);
  co_await std::move(all);
  co_return std::apply([](auto&... child) { return std::tuple<coroutine::ValueOf<T>...>{coroutine::value_of(*child)...}; },
                       children);
}

/// The same for any number of tasks of one type.
template <class T, class B>
requires Suspending<B> Task<std::vector<coroutine::ValueOf<T>>, B> gather(std::vector<Task<T, B>> tasks) {
  Scheduler& scheduler = coroutine::parents_scheduler();
  coroutine::Family family;
  std::vector<std::unique_ptr<coroutine::Sibling<T, B>>> children;
  std::vector<coroutine::Ended<B>> ends;
  children.reserve(tasks.size());
  ends.reserve(tasks.size());
  for (Task<T, B>& task : tasks) {
    children.push_back(coroutine::make_sibling(std::move(task), family));
    ends.push_back(children.back()->end_op());
  }
  std::vector<coroutine::ValueOf<T>> values;
  values.reserve(children.size());
  auto all = coroutine::wait_for_all<B>(family, ends);
  for (auto& child : children) child->start(scheduler);
  co_await std::move(all);
  for (auto& child : children) values.push_back(coroutine::value_of(*child));
  co_return values;
}

}  // namespace trine
