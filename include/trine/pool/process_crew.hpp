// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/error.hpp>
#include <trine/lock.hpp>
#include <trine/pool/options.hpp>
#include <trine/pool/result.hpp>
#include <trine/pool/slot.hpp>
#include <trine/pool/waiting.hpp>
#include <trine/pool/wire.hpp>
#include <trine/pool/worker.hpp>

namespace trine {

/// The workers of a pool where they are processes. Whoever waits for a result sees to all of them: takes answers out of the places
/// and gives tasks to those that are free. A thread of its own does that from the moment at which somebody relies on it.
template <class B>
class ProcessCrew {
  using Slot = PoolSlot<B>;
  using State = PoolState<B>;

 public:
  template <class T>
  using Sent = wire::Sent<T>;
  static constexpr bool blocks = true;

  ProcessCrew(std::size_t workers, PoolOptions options)
      : options_(std::move(options)), owner_(B::Nursery::this_process()), state_(workers), seats_(workers) {
    std::cout.flush();
    nursery_ = B::Child::start([this]() noexcept { return PoolNursery<B>(*state_, options_, bell_, owner_).run(); });
  }
  ProcessCrew(const ProcessCrew&) = delete;
  ProcessCrew& operator=(const ProcessCrew&) = delete;
  ~ProcessCrew() { terminate(); }

  [[nodiscard]] std::size_t workers() const noexcept { return seats_.size(); }

  /// `function(arguments...)`. `alone`: its caller may not come back for a while.
  template <class R, class F, class... A>
  std::shared_ptr<PoolResult<R>> call(bool alone, const F& function, std::tuple<A...>&& arguments) {
    auto request = wire::request(&wire::call<F, R, A...>, function);
    wire::Writer(request).put(arguments);
    return add<R>(std::move(request), alone);
  }

  /// `function(item)` for each item.
  template <class R, class F, class T>
  std::shared_ptr<PoolResult<std::vector<R>>> call_each(const F& function, std::vector<T>&& items) {
    auto request = wire::request(&wire::call_each<F, R, T>, function);
    wire::Writer(request).put(items);
    return add<std::vector<R>>(std::move(request), false);
  }

  /// Waits until `ready()`, which changes when a result is settled: what `finish(ready)` returned.
  template <std::predicate Ready, class Finish>
  auto wait(Ready ready, const Until& until, Finish finish) {
    return B::run(PoolWait<B, ProcessCrew, Ready, Finish>(*this, std::move(ready), std::move(finish)), until);
  }
  template <std::predicate Ready>
  bool wait(Ready ready, const Until& until) {
    return wait(std::move(ready), until, [](bool done) { return done; });
  }

  /// Where to sleep until there is news from the workers.
  auto raise() { return state_->news.raise(); }

  /// Does what there is to do at every place. `closely`: looks for the nursery as well, at the price of a system call.
  void see_to_all(bool closely) {
    std::vector<Done> done;
    {
      const auto held = gate_.guard();
      for (std::size_t i = 0; i < seats_.size(); ++i) {
        if (seats_[i].task) see_to(i, done);
      }
      if (closely && !lost_ && !ended_ && nursery_.ended()) lost_ = true;
      if (lost_) take_all(done, "the process that makes the workers was killed");
    }
    finish(done);
  }

  /// From now on somebody sees to results while nobody waits for them.
  void attend() {
    const auto held = gate_.guard();
    start_attendant();
  }

  /// No more tasks.
  void close() {
    const auto held = gate_.guard();
    closed_ = true;
  }

  /// Waits for all tasks, and then for the workers' end. false: it gave up.
  bool join(const Until& until) {
    {
      const auto held = gate_.guard();
      if (!closed_) throw Error("trine: Pool::join: close() or terminate() it first");
    }
    if (owner_ != B::Nursery::this_process()) return true;
    if (!wait([this] { return tasks_.load(std::memory_order_acquire) == 0; }, until)) return false;
    end(State::closing);
    return true;
  }

  /// Ends the workers, whatever they do. Tasks that are not done fail.
  void terminate() {
    close();
    if (owner_ != B::Nursery::this_process()) return let_go();
    end(State::terminating);
    fail_all("the pool was terminated");
  }

 private:
  struct Task {
    std::vector<std::byte> request;
    std::shared_ptr<PoolOutcome> outcome;
    void (*accept)(PoolOutcome& outcome, std::span<const std::byte> answer) = nullptr;
  };

  /// What the caller knows of a place: the task that is there, and how much of its request and its answer has gone through.
  struct Seat {
    std::optional<Task> task;
    std::size_t sent = 0;
    std::vector<std::byte> answer;
  };

  struct Done {
    Task task;
    std::vector<std::byte> answer;
    std::exception_ptr failure;
  };

  template <class R>
  static void accept(PoolOutcome& outcome, std::span<const std::byte> answer) {
    auto& result = static_cast<PoolResult<R>&>(outcome);
    try {
      wire::Reader from(answer);
      if (!from.get<bool>()) {
        const auto type = from.get<std::string>();
        throw RemoteError(type, from.get<std::string>());
      }
      result.succeed(from.get<typename PoolResult<R>::Value>());
    } catch (...) {
      result.fail(std::current_exception());
    }
  }

  template <class R>
  std::shared_ptr<PoolResult<R>> add(std::vector<std::byte>&& request, bool alone) {
    static_assert(!wire::refers<R> && !std::is_same_v<R, std::string_view>,
                  "what a worker's function returns must not refer to the worker's memory");
    if (owner_ != B::Nursery::this_process()) throw Error("trine: Pool: it belongs to another process");
    auto result = std::make_shared<PoolResult<R>>();
    {
      const auto held = gate_.guard();
      if (closed_) throw Error("trine: Pool: it is closed");
      tasks_.fetch_add(1, std::memory_order_relaxed);
      pending_.push_back({std::move(request), result, accept<R>});
      if (!lost_) give_out();
      if (alone && !pending_.empty()) start_attendant();
    }
    if (lost_) see_to_all(true);
    return result;
  }

  // With the gate: tasks go to the first free places, whose workers are the least likely to sleep.
  void give_out() {
    for (std::size_t i = 0; i < seats_.size() && !pending_.empty(); ++i) {
      if (!seats_[i].task) give(i);
    }
  }

  void give(std::size_t i) {
    Seat& seat = seats_[i];
    Slot& slot = (*state_)[i];
    seat.task = std::move(pending_.front());
    pending_.pop_front();
    seat.answer.clear();
    seat.sent = slot.put(seat.task->request, 0);
    slot.give(Slot::given);
    if (slot.empty.load(std::memory_order_seq_cst) != 0) bell_.ring();
  }

  void see_to(std::size_t i, std::vector<Done>& done) {
    Seat& seat = seats_[i];
    Slot& slot = (*state_)[i];
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
    done.push_back({std::move(*seat.task), std::move(seat.answer), std::move(failure)});
    seat.task.reset();
    if (!pending_.empty()) {
      give(i);
    } else {
      (*state_)[i].give(Slot::idle);
    }
  }

  void take_all(std::vector<Done>& done, const std::string& why) {
    const auto failure = std::make_exception_ptr(WorkerDied(why));
    for (Seat& seat : seats_) {
      if (seat.task) done.push_back({std::move(*seat.task), {}, failure});
      seat.task.reset();
    }
    for (Task& each : pending_) done.push_back({std::move(each), {}, failure});
    pending_.clear();
  }

  void fail_all(const std::string& why) {
    std::vector<Done> done;
    {
      const auto held = gate_.guard();
      take_all(done, why);
    }
    finish(done);
  }

  // Without the gate: this runs what belongs to the user.
  void finish(std::vector<Done>& done) {
    if (done.empty()) return;
    for (Done& each : done) {
      if (each.failure) {
        each.task.outcome->fail(each.failure);
      } else {
        each.task.accept(*each.task.outcome, each.answer);
      }
    }
    // Release: who finds no task left finds what the callbacks did.
    tasks_.fetch_sub(done.size(), std::memory_order_acq_rel);
    state_->news.wake(everyone);  // another may wait for one of these
  }

  static std::string how(int code) {
    if (code == PoolNursery<B>::no_worker) return "it could not be started";
    return code < 0 ? "by signal " + std::to_string(-code) : "with exit code " + std::to_string(code);
  }

  // With the gate.
  void start_attendant() {
    if (attendant_.joinable() || ended_) return;
    attendant_ = std::thread([this] { wait([this] { return ended_.load(std::memory_order_acquire); }, Until::forever()); });
  }

  void end(std::uint32_t ending) {
    std::thread attendant;
    {
      const auto held = gate_.guard();
      if (ended_.exchange(true, std::memory_order_acq_rel)) return;
      state_->ending.store(ending, std::memory_order_release);
      if (ending == State::closing) {
        for (std::size_t i = 0; i < seats_.size(); ++i) (*state_)[i].give(Slot::leave);
      }
      attendant.swap(attendant_);
    }
    bell_.ring();
    state_->news.wake_all();
    if (attendant.joinable()) attendant.join();
    nursery_.wait();
  }

  // In a child of the owner: the workers and the thread are not its own.
  void let_go() {
    if (attendant_.joinable()) attendant_.detach();
  }

  const PoolOptions options_;
  const int owner_;
  typename B::Nursery::Bell bell_;
  typename B::template Storage<State> state_;
  typename B::Child nursery_;

  Lock<threads> gate_;  // guards what follows
  std::vector<Seat> seats_;
  std::deque<Task> pending_;
  std::thread attendant_;
  bool closed_ = false;
  std::atomic<bool> lost_{false};   // the nursery is dead
  std::atomic<bool> ended_{false};  // the workers were told to end
  std::atomic<std::size_t> tasks_{0};
};

}  // namespace trine
