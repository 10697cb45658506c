// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <trine/pool/options.hpp>
#include <trine/pool/result.hpp>
#include <trine/pool/slot.hpp>
#include <trine/pool/wire.hpp>

namespace trine {

/// A worker process: does what it finds in its place until it is told to leave.
template <class B>
class PoolWorker {
  using Slot = PoolSlot<B>;

 public:
  PoolWorker(PoolState<B>& state, Slot& slot) noexcept : state_(state), slot_(slot) {}

  int run(const PoolOptions& options) noexcept {
    try {
      if (options.initializer) options.initializer();
    } catch (...) {
      broken_ = ExceptionText::current();
    }
    flush();
    slot_.ready.store(1, std::memory_order_seq_cst);
    for (std::size_t count = 0; options.max_tasks_per_worker == 0 || count < options.max_tasks_per_worker; ++count) {
      if (wait(Slot::given) == Slot::leave) break;
      if (!begin()) break;
      do_task();
    }
    return EXIT_SUCCESS;
  }

 private:
  std::uint32_t wait(std::uint32_t phase) { return B::run(PoolPhaseOperation<B>(slot_, phase), Until::forever()); }

  // One store says that the task is this worker's.
  bool begin() {
    std::uint32_t given = Slot::given;
    return slot_.word.compare_exchange_strong(given, Slot::begun, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  void tell(std::uint32_t phase) {
    // Release: pairs with the acquire in phase(); what is in the buffer is visible to the caller.
    slot_.word.exchange(phase, std::memory_order_acq_rel);
    state_.news.wake(everyone);
  }

  void do_task() {
    answer(request());
    flush();
    std::size_t sent = slot_.put(answer_, 0);
    while (sent < answer_.size()) {
      tell(Slot::answered);
      wait(Slot::taken);
      sent = slot_.put(answer_, sent);
    }
    tell(Slot::done);
  }

  // It lies in the place until the answer is put there, unless it comes in pieces.
  std::span<const std::byte> request() {
    if (const auto whole = slot_.whole(); !whole.empty()) return whole;
    request_.clear();
    while (!slot_.take(request_)) {
      tell(Slot::asks);
      wait(Slot::continued);
    }
    return request_;
  }

  void answer(std::span<const std::byte> bytes) {
    answer_.clear();
    wire::Writer to(answer_);
    to.put(true);
    try {
      wire::Reader from(bytes);
      if (!broken_) return from.get<wire::Entry>()(from, to);
      failed(*broken_);
    } catch (...) {
      failed(ExceptionText::current());
    }
  }

  void failed(const ExceptionText& what) {
    answer_.clear();
    wire::Writer to(answer_);
    to.put(false);
    to.text(what.type);
    to.text(what.text);
  }

  // What a task has printed is not lost if the worker is killed later, and comes before what its caller prints afterwards.
  static void flush() {
    std::cout.flush();
    std::fflush(stdout);
  }

  PoolState<B>& state_;
  Slot& slot_;
  std::optional<ExceptionText> broken_;
  std::vector<std::byte> request_;
  std::vector<std::byte> answer_;
};

/// The process between a pool's owner and its workers, which has one thread: it forks workers, buries them, and forks others in
/// their places, for as long as its parent is there. So the owner may have as many threads as it likes.
template <class B>
class PoolNursery {
  using Slot = PoolSlot<B>;
  using State = PoolState<B>;

 public:
  /// In the owner, so that it learns of what it can't have. Throws std::system_error.
  PoolNursery(State& state, const PoolOptions& options, typename B::Nursery::Bell& bell)
      : state_(state), options_(options), system_(bell), workers_(state.slots), unfit_(state.slots) {}

  /// In the nursery: its exit code.
  int run() {
    system_.begin();
    const int code = make_workers();
    // Release: pairs with the acquire of the owner, who looks for the end of this process from now on.
    state_.leaving.store(1, std::memory_order_release);
    state_.news.wake_all();
    return code;
  }

 private:
  int make_workers() {
    for (std::size_t i = 0; i < workers_.size(); ++i) start(i);
    while (system_.wait()) {
      const std::uint32_t ending = state_.ending.load(std::memory_order_acquire);
      if (ending == State::terminating) break;
      std::size_t running = 0;
      for (std::size_t i = 0; i < workers_.size(); ++i) running += attend_to(i, ending == State::no);
      if (ending == State::closing && running == 0) return EXIT_SUCCESS;
    }
    for (auto& each : workers_) {
      if (each) B::Nursery::kill(*each);
    }
    for (auto& each : workers_) {
      if (each) each->wait();
    }
    return EXIT_SUCCESS;
  }

  // Whether there is a worker in the place afterwards.
  bool attend_to(std::size_t i, bool replace) {
    Slot& slot = state_[i];
    if (workers_[i]) {
      const std::optional<int> code = workers_[i]->ended();
      if (!code) return true;
      bury(i, *code);
      if (!replace) return false;
      if (slot.empty.load(std::memory_order_relaxed) == 0) return start(i);
    }
    // A place whose workers can't even begin gets another when there is something to do.
    if (replace && slot.phase() == Slot::given) return start(i);
    return false;
  }

  void bury(std::size_t i, int code) {
    Slot& slot = state_[i];
    workers_[i].reset();
    // Relaxed: written by a process that has ended.
    unfit_[i] = slot.ready.load(std::memory_order_relaxed) != 0 ? 0 : unfit_[i] + 1;
    const bool hopeless = code == no_worker || unfit_[i] >= most_unfit;
    slot.code = code;
    if (hopeless) slot.empty.store(1, std::memory_order_seq_cst);
    if (slot.bury(!hopeless)) state_.news.wake(everyone);
  }

  bool start(std::size_t i) {
    Slot& slot = state_[i];
    slot.ready.store(0, std::memory_order_relaxed);
    slot.empty.store(0, std::memory_order_relaxed);
    try {
      workers_[i] = system_.start([&] { return PoolWorker<B>(state_, slot).run(options_); });
      return true;
    } catch (const std::exception&) {  // the system has no more to give: the task that waits there fails
      bury(i, no_worker);
      return false;
    }
  }

 public:
  /// The code of a worker that could not be started.
  static constexpr int no_worker = -1000;

 private:
  static constexpr int most_unfit = 3;

  State& state_;
  const PoolOptions& options_;
  typename B::Nursery system_;
  std::vector<std::optional<typename B::Child>> workers_;
  std::vector<int> unfit_;  // how many in a row, of a place, died before they could begin
};

}  // namespace trine
