// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <trine/backend/blocking.hpp>
#include <trine/coroutine/child.hpp>
#include <trine/coroutine/owned_gate.hpp>
#include <trine/coroutine/ready.hpp>
#include <trine/coroutine/rest.hpp>
#include <trine/os/futex.hpp>

namespace trine::coroutine {

class Line;

/// What one thread saw of another's line, to tell whether that needs help. To help takes some microseconds, of the owner's time
/// as well.
class Glance {
 public:
  using Clock = std::chrono::steady_clock;

  /// For one that has nothing to do; asked again and again. Whether the owner has done nothing with it for `still`, or what is in
  /// it would take long if nobody helped.
  bool finds(const Line& line, Clock::duration still) noexcept;

  /// For one that has work itself, but `own` items: whether nothing was taken for so long, or there are many more. Only then, for
  /// the owner may think the same a moment later.
  bool finds_stuck(const Line& line, std::uint32_t own, Clock::duration still) noexcept;

 private:
  static constexpr std::uint32_t many = 32;
  static constexpr std::chrono::microseconds long_{100};      // what is in it would take that
  static constexpr std::chrono::microseconds too_long{1000};  // the one that runs does
  static constexpr std::chrono::microseconds window{5};  // for which it counts what was taken

  bool begins(const Line& line, Clock::time_point now) noexcept;

  bool some_ = false;  // there were some, when it began to look
  std::uint32_t taken_ = 0;
  Clock::time_point since_{};
  std::uint32_t last_taken_ = 0;  // at the last look, and how long it has been so
  std::uint32_t last_length_ = 0;
  Clock::time_point still_since_{};
};

/// What one of several threads of a scheduler is to run. It appends and takes; others may take from it.
class alignas(64) Line {
 public:
  using Rests = Rest<Blocking<os::PrivateFutex>>;

  /// How many there are. May be too high for a while, where one was taken out of the middle.
  // Relaxed, both: who has to know for sure keeps those away that change it.
  [[nodiscard]] std::uint32_t length() const noexcept { return length_.load(std::memory_order_relaxed); }
  /// Counts up when the owner takes one: who looks at it twice knows whether the owner comes round.
  [[nodiscard]] std::uint32_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

  // For the owner.

  [[gnu::always_inline]] void append(Ready& item) noexcept {
    gate_.enter();
    items_.append(item);
    add(1);
    gate_.leave();
  }

  [[gnu::always_inline]] Ready* take() noexcept {
    if (length() == 0) return nullptr;  // others only take away
    gate_.enter();
    Ready* const item = items_.take();
    item != nullptr ? add(-1U) : length_.store(0, std::memory_order_relaxed);
    gate_.leave();
    taken_.store(taken() + 1, std::memory_order_relaxed);
    return item;
  }

  /// Calls `fill` with nobody else inside. It puts items at the end of a list, and calls what it is given with how many.
  template <class Fill>
  void append_some(Fill fill) noexcept {
    gate_.enter();
    fill(items_, [this](std::size_t count) { add(static_cast<std::uint32_t>(count)); });
    gate_.leave();
  }

  /// Puts all into a list, when nobody else comes any more; how many, or more.
  std::size_t leave_to(ReadyList& list) noexcept {
    const std::size_t count = length();
    list.splice(items_);
    length_.store(0, std::memory_order_relaxed);
    return count;
  }

  // Acquire and release: who sees a task's end sees what came before it.
  [[nodiscard]] std::size_t ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  void count_end() noexcept { ended_.store(ended_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  Rests::Bed bed;
  std::vector<Glance> glances;  // the owner's, at the others
  std::size_t turn = 0;         // at whose line it looks next
  alignas(64) SpawnedList spawned;  // what was spawned by this thread

 private:
  friend class Lines;
  bool in_use_ = false;  // by a thread at present; written and read by one who keeps others away

  using Gate = OwnedGate<os::PrivateFutex>;

  void add(std::uint32_t count) noexcept { length_.store(length() + count, std::memory_order_relaxed); }

  alignas(64) Gate gate_;
  ReadyList items_;
  std::atomic<std::uint32_t> length_{0};  // written inside of the gate
  std::atomic<std::uint32_t> taken_{0};   // written by the owner
  std::atomic<std::size_t> ended_{0};     // how many tasks have come to their end on this thread, which alone writes it
};

inline bool Glance::begins(const Line& line, Clock::time_point now) noexcept {
  if (std::exchange(some_, true)) return false;
  taken_ = last_taken_ = line.taken();
  last_length_ = line.length();
  since_ = still_since_ = now;
  return true;
}

inline bool Glance::finds(const Line& line, Clock::duration still) noexcept {
  const std::uint32_t length = line.length();
  if (length == 0) return some_ = false;
  const Clock::time_point now = Clock::now();
  if (begins(line, now)) return false;
  const std::uint32_t taken = line.taken();
  const bool had_taken = last_taken_ != taken_;
  if (taken != std::exchange(last_taken_, taken) || length != std::exchange(last_length_, length)) still_since_ = now;
  if (now - still_since_ >= still) return true;
  const Clock::duration passed = now - since_;
  const std::uint32_t taken_since = taken - taken_;
  if (taken_since == 0) return passed >= too_long;
  if (had_taken && passed < window) return false;
  // The time in which it took nothing tells of what it ran before, and nothing of those in its line.
  taken_ = last_taken_ = taken;
  since_ = now;
  return had_taken && length * passed >= taken_since * Clock::duration(long_);
}

inline bool Glance::finds_stuck(const Line& line, std::uint32_t own, Clock::duration still) noexcept {
  const std::uint32_t length = line.length();
  if (length == 0) return some_ = false;
  if (length >= many && length / 4 > own) return true;
  const Clock::time_point now = Clock::now();
  if (begins(line, now)) return false;
  if (line.taken() == taken_) return now - since_ >= still;
  return some_ = false;
}

/// Those of a scheduler with several threads.
class Lines {
 public:
  explicit Lines(unsigned threads) : lines_(threads > 1 ? threads : 0) {
    for (Line& each : lines_) each.glances.resize(threads);
  }

  Line* of(unsigned thread) noexcept { return lines_.empty() ? nullptr : &lines_[thread]; }
  std::vector<Line>& all() noexcept { return lines_; }

  [[nodiscard]] std::size_t ended() const noexcept {
    std::size_t sum = 0;
    for (const Line& each : lines_) sum += each.ended();
    return sum;
  }

  /// One other than `own` that needs help, or nullptr.
  Line* in_need(Line& own, Glance::Clock::duration still) noexcept {
    Line* found = nullptr;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (&lines_[i] != &own && own.glances[i].finds(lines_[i], still) && found == nullptr) found = &lines_[i];
    }
    return found;
  }

  /// The same of one line only, another one each time, for one that has things to do itself.
  Line* next_in_need(Line& own, Glance::Clock::duration still) noexcept {
    own.turn = own.turn + 1 < lines_.size() ? own.turn + 1 : 0;
    Line& other = lines_[own.turn];
    return &other != &own && own.glances[own.turn].finds_stuck(other, own.length(), still) ? &other : nullptr;
  }

  /// Calls `then` with those kept away that move items from one to another.
  template <class Then>
  auto with_none_moved(Then then) {
    const Hold hold(others_);
    return then();
  }

  /// Whether all are empty: for sure, if nobody moves and no thread appends.
  [[nodiscard]] bool all_empty() const noexcept {
    for (const Line& each : lines_) {
      if (each.length() != 0) return false;
    }
    return true;
  }

  /// The calling thread has this one, from here on or no longer.
  void use(Line& own, bool use) noexcept {
    const Hold hold(others_);
    own.in_use_ = use;
  }

  /// Half of what is in `from`, or all if that is one, comes to the end of `own`, the caller's.
  bool move_half(Line& from, Line& own) noexcept {
    const Hold hold(others_);
    if (!from.in_use_ || from.length() == 0) return false;
    from.gate_.come_in();
    std::size_t moved = 0;
    own.append_some([&](ReadyList& items, auto count) {
      moved = move(from.items_, items, (from.length() + 1) / 2);
      count(moved);
    });
    from.items_.empty() ? from.length_.store(0, std::memory_order_relaxed) : from.add(-static_cast<std::uint32_t>(moved));
    from.gate_.let_go();
    return moved != 0;
  }

  /// Up to `most` items, from the front of one list to the end of another; how many.
  static std::size_t move(ReadyList& from, ReadyList& to, std::size_t most) noexcept {
    std::size_t count = 0;
    for (; count < most; ++count) {
      Ready* const item = from.take();
      if (item == nullptr) break;
      to.append(*item);
    }
    return count;
  }

  /// Calls `then` with everybody kept away from all of them. The caller holds no lock that an owner may take inside of its own.
  template <class Then>
  auto with_all(Then then) noexcept {
    const Hold hold(others_);
    bool any = false;
    for_those_in_use([&any](Line& each) {
      each.gate_.ask();
      any = true;
    });
    if (any) Line::Gate::fence();
    for_those_in_use([](Line& each) { each.gate_.wait(); });
    const auto result = then();
    for_those_in_use([](Line& each) { each.gate_.let_go(); });
    return result;
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

  template <class Do>
  void for_those_in_use(Do act) noexcept {
    for (Line& each : lines_) {
      if (each.in_use_) act(each);
    }
  }

  std::vector<Line> lines_;
  Gate others_;  // held by who comes into a line that is not its own
};

}  // namespace trine::coroutine
