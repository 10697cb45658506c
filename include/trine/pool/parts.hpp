// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/pool/result.hpp>

namespace trine {

/// The results of several tasks as one: those of a function that returns an R, in the order in which they were added, or the first
/// failure among them. `Each` is how one of them is listed.
template <class R, class Each>
class PoolParts {
 public:
  using Whole = std::conditional_t<std::is_void_v<R>, void, std::vector<Each>>;

  explicit PoolParts(std::size_t count) : state_(std::make_shared<State>(count)) {
    if (count == 0) state_->bring_together();
  }

  /// To be called so often as the constructor was told.
  void add(std::shared_ptr<PoolResult<std::vector<Each>>> part) {
    auto& added = *state_->parts.emplace_back(std::move(part));
    added.when_settled([state = state_] { state->one_is_there(); });
  }

  [[nodiscard]] std::shared_ptr<PoolResult<Whole>> whole() const { return state_->whole; }

 private:
  struct State {
    explicit State(std::size_t count) : left(count) { parts.reserve(count); }

    void one_is_there() {
      // Both: what the parts' workers did is visible to the last one, which brings them together.
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) bring_together();
    }

    void bring_together() {
      try {
        if constexpr (std::is_void_v<R>) {
          for (auto& each : parts) each->value();
          whole->succeed({});
        } else {
          Whole all;
          for (auto& each : parts) std::move(each->value().begin(), each->value().end(), std::back_inserter(all));
          whole->succeed(std::move(all));
        }
      } catch (...) {
        whole->fail(std::current_exception());
      }
      parts.clear();
    }

    std::atomic<std::size_t> left;
    std::vector<std::shared_ptr<PoolResult<std::vector<Each>>>> parts;
    std::shared_ptr<PoolResult<Whole>> whole = std::make_shared<PoolResult<Whole>>();
  };

  std::shared_ptr<State> state_;
};

}  // namespace trine
