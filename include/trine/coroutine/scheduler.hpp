// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/coroutine/child.hpp>
#include <trine/coroutine/line.hpp>
#include <trine/coroutine/watched.hpp>
#include <trine/os/futex.hpp>
#include <trine/spin.hpp>
#include <trine/task.hpp>

namespace trine {

struct coroutines;

/// Runs coroutines, on the thread that calls run() and on as many more as it is told to have.
///
///     trine::Scheduler scheduler;
///     scheduler.spawn(producer(queue));
///     scheduler.spawn(consumer(queue));
///     scheduler.run();
///
/// A coroutine that is woken, from any thread, goes to the end of the scheduler's line, and is resumed when those before it
/// have run: never inside the call that woke it, and never while another coroutine is on the stack. (The destructor of a
/// TaskGroup that was not joined runs others meanwhile; it can't do otherwise.) With one thread the coroutines of a scheduler
/// never run at the same time. With several they do: each thread has a line of its own, at the end of which stands what was
/// woken, spawned or posted on it. What comes from elsewhere is shared out, a thread that has nothing to do takes half of what
/// another will not run soon, and what stands behind one that blocks its thread is run by others, within a few milliseconds as
/// long as one of them is free. So a coroutine goes on on any of them, and of two the later may go on before the earlier.
/// Threads that have nothing to do look on for a moment and then sleep; those that work look at timers and watched words
/// every few dozen steps.
/// spawn(), post() and stop() may be called from any thread, at any time; what was done before them is visible to what runs
/// because of them. They take constant time, a timer takes logarithmic time.
/// Lifetime: it may be destroyed when no run() is in progress. Tasks that have not ended are destroyed where they wait, the
/// latest first: they are taken off the objects for which they wait, and nothing is lost but what somebody had given them since
/// run() returned (see Awaiting).
class Scheduler {
 public:
  /// Throws std::invalid_argument if there are no threads.
  explicit Scheduler(unsigned threads = 1) : threads_(threads), several_(threads > 1), lines_(threads) {
    if (threads == 0) throw std::invalid_argument("trine: Scheduler: threads must be positive");
  }
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  /// Runs what is there until no task is left, or until stop(). May be called again. Throws the first exception that left a
  /// spawned task or a posted function, once no task is left; std::logic_error if the calling thread runs a scheduler.
  void run();

  /// Runs a task, and what else is there, until that task has ended; returns what it returned or throws what it threw.
  /// Others may be left: the next run() goes on with them. stop() does not end it.
  template <class T, class B>
  T run(Task<T, B> task) {
    coroutine::Child<T, B> main(std::move(task));
    main.start(*this);
    run_until([&main] { return main.finished(); });
    return main.take();
  }

  /// Begins a task, at the end of the line. What it returns is ignored; an exception comes out of run().
  template <class T, class B>
  void spawn(Task<T, B> task) {
    begin(*new coroutine::Detached<T, B>(*this, std::move(task)));
  }

  /// Calls a function on a thread of this scheduler, at the end of the line. run() waits for it as for a task.
  template <class F, class B = coroutines>
  requires std::is_invocable_v < std::decay_t<F>
  & > void post(F&& function);

  /// A coroutine that awaits this lets the others run, and goes on at the end of this scheduler's line, whichever it came
  /// from.
  [[nodiscard]] auto hop() noexcept { return coroutine::Hop(*this); }

  /// Waits for a time: true, or false when the limit's token was stopped before. Only for coroutines.
  [[nodiscard]] Awaiting<bool> sleep(const Until& until);

  /// Awaits an operation of an object of `threads`, or of another backend whose callers sleep in the system, while the
  /// thread
  /// goes on with other coroutines; no thread is started for it. Returns the operation's result. The object must not care
  /// which thread waits: a RecursiveLock, or a Lock of a backend that knows owners, is refused by the compiler. Looking at n
  /// watched operations takes n steps, each time that the scheduler has run a few dozen coroutines or has slept.
  /// The end of a child process is one of these: `co_await scheduler.watch(child.join_op())`.
  template <coroutine::Watchable O>
  [[nodiscard]] Awaiting<typename O::Result> watch(O operation, const Until& until = Until::forever()) {
    return coroutine::await(watch_op(std::move(operation)), until);
  }

  /// The same as an operation, for select().
  template <coroutine::Watchable O>
  [[nodiscard]] auto watch_op(O operation) {
    return coroutine::Watched<O, coroutines>(*this, std::move(operation));
  }

  /// Ends run(), when what runs at this moment has suspended. The tasks stay where they are.
  void stop() noexcept {
    const bool held = coroutine::hold_on_to(*this);
    stopping_.store(true, std::memory_order_relaxed);
    coroutine::poke(*this, held);
  }

  /// The scheduler that runs on the calling thread, or nullptr.
  [[nodiscard]] static Scheduler* current() noexcept { return coroutine::here().scheduler; }

  /// Runs what is there until `enough()`: for those that must wait where they can't await, on a thread of this scheduler.
  template <class Enough>
  void work(Enough enough);

 private:
  friend void coroutine::post_to(Scheduler&, coroutine::Ready&) noexcept;
  friend void coroutine::post_to_own(Scheduler&, coroutine::Ready&) noexcept;
  friend bool coroutine::take_back_from(Scheduler&, coroutine::Ready&) noexcept;
  friend void coroutine::add_timer(Scheduler&, coroutine::Timer&, coroutine::Timer::TimePoint);
  friend void coroutine::remove_timer(Scheduler&, coroutine::Timer&) noexcept;
  friend Scheduler& coroutine::timekeeper();
  friend void coroutine::begin_on(Scheduler&, coroutine::Spawned&) noexcept;
  friend bool coroutine::hold_on_to(Scheduler&) noexcept;
  friend void coroutine::poke(Scheduler&, bool) noexcept;
  friend void coroutine::end_of(Scheduler&, coroutine::Spawned&, std::exception_ptr) noexcept;
  friend coroutine::WatchList& coroutine::watch_list_of(Scheduler&) noexcept;
  friend void coroutine::rouse_all(Scheduler&) noexcept;

  using Threads = Blocking<os::PrivateFutex>;
  using TimePoint = std::chrono::steady_clock::time_point;

  // As long as one thread alone has taken the gate it needs no locked instruction for that.
  struct Hold {
    explicit Hold(Scheduler& held) : scheduler(held), alone(held.sole_.enter()) {
      if (!alone) scheduler.gate_.lock();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { alone ? scheduler.sole_.leave() : scheduler.gate_.unlock(); }
    Scheduler& scheduler;
    const bool alone;
  };

  // With one thread its own coroutines stand in a line of their own, which needs no lock.
  [[nodiscard]] bool mine() const noexcept { return coroutine::here().alone == this; }

  [[gnu::always_inline]] void post(coroutine::Ready& item) noexcept {
    if (mine()) [[likely]]
      return line_.append(item);
    post_elsewhere(item);
  }
  void post_elsewhere(coroutine::Ready& item) noexcept;
  void post_from_outside(coroutine::Ready& item) noexcept;
  void put_into_inbox(coroutine::Ready& item, const Hold& hold) noexcept;
  void wake_for_post() noexcept;
  void let_go() noexcept;
  // One who has posted or stopped it, or whose task has ended, may still be about to wake somebody.
  void wait_for_posts() noexcept;
  coroutine::Ready* next() noexcept;
  void fetch() noexcept;
  // After a change that those who sleep may wait for, and after one of what they look after.
  void tell_those_who_wait() noexcept;
  void have_it_looked_after() noexcept;

  // With several threads:
  void appended_to(coroutine::Line& line) noexcept;
  void see_to_helpers(coroutine::Line& line, std::uint32_t wants) noexcept;
  void fetch_share(coroutine::Line& line) noexcept;
  bool help(coroutine::Line& other, coroutine::Line& own) noexcept;
  void tend(coroutine::Line& line);
  [[nodiscard]] bool nothing_left() noexcept;
  void tell_of_the_end() noexcept;
  template <class Enough>
  void work_in_line(Enough enough, bool waits);
  template <class Enough>
  void idle_in_line(coroutine::Line& line, Enough& enough, bool waits);
  template <class Enough>
  void sleep_in_line(coroutine::Line& line, Enough& enough, bool waits);
  struct AtLine;
  struct InBed;

  [[nodiscard]] bool has_work() const noexcept { return !line_.empty() || arrived_.load(std::memory_order_relaxed) != 0; }
  // Spawned tasks that have not ended. What has ended is read first: then 0 means that there was none at that moment.
  // Acquire: pairs with the release of those that have ended.
  [[nodiscard]] std::size_t live() const noexcept {
    std::size_t ended = ended_.load(std::memory_order_acquire) + ended_elsewhere_.load(std::memory_order_acquire);
    if (several_) ended += lines_.ended();
    return begun_.load(std::memory_order_relaxed) - ended;
  }
  [[nodiscard]] bool no_task_left() noexcept { return several_ ? nothing_left() : live() == 0 && !has_work(); }

  void begin(coroutine::Spawned& spawned) noexcept;
  void begin_in_line(coroutine::Line& line, coroutine::Spawned& spawned) noexcept;
  [[nodiscard]] coroutine::Spawned* latest() noexcept;
  void count_end(bool foreign) noexcept;
  void unlist(coroutine::Spawned& spawned, bool foreign) noexcept;
  void fail_with(std::exception_ptr failure) noexcept;

  template <class Enough>
  void run_until(Enough enough);
  template <class Enough>
  void idle(Enough& enough);
  template <class Enough>
  bool look_on(Enough& enough);
  void tend();

  // After so many it looks at what it looks after.
  static constexpr int steps = 61;

  const unsigned threads_;
  const bool several_;
  coroutine::ReadyList line_;              // of the one thread
  coroutine::Lines lines_;                 // of several
  alignas(64) coroutine::Line::Rests rest_;  // of several
  Threads::ShortLock gate_;                // guards the following four, but for:
  coroutine::Sole<coroutine::EachObject> sole_;
  coroutine::ReadyList inbox_;             // from outside
  coroutine::Spawned* spawned_ = nullptr;  // the latest first
  std::exception_ptr failure_;
  std::size_t posts_ = 0;  // from outside, so far, with a second thread there; as well ends of tasks elsewhere, and stops
  std::atomic<std::size_t> posts_over_{0};  // of those, whose callers touch nothing here any more
  std::atomic<std::size_t> arrived_{0};  // how many are in the inbox, or more; written with the gate held
  // How many tasks were spawned; with one thread it is written with the gate held. Away from what threads look at all the time.
  alignas(64) std::atomic<std::size_t> begun_{0};
  alignas(64) std::atomic<std::size_t> ended_{0};  // and have ended: those on the only thread, which alone writes it
  std::atomic<std::size_t> ended_elsewhere_{0};
  std::atomic<bool> stopping_{false};
  Threads::Flag flag_;  // "the one thread sleeps"
  coroutine::Timers timers_;
  coroutine::WatchList watched_;
};

}  // namespace trine

#include <trine/coroutine/scheduling.hpp>
#include <trine/coroutine/sharing.hpp>
