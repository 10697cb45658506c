// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include <trine/coroutine/child.hpp>
#include <trine/coroutine/scheduler.hpp>
#include <trine/coroutine/task.hpp>
#include <trine/task.hpp>

namespace trine::coroutine {

template <class T>
inline constexpr bool is_driven = false;
template <class T, Suspending B>
inline constexpr bool is_driven<Task<T, B>> = true;
/// What a function returns that a scheduler has to drive to its end.
template <class T>
concept DrivenTask = is_driven<std::remove_cvref_t<T>>;

/// A call of a function, and of the task that it returns, if it does. The teller hears of a failure, when the function is
/// gone, and of the end: its own, or that of the scheduler.
template <class Call, class Teller>
class Errand final : public Spawned {
  using Returned = std::invoke_result_t<Call&>;

 public:
  Errand(Scheduler& scheduler, Call&& call, Teller teller)
      : Spawned(scheduler, perform), teller_(teller), call_(std::move(call)) {}
  ~Errand() override {
    drop();
    teller_.ended();
  }

 private:
  static void perform(Ready& item) {
    Errand& self = static_cast<Errand&>(item);
    Here& at = here();
    Root* const outer = std::exchange(at.root, &self);
    if (const std::coroutine_handle<> task = self.begin()) drive(task);
    at.root = outer;
  }

  // The coroutine, if there is one; else it has ended.
  std::coroutine_handle<> begin() noexcept {
    std::exception_ptr failure;
    try {
      if constexpr (DrivenTask<Returned>) {
        return task_.emplace((*call_)()).begin();
      } else if constexpr (task::Lazy<Returned>) {
        static_cast<void>((*call_)().run());
      } else {
        static_cast<void>((*call_)());
      }
    } catch (...) {
      failure = std::current_exception();
    }
    end(std::move(failure));
    return {};
  }

  void ended() noexcept override {
    if constexpr (DrivenTask<Returned>) end(task_->failure());
  }

  void end(std::exception_ptr failure) noexcept {
    if (failure) {
      drop();
      teller_.failed(std::move(failure));
    }
    Scheduler& scheduler = scheduler_;
    end_of(scheduler, *this, nullptr);
  }

  // The frame refers to the function.
  void drop() noexcept {
    task_.reset();
    call_.reset();
  }

  Teller teller_;
  std::optional<Call> call_;
  std::optional<std::conditional_t<DrivenTask<Returned>, std::remove_cvref_t<Returned>, std::monostate>> task_;
};

/// Where the functions of a TaskGroup run: on a scheduler, or on that of whoever spawns.
class Workplace {
 public:
  Workplace() = default;
  explicit Workplace(Scheduler& scheduler) noexcept : scheduler_(&scheduler) {}

  /// Throws std::logic_error if there is no scheduler.
  template <class Call, class Teller>
  void begin(Call&& call, Teller teller) const {
    Scheduler* const scheduler = scheduler_ != nullptr ? scheduler_ : Scheduler::current();
    if (scheduler == nullptr) throw std::logic_error("trine: TaskGroup::spawn: no Scheduler runs on the calling thread");
    begin_on(*scheduler, *new Errand<std::remove_cvref_t<Call>, Teller>(*scheduler, std::move(call), teller));
  }

  /// Nothing is left of those that have ended.
  static void join() noexcept {}

 private:
  Scheduler* scheduler_ = nullptr;
};

}  // namespace trine::coroutine
