// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <tuple>
#include <utility>

#include <trine/coroutine/one.hpp>

namespace trine::coroutine {

/// The wait for the first of several operations, each in a list of its own. Who has set the `owned` bit touches it.
/// S is made of the number of the operation that was done, or of their count, and of the operations.
template <class S, class... O>
class First final : public Pending<S>, private Waiting {
  static constexpr std::size_t count = sizeof...(O);

 public:
  First(std::tuple<O...>&& operations, const Until& until) : operations_(std::move(operations)) {
    this->several_ = true;
    this->state_.store(this->owned, std::memory_order_relaxed);  // nobody else knows it yet
    for (Table::Node& node : nodes_) node.sleeper = this;
    shielded_ = (shielded<O> && ...);
    set_limit(until);
  }
  ~First() override {
    abandon();
    if (over_ && !taken_ && !failure_) {
      try {
        const S dropped(first_, operations_);
      } catch (...) {
        // An error of the operation, which nobody asked for.
      }
    }
  }

  bool suspend(std::coroutine_handle<> coroutine, Resumer* resumer, bool) override { return start(coroutine, resumer); }

  S take() override {
    awake();
    taken_ = true;
    if (failure_) std::rethrow_exception(std::move(failure_));
    return S(first_, operations_);
  }

  /// Tries each, beginning anywhere: the number of the one that was done, or `count`.
  static std::size_t try_each(std::tuple<O...>& operations) {
    const std::size_t begin = Table::Os::turn() % count;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t which = (begin + i) % count;
      bool done = false;
      visit(operations, which, [&done](auto& operation) { done = operation.attempt(); });
      if (done) return which;
    }
    return count;
  }

  static void give_up_but(std::tuple<O...>& operations, std::size_t done) {
    for (std::size_t i = 0; i < count; ++i) {
      if (i != done) visit(operations, i, [](auto& operation) { operation.give_up(); });
    }
  }

 private:
  using Placed = Table::Placed;

  template <class Call>
  static void visit(std::tuple<O...>& operations, std::size_t which, Call call) {
    [&]<std::size_t... I>(std::index_sequence<I...>) { ((which == I ? call(std::get<I>(operations)) : void()), ...); }
    (std::index_sequence_for<O...>());
  }

  bool rouse() noexcept override {
    // Acquire: pairs with the release of a waker that came meanwhile and left its bit; its change is looked at now.
    this->state_.fetch_and(~this->again, std::memory_order_acq_rel);
    try {
      for (first_ = 0; first_ < count && !over_; ++first_) {
        visit(operations_, first_, [this](auto& operation) {
          sleeps_[first_] = operation.announce();
          over_ = sleeps_[first_].needless();
        });
        if (over_) break;
      }
    } catch (...) {
      failure_ = std::current_exception();
      over_ = true;
    }
    return over_;
  }

  Placed settle(Table& in, bool front) noexcept override {
    for (std::size_t i = 0; i < count; ++i) {
      Table::Node& node = nodes_[i];
      // A node that is in a list stays there as long as we own it: wakers pass it by.
      if (node.word.load(std::memory_order_relaxed) == sleeps_[i].word) {
        node.sleep_on(sleeps_[i]);
        if (!in.unchanged(node)) return Placed::changed;
        continue;
      }
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
    if ((before & this->owned) == 0) deliver();
  }

  bool leave() noexcept override {
    left_ = true;
    try {
      first_ = try_each(operations_);
      left_ = first_ == count;
    } catch (...) {
      failure_ = std::current_exception();
      first_ = count;
    }
    over_ = true;
    return true;
  }

  void tidy() noexcept override {
    for (Table::Node& node : nodes_) table().remove(node);
    try {
      give_up_but(operations_, first_);
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
    if (!slept_) return;
    // Wakes that came for the others, and for this one while somebody had it, are passed on.
    for (std::size_t i = 0; i < count; ++i) {
      if ((i != first_ || failure_) && nodes_[i].where != nullptr) table().wake(*nodes_[i].where, 1);
    }
  }

  bool seize() noexcept override {
    return (this->state_.fetch_or(this->owned, std::memory_order_acq_rel) & this->owned) == 0;
  }

  void give_all_up() noexcept override {
    first_ = count;
    tidy();
    taken_ = true;
  }

  std::array<Table::Node, count> nodes_;
  std::array<Sleep<Table::Word>, count> sleeps_{};
  std::tuple<O...> operations_;
  std::size_t first_ = count;
  bool slept_ = false;
};

}  // namespace trine::coroutine
