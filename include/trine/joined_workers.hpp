// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <exception>
#include <list>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <trine/task.hpp>

namespace trine {

/// Carries out the functions of a TaskGroup, each by a worker of its own that is started and joined: a thread, a fiber.
///
/// A worker can't join itself: the next begin() or join() does.
template <class B>
class JoinedWorkers {
 public:
  JoinedWorkers() = default;
  JoinedWorkers(const JoinedWorkers&) = delete;
  JoinedWorkers& operator=(const JoinedWorkers&) = delete;

  /// Starts a worker that calls `call` and runs what it returns, if that is a Task. It tells `teller` of a failure, and last
  /// of all that it has ended. Throws std::system_error, and starts nothing, if the system has no more to give.
  template <class Call, class Teller>
  void begin(Call&& call, Teller teller) {
    Workers started(1);
    const Place self = started.begin();
    Workers ended;
    gate_.lock();
    try {
      self->emplace([this, self, teller, mine = std::optional<Call>(std::move(call))]() mutable {
        carry_out(mine, teller);
        put_aside(self);
        teller.ended();
      });
    } catch (const std::system_error& e) {
      gate_.unlock();
      throw std::system_error(e.code(), "trine: TaskGroup::spawn: a worker could not be started");
    } catch (...) {
      gate_.unlock();
      throw;
    }
    workers_.splice(workers_.end(), started);
    ended.swap(ended_);
    gate_.unlock();
    join_all(ended);
  }

  /// Joins those that have ended.
  void join() {
    Workers ended;
    gate_.lock();
    ended.swap(ended_);
    gate_.unlock();
    join_all(ended);
  }

 private:
  using Workers = std::list<std::optional<typename B::Worker>>;  // which need not be movable
  using Place = typename Workers::iterator;

  // The function is gone before its failure is told.
  template <class Call, class Teller>
  static void carry_out(std::optional<Call>& call, Teller& teller) {
    std::exception_ptr failure;
    try {
      if constexpr (task::Lazy<std::invoke_result_t<Call&>>) {
        static_cast<void>((*call)().run());
      } else {
        static_cast<void>((*call)());
      }
    } catch (...) {
      failure = std::current_exception();
    }
    call.reset();
    if (failure) teller.failed(std::move(failure));
  }

  // Whoever starts it has the gate until it is in the list.
  void put_aside(Place self) {
    gate_.lock();
    ended_.splice(ended_.end(), workers_, self);
    gate_.unlock();
  }

  static void join_all(Workers& workers) {
    for (auto& worker : workers) worker->join();
  }

  typename B::ShortLock gate_;
  Workers workers_;  // that run; this and the next with the gate held alone
  Workers ended_;    // that are to be joined
};

}  // namespace trine
