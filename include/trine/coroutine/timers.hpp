// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include <trine/backend/blocking.hpp>
#include <trine/os/futex.hpp>

namespace trine::coroutine {

/// Calls a function at a point of time, as long as it stands in Timers.
class Timer {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// What is to be done. Returns when it wants to be called again; max(): never.
  virtual TimePoint fire() noexcept = 0;

 protected:
  ~Timer() = default;

 private:
  friend class Timers;
  static constexpr std::size_t nowhere = ~std::size_t{0};
  std::size_t place_ = nowhere;
};

/// The timers of a scheduler, the earliest first: a heap in which each timer knows its place. To add, to remove and to fire
/// one takes logarithmic time. Safe from several threads; remove() waits for a call of fire() that is in progress.
class Timers {
 public:
  using TimePoint = Timer::TimePoint;

  /// Whether it is the first now: whoever sleeps by another must hear of it.
  bool add(Timer& timer, TimePoint at) {
    const Hold hold(gate_);
    insert(timer, at);
    return timer.place_ == 0;
  }

  void remove(Timer& timer) noexcept {
    const Hold hold(gate_);
    if (timer.place_ != Timer::nowhere) take_out(timer.place_);
  }

  /// Fires those whose time has come.
  void fire_due() noexcept {
    if (!due()) return;
    const TimePoint now = std::chrono::steady_clock::now();
    const Hold hold(gate_);
    while (!heap_.empty() && heap_.front().at <= now) {
      Timer& timer = *heap_.front().timer;
      take_out(0);
      // There is room: it had a place a moment ago.
      if (const TimePoint again = timer.fire(); again != TimePoint::max()) insert(timer, again);
    }
  }

  /// Whether the time of the first has come.
  [[nodiscard]] bool due() const noexcept {
    const TimePoint first = next();
    return first != TimePoint::max() && first <= std::chrono::steady_clock::now();
  }

  /// When the first of them is due. Relaxed: who adds an earlier one rouses those who sleep by this.
  [[nodiscard]] TimePoint next() const noexcept {
    return TimePoint(TimePoint::duration(next_.load(std::memory_order_relaxed)));
  }

 private:
  using Gate = Blocking<os::PrivateFutex>::ShortLock;

  struct Hold {
    explicit Hold(Gate& locked) : gate(locked) { gate.lock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { gate.unlock(); }
    Gate& gate;
  };

  struct Entry {
    TimePoint at;
    Timer* timer;
  };

  void insert(Timer& timer, TimePoint at) {
    heap_.push_back({at, &timer});
    rise(heap_.size() - 1, {at, &timer});
    note();
  }

  void take_out(std::size_t place) noexcept {
    heap_[place].timer->place_ = Timer::nowhere;
    const Entry moved = heap_.back();
    heap_.pop_back();
    if (place < heap_.size()) {
      if (place > 0 && moved.at < heap_[(place - 1) / 2].at) {
        rise(place, moved);
      } else {
        sink(place, moved);
      }
    }
    note();
  }

  void put(std::size_t place, const Entry& entry) noexcept {
    heap_[place] = entry;
    entry.timer->place_ = place;
  }

  void rise(std::size_t place, const Entry entry) noexcept {
    while (place > 0 && entry.at < heap_[(place - 1) / 2].at) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, entry);
  }

  void sink(std::size_t place, const Entry entry) noexcept {
    for (;;) {
      std::size_t child = 2 * place + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].at < heap_[child].at) ++child;
      if (entry.at <= heap_[child].at) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, entry);
  }

  void note() noexcept {
    const TimePoint first = heap_.empty() ? TimePoint::max() : heap_.front().at;
    next_.store(first.time_since_epoch().count(), std::memory_order_relaxed);
  }

  Gate gate_;
  std::vector<Entry> heap_;
  std::atomic<TimePoint::rep> next_{TimePoint::max().time_since_epoch().count()};
};

}  // namespace trine::coroutine
