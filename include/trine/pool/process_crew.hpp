// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
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
#include <trine/pool/seats.hpp>
#include <trine/pool/slot.hpp>
#include <trine/pool/waiting.hpp>
#include <trine/pool/wire.hpp>
#include <trine/pool/worker.hpp>

namespace trine {

/// The workers of a pool where they are processes. Whoever waits for a result sees to all of them: takes answers out of the places
/// and gives tasks to those that are free. A thread of its own does that from the moment at which somebody relies on it.
template <class B>
class ProcessCrew : public std::enable_shared_from_this<ProcessCrew<B>> {
  using State = PoolState<B>;

 public:
  template <class T>
  using Sent = wire::Sent<T>;
  static constexpr bool blocks = true;

  ProcessCrew(std::size_t workers, PoolOptions options)
      : options_(std::move(options)), owner_(B::Nursery::this_process()), state_(workers), seats_(*state_, bell_, workers) {
    PoolNursery<B> nursery(*state_, options_, bell_);
    nursery_ = B::Child::start([&nursery]() noexcept { return nursery.run(); });
  }
  ProcessCrew(const ProcessCrew&) = delete;
  ProcessCrew& operator=(const ProcessCrew&) = delete;
  ~ProcessCrew() {
    terminate();
    if (attendant_.joinable()) attendant_.detach();  // it is the thread that destroys this, as its last act
  }

  [[nodiscard]] std::size_t workers() const noexcept { return seats_.size(); }

  /// `function(arguments...)`. `alone`: its caller may not come back for a while.
  template <class R, class F, class... A>
  std::shared_ptr<PoolResult<R>> call(bool alone, const F& function, std::tuple<A...>&& arguments) {
    auto request = wire::request(&wire::call<F, R, A...>, function);
    wire::Writer(request).put(arguments);
    return add<R>(std::move(request), alone, false);
  }

  /// `function(item)` for each item. `being_read`: they are of a range for which begin_reading() was called.
  template <class R, class F, class T>
  std::shared_ptr<PoolResult<std::vector<R>>> call_each(const F& function, std::vector<T>&& items, bool being_read) {
    auto request = wire::request(&wire::call_each<F, R, T>, function);
    wire::Writer(request).put(items);
    return add<std::vector<R>>(std::move(request), false, being_read);
  }

  /// A range is to be read, which may go on after close(). Throws Error after close().
  void begin_reading() {
    check_owner();
    const auto held = gate_.guard();
    if (closed_) throw Error("trine: Pool: it is closed");
  }
  void end_reading() noexcept {}
  /// Whether tasks of such a range are taken.
  [[nodiscard]] bool reads() const noexcept { return !over_; }

  /// Waits until `ready()`, which changes when a result is settled: what `finish(ready)` returned.
  template <std::predicate Ready, class Finish>
  auto wait(Ready ready, const Until& until, Finish finish) {
    check_owner();
    return B::run(PoolWait<B, ProcessCrew, Ready, Finish>(*this, std::move(ready), std::move(finish)), until);
  }

  /// Where to sleep until there is news from the workers.
  auto raise() { return state_->news.raise(); }

  /// Does what there is to do at every place. `closely`: looks for the nursery as well, at the price of a system call.
  void see_to_all(bool closely) {
    if (closely) check_owner();
    std::vector<Done> done;
    {
      const auto held = gate_.guard();
      seats_.see_to_all(done);
      if (closely && !gone_ && nursery_.ended()) gone_ = true;
      if (gone_) take_all(done);
    }
    finish(done);
  }

  /// From now on somebody sees to results while nobody waits for them. Throws std::system_error if no thread is to be had.
  void attend() {
    check_owner();
    const auto held = gate_.guard();
    start_attendant();
  }

  /// No more tasks.
  void close() {
    if (!is_owner()) return;
    const auto held = gate_.guard();
    closed_ = true;
  }

  /// Waits for all tasks, and then for the workers' end. false: it gave up.
  bool join(const Until& until) {
    if (!is_owner()) return true;
    if (settling_ == this) throw std::logic_error("trine: Pool::join: called by a callback, for which it would wait");
    {
      const auto held = gate_.guard();
      if (!closed_) throw Error("trine: Pool::join: close() or terminate() it first");
      over_ = true;
    }
    if (!B::run(PoolEnd<B, ProcessCrew>(*this, true), until)) return false;
    join_attendant();
    return true;
  }

  /// Ends the workers, whatever they do. Tasks that are not done fail.
  void terminate() {
    if (!is_owner()) return let_go();
    tell(State::terminating);
    B::block(PoolEnd<B, ProcessCrew>(*this, false));
    join_attendant();
  }

  /// Whether nobody is left, and, `with_tasks`, all tasks are done, after which those who are left are told to go.
  bool has_ended(bool closely, bool with_tasks) {
    see_to_all(closely);
    if (with_tasks) {
      // Acquire: pairs with the release in finish(); what the callbacks did is visible.
      if (tasks_.load(std::memory_order_acquire) != 0) return false;
      tell(State::closing);
    }
    return gone_.load(std::memory_order_acquire);
  }

  /// Where one sleeps for that who has raised the flag.
  Sleep<typename B::Word> until_the_end(Sleep<typename B::Word> raised) const {
    // Acquire: pairs with the release of the nursery, which has nothing left to do but to end.
    if (state_->leaving.load(std::memory_order_acquire) == 0) return raised;
    nursery_.sleep_a_moment();
    raised.value = ~raised.value;  // which the word does not hold: look again
    return raised;
  }

 private:
  using Seats = PoolSeats<B>;
  using Done = typename Seats::Done;

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
  std::shared_ptr<PoolResult<R>> add(std::vector<std::byte>&& request, bool alone, bool being_read) {
    static_assert(!wire::refers<R> && !std::is_same_v<R, std::string_view>,
                  "what a worker's function returns must not refer to the worker's memory");
    check_owner();
    auto result = std::make_shared<PoolResult<R>>();
    {
      const auto held = gate_.guard();
      if (being_read ? over_.load() : closed_) throw Error("trine: Pool: it is closed");
      // What may fail comes first: a task that was added is done.
      if (alone && seats_.full()) start_attendant();
      seats_.add({std::move(request), result, accept<R>}, gone_);
      tasks_.fetch_add(1, std::memory_order_relaxed);
    }
    if (gone_) see_to_all(true);
    return result;
  }

  // With the gate, when there is nobody who could do them.
  void take_all(std::vector<Done>& done) { seats_.take_all(done, end_of_all()); }

  std::exception_ptr end_of_all() {
    return std::make_exception_ptr(WorkerDied(ending() == State::terminating ? "the pool was terminated"
                                                                            : "the process that makes the workers was killed"));
  }

  // Without the gate: this runs what belongs to the user.
  void finish(std::vector<Done>& done) {
    if (done.empty()) return;
    const ProcessCrew* const outer = std::exchange(settling_, this);
    for (Done& each : done) each.settle();
    settling_ = outer;
    // Release: who finds no task left finds what the callbacks did.
    tasks_.fetch_sub(done.size(), std::memory_order_acq_rel);
    state_->news.wake(everyone);  // another may wait for one of these
  }

  // With the gate.
  void start_attendant() {
    if (attendant_.joinable() || ending() != State::no) return;
    attendant_ = std::thread(attend_to_the_end, std::ref(*this));
    self_ = this->shared_from_this();
  }

  // What it calls may be the last one that knows of the crew: the attendant keeps that until it ends.
  static void attend_to_the_end(ProcessCrew& crew) {
    crew.wait([&crew] { return crew.ending() != State::no; }, Until::forever(), [](bool done) { return done; });
    std::shared_ptr<ProcessCrew> self;
    const auto held = crew.gate_.guard();
    self.swap(crew.self_);
  }

  // Unless it is the caller, who calls back to the user: then the end of that is its own.
  void join_attendant() {
    std::thread attendant;
    {
      const auto held = gate_.guard();
      if (attendant_.get_id() == std::this_thread::get_id()) return;
      attendant.swap(attendant_);
    }
    if (attendant.joinable()) attendant.join();
  }

  [[nodiscard]] std::uint32_t ending() const { return state_->ending.load(std::memory_order_acquire); }

  // Tells those who are left how to end, unless they have been told so already, or worse.
  void tell(std::uint32_t how) {
    if (ending() >= how) return;
    std::vector<Done> done;
    {
      const auto held = gate_.guard();
      if (ending() >= how) return;
      closed_ = true;
      over_ = true;
      // Release: pairs with the acquire of the nursery, and of the attendant.
      state_->ending.store(how, std::memory_order_release);
      if (how == State::closing) {
        seats_.dismiss();
      } else {
        seats_.take_pending(done, end_of_all());
        if (!gone_) B::Nursery::resume(nursery_);
      }
    }
    bell_.ring();
    state_->news.wake_all();
    finish(done);
  }

  [[nodiscard]] bool is_owner() const noexcept { return owner_ == B::Nursery::this_process(); }

  // A child of the owner has a copy of what the owner knows, which would be true of nothing.
  void check_owner() const {
    if (!is_owner()) throw Error("trine: Pool: it belongs to another process");
  }

  // In a child of the owner: the workers and the thread are not its own. Another thread of the owner's, which is not there in
  // the child, may have been changing what the gate guards: nobody may touch that any more, and it stays.
  void let_go() {
    if (!gate_.try_lock()) {
      self_ = this->shared_from_this();
      return;
    }
    if (attendant_.joinable()) attendant_.detach();
    const auto self = std::exchange(self_, nullptr);
    gate_.unlock();
  }

  // Of which the calling thread runs callbacks.
  static inline thread_local const ProcessCrew* settling_ = nullptr;

  const PoolOptions options_;
  const int owner_;
  typename B::Nursery::Bell bell_;
  typename B::template Storage<State> state_;

  Lock<threads> gate_;  // guards what follows
  typename B::Child nursery_;
  Seats seats_;
  std::thread attendant_;
  std::shared_ptr<ProcessCrew> self_;  // while there is an attendant
  bool closed_ = false;

  // These two change with the gate, once. Who looks without it, and early, finds out with it.
  std::atomic<bool> over_{false};  // closed, for ranges that are being read as well
  std::atomic<bool> gone_{false};  // the nursery has ended, and so have the workers

  std::atomic<std::size_t> tasks_{0};  // that are not done, or whose callbacks are not
};

}  // namespace trine
