// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <utility>

#include <trine/coroutine/hop.hpp>
#include <trine/coroutine/one.hpp>

namespace trine::coroutine {

/// An operation of no size to speak of, to measure by.
struct Smallest {
  using Result = bool;
  bool attempt() { return true; }
  Sleep<Table::Word> announce() { return {}; }
  bool give_up() { return true; }
  bool result() { return true; }
  void* object;
};

/// For an awaitable of what a function returns.
struct Made {};
inline constexpr Made made;

}  // namespace trine::coroutine

namespace trine {

/// What a waiting member of a primitive returns on coroutines: `co_await` it, once, in any coroutine.
///
/// The operation was tried when this was made. If it was done, awaiting does not suspend, and nothing was allocated (but for
/// every 256th in a row, after which others run: a coroutine that never has to wait does not keep the thread). If not, the
/// coroutine sleeps in the frame that it has. It goes on where it was: on the Scheduler that ran it, never inside the
/// call that woke it; or by the executor that it named (see on()). Coroutines are served in the order in which they began
/// to wait. One that is destroyed while it waits has not waited: nothing is lost, nothing is taken. One that was served, and is
/// destroyed before it has gone on, has taken: a guard or a permit goes back, an item goes with it, and what lock() or acquire()
/// took stays taken.
///
/// A coroutine that is not a Task is nobody's: where a task calls one it is not cancelled with that task, may outlive it, and
/// goes on outside of it. To a RecursiveLock it is whoever runs it, the task that called it or else the thread; so it can't wait
/// for one within a task (std::logic_error), and is not to hold one over a co_await. An awaiter of yours around this one must hand
/// on the handle with its type (`template <class P> await_suspend(std::coroutine_handle<P>)`): with a std::coroutine_handle<> a Task
/// counts as such a coroutine too.
///
/// One that was not on a Scheduler when it began to wait may be destroyed while it waits only where nobody can be about to resume
/// it: not while a limit of its own may come, nor while another thread may wake it. (One that on() resumes may be.)
///
/// One that is not awaited ends the program: a lock that is not awaited is not locked, and std::scoped_lock would not tell.
template <class R>
class [[nodiscard]] Awaiting {
 public:
  using Result = R;
  using GoesOnInItsTask = void;

  /// Holds the result of an operation that is done.
  template <class O>
  explicit Awaiting(std::in_place_t, O& done) : done_([&done]() -> R { return done.result(); }), stage_(Stage::done) {}

  /// Holds what `make()` returns.
  template <class F>
  Awaiting(coroutine::Made, F make) : done_(std::move(make)), stage_(Stage::done) {}

  /// Holds a P that was made of the arguments, and is not done.
  template <class P, class... A>
  explicit Awaiting(std::in_place_type_t<P>, A&&... arguments) : stage_(Stage::inside) {
    if constexpr (sizeof(P) <= sizeof(room_) && alignof(P) <= alignment) {
      ::new (static_cast<void*>(room_)) P(std::forward<A>(arguments)...);
    } else {
      outside_ = new (std::nothrow) P(std::forward<A>(arguments)...);
      if (outside_ == nullptr) [[unlikely]]
        P::refuse(arguments...);
      stage_ = Stage::outside;
    }
  }

  /// Holds what waits, and is not done.
  explicit Awaiting(std::unique_ptr<coroutine::Pending<R>> waits) noexcept
      : outside_(waits.release()), stage_(Stage::outside) {}
  Awaiting(const Awaiting&) = delete;
  Awaiting& operator=(const Awaiting&) = delete;

  [[gnu::always_inline]] ~Awaiting() {
    if (stage_ == Stage::taken) return;
    if (!awaited_) [[unlikely]]
      forgotten();
    if (stage_ <= Stage::hopping) [[likely]] {
      if (stage_ == Stage::hopping) [[unlikely]]
        delete done_.hop;
      std::destroy_at(&done_.value);
    } else {
      destroy_pending();
    }
  }

  bool await_ready() noexcept {
    awaited_ = true;
    return stage_ == Stage::done && --coroutine::here().waits >= 0;
  }

  template <class P>
  [[gnu::always_inline]] bool await_suspend(std::coroutine_handle<P> coroutine) {
    if (stage_ == Stage::done) [[unlikely]]
      return let_others_run(coroutine, coroutine::root_of<P>());
    if constexpr (coroutine::Driven<P>) {
      return pending().suspend(coroutine);
    } else {
      return pending().suspend_for(nullptr, coroutine);
    }
  }

  [[gnu::always_inline]] R await_resume() {
    if (stage_ <= Stage::hopping) [[likely]]
      return std::move(done_.value);
    if (stage_ == Stage::outside) [[unlikely]]
      return outside_->take();
    coroutine::Pending<R>& finishes = pending();
    stage_ = Stage::taken;
    return finishes.finish();
  }

  /// For on(): as await_suspend(), to be resumed by `resumer`.
  bool suspend(std::coroutine_handle<> coroutine, coroutine::Resumer& resumer) {
    if (stage_ == Stage::done) return false;
    return pending().suspend_for(&resumer, coroutine);
  }

 private:
  // It is done, it is done and lets others run; or what waits for the result is in here, or on the heap; or it was in here, and
  // the result was taken.
  enum class Stage : std::uint8_t { done, hopping, inside, outside, taken };

  // What a wait takes beside its operation, and room for the operations of the primitives; others are allocated.
  static constexpr std::size_t overhead = sizeof(coroutine::One<coroutine::Smallest>) - sizeof(coroutine::Smallest);
  static constexpr std::size_t room = overhead + 32;
  static constexpr std::size_t alignment = std::max(alignof(R), alignof(void*));

  [[noreturn, gnu::cold, gnu::noinline]] static void forgotten() noexcept {
    std::fputs("trine: an operation on coroutines was not awaited: co_await it\n", stderr);
    std::terminate();
  }

  [[gnu::noinline]] void destroy_pending() {
    if (stage_ == Stage::inside) {
      std::destroy_at(&pending());
    } else {
      delete outside_;
    }
  }

  // It has waited for nothing many times: those who wait in the scheduler's line are to run as well. What was taken is not lost
  // for that: without memory it goes on at once, and where its task is cancelled meanwhile it goes on to its next wait.
  [[gnu::cold, gnu::noinline]] bool let_others_run(std::coroutine_handle<> coroutine, coroutine::Root* root) {
    Scheduler* const scheduler = coroutine::here().scheduler;
    if (scheduler == nullptr) return false;
    coroutine::Hop* const hop = new (std::nothrow) coroutine::Hop(*scheduler, coroutine::Hop::Shielded());
    if (hop == nullptr) return false;
    done_.hop = hop;
    stage_ = Stage::hopping;
    done_.hop->begin(coroutine, root);
    return true;
  }

  struct Done {
    template <class F>
    explicit Done(F make) : value(make()) {}
    R value;
    coroutine::Hop* hop;
  };

  // What waits begins with its Pending, wherever it lies.
  coroutine::Pending<R>& pending() noexcept {
    return stage_ == Stage::outside ? *outside_ : *std::launder(reinterpret_cast<coroutine::Pending<R>*>(room_));
  }

  union {
    Done done_;
    coroutine::Pending<R>* outside_;
    alignas(alignment) std::byte room_[std::max(room, sizeof(R) + overhead + 24)];
  };
  Stage stage_;
  bool awaited_ = false;
};

namespace coroutine {

template <class O>
[[gnu::noinline]] Awaiting<typename O::Result> await_until(O&& operation, const Until& until) {
  return Awaiting<typename O::Result>(std::in_place_type<One<O>>, std::move(operation), until);
}

// Part of its caller: an operation that is passed on in memory is copied as one piece, and the processor would wait for the
// stores of which it was made. On the fast path it never exists in memory.
template <class O>
[[gnu::always_inline]] inline Awaiting<typename O::Result> await_later(O operation, const Until& until) {
  if (until.never()) [[likely]]
    return Awaiting<typename O::Result>(std::in_place_type<One<O>>, std::move(operation));
  return await_until(std::move(operation), until);
}

// For one that can't give up at once: what it needs is there before it begins.
template <class O>
[[gnu::noinline]] Awaiting<typename O::Result> await_prepared(O&& operation, const Until& until) {
  using R = typename O::Result;
  auto wait = std::make_unique<One<O>>(std::move(operation), until);
  if (wait->begin()) return Awaiting<R>(std::in_place, wait->operation());
  return Awaiting<R>(std::unique_ptr<Pending<R>>(std::move(wait)));
}

/// Tries the operation; returns its result, or what waits for it.
template <class O>
Awaiting<typename O::Result> await(O operation, const Until& until) {
  if constexpr (gives_up_late<O>) return await_prepared(std::move(operation), until);
  if (operation.attempt()) [[likely]]
    return Awaiting<typename O::Result>(std::in_place, operation);
  return await_later(std::move(operation), until);
}

}  // namespace coroutine
}  // namespace trine
