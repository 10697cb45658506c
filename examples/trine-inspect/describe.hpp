// SPDX-License-Identifier: BSL-1.0
//
// What the words of a named object say, read from a copy of its state: nothing is locked, nothing is changed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <trine/backend/processes.hpp>
#include <trine/barrier_state.hpp>
#include <trine/queue_state.hpp>
#include <trine/segment_info.hpp>
#include <trine/semaphore.hpp>

// The states are no standard-layout types; the compilers know their places all the same.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

/// An object's state in words, who owns it, and whether somebody waits for it, as far as it shows.
struct Description {
  std::string state;
  std::optional<std::uint32_t> owner;  // a thread
  bool owner_alive = false;
  std::optional<bool> waiters;
};

class Describer {
 public:
  explicit Describer(const trine::SegmentInfo& info) : info_(info) {
    if (info.state == trine::SegmentInfo::State::usable && !info.data.empty()) describe();
  }
  [[nodiscard]] const Description& result() const noexcept { return result_; }

 private:
  using B = trine::processes;
  // The indices are in the same places whatever the items are.
  using QueueWords = trine::QueueState<B::FifoItems<int, 0>, B>;
  using BarrierWords = trine::BarrierState<B>;

  [[nodiscard]] std::uint32_t word(std::size_t at) const noexcept {
    std::uint32_t word = 0;
    if (at + sizeof(word) <= info_.data.size()) std::memcpy(&word, info_.data.data() + at, sizeof(word));
    return word;
  }

  void describe() {
    const std::string_view type = info_.type;
    if (type.ends_with("Lock")) {
      describe_lock();
    } else if (type == "Event") {
      result_.state = (word(0) & 1) != 0 ? "set" : "clear";
      result_.waiters = (word(0) & 2) != 0;
    } else if (type == "Semaphore") {
      constexpr std::size_t low = std::endian::native == std::endian::little ? 0 : 4;
      result_.state = std::to_string(word(low) >> 1) + " permits, at most " + std::to_string(word(8));
      result_.waiters = (word(low) & 1) != 0;
    } else if (type == "Latch") {
      result_.state = std::to_string(word(0) >> 1) + " to count down";
      result_.waiters = (word(0) & 1) != 0;
    } else if (type == "Condition") {
      result_.waiters = word(4) != 0;
      result_.state = std::to_string(word(4)) + " waiting";
    } else if (type == "Barrier") {
      describe_barrier();
    } else if (type.find("Queue<") != std::string_view::npos) {
      describe_queue();
    }
  }

  void describe_lock() {
    const std::uint32_t held = word(0);
    const std::uint32_t owner = trine::owner_word::owner_of(held);
    result_.waiters = (held & (1U << 31)) != 0;
    if (owner != 0) {
      result_.owner = owner;
      result_.owner_alive = trine::os::life_of_thread(owner, 0) != trine::os::Life::dead;
      result_.state = "locked by thread " + std::to_string(owner) + (result_.owner_alive ? "" : ", which is gone");
    } else {
      result_.state = (held & trine::owner_word::died) != 0 ? "its owner died" : "free";
    }
  }

  void describe_barrier() {
    const std::uint32_t phase = word(offsetof(BarrierWords, phase));
    result_.state = std::to_string(word(offsetof(BarrierWords, parties))) + " parties";
    if ((phase & BarrierWords::broken_bit) != 0) result_.state += ", broken";
    result_.waiters = (phase & BarrierWords::sleepers) != 0;
  }

  void describe_queue() {
    // Both ends' indices are together where there is room for one.
    using OfOne = decltype(QueueWords::of_one);
    constexpr std::size_t index = offsetof(QueueWords::End, index);
    const bool one = word(0) == 1;
    const std::uint32_t put = word(one ? offsetof(QueueWords, of_one) + offsetof(OfOne, put) : offsetof(QueueWords, put_end) + index);
    const std::uint32_t got = word(one ? offsetof(QueueWords, of_one) + offsetof(OfOne, get) : offsetof(QueueWords, get_end) + index);
    result_.state = std::to_string(QueueWords::distance(got, put)) + " items, room for " + std::to_string(word(0));
    if ((put & QueueWords::closed) != 0) result_.state += ", shut down";
    constexpr std::size_t raised = offsetof(QueueWords::End, waiting);
    result_.waiters =
        ((word(offsetof(QueueWords, put_end) + raised) | word(offsetof(QueueWords, get_end) + raised)) & 1) != 0;
  }

  const trine::SegmentInfo& info_;
  Description result_;
};
