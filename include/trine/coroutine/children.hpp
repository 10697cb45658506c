// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <trine/backend/coroutines.hpp>

namespace trine::coroutine {

/// What stands for the result of a task that returns nothing.
template <class T>
using ValueOf = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T, class B>
ValueOf<T> value_of(Child<T, B>& ended) {
  if constexpr (std::is_void_v<T>) {
    ended.take();
    return {};
  } else {
    return ended.take();
  }
}

/// The end of a child, which its parent waits for even if it was cancelled: the child refers to the parent's frame.
template <class B>
struct EndedForSure : Ended<B> {
  using Shielded = void;
};

/// What asks a family of tasks to end: one of them, their parent, or who asks the parent.
class Family {
 public:
  Family() : parent_(here().root), when_cancelled_(parent_->cancel(), RequestStop{stop_}) {}

  [[nodiscard]] std::stop_token token() const noexcept { return stop_.get_token(); }
  void end() noexcept { stop_.request_stop(); }

  /// The first failure ends the others.
  void fail_with(std::exception_ptr failure) noexcept {
    gate_.lock();
    if (!failure_) failure_ = std::move(failure);
    gate_.unlock();
    end();
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  struct RequestStop {
    std::stop_source stop;
    void operator()() noexcept { stop.request_stop(); }
  };

  std::stop_source stop_;
  Root* parent_;
  std::stop_callback<RequestStop> when_cancelled_;
  Blocking<os::PrivateFutex>::ShortLock gate_;
  std::exception_ptr failure_;
};

/// One whose failure is that of its family.
template <class T, class B>
class Sibling final : public Child<T, B> {
 public:
  Sibling(Task<T, B> task, Family& family) : Child<T, B>(std::move(task), family.token()), family_(family) {}

 private:
  void ended() noexcept override {
    if (std::exception_ptr failure = this->failure()) family_.fail_with(std::move(failure));
    Child<T, B>::ended();
  }

  Family& family_;
};

/// The scheduler of the parent. Throws std::logic_error if there is none.
inline Scheduler& parents_scheduler() {
  Scheduler* const scheduler = Scheduler::current();
  if (scheduler == nullptr) throw std::logic_error("trine: a task can't begin others: no Scheduler runs it");
  return *scheduler;
}

// Children are begun when nothing can fail any more that comes before their parent waits for their ends: they run at once where
// there are several threads, and then can't be destroyed.

template <class T, class B>
std::unique_ptr<Child<T, B>> make_child(Task<T, B> task, const Family& family) {
  return std::make_unique<Child<T, B>>(std::move(task), family.token());
}

template <class T, class B>
std::unique_ptr<Sibling<T, B>> make_sibling(Task<T, B> task, Family& family) {
  return std::make_unique<Sibling<T, B>>(std::move(task), family);
}

/// For a parent that was cancelled with its children: it ends here.
template <class B>
Awaiting<bool> end_here() {
  return await(Asleep({}), Until::forever());
}

}  // namespace trine::coroutine
