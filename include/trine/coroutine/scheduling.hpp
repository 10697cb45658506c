// SPDX-License-Identifier: BSL-1.0
//
// How a Scheduler does what scheduler.hpp says; included by that.
#pragma once

#include <algorithm>

#include <trine/coroutine/scheduler.hpp>

namespace trine {

template <class F, class B>
requires std::is_invocable_v < std::decay_t<F>
& > void Scheduler::post(F&& function) {
  const auto call = [](std::decay_t<F> posted) -> Task<void, B> {
    posted();
    co_return;
  };
  spawn(call(std::forward<F>(function)));
}

namespace coroutine {

/// Never done, so that its limit decides.
class Asleep {
 public:
  using Backend = coroutines;
  using Result = bool;
  static constexpr bool selectable = true;

  explicit Asleep(std::stop_token stop) noexcept : stop_(std::move(stop)) {}
  Asleep(Asleep&& other) noexcept : stop_(std::move(other.stop_)) {}

  static bool attempt() noexcept { return false; }
  Sleep<Table::Word> announce() noexcept { return {&word_, 0}; }
  static bool give_up() noexcept { return true; }
  bool result() const noexcept { return !stop_.stop_requested(); }

 private:
  std::stop_token stop_;
  Table::Word word_{0};
};

}  // namespace coroutine

inline Awaiting<bool> Scheduler::sleep(const Until& until) {
  return coroutine::await(coroutine::Asleep(until.stop_token()), until);
}

[[gnu::noinline]] inline void Scheduler::post_elsewhere(coroutine::Ready& item) noexcept {
  const coroutine::Here& at = coroutine::here();
  if (at.line == nullptr || at.scheduler != this) return post_from_outside(item);
  at.line->append(item);
  appended_to(*at.line);
}

inline void Scheduler::post_from_outside(coroutine::Ready& item) noexcept {
  bool alone = false;
  {
    const Hold hold(*this);
    put_into_inbox(item, hold);
    alone = hold.alone;
  }
  if (!alone) wake_for_post();
}

inline void Scheduler::wake_for_post() noexcept {
  if (!several_) {
    flag_.wake(1);
  } else if (rest_.any()) {
    rest_.call_one();
  }
  let_go();
}

// The last touch: what was posted may have run, and run() returned. Release: pairs with the acquire of the destructor.
inline void Scheduler::let_go() noexcept { posts_over_.fetch_add(1, std::memory_order_release); }

inline void Scheduler::wait_for_posts() noexcept {
  std::size_t posts = 0;
  {
    const Hold hold(*this);
    posts = posts_;
  }
  while (posts_over_.load(std::memory_order_acquire) != posts) std::this_thread::yield();
}

// Who is alone wakes nobody: whoever sleeps has taken the gate before. And it touches nothing after it has left the gate.
inline void Scheduler::put_into_inbox(coroutine::Ready& item, const Hold& hold) noexcept {
  inbox_.append(item);
  arrived_.store(arrived_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  posts_ += !hold.alone;
}

inline void Scheduler::tell_those_who_wait() noexcept {
  if (!several_) return flag_.wake_all();
  if (rest_.somebody_waits()) rest_.rouse_waiting();
}

inline void Scheduler::have_it_looked_after() noexcept { several_ ? rest_.rouse_keeper() : flag_.wake_all(); }

inline coroutine::Ready* Scheduler::next() noexcept {
  if (coroutine::Ready* const item = line_.take()) return item;
  if (arrived_.load(std::memory_order_relaxed) == 0) return nullptr;
  fetch();
  return line_.take();
}

// Puts what came from outside at the end of the line.
inline void Scheduler::fetch() noexcept {
  const Hold hold(*this);
  line_.splice(inbox_);
  arrived_.store(0, std::memory_order_relaxed);
}

// Puts a task into the list and at the end of the line.
inline void Scheduler::begin(coroutine::Spawned& spawned) noexcept {
  const bool own = mine();
  const coroutine::Here& at = coroutine::here();
  if (several_ && at.scheduler == this) return begin_in_line(*at.line, spawned);
  bool alone = false;
  {
    const Hold hold(*this);
    spawned.after = spawned_;
    if (spawned_ != nullptr) spawned_->before = &spawned;
    spawned_ = &spawned;
    if (several_) {
      spawned.list = nullptr;
      spawned.number = begun_.fetch_add(1, std::memory_order_relaxed);
    } else {
      begun_.store(begun_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    if (!own) put_into_inbox(spawned, hold);
    alone = hold.alone;
  }
  if (own) {
    line_.append(spawned);
  } else if (!alone) {
    wake_for_post();
  }
}

// The only thread looks itself whether that was the last, and of several each as soon as it has nothing to do. Others tell
// those who wait, which add to the same as these do, or to what they add to, before they sleep: of two the later sees what came
// before the earlier.
inline void Scheduler::count_end(bool foreign) noexcept {
  if (mine()) {
    // Release: pairs with the acquire in live().
    ended_.store(ended_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    return;
  }
  if (!foreign) return coroutine::here().line->count_end();
  ended_elsewhere_.fetch_add(1, std::memory_order_acq_rel);
  if (several_) {
    tell_of_the_end();
  } else if (live() == 0) {
    flag_.wake_all();
  }
  let_go();
}

// `foreign`: it has ended on a thread that is none of this scheduler's, for which run() does not wait; the destructor does.
inline void Scheduler::unlist(coroutine::Spawned& spawned, bool foreign) noexcept {
  const auto take_out = [&spawned](coroutine::Spawned*& first) {
    (spawned.before != nullptr ? spawned.before->after : first) = spawned.after;
    if (spawned.after != nullptr) spawned.after->before = spawned.before;
  };
  coroutine::SpawnedList* const list = several_ ? spawned.list : nullptr;
  if (foreign || list == nullptr) {
    const Hold hold(*this);
    posts_ += foreign;
    if (list == nullptr) take_out(spawned_);
  }
  if (list == nullptr) return;
  list->gate.lock();
  take_out(list->first);
  list->gate.unlock();
}

inline void Scheduler::fail_with(std::exception_ptr failure) noexcept {
  const Hold hold(*this);
  if (!failure_) failure_ = std::move(failure);
}

inline void Scheduler::tend() {
  if (arrived_.load(std::memory_order_relaxed) != 0) fetch();
  timers_.fire_due();
  watched_.look(false);
}

template <class Enough>
void Scheduler::work(Enough enough) {
  if (several_) return work_in_line(std::move(enough), true);
  coroutine::Here& at = coroutine::here();
  coroutine::Root* const root = at.root;
  for (;;) {
    for (int step = 0; step < steps; ++step) {
      if (enough()) [[unlikely]]
        return;
      coroutine::Ready* const item = next();
      if (item == nullptr) [[unlikely]]
        break;
      // A comparison is cheaper than a store.
      if (at.waits != coroutine::most_waits) at.waits = coroutine::most_waits;
      coroutine::run_ready(*item, root);
    }
    tend();
    if (!has_work()) idle(enough);
  }
}

/// Whether there is something to do before it sleeps.
template <class Enough>
bool Scheduler::look_on(Enough& enough) {
  return has_work() || enough() || timers_.due() || watched_.changed();
}

template <class Enough>
void Scheduler::idle(Enough& enough) {
  Spin<os::PrivateFutex> spin;
  while (spin.again()) {
    if (has_work() || enough() || watched_.changed() || (spin.slow() && timers_.due())) return;
  }
  // From here on nobody else posts as one who is alone, and what those have posted is visible.
  { const Hold hold(*this); }
  const auto raised = flag_.raise();
  // Acquire and release: pairs with that of who ends a task of this scheduler elsewhere.
  ended_elsewhere_.fetch_add(0, std::memory_order_acq_rel);
  std::vector<trine::Sleep<os::Native::Word>> words{raised};
  const TimePoint until = watched_.collect(words);
  if (look_on(enough)) return;
  // What nobody will wake for: perhaps it is on this core that somebody must run.
  if (until <= std::chrono::steady_clock::now()) return std::this_thread::yield();
  os::AnyFutex::sleep(words, os::AnyFutex::Limit(Until(std::min(until, timers_.next()))));
  // A wake of a watched word may have left the word as it was.
  watched_.look(true);
}

inline void Scheduler::run() {
  run_until([this] { return stopping_.load(std::memory_order_relaxed) || no_task_left(); });
  stopping_.store(false, std::memory_order_relaxed);
  std::exception_ptr failure;
  if (live() == 0) {
    const Hold hold(*this);
    failure = std::exchange(failure_, nullptr);
  }
  if (failure) std::rethrow_exception(failure);
}

inline Scheduler::~Scheduler() {
  while (coroutine::Spawned* const last = latest()) {
    unlist(*last, false);
    if (last->listed()) coroutine::take_back_from(*this, *last);
    delete last;
  }
  wait_for_posts();
  if (!failure_) return;
  try {
    std::rethrow_exception(failure_);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "trine: Scheduler: a task failed, and nobody saw it: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "trine: Scheduler: a task failed, and nobody saw it\n");
  }
}

namespace coroutine {

[[gnu::always_inline]] inline void post_to(Scheduler& scheduler, Ready& item) noexcept { scheduler.post(item); }

[[gnu::always_inline]] inline void post_to_own(Scheduler& scheduler, Ready& item) noexcept { scheduler.line_.append(item); }

// The number of items where it was may stay too high: somebody will look there in vain.
inline bool take_back_from(Scheduler& scheduler, Ready& item) noexcept {
  const auto take_back = [&] {
    const Scheduler::Hold hold(scheduler);
    if (!item.listed()) return false;
    ReadyList::remove(item);
    return true;
  };
  return scheduler.several_ ? scheduler.lines_.with_all(take_back) : take_back();
}

inline void add_timer(Scheduler& scheduler, Timer& timer, Timer::TimePoint at) {
  const bool first = scheduler.timers_.add(timer, at);
  if (first && !scheduler.mine()) scheduler.have_it_looked_after();
}

inline void remove_timer(Scheduler& scheduler, Timer& timer) noexcept { scheduler.timers_.remove(timer); }

inline bool hold_on_to(Scheduler& scheduler) noexcept {
  if (here().scheduler == &scheduler) return false;
  const Scheduler::Hold hold(scheduler);
  ++scheduler.posts_;
  return true;
}

inline void poke(Scheduler& scheduler, bool held) noexcept {
  if (!scheduler.mine()) scheduler.tell_those_who_wait();
  if (held) scheduler.let_go();
}

inline void begin_on(Scheduler& scheduler, Spawned& spawned) noexcept { scheduler.begin(spawned); }

inline void end_of(Scheduler& scheduler, Spawned& spawned, std::exception_ptr failure) noexcept {
  if (failure) scheduler.fail_with(std::move(failure));
  const bool foreign = here().scheduler != &scheduler;
  scheduler.unlist(spawned, foreign);
  delete &spawned;
  scheduler.count_end(foreign);
}

inline WatchList& watch_list_of(Scheduler& scheduler) noexcept { return scheduler.watched_; }

inline void rouse_all(Scheduler& scheduler) noexcept {
  if (!scheduler.mine()) scheduler.have_it_looked_after();
}

// Destroyed when the program ends, with its thread. In a child of a fork that thread is not there: another one is made.
inline Scheduler& timekeeper() {
  struct Keeper {
    Keeper()
        : thread([this](const std::stop_token& stop) {
            here().runs(&scheduler, true);
            const std::stop_callback wake(stop, [this] { scheduler.flag_.wake_all(); });
            scheduler.work([&stop] { return stop.stop_requested(); });
          }) {}
    Scheduler scheduler;
    std::jthread thread;
  };
  struct Only {
    ~Only() { delete keeper.load(std::memory_order_acquire); }
    std::atomic<Keeper*> keeper{nullptr};
  };
  static Only only;
  [[maybe_unused]] static const bool in_children =
      os::PrivateFutex::in_children([] { only.keeper.store(nullptr, std::memory_order_relaxed); });
  // Acquire: pairs with the release of who made it.
  Keeper* keeper = only.keeper.load(std::memory_order_acquire);
  if (keeper != nullptr) [[likely]]
    return keeper->scheduler;
  auto anew = std::make_unique<Keeper>();
  if (!only.keeper.compare_exchange_strong(keeper, anew.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
    return keeper->scheduler;
  }
  return anew.release()->scheduler;
}

}  // namespace coroutine
}  // namespace trine
