// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <trine/condition.hpp>
#include <trine/error.hpp>
#include <trine/future.hpp>
#include <trine/lock.hpp>
#include <trine/pool/options.hpp>
#include <trine/pool/result.hpp>

namespace trine {

/// The workers of a pool where they share the caller's memory.
template <class B>
class ThreadCrew final : public PoolWaiting {
 public:
  template <class T>
  using Sent = std::decay_t<T>;

  ThreadCrew(std::size_t workers, PoolOptions options) : options_(std::move(options)), workers_(workers) {
    try {
      for (std::size_t i = 0; i < workers; ++i) workers_[i] = typename B::Worker([this, i] { serve(i); });
    } catch (...) {
      terminate();
      throw;
    }
  }
  ThreadCrew(const ThreadCrew&) = delete;
  ThreadCrew& operator=(const ThreadCrew&) = delete;
  ~ThreadCrew() { terminate(); }

  [[nodiscard]] std::size_t workers() const noexcept { return workers_.size(); }

  template <class R, class F, class... A>
  std::shared_ptr<PoolResult<R>> call(bool /*alone*/, const F& function, std::tuple<A...>&& arguments) {
    return add<R>([function = F(function), with = std::move(arguments)]() mutable -> R {
      return std::apply(function, std::move(with));
    });
  }

  template <class R, class F, class T>
  std::shared_ptr<PoolResult<std::vector<R>>> call_each(const F& function, std::vector<T>&& items) {
    return add<std::vector<R>>([function = F(function), with = std::move(items)]() mutable {
      std::vector<R> results;
      results.reserve(with.size());
      for (auto&& each : with) {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, T>>) {
          function(static_cast<T&&>(each));
          results.emplace_back();
        } else {
          results.push_back(function(static_cast<T&&>(each)));
        }
      }
      return results;
    });
  }

  template <std::predicate Ready>
  bool wait(const Ready& ready, const Until& until) {
    auto held = gate_.guard();
    return news_.wait(
        held, [&] { return ready(); }, until);
  }
  bool wait_for(const PoolOutcome& outcome, const Until& until) override {
    return wait([&] { return outcome.ready(); }, until);
  }
  bool look(const PoolOutcome& outcome) override { return outcome.ready(); }
  void attend() override {}

  void close() {
    const auto held = gate_.guard();
    closed_ = true;
  }

  bool join(const Until& until) {
    {
      auto held = gate_.guard();
      if (!closed_) throw Error("trine: Pool::join: close() or terminate() it first");
      if (!news_.wait(
              held, [this] { return tasks_ == 0; }, until))
        return false;
    }
    end();
    return true;
  }

  void terminate() {
    close();
    std::deque<std::unique_ptr<Task>> dropped;
    {
      const auto held = gate_.guard();
      dropped.swap(pending_);
    }
    for (const auto& each : dropped) each->fail(std::make_exception_ptr(WorkerDied("the pool was terminated")));
    finished(dropped.size());
    end();
  }

 private:
  struct Task {
    virtual ~Task() = default;
    virtual void perform() = 0;
    virtual void fail(std::exception_ptr failure) = 0;
  };

  template <class R, class Function>
  struct TaskOf final : Task {
    TaskOf(Function&& from, std::shared_ptr<PoolResult<R>> to) : function(std::move(from)), result(std::move(to)) {}

    void perform() override {
      std::exception_ptr failure;
      try {
        if constexpr (std::is_void_v<R>) {
          function();
          return result->succeed({});
        } else {
          return result->succeed(function());
        }
      } catch (...) {
        failure = remote();
      }
      result->fail(std::move(failure));
    }
    void fail(std::exception_ptr failure) override { result->fail(std::move(failure)); }

    Function function;
    std::shared_ptr<PoolResult<R>> result;
  };

  // The same as from another process, with the exception itself inside.
  static std::exception_ptr remote() {
    const ExceptionText text = ExceptionText::current();
    try {
      std::throw_with_nested(RemoteError(text.type, text.text));
    } catch (...) {
      return std::current_exception();
    }
  }

  template <class R, class Function>
  std::shared_ptr<PoolResult<R>> add(Function&& function) {
    auto result = std::make_shared<PoolResult<R>>();
    auto task = std::make_unique<TaskOf<R, std::decay_t<Function>>>(std::move(function), result);
    const auto held = gate_.guard();
    if (closed_) throw Error("trine: Pool: it is closed");
    pending_.push_back(std::move(task));
    ++tasks_;
    work_.notify();
    return result;
  }

  void serve(std::size_t i) {
    std::exception_ptr broken;
    try {
      if (options_.initializer) options_.initializer();
    } catch (...) {
      broken = remote();
    }
    for (std::size_t count = 0; options_.max_tasks_per_worker == 0 || count < options_.max_tasks_per_worker || !retire(i);
         ++count) {
      auto task = next();
      if (!task) return;
      if (broken) {
        task->fail(broken);
      } else {
        task->perform();
      }
      task.reset();
      finished(1);
    }
  }

  std::unique_ptr<Task> next() {
    auto held = gate_.guard();
    work_.wait(held, [this] { return leaving_ || !pending_.empty(); });
    if (pending_.empty()) return nullptr;
    auto task = std::move(pending_.front());
    pending_.pop_front();
    return task;
  }

  void finished(std::size_t count) {
    const auto held = gate_.guard();
    tasks_ -= count;
    news_.notify_all();
  }

  // Another takes the place of the caller, and waits for its end. false: the caller goes on, for there can be no other.
  bool retire(std::size_t i) {
    const auto held = gate_.guard();
    if (leaving_) return false;
    auto self = std::make_shared<typename B::Worker>(std::move(workers_[i]));
    try {
      workers_[i] = typename B::Worker([this, i, self] {
        self->join();
        serve(i);
      });
      return true;
    } catch (const std::system_error&) {
      workers_[i] = std::move(*self);
      return false;
    }
  }

  void end() {
    {
      const auto held = gate_.guard();
      if (std::exchange(leaving_, true)) return;
      work_.notify_all();
    }
    for (auto& each : workers_) {
      if (each.joinable()) each.join();
    }
  }

  const PoolOptions options_;
  Lock<B> gate_;  // guards what follows
  Condition<B> work_;
  Condition<B> news_;
  std::deque<std::unique_ptr<Task>> pending_;
  std::vector<typename B::Worker> workers_;
  std::size_t tasks_ = 0;
  bool closed_ = false;
  bool leaving_ = false;
};

}  // namespace trine
