// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <trine/sleep.hpp>

namespace trine::coroutine {

/// A sleeper that waits in `count` lists of the table T at once, whatever it waits for. `Base` is a T::Sleeper that also has
/// call_off() and seize().
///
/// Who has set the `owned` bit has it: at first the one that waits, later a waker that came by one of the lists, a limit, or
/// who destroys it. Its nodes stay in their lists meanwhile; wakers pass them by, which uses up no wake, and leave the `again`
/// bit, with which the owner does not let go before it has looked again. One whose wait is over leaves all lists at once,
/// by the hand of its owner, and passes on the wake by which it came out if that was for something else: however long it
/// takes until the coroutine goes on, nobody else waits for that.
template <class T, class Base, std::size_t count>
class Several : public Base {
 public:
  Several(const Several&) = delete;
  Several& operator=(const Several&) = delete;

 protected:
  using Placed = typename T::Placed;
  using Word = typename T::Word;

  Several() noexcept {
    this->several_ = true;
    this->state_.store(this->owned, std::memory_order_relaxed);  // nobody else knows it yet
    for (auto& node : nodes_) node.sleeper = this;
  }
  ~Several() = default;

  /// For rouse(): calls `announce(i)`, which says where to sleep for the i-th, for each until one need not sleep; true then.
  template <class Announce>
  bool announce_each(Announce announce) {
    // Acquire: pairs with the release of a waker that came meanwhile and left its bit; its change is looked at now.
    this->state_.fetch_and(~this->again, std::memory_order_acq_rel);
    for (first_ = 0; first_ < count; ++first_) {
      sleeps_[first_] = announce(first_);
      if (sleeps_[first_].needless()) return true;
    }
    return false;
  }

  Placed settle(T& in, bool front) noexcept override {
    for (std::size_t i = 0; i < count; ++i) {
      auto& node = nodes_[i];
      // One that is in the list has been there since before `again` was cleared. A wake that passed it by before has been seen
      // by announce_each(); one that comes now leaves the bit; one that others ahead used up was not for us. So the word need
      // not be compared.
      if (node.word.load(std::memory_order_relaxed) == sleeps_[i].word) continue;
      in.remove(node);
      node.sleep_on(sleeps_[i]);
      if (in.enqueue(node, front, false, *this) == Placed::changed) return Placed::changed;
      slept_ = true;
    }
    // Release: pairs with the acquire of the next owner.
    std::uint32_t mine = this->owned;
    if (this->state_.compare_exchange_strong(mine, 0, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return Placed::asleep;
    }
    return (mine & this->calling_off) != 0 ? Placed::called_off : Placed::changed;
  }

  void call_off() noexcept override {
    // If somebody owns it, that one sees the bit when it would let go; else it is ours.
    const std::uint32_t before = this->state_.fetch_or(this->owned | this->calling_off, std::memory_order_acq_rel);
    if ((before & this->owned) == 0) this->deliver();
  }

  bool seize() noexcept override {
    return (this->state_.fetch_or(this->owned, std::memory_order_acq_rel) & this->owned) == 0;
  }

  /// It is over: by `first_`, if that is one of them and `done`. Nothing the second time.
  template <class Lists>
  void leave_lists(Lists& lists, bool done) noexcept {
    for (auto& node : nodes_) lists.remove(node);
    if (!slept_) return;
    slept_ = false;
    for (std::size_t i = 0; i < count; ++i) {
      if ((i != first_ || !done) && nodes_[i].where != nullptr) lists.wake(*nodes_[i].where, 1);
    }
  }

  std::array<typename T::Node, count> nodes_;
  std::size_t first_ = count;  // which was done, or failed; `count`: none

 private:
  std::array<Sleep<Word>, count> sleeps_{};
  bool slept_ = false;  // in a list: a wake may have come to it
};

}  // namespace trine::coroutine
