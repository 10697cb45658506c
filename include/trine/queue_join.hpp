// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include <trine/backend.hpp>
#include <trine/queue_state.hpp>

namespace trine {

/// Waits until every item that was put is finished with.
template <class Items, class B>
class QueueJoin : public OperationOf<bool, B> {
  using State = QueueState<Items, B>;

 public:
  explicit QueueJoin(State& state) noexcept : state_(&state) {}

  bool attempt() noexcept {
    // Acquire: pairs with the release in task_done().
    done_ = state_->all_finished(state_->finished.load(std::memory_order_acquire));
    return done_;
  }

  Sleep<typename B::Word> announce() noexcept {
    constexpr std::uint32_t sleepers = State::sleepers;
    std::uint32_t seen = state_->finished.load(std::memory_order_acquire);
    while (!state_->all_finished(seen)) {
      if ((seen & sleepers) != 0 || state_->finished.compare_exchange_weak(seen, seen | sleepers, std::memory_order_acquire,
                                                                           std::memory_order_acquire)) {
        return {&state_->finished, seen | sleepers};
      }
    }
    done_ = true;
    return {};
  }

  bool result() const noexcept { return done_; }

 private:
  State* state_;
  bool done_ = false;
};

}  // namespace trine
