// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <trine/model/choices.hpp>
#include <trine/model/thread.hpp>

namespace trine::modelling {

/// How a thread of an execution dies, and what the system does for it then.
class Deaths : public Choices {
 protected:
  /// Wakes up to `count` of those who sleep on the address, the longest asleep first. The object there may be gone.
  void rouse(const void* address, std::uint32_t count) {
    const auto& sleepers = threads_.sleepers();
    for (std::size_t i = 0; i < sleepers.size() && count > 0;) {
      const std::size_t id = sleepers[i];
      const auto& on = threads_[id].on;
      if (std::none_of(on.begin(), on.end(), [&](const Watched& word) { return word.address == address; })) {
        ++i;
        continue;
      }
      if (trace_.on()) say(std::memory_order_relaxed, "wakes thread " + std::to_string(id), nowhere, "");
      threads_.get_up(id);
      --count;
    }
  }

  void die(std::size_t id) {
    if (trace_.on()) trace_.line("thread " + std::to_string(id) + "  is killed");
    threads_.kill(id);
    threads_.lay_out(id, options_.kernel);
  }

  // The system sees to the next of the words that a dead thread owned, and at last to the one that it had noted.
  void bury(std::size_t id) {
    Owner& owner = threads_[id].owner;
    const bool is_noted = owner.list.empty();
    const OwnedWord word = is_noted ? *owner.noted : owner.list.back();
    if (is_noted) {
      owner.noted.reset();
    } else {
      owner.list.pop_back();
    }
    const bool comes_last = !is_noted && owner.noted && owner.noted->location == word.location;
    if (!comes_last || !memory_[word.location].alive) mark_dead(id, word, is_noted);
    threads_.wake_up_all_steps();
    if (owner.has_nothing()) threads_.finish(id);
  }

  void mark_dead(std::size_t id, const OwnedWord& word, bool is_noted) {
    static constexpr std::uint64_t owners = (1U << 30) - 1;
    static constexpr std::uint64_t died = 1U << 30;
    static constexpr std::uint64_t sleepers = 1U << 31;
    Location& at = memory_[word.location];
    if (!at.alive) {
      if (!is_noted) find("a thread ended that owned something which is destroyed");
      return;
    }
    const std::uint64_t held = at.stores.back().value;
    Knowledge& knows = threads_[id].knows;
    if (!draining_) memory_.fence(knows, std::memory_order_seq_cst);
    if (is_noted && (held & owners) == 0) {
      if (options_.kernel.wakes_for_noted) rouse(word.address, 1);
    } else if ((held & owners) == threads_[id].owner.id) {
      const std::uint64_t marked = (options_.kernel.keeps_mark ? held & sleepers : 0) | (options_.kernel.marks ? died : 0);
      if (trace_.on()) {
        trace_.line("thread " + std::to_string(id) + "  is dead: #" + std::to_string(word.location) + " = " + number(marked));
      }
      threads_.changed();
      if (draining_) {
        at.stores.back().value = marked;
      } else {
        memory_.load(knows, word.location, at.newest(), std::memory_order_acq_rel);
        memory_.store(knows, word.location, at.newest(), marked, std::memory_order_acq_rel, true);
        memory_.fence(knows, std::memory_order_seq_cst);  // who compares later finds the new value
      }
      if ((held & sleepers) != 0 && options_.kernel.wakes) rouse(word.address, 1);
    }
  }

  // Who goes on when there is nothing to choose.
  std::optional<std::size_t> any() {
    while (const auto id = threads_.dying()) bury(*id);
    return threads_.any();
  }
};

}  // namespace trine::modelling
