// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <trine/model/memory.hpp>
#include <trine/os/context.hpp>
#include <vector>

namespace trine::modelling {

/// What a thread is about to do.
enum class Step : std::uint8_t { start, load, change, fence, sequential_fence, fence_all, sleep, wake, yield, spawn, join };

enum class State : std::uint8_t { ready, asleep, joining, done };

/// A word that a thread sleeps on while it holds the value.
struct Watched {
  const void* address;
  std::size_t location;
  std::uint64_t value;
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
  std::vector<Watched> on;
  std::size_t joins = 0;
  std::uint32_t round = 0;  // how much had changed in memory when its last yield was over
  State state = State::ready;
  Step next = Step::start;
  bool sequential = false;  // its next step is sequentially consistent
  bool plain = false;       // it has touched plain data since its last step
  bool may_time_out = false;
  bool timed_out = false;
  bool joined = false;

  void begin_anew(std::size_t id) {
    function.reset();
    knows = {};
    history = id;
    touches = looked = 0;
    on.clear();
    round = ~0U;
    state = State::ready;
    next = Step::start;
    sequential = plain = may_time_out = timed_out = joined = false;
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
