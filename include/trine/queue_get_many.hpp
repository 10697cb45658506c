// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/queue_operations.hpp>
#include <trine/queue_state.hpp>

namespace trine {

/// Gets up to n items, and at least one.
template <class T, class Items, class B>
class QueueGetMany : public QueueGetting<QueueGetMany<T, Items, B>, std::vector<T>, Items, B> {
  using Base = QueueGetting<QueueGetMany, std::vector<T>, Items, B>;

 public:
  QueueGetMany(typename Base::State& state, std::size_t most) noexcept : Base(state), most_(most) {}

  typename Base::Tried try_it() {
    if (most_ == 0) return Base::Tried::done;
    items_.reserve(std::clamp<std::size_t>(this->state_->size(), 1, most_));  // before the end is held
    const typename Base::Tried tried = take_some();
    if constexpr (!Items::many_at_once) {
      for (std::size_t had = 0; had < items_.size() && items_.size() < items_.capacity();) {
        had = items_.size();
        take_some();
      }
    }
    return tried;
  }

  std::vector<T> result() {
    (void)this->done_or_throw();
    if constexpr (std::is_same_v<T, Taken>) {
      return std::move(items_);
    } else {
      std::vector<T> finished;
      finished.reserve(items_.size());
      for (Taken& item : items_) finished.push_back(Items::finish(std::move(item)));
      return finished;
    }
  }

 private:
  using Taken = typename Items::Taken;

  typename Base::Tried take_some() {
    const auto wanted = static_cast<std::uint32_t>(std::min<std::size_t>(most_, QueueState<Items, B>::most));
    return this->state_->get(this->last(), wanted, [this](Items& items, auto& place, std::uint32_t there, std::uint32_t& count) {
      const std::uint32_t take = Items::many_at_once ? there : 1;
      for (; count < take && items_.size() < std::min(most_, items_.capacity()); ++count, place.next(-1U)) {
        try {
          items.take(place, [this](Taken&& item) { items_.push_back(std::move(item)); });
        } catch (...) {
          if (items_.empty()) throw;
          return;  // those that were taken are not to be lost
        }
      }
    });
  }

  std::size_t most_;
  std::vector<Taken> items_;
};

}  // namespace trine
