// SPDX-License-Identifier: BSL-1.0
//
// How a Scheduler with several threads shares out what there is to do; included by scheduler.hpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include <trine/coroutine/scheduling.hpp>
#include <trine/os/begin_anew.hpp>

namespace trine {

// After anything was put into the calling thread's line: it may run something long first, or block.
[[gnu::always_inline]] inline void Scheduler::appended_to(coroutine::Line& line) noexcept {
  const std::uint32_t wants = rest_.wants();
  if (wants != 0 && (wants != rest_.some_may_help || line.length() > 1)) [[unlikely]]
    see_to_helpers(line, wants);
}

[[gnu::noinline, gnu::cold]] inline void Scheduler::see_to_helpers(coroutine::Line& line, std::uint32_t wants) noexcept {
  if ((wants & rest_.keeper_dozes) != 0) rest_.watch_over();
  if ((wants & rest_.some_may_help) != 0 && line.length() > 1) rest_.call_for_help();
}

// Of what came from outside. The gate is taken within the line's, so that whoever keeps others away from all lines and from the
// inbox finds what it looks for. One that is alone in the line is the next that the caller runs.
inline void Scheduler::fetch_share(coroutine::Line& line) noexcept {
  line.append_some([this](coroutine::ReadyList& items, auto count) {
    const Hold hold(*this);
    const std::size_t there = arrived_.load(std::memory_order_relaxed);
    const std::size_t got = coroutine::Lines::move(inbox_, items, (there + threads_ - 1) / threads_);
    count(got);
    arrived_.store(inbox_.empty() ? 0 : there - got, std::memory_order_relaxed);
  });
  if (line.length() > 1) appended_to(line);
}

inline bool Scheduler::help(coroutine::Line& other, coroutine::Line& own) noexcept {
  if (!lines_.move_half(other, own)) return false;
  rest_.helped(own.bed);
  if (own.length() > 1) appended_to(own);
  return true;
}

// At most one other line: a coroutine that blocks its thread for long is found in time.
inline void Scheduler::tend(coroutine::Line& line) {
  static constexpr std::chrono::microseconds stuck{1000};
  if (arrived_.load(std::memory_order_relaxed) != 0) fetch_share(line);
  timers_.fire_due();
  watched_.look(false);
  if (coroutine::Line* const other = lines_.next_in_need(line, stuck)) help(*other, line);
}

// With those kept away that move items from one list to another. As long as there is a task, or something in the calling
// thread's line, that is not needed.
inline bool Scheduler::nothing_left() noexcept {
  const coroutine::Here& at = coroutine::here();
  if (at.scheduler == this && at.line->length() != 0) return false;
  if (arrived_.load(std::memory_order_relaxed) != 0 || live() != 0) return false;
  return lines_.with_none_moved([this] {
    const Hold hold(*this);
    return arrived_.load(std::memory_order_relaxed) == 0 && lines_.all_empty();
  });
}

inline void Scheduler::begin_in_line(coroutine::Line& line, coroutine::Spawned& spawned) noexcept {
  coroutine::SpawnedList& list = line.spawned;
  spawned.list = &list;
  list.gate.lock();
  spawned.number = begun_.fetch_add(1, std::memory_order_relaxed);
  spawned.after = list.first;
  if (list.first != nullptr) list.first->before = &spawned;
  list.first = &spawned;
  list.gate.unlock();
  line.append(spawned);
  appended_to(line);
}

// When no thread runs.
inline coroutine::Spawned* Scheduler::latest() noexcept {
  coroutine::Spawned* found = spawned_;
  for (coroutine::Line& each : lines_.all()) {
    coroutine::Spawned* const first = each.spawned.first;
    if (first != nullptr && (found == nullptr || found->number < first->number)) found = first;
  }
  return found;
}

template <class Enough>
void Scheduler::work_in_line(Enough enough, bool waits) {
  coroutine::Here& at = coroutine::here();
  coroutine::Root* const root = at.root;
  coroutine::Line& line = *at.line;
  for (;;) {
    for (int step = 0; step < steps; ++step) {
      if (enough()) return;
      if (line.length() == 0 && arrived_.load(std::memory_order_relaxed) != 0) fetch_share(line);
      coroutine::Ready* const item = line.take();
      if (item == nullptr) break;
      if (at.waits != coroutine::most_waits) at.waits = coroutine::most_waits;
      coroutine::run_ready(*item, root);
    }
    tend(line);
    if (line.length() == 0 && arrived_.load(std::memory_order_relaxed) == 0) idle_in_line(line, enough, waits);
  }
}

// By whoever may have ended the last task, or run what was left: the last to come here finds that, and tells who waits for it.
inline void Scheduler::tell_of_the_end() noexcept {
  if (rest_.somebody_waits() && nothing_left()) rest_.rouse_waiting();
}

template <class Enough>
void Scheduler::idle_in_line(coroutine::Line& line, Enough& enough, bool waits) {
  static constexpr std::chrono::microseconds stuck{10};
  tell_of_the_end();
  Spin<os::PrivateFutex> spin;
  while (spin.again()) {
    if (arrived_.load(std::memory_order_relaxed) != 0 || enough() || watched_.changed()) return;
    if (spin.slow() && timers_.due()) return;
    coroutine::Line* const other = lines_.in_need(line, stuck);
    if (other != nullptr && help(*other, line)) return;
  }
  sleep_in_line(line, enough, waits);
}

/// From here to the end of the scope the thread counts as asleep, and may be called.
struct Scheduler::InBed {
  InBed(Scheduler& of, coroutine::Line& own, bool waits) noexcept : scheduler(of), line(own) {
    scheduler.rest_.lie_down(line.bed, waits);
    // Who posts from outside from here on finds that; what was posted before is visible.
    const Hold hold(scheduler);
  }
  InBed(const InBed&) = delete;
  InBed& operator=(const InBed&) = delete;
  ~InBed() { scheduler.rest_.get_up(line.bed); }

  Scheduler& scheduler;
  coroutine::Line& line;
};

template <class Enough>
void Scheduler::sleep_in_line(coroutine::Line& line, Enough& enough, bool waits) {
  using How = coroutine::Line::Rests::How;
  std::vector<trine::Sleep<os::Native::Word>> words;
  // What nobody will wake for: perhaps it is on this core that somebody must run.
  if (watched_.collect(words) <= std::chrono::steady_clock::now()) return std::this_thread::yield();
  bool slept_on_watched = false;
  coroutine::Line* other = nullptr;
  {
    const InBed in_bed(*this, line, waits);
    for (;;) {
      const auto sleeping = rest_.settle(line.bed);
      if (sleeping.how == How::not_at_all || arrived_.load(std::memory_order_relaxed) != 0 || enough()) break;
      words.assign(1, sleeping.on);
      TimePoint until = TimePoint::max();
      if (sleeping.how != How::until_called) {
        until = std::min(watched_.collect(words), timers_.next());
        if (timers_.due() || watched_.changed()) break;
      }
      if (sleeping.how == How::as_keeper) {
        // Each time all watched operations look again, so it comes round less often where there are any.
        const auto tick = std::chrono::milliseconds(words.size() > 1 ? 8 : 1);
        if ((other = lines_.in_need(line, tick / 2)) != nullptr) break;
        until = std::min(until, std::chrono::steady_clock::now() + tick);
      }
      os::AnyFutex::sleep(words, os::AnyFutex::Limit(Until(until)));
      if ((slept_on_watched = words.size() > 1)) break;
    }
  }
  // A wake of a watched word may have left the word as it was.
  if (slept_on_watched) watched_.look(true);
  if (other != nullptr) help(*other, line);
}

/// The calling thread's place among the threads of the scheduler; what is left in its line at the end is there for all.
struct Scheduler::AtLine {
  AtLine(Scheduler& of, unsigned thread) noexcept : scheduler(of), line(of.lines_.of(thread)) {
    coroutine::Here& at = coroutine::here();
    at.runs(&scheduler, line == nullptr);
    at.line = line;
    if (line == nullptr) return;
    scheduler.lines_.use(*line, true);
    scheduler.rest_.come();
  }
  AtLine(const AtLine&) = delete;
  AtLine& operator=(const AtLine&) = delete;
  ~AtLine() {
    coroutine::Here& at = coroutine::here();
    at.runs(nullptr, false);
    at.line = nullptr;
    if (line != nullptr) leave();
  }

  void leave() noexcept {
    scheduler.lines_.use(*line, false);
    scheduler.rest_.go(line->bed);
    const Hold hold(scheduler);
    const std::size_t left = line->leave_to(scheduler.inbox_);
    scheduler.arrived_.store(scheduler.arrived_.load(std::memory_order_relaxed) + left, std::memory_order_relaxed);
  }

  Scheduler& scheduler;
  coroutine::Line* const line;
};

template <class Enough>
void Scheduler::run_until(Enough enough) {
  if (coroutine::here().scheduler != nullptr) {
    throw std::logic_error("trine: Scheduler::run: the calling thread runs a scheduler");
  }
  // A process that a coroutine begins runs no scheduler.
  os::forget_what_the_thread_did.store([] { coroutine::here() = {}; }, std::memory_order_relaxed);
  std::atomic<bool> over{false};
  std::vector<std::thread> helpers;
  struct Leave {
    ~Leave() {
      over.store(true, std::memory_order_relaxed);
      scheduler.rest_.rouse_all();
      for (std::thread& helper : helpers) helper.join();
    }
    Scheduler& scheduler;
    std::atomic<bool>& over;
    std::vector<std::thread>& helpers;
  };
  const AtLine place(*this, 0);
  const Leave leave{*this, over, helpers};
  for (unsigned i = 1; i < threads_; ++i) {
    helpers.emplace_back([this, &over, i] {
      const AtLine place_of_helper(*this, i);
      work_in_line([&over] { return over.load(std::memory_order_relaxed); }, false);
    });
  }
  work(enough);
}

}  // namespace trine
