// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <trine/queue_operations.hpp>

namespace trine {

/// Waits until a get would not wait: there is an item, or there will never be one again. Takes nothing.
template <class Items, class B>
class QueueReady : public QueueGetting<QueueReady<Items, B>, bool, Items, B> {
  using Base = QueueGetting<QueueReady, bool, Items, B>;

 public:
  using Base::Base;

  typename Base::Tried try_it() {
    ready_ = this->state_->is_shut() || this->state_->size() > 0;
    return ready_ ? Base::Tried::done : Base::Tried::must_wait;
  }

  bool result() const noexcept { return ready_; }

 private:
  bool ready_ = false;
};

}  // namespace trine
