// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <trine/model/memory.hpp>
#include <trine/os/context.hpp>
#include <vector>

namespace trine::modelling {

/// What a thread is about to do.
enum class Step : std::uint8_t { start, load, change, fence, sequential_fence, fence_all, enquiry, sleep, wake, yield, spawn, join };

/// `dying`: it will do nothing more, and the system has still to see to the words that it owned.
enum class State : std::uint8_t { ready, asleep, joining, dying, done };

/// A word that a thread sleeps on while it holds the value.
struct Watched {
  const void* address;
  std::size_t location;
  std::uint64_t value;
};

/// A word of which the system knows that a thread owns it, or is about to take or to free it.
struct OwnedWord {
  const void* address;
  std::size_t location;
};

/// A thread as an owner: what the system goes through when it dies.
struct Owner {
  std::uint32_t id = 0;
  std::vector<OwnedWord> list;  // what it owns, the newest last
  std::optional<OwnedWord> noted;

  [[nodiscard]] bool owns(std::size_t location) const noexcept {
    return std::any_of(list.begin(), list.end(), [=](const OwnedWord& each) { return each.location == location; });
  }
  void forget(std::size_t location) {
    std::erase_if(list, [=](const OwnedWord& each) { return each.location == location; });
  }
  [[nodiscard]] bool has_nothing() const noexcept { return list.empty() && !noted; }
  [[nodiscard]] std::uint64_t hash() const noexcept {
    std::uint64_t result = noted ? noted->location + 1 : 0;
    for (const OwnedWord& each : list) result = mix(result, each.location);
    return result;
  }
};

/// What a thread runs.
class Runnable {
 public:
  Runnable() = default;
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;
  virtual ~Runnable() = default;
  virtual void run() = 0;
};

/// A modelled thread: a fiber, what it knows, and the step that it does when it goes on.
struct ThreadState {
  os::Context context;
  std::unique_ptr<Runnable> function;
  Knowledge knows;
  std::uint64_t history = 0;  // of all that it has learnt, and of how many steps it has done
  std::uint64_t touches = 0;  // the locations of its next step, a bit each
  std::uint64_t looked = 0;   // the locations that it has loaded since it last yielded
  std::uint64_t told = 0;     // the history at its last use of plain data: what it leaves behind
  std::vector<Watched> on;
  Owner owner;
  std::size_t joins = 0;
  std::uint32_t round = 0;  // how much had changed in memory when it last yielded
  State state = State::ready;
  Step next = Step::start;
  bool sequential = false;  // its next step is sequentially consistent
  bool plain = false;       // it has touched plain data since its last step
  bool may_time_out = false;
  bool timed_out = false;
  bool joined = false;
  bool mortal = false;      // it may be killed before each step
  bool killed = false;
  bool in_slices = false;   // its sleep ends after a while in any case
  bool had_slice = false;   // it has ended so
  bool keeps_fences_out = false;  // it is amid a step that fences in all threads come before or after

  void begin_anew(std::size_t id) {
    function.reset();
    knows = {};
    history = id;
    touches = looked = told = 0;
    on.clear();
    owner.id = static_cast<std::uint32_t>(id) + 1;
    owner.list.clear();
    owner.noted.reset();
    round = ~0U;
    state = State::ready;
    next = Step::start;
    sequential = plain = may_time_out = timed_out = joined = false;
    mortal = killed = in_slices = had_slice = keeps_fences_out = false;
  }

  // Sleeping and waking fence, and a fence changes what sequentially consistent operations may read.
  [[nodiscard]] bool fences() const noexcept {
    return next == Step::sequential_fence || next == Step::sleep || next == Step::wake;
  }
  [[nodiscard]] bool only_reads() const noexcept { return next == Step::load || next == Step::sleep; }
};

/// Whether the next steps of two threads lead to the same in either order, and neither changes what the other can do.
inline bool commute(const ThreadState& a, const ThreadState& b, const Memory& memory) noexcept {
  if (a.next == Step::fence_all || b.next == Step::fence_all) return false;
  if (a.next == Step::enquiry || b.next == Step::enquiry) return false;
  if (a.next == Step::yield || b.next == Step::yield) return false;  // they end when something has changed
  if (a.next == Step::spawn && b.next == Step::spawn) return false;  // threads are numbered in that order
  if ((a.fences() && b.sequential) || (b.fences() && a.sequential)) return false;
  const std::uint64_t both = a.touches & b.touches;
  if (both == 0) return true;
  if (!a.only_reads() || !b.only_reads()) return false;
  if (!a.sequential || !b.sequential) return true;
  // Of two sequentially consistent loads the later may not read older than the first; with one left to read it can't.
  for (std::size_t i = 0; i < memory.size(); ++i) {
    if ((both >> i & 1U) == 0) continue;
    const std::size_t newest = memory[i].newest();
    if (memory.oldest(a.knows, i, std::memory_order_seq_cst) != newest) return false;
    if (memory.oldest(b.knows, i, std::memory_order_seq_cst) != newest) return false;
  }
  return true;
}

}  // namespace trine::modelling
