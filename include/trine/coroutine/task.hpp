// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <trine/coroutine/awaiting.hpp>
#include <trine/coroutine/frames.hpp>
#include <trine/task.hpp>

namespace trine {

/// A backend whose waiting members return an Awaiting: coroutines, or one derived from it.
template <class B>
concept Suspending = requires {
  typename B::SuspendsCoroutines;
};

namespace coroutine {

/// The end of a task that somebody waits for, as an operation.
template <class B>
struct Ended {
  using Backend = B;
  using Result = bool;
  static constexpr bool selectable = true;
  static constexpr bool only_looks = true;

  bool attempt() noexcept { return has_come(*word); }
  Sleep<Table::Word> announce() noexcept {
    std::uint32_t seen = not_yet;
    // Acquire: pairs with the release of set_for_good(); what the task did is visible.
    if (!word->compare_exchange_strong(seen, awaited, std::memory_order_acquire, std::memory_order_acquire) && seen != awaited) {
      return {};
    }
    return {word, awaited};
  }
  bool give_up() noexcept { return true; }
  bool result() const noexcept { return has_come(*word); }

  /// Whether it came to its end itself, and was not cancelled.
  [[nodiscard]] bool completed() const noexcept { return word->load(std::memory_order_acquire) == completed_itself; }

  // Acquire: as in announce().
  [[nodiscard]] static bool has_come(const Table::Word& word) noexcept {
    const std::uint32_t seen = word.load(std::memory_order_acquire);
    return seen != not_yet && seen != awaited;
  }

  static constexpr std::uint32_t not_yet = 0;
  static constexpr std::uint32_t completed_itself = 1;
  static constexpr std::uint32_t was_cancelled = 2;
  static constexpr std::uint32_t awaited = 3;  // not yet, and somebody may sleep here

  /// That it has come, in one of the two ways. The word may be gone at once.
  static void set_for_good(Table::Word& word, std::uint32_t how) noexcept {
    // Release: pairs with the acquire in announce().
    if (word.exchange(how, std::memory_order_acq_rel) == awaited) table().wake(word, everyone);
  }

  Table::Word* word;
};

/// An awaiter where it is: returned itself by an await_transform(), g++ 12 would copy it.
template <class A>
struct Where {
  A& awaiter;

  [[gnu::always_inline]] bool await_ready() { return awaiter.await_ready(); }
  template <class P>
  [[gnu::always_inline]] auto await_suspend(std::coroutine_handle<P> coroutine) {
    return awaiter.await_suspend(coroutine);
  }
  [[gnu::always_inline]] decltype(auto) await_resume() { return awaiter.await_resume(); }
};

/// An awaiter of another library's: who resumes the task then knows nothing of its root.
template <class A>
struct FromElsewhere {
  A awaiter;
  Root* root = nullptr;

  bool await_ready() { return static_cast<bool>(awaiter.await_ready()); }
  template <class P>
  auto await_suspend(std::coroutine_handle<P> coroutine) {
    root = here().root;
    return awaiter.await_suspend(coroutine);
  }
  decltype(auto) await_resume() {
    if (root != nullptr) here().root = root;
    return awaiter.await_resume();
  }
};

/// What a task awaits for an awaiter.
template <class A>
[[gnu::always_inline]] inline auto awaiter_in_task(A& awaiter) noexcept {
  if constexpr (requires { typename A::GoesOnInItsTask; }) {
    return Where<A>{awaiter};
  } else {
    return FromElsewhere<A&>{awaiter};
  }
}

/// A task that a coroutine of another kind awaits: nobody drives that, so the task begins a line of its own.
template <class B>
class Bridge final : public Root {
 public:
  void begin(std::coroutine_handle<> task) {
    Here& at = here();
    Root* const outer = std::exchange(at.root, this);
    drive(task);
    at.root = outer;
  }
  void ended() noexcept override { Ended<B>::set_for_good(ended_, Ended<B>::completed_itself); }
  void cancelled() noexcept override {}
  Table::Word& word() noexcept { return ended_; }

 private:
  Table::Word ended_{0};
};

}  // namespace coroutine

/// A Task on coroutines: begun by awaiting it, by run(), TaskGroup::spawn() or Scheduler::spawn(). Awaiting costs no stack,
/// however many are awaited one after the other or one within the other, in any build; destroying such a chain where it waits does
/// take some for each. A Task may await Tasks, what trine's waiting members return, and coroutines of others that such a wait
/// resumes. What would resume it otherwise, by handle.resume() on a thread of its own or within another task, must not be awaited
/// in a Task, which then goes on as nobody or as that other task: let it set an Event for which the Task waits.
template <class T, class B>
requires Suspending<B>
class [[nodiscard]] Task<T, B> {
 public:
  class promise_type : public task::Outcome<T> {
   public:
    using DrivenByTrine = void;

    static void* operator new(std::size_t size) { return coroutine::Frames::take(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { coroutine::Frames::give_back(frame, size); }

    Task get_return_object() noexcept { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }

    /// Names the coroutine that goes on: the one that awaits this.
    auto final_suspend() const noexcept {
      struct Final {
        bool await_ready() const noexcept { return false; }
        void await_suspend(Handle ended) const noexcept {
          coroutine::Here& at = coroutine::here();
          if (const std::coroutine_handle<> waiter = ended.promise().waiter_) {
            at.next = waiter;
          } else {
            at.root->ended();
          }
        }
        void await_resume() const noexcept {}
      };
      return Final();
    }

    template <class A>
    decltype(auto) await_transform(A&& value) noexcept {
      static_assert(!task::Lazy<A> || task::Awaitable<A>, "a task is awaited once: co_await std::move(task)");
      if constexpr (task::Awaiter<std::remove_reference_t<A>>) {
        return coroutine::awaiter_in_task(value);
      } else if constexpr (task::Lazy<A>) {
        return std::forward<A>(value).operator co_await();
      } else if constexpr (requires { std::forward<A>(value).operator co_await(); }) {
        return coroutine::FromElsewhere<decltype(std::forward<A>(value).operator co_await())>{
            std::forward<A>(value).operator co_await()};
      } else if constexpr (task::Awaitable<A>) {
        return coroutine::FromElsewhere<decltype(operator co_await(std::forward<A>(value)))>{
            operator co_await(std::forward<A>(value))};
      } else {
        return task::Ready<A>{std::forward<A>(value)};
      }
    }

   private:
    friend Task;

    std::coroutine_handle<> waiter_;
    bool begun_ = false;
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

  /// Runs it to its end on a scheduler of its own, and returns what it returned or throws what it threw. What other tasks it
  /// has begun and not waited for is destroyed then. Throws std::logic_error if it was begun before or moved from, or if the
  /// calling thread is running a scheduler.
  T run() &&;

  /// The task as what waiting members return: begun when that is awaited.
  Awaiting<T> awaited() &&;

  /// A task is awaited once: `co_await std::move(task)`.
  void operator co_await() & = delete;

  auto operator co_await() && noexcept { return Running(std::move(*this)); }

  /// For those who run tasks: the coroutine, which is to be resumed by drive(), within a Root.
  [[nodiscard]] std::coroutine_handle<> begin() {
    if (!handle_ || std::exchange(handle_.promise().begun_, true)) {
      throw std::logic_error("trine: Task: it was begun before, or moved from");
    }
    return handle_;
  }
  T take() { return handle_.promise().take(); }
  /// What left it as an exception, or nothing.
  [[nodiscard]] std::exception_ptr failure() const noexcept { return handle_.promise().failure(); }

 private:
  using Handle = std::coroutine_handle<promise_type>;

  class Running {
   public:
    explicit Running(Task&& task) noexcept : task_(std::move(task)) {}

    bool await_ready() const noexcept { return false; }

    template <class P>
    bool await_suspend(std::coroutine_handle<P> waiter) {
      return suspend(waiter, nullptr, coroutine::Driven<P>);
    }

    /// As Pending::suspend(), or suspend_for().
    bool suspend(std::coroutine_handle<> waiter, coroutine::Resumer* resumer, bool driven) {
      const std::coroutine_handle<> task = task_.begin();
      if (driven) {
        task_.handle_.promise().waiter_ = waiter;
        coroutine::here().next = task;
        return true;
      }
      other_ = std::make_unique<FromOther>();
      other_->bridge.begin(task);
      other_->end.emplace(coroutine::Ended<B>{&other_->bridge.word()}, Until::forever());
      return other_->end->suspend_for(resumer, waiter);
    }

    T await_resume() {
      if (other_ != nullptr) other_->end->take();
      return task_.take();
    }

   private:
    struct FromOther {
      coroutine::Bridge<B> bridge;
      std::optional<coroutine::One<coroutine::Ended<B>>> end;
    };

    std::unique_ptr<FromOther> other_;
    Task task_;  // destroyed first: it may be in the bridge
  };

  explicit Task(Handle handle) noexcept : handle_(handle) {}

  Handle handle_;
};

namespace coroutine {

/// A task inside of an awaitable.
template <class R, class B>
class Inside final : public Pending<R> {
 public:
  explicit Inside(Task<R, B> task) : running_(std::move(task).operator co_await()) {}
  [[noreturn]] static void refuse(const Task<R, B>& /*task*/) { throw std::bad_alloc(); }

  bool suspend(std::coroutine_handle<> coroutine) override { return running_.suspend(coroutine, nullptr, true); }
  bool suspend_for(Resumer* resumer, std::coroutine_handle<> coroutine) override {
    return running_.suspend(coroutine, resumer, false);
  }
  R take() override { return running_.await_resume(); }

 private:
  // The task waits, and not this.
  bool rouse() noexcept override { return true; }
  Table::Placed settle(Table&, bool) noexcept override { return Table::Placed::asleep; }
  void call_off() noexcept override {}
  bool leave() noexcept override { return true; }
  bool seize() noexcept override { return false; }
  void give_all_up() noexcept override {}

  decltype(std::declval<Task<R, B>>().operator co_await()) running_;
};

}  // namespace coroutine

template <class T, class B>
requires Suspending<B> Awaiting<T> Task<T, B>::awaited() && {
  return Awaiting<T>(std::in_place_type<coroutine::Inside<T, B>>, std::move(*this));
}

}  // namespace trine
