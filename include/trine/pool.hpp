// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/future.hpp>
#include <trine/pool/crew.hpp>
#include <trine/pool/options.hpp>
#include <trine/pool/parts.hpp>
#include <trine/pool/stream.hpp>
#include <trine/task.hpp>
#include <trine/until.hpp>

namespace trine {

/// Workers that call functions for others.
///
///     trine::Pool<trine::processes> pool(4);
///     std::vector<int> squares = pool.map([](int n) { return n * n; }, std::vector{1, 2, 3});
///     trine::Future<int> sum = pool.submit(add, 1, 2);
///
/// A function may return a Task, which is run, and its result is the call's. On coroutines the workers are tasks of the scheduler
/// on which the pool is made, so many functions are on their way at a time, and what waits is awaited: apply(), map(), starmap(),
/// join(), what imap() gives, and Futures. (The constructor throws std::logic_error if no scheduler runs on the thread.)
///
/// Any thread may use it. What leaves a function as an exception reaches the caller as a RemoteError with its type and text (on
/// threads and coroutines with the exception itself nested in it). A worker that is killed fails the one task that it had begun, with WorkerDied;
/// another takes its place, and nothing else is lost. The destructor terminates, as the end of Python's `with` does: close() and
/// join() before, if all tasks are to be done.
///
/// On processes a function is a pointer to one, or an object or lambda whose members or captures are trivially copyable: they are
/// copied, and so are arguments and results, as by a Codec; anything else does not compile. The workers are forked by a process
/// that the constructor forks. They see what there was at that moment, so make a pool before there are large data and many
/// threads; what is given by std::ref must be in shared memory that was there then. A worker must not fork the pool's owner anew.
template <class B = threads>
class Pool {
  using Crew = typename PoolCrew<B>::type;
  template <class T>
  using Sent = typename Crew::template Sent<T>;
  template <class F, class... A>
  using ResultOf = std::remove_cvref_t<task::Returned<std::invoke_result_t<std::decay_t<F>&, Sent<A>...>>>;
  template <class R>
  using Listed = std::conditional_t<std::is_void_v<R>, std::monostate, R>;
  /// What a map comes to: true where the function returns nothing.
  template <class R>
  using Mapped = std::conditional_t<std::is_void_v<R>, bool, std::vector<Listed<R>>>;
  template <class F, class Range>
  using ResultOfEach = ResultOf<F, std::ranges::range_value_t<Range>>;

  /// Calls a function with the parts of a tuple.
  template <class F>
  struct Spread {
    F function;
    template <class Tuple>
    decltype(auto) operator()(Tuple&& parts) {
      return std::apply(function, std::forward<Tuple>(parts));
    }
  };

 public:
  using Options = PoolOptions;

  /// Throws std::invalid_argument unless workers is from 1 to 1024, and std::system_error if the system has no more to give.
  explicit Pool(std::ptrdiff_t workers = default_workers(), Options options = {})
      : crew_(std::make_shared<Crew>(checked_workers(workers), std::move(options))) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { crew_->terminate(); }

  [[nodiscard]] std::size_t workers() const noexcept { return crew_->workers(); }

  /// `function(arguments...)`, done by a worker: what it returned, or true if nothing. Throws what it failed with.
  template <class F, class... A>
  auto apply(F&& function, A&&... arguments) {
    return call(false, std::forward<F>(function), std::forward<A>(arguments)...).get();
  }

  /// Lets a worker call `function(arguments...)`, and does not wait for it. Tasks that no worker is free for wait in the caller's
  /// memory. Throws Error after close().
  template <class F, class... A>
  Future<ResultOf<F, A...>, B> submit(F&& function, A&&... arguments) {
    return call(true, std::forward<F>(function), std::forward<A>(arguments)...);
  }

  /// `function(item)` for each item, in their order; true if `function` returns nothing. `chunk`: how many a worker gets at a
  /// time; 0: so many that each worker gets four chunks. When one fails, its chunk ends there; the others are done all the same,
  /// and then the first failure is thrown. A range that is an lvalue is read while it is worked on.
  template <class F, std::ranges::input_range Range>
  auto map(F&& function, Range&& items, std::size_t chunk = 0) {
    return with_count(std::forward<Range>(items), [&](auto&& all, std::size_t count) {
      using Items = std::views::all_t<decltype(all)>;
      return collect<ResultOfEach<F, Items>>(crew_, std::decay_t<F>(std::forward<F>(function)),
                                             Items(std::forward<decltype(all)>(all)), chunk_of(chunk, count), count)
          .awaited();
    });
  }

  /// Lets the workers do the same, and does not wait for it: a Future of what map() returns. All items are read at once.
  template <class F, std::ranges::input_range Range>
  auto map_async(F&& function, Range&& items, std::size_t chunk = 0) {
    using R = ResultOfEach<F, Range>;
    return with_count(std::forward<Range>(items), [&](auto&& all, std::size_t count) {
      crew_->attend();  // first, for it may fail
      const std::size_t most = chunk_of(chunk, count);
      PoolParts<R, Listed<R>> parts(count / most + (count % most != 0 ? 1 : 0));
      std::vector<Sent<std::ranges::range_value_t<Range>>> some;
      std::size_t left = count;
      for (auto&& each : all) {
        some.emplace_back(std::forward<decltype(each)>(each));
        if (some.size() < most && some.size() < left) continue;
        left -= some.size();
        parts.add(crew_->template call_each<Listed<R>>(std::decay_t<F>(function), std::exchange(some, {}), false));
      }
      return Future<typename decltype(parts)::Whole, B>(crew_, parts.whole());
    });
  }

  /// The same with tuples, of which each holds the arguments of a call.
  template <class F, std::ranges::input_range Range>
  auto starmap(F&& function, Range&& tuples, std::size_t chunk = 0) {
    return map(Spread<std::decay_t<F>>{std::forward<F>(function)}, std::forward<Range>(tuples), chunk);
  }

  template <class F, std::ranges::input_range Range>
  auto starmap_async(F&& function, Range&& tuples, std::size_t chunk = 0) {
    return map_async(Spread<std::decay_t<F>>{std::forward<F>(function)}, std::forward<Range>(tuples), chunk);
  }

  /// The same as map(), one result after the other, as they are asked for: a range that reads the items a few chunks ahead. See
  /// PoolStream.
  template <class F, std::ranges::input_range Range>
  auto imap(F&& function, Range&& items, std::size_t chunk = 1) {
    return stream(std::forward<F>(function), std::forward<Range>(items), checked_chunk(chunk), PoolOrder::of_items);
  }

  /// The same in the order in which the results come.
  template <class F, std::ranges::input_range Range>
  auto imap_unordered(F&& function, Range&& items, std::size_t chunk = 1) {
    return stream(std::forward<F>(function), std::forward<Range>(items), checked_chunk(chunk), PoolOrder::of_results);
  }

  /// No more tasks; the workers end when those that there are have been done. A range that imap() has begun to read is read on,
  /// by those who ask for its results, until join().
  void close() { crew_->close(); }

  /// Ends the workers now, and waits for that: processes are killed, threads finish the function that they are at, and so do
  /// coroutines, but for a function that returns a Task, which is destroyed where it waits. The tasks that are not done fail with
  /// WorkerDied. Throws std::logic_error if a worker calls it, that is a function or, except on processes, a callback: it would
  /// wait for itself. Nor may a worker destroy the pool.
  void terminate() { crew_->terminate(); }

  /// Waits until all tasks are done and the workers have ended: true, or false when it gave up. Throws Error unless close() or
  /// terminate() was called, and std::logic_error if a function or a callback calls it, for which it would wait.
  typename B::template Result<bool> join(const Until& until = Until::forever()) { return crew_->join(until); }

 private:
  template <class F, class... A>
  Future<ResultOf<F, A...>, B> call(bool alone, F&& function, A&&... arguments) {
    using R = ResultOf<F, A...>;
    std::tuple<Sent<A>...> with(std::forward<A>(arguments)...);
    return {crew_, crew_->template call<R>(alone, std::decay_t<F>(std::forward<F>(function)), std::move(with))};
  }

  template <class F, class Range>
  auto stream(F&& function, Range&& items, std::size_t chunk, PoolOrder order) {
    using Items = std::views::all_t<Range>;
    using R = Listed<ResultOfEach<F, Items>>;
    return PoolStream<Crew, std::decay_t<F>, R, Items>(crew_, std::forward<F>(function),
                                                       std::views::all(std::forward<Range>(items)), chunk, order);
  }

  // Calls use(items, how many they are), after reading those that can be read once alone.
  template <class Range, class Use>
  static auto with_count(Range&& items, Use use) {
    if constexpr (std::ranges::forward_range<Range>) {
      const auto count = static_cast<std::size_t>(std::ranges::distance(items));
      return use(std::forward<Range>(items), count);
    } else {
      std::vector<std::ranges::range_value_t<Range>> all;
      for (auto&& each : items) all.push_back(std::forward<decltype(each)>(each));
      const std::size_t count = all.size();
      return use(std::move(all), count);
    }
  }

  template <class R, class F, class Items>
  static Task<Mapped<R>, B> collect(std::shared_ptr<Crew> crew, F function, Items items, std::size_t chunk, std::size_t count) {
    PoolStream<Crew, F, Listed<R>, Items> stream(std::move(crew), std::move(function), std::move(items), chunk,
                                                 PoolOrder::of_items);
    std::vector<Listed<R>> all;
    all.reserve(count);
    std::exception_ptr failure;
    for (bool more = true; more;) {
      try {
        auto results = co_await stream.next_results();
        more = results.has_value();
        if (more && !failure) std::move(results->begin(), results->end(), std::back_inserter(all));
      } catch (...) {
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    if constexpr (std::is_void_v<R>) {
      co_return true;
    } else {
      co_return all;
    }
  }

  std::size_t chunk_of(std::size_t asked, std::size_t count) const {
    return asked != 0 ? asked : std::max<std::size_t>(1, (count + 4 * workers() - 1) / (4 * workers()));
  }

  static std::size_t checked_chunk(std::size_t chunk) {
    if (chunk == 0) throw std::invalid_argument("trine: chunk: 0 is not from 1 on");
    return chunk;
  }

  std::shared_ptr<Crew> crew_;
};

}  // namespace trine
