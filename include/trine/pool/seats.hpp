// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <trine/error.hpp>
#include <trine/pool/result.hpp>
#include <trine/pool/slot.hpp>
#include <trine/pool/worker.hpp>

namespace trine {

/// What the caller of a pool of processes knows of its places, and the tasks for which none is free. With the crew's gate held.
template <class B>
class PoolSeats {
  using Slot = PoolSlot<B>;
  using State = PoolState<B>;

 public:
  struct Task {
    std::vector<std::byte> request;
    std::shared_ptr<PoolOutcome> outcome;
    void (*accept)(PoolOutcome& outcome, std::span<const std::byte> answer) = nullptr;
  };

  struct Done {
    Task task;
    std::vector<std::byte> answer;
    std::exception_ptr failure;

    /// Tells the outcome.
    void settle() {
      if (failure) {
        task.outcome->fail(failure);
      } else {
        task.accept(*task.outcome, answer);
      }
    }
  };

  PoolSeats(State& state, typename B::Nursery::Bell& bell, std::size_t count) : state_(state), bell_(bell), seats_(count) {}

  [[nodiscard]] std::size_t size() const noexcept { return seats_.size(); }

  [[nodiscard]] bool full() const noexcept { return first_free() == seats_.size(); }

  /// Puts a task behind those that are pending, of which there are some only if no place is free. It is given to the first
  /// free place, whose worker is the least likely to sleep; `gone`: there are no workers.
  void add(Task task, bool gone) {
    pending_.push_back(std::move(task));
    if (const std::size_t free = first_free(); free != seats_.size() && !gone) give(free);
  }

  /// Does what there is to do at every place.
  void see_to_all(std::vector<Done>& done) {
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      if (seats_[i].task) see_to(i, done);
    }
  }

  /// All tasks, when there is nobody who could do them.
  void take_all(std::vector<Done>& done, const std::exception_ptr& failure) {
    done.reserve(done.size() + seats_.size() + pending_.size());
    for (Seat& seat : seats_) {
      if (seat.task) done.push_back({std::move(*seat.task), {}, failure});
      seat.task.reset();
    }
    take_pending(done, failure);
  }

  void take_pending(std::vector<Done>& done, const std::exception_ptr& failure) {
    done.reserve(done.size() + pending_.size());
    for (Task& each : pending_) done.push_back({std::move(each), {}, failure});
    pending_.clear();
  }

  /// Tells the workers to leave.
  void dismiss() {
    for (std::size_t i = 0; i < seats_.size(); ++i) state_[i].give(Slot::leave);
  }

 private:
  /// The task that is at a place, and how much of its request and its answer has gone through.
  struct Seat {
    std::optional<Task> task;
    std::size_t sent = 0;
    std::vector<std::byte> answer;
  };

  [[nodiscard]] std::size_t first_free() const noexcept {
    const auto free = std::find_if(seats_.begin(), seats_.end(), [](const Seat& seat) { return !seat.task; });
    return static_cast<std::size_t>(free - seats_.begin());
  }

  // The next task for a place that is free.
  void give(std::size_t i) {
    Seat& seat = seats_[i];
    Slot& slot = state_[i];
    seat.task = std::move(pending_.front());
    pending_.pop_front();
    seat.answer.clear();
    seat.sent = slot.put(seat.task->request, 0);
    slot.give(Slot::given);
    if (slot.empty.load(std::memory_order_seq_cst) != 0) bell_.ring();
  }

  void see_to(std::size_t i, std::vector<Done>& done) {
    Seat& seat = seats_[i];
    Slot& slot = state_[i];
    switch (slot.phase()) {
      case Slot::asks:
        seat.sent = slot.put(seat.task->request, seat.sent);
        return slot.reply(Slot::asks, Slot::continued);
      case Slot::answered:
        slot.take(seat.answer);
        return slot.reply(Slot::answered, Slot::taken);
      case Slot::done:
        slot.take(seat.answer);
        return leave_seat(i, done, nullptr);
      case Slot::died:
        return leave_seat(i, done, std::make_exception_ptr(WorkerDied(how(slot.code))));
      default:
        return;
    }
  }

  void leave_seat(std::size_t i, std::vector<Done>& done, std::exception_ptr failure) {
    Seat& seat = seats_[i];
    done.reserve(seats_.size());  // which may fail the first time: nothing has been taken then
    done.push_back({std::move(*seat.task), std::move(seat.answer), std::move(failure)});
    seat.task.reset();
    if (!pending_.empty()) {
      give(i);
    } else {
      state_[i].give(Slot::idle);
    }
  }

  static std::string how(int code) {
    if (code == PoolNursery<B>::no_worker) return "it could not be started";
    return code < 0 ? "by signal " + std::to_string(-code) : "with exit code " + std::to_string(code);
  }

  State& state_;
  typename B::Nursery::Bell& bell_;
  std::vector<Seat> seats_;
  std::deque<Task> pending_;
};

}  // namespace trine
