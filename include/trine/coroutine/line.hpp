// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <trine/backend/blocking.hpp>
#include <trine/coroutine/owned_gate.hpp>
#include <trine/coroutine/ready.hpp>
#include <trine/os/futex.hpp>

namespace trine::coroutine {

class Line;

/// For a thread that has nothing to do: whether another's line needs help. To help takes some microseconds, of the owner's time
/// as well; so there must be many in it, or some that have been there for as long.
class Looking {
 public:
  /// Asked again and again. One that its owner is about to take does not count.
  bool finds(const Line& line) noexcept;

  /// It has slept since, for long.
  void slept() noexcept {
    if (suspect_ != nullptr) times_ = enough;
  }
  /// It has helped.
  void helped() noexcept { suspect_ = nullptr; }

 private:
  static constexpr std::uint32_t many = 32;
  static constexpr int enough = 16;  // looks: some microseconds

  const Line* suspect_ = nullptr;
  std::uint32_t taken_ = 0;
  int times_ = 0;
};

/// What one of several threads of a scheduler is to run. It appends and takes; others may take from it.
class alignas(64) Line {
 public:
  /// How many there are. May be too high for a while, where one was taken out of the middle.
  [[nodiscard]] std::uint32_t length() const noexcept { return length_.load(std::memory_order_relaxed); }
  /// Counts up when the owner takes one: who looks at it twice knows whether the owner comes round.
  [[nodiscard]] std::uint32_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

  // For the owner.

  void append(Ready& item) noexcept {
    gate_.enter();
    items_.append(item);
    add(1);
    gate_.leave();
  }

  Ready* take() noexcept {
    if (length() == 0) return nullptr;  // others only take away
    gate_.enter();
    Ready* const item = items_.take();
    item != nullptr ? add(-1U) : length_.store(0, std::memory_order_relaxed);
    gate_.leave();
    taken_.store(taken() + 1, std::memory_order_relaxed);
    return item;
  }

  /// Puts up to `most` items from the front of a list at the end of this; how many.
  std::size_t append_from(ReadyList& list, std::size_t most) noexcept {
    std::size_t count = 0;
    gate_.enter();
    while (count < most) {
      Ready* const item = list.take();
      if (item == nullptr) break;
      items_.append(*item);
      ++count;
    }
    add(static_cast<std::uint32_t>(count));
    gate_.leave();
    return count;
  }

  /// Puts all into a list; how many, or more.
  std::size_t leave_to(ReadyList& list) noexcept {
    const std::size_t count = length();
    list.splice(items_);
    length_.store(0, std::memory_order_relaxed);
    return count;
  }

  Looking looking;      // the owner's, at the others

 private:
  friend class Lines;
  bool in_use_ = false;  // by a thread at present; written and read by one who keeps others away

  using Gate = OwnedGate<os::PrivateFutex>;

  void add(std::uint32_t count) noexcept { length_.store(length() + count, std::memory_order_relaxed); }

  Gate gate_;
  ReadyList items_;
  std::atomic<std::uint32_t> length_{0};  // written inside of the gate
  std::atomic<std::uint32_t> taken_{0};   // written by the owner
};

inline bool Looking::finds(const Line& line) noexcept {
  const std::uint32_t length = line.length();
  if (length >= many) return true;
  if (suspect_ != &line && (suspect_ != nullptr || length == 0)) return false;  // one after the other
  const std::uint32_t taken = line.taken();
  const bool anew = suspect_ == nullptr;
  const bool waits = length > 1 || (length == 1 && (anew || taken == taken_));
  suspect_ = waits ? &line : nullptr;
  taken_ = taken;
  times_ = waits && !anew ? times_ + 1 : 0;
  return times_ >= enough;
}

/// Those of a scheduler with several threads.
class Lines {
 public:
  explicit Lines(unsigned threads) : lines_(threads > 1 ? threads : 0) {}

  Line* of(unsigned thread) noexcept { return lines_.empty() ? nullptr : &lines_[thread]; }

  /// Whether there is anything in one of them.
  [[nodiscard]] bool any() const noexcept {
    for (const Line& each : lines_) {
      if (each.length() != 0) return true;
    }
    return false;
  }

  /// One other than `own` that needs help, or nullptr.
  Line* in_need(Line& own) noexcept {
    for (Line& each : lines_) {
      if (&each != &own && own.looking.finds(each)) return &each;
    }
    return nullptr;
  }

  /// The same for sure, if it is no and no thread appends.
  [[nodiscard]] bool all_empty() noexcept {
    const Hold hold(others_);
    return !any();
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
    const std::uint32_t half = (from.length() + 1) / 2;
    const auto moved = static_cast<std::uint32_t>(own.append_from(from.items_, half));
    from.items_.empty() ? from.length_.store(0, std::memory_order_relaxed) : from.add(-moved);
    from.gate_.let_go();
    own.looking.helped();
    return moved != 0;
  }

  /// Takes an item out of whichever it is in; false if it is in no list. For one who keeps those away that may put it into another.
  bool remove(Ready& item) noexcept {
    const Hold hold(others_);
    for (Line& each : lines_) {
      if (each.in_use_) each.gate_.ask();
    }
    Line::Gate::fence();
    for (Line& each : lines_) {
      if (each.in_use_) each.gate_.wait();
    }
    const bool listed = item.listed();
    if (listed) ReadyList::remove(item);
    for (Line& each : lines_) {
      if (each.in_use_) each.gate_.let_go();
    }
    return listed;
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

  std::vector<Line> lines_;
  Gate others_;  // held by who comes into a line that is not its own
};

}  // namespace trine::coroutine
