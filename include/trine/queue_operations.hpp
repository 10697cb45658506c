// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend.hpp>
#include <trine/error.hpp>
#include <trine/queue_state.hpp>

namespace trine {

/// What the operations at an end of a queue share: `Self` has try_it(), which says how it went, and one_more(), whether
/// somebody else could go on as well.
template <class Self, class R, class Items, class B>
class QueueOperation : public OperationOf<R, B> {
 public:
  using State = QueueState<Items, B>;
  using Tried = typename State::Tried;

  explicit QueueOperation(State& state) noexcept : state_(&state) {}
  // Member by member: a copy as a whole would keep the operation in memory even where it never waits.
  QueueOperation(QueueOperation&& other) noexcept : state_(other.state_), tried_(other.tried_) {}

  [[gnu::always_inline]] bool attempt() {
    tried_ = self().try_it();
    return tried_ >= Tried::done;
  }

 protected:
  // Raises the flag of the end that must move, and looks for the last time. Where it does not get so far, because somebody holds
  // its own end, it sleeps for that.
  Sleep<typename B::Word> announce_at(typename State::End& end, typename State::Gate& own_gate) {
    for (;;) {
      const auto sleep = end.waiting.raise();
      if (attempt()) break;
      if (tried_ == Tried::must_wait) return sleep;
      const auto at_gate = own_gate.sleep();
      if (at_gate.needless()) continue;
      tried_ = Tried::slept;
      return at_gate;
    }
    if (tried_ == Tried::done && self().one_more()) end.waiting.wake(1);
    return {};
  }

  [[nodiscard]] Tried last() const noexcept { return tried_; }

  [[nodiscard]] bool done_or_throw() const {
    if (tried_ == Tried::shut) fail<QueueShutdown>();
    return tried_ == Tried::done;
  }

  State* state_;

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }

  Tried tried_ = Tried::fresh;
};

/// What the operations that put share.
template <class Self, class R, class Items, class B>
class QueuePutting : public QueueOperation<Self, R, Items, B> {
 public:
  using QueueOperation<Self, R, Items, B>::QueueOperation;

  [[nodiscard]] std::uint32_t patience() const noexcept { return this->state_->put_end.patience.pauses(); }

  Sleep<typename B::Word> announce() { return this->announce_at(this->state_->get_end, this->state_->put_gate()); }

  [[nodiscard]] bool one_more() const noexcept { return this->state_->size() < this->state_->limit; }
};

/// What the operations that get share.
template <class Self, class R, class Items, class B>
class QueueGetting : public QueueOperation<Self, R, Items, B> {
 public:
  using QueueOperation<Self, R, Items, B>::QueueOperation;

  [[nodiscard]] std::uint32_t patience() const noexcept { return this->state_->get_end.patience.pauses(); }

  Sleep<typename B::Word> announce() { return this->announce_at(this->state_->put_end, this->state_->get_gate()); }

  [[nodiscard]] bool one_more() const noexcept { return this->state_->size() > 0; }
};

/// Puts one item. `Reference` says whether it is copied or moved.
template <class Reference, class Items, class B>
class QueuePut : public QueuePutting<QueuePut<Reference, Items, B>, bool, Items, B> {
  using Base = QueuePutting<QueuePut, bool, Items, B>;

 public:
  QueuePut(typename Base::State& state, Reference item) : Base(state), item_(static_cast<Reference>(item)) {}

  [[gnu::always_inline]] typename Base::Tried try_it() {
    return this->state_->put(this->last(), 1, [this](Items& items, auto& place, std::uint32_t, std::uint32_t& count) {
      if (items.put(place, item_.get())) count = 1;
    });
  }

  bool result() const { return this->done_or_throw(); }

 private:
  typename Items::template Item<Reference> item_;
};

/// Puts the items of a range, as many at a time as there is room for.
template <class Iterator, class Sentinel, class Items, class B>
class QueuePutMany : public QueuePutting<QueuePutMany<Iterator, Sentinel, Items, B>, std::size_t, Items, B> {
  using Base = QueuePutting<QueuePutMany, std::size_t, Items, B>;

 public:
  static constexpr bool selectable = false;

  QueuePutMany(typename Base::State& state, Iterator first, Sentinel last)
      : Base(state), next_(std::move(first)), last_(std::move(last)) {}

  typename Base::Tried try_it() {
    while (next_ != last_) {
      if (const auto tried = put_some(); tried != Base::Tried::done) return tried;
    }
    return Base::Tried::done;
  }

  // What was put before the queue was shut down is told rather than the shutdown: the next call will tell that.
  std::size_t result() const {
    if (total_ == 0) (void)this->done_or_throw();
    return total_;
  }

 private:
  static constexpr std::uint32_t most_at_once = QueueState<Items, B>::most;

  // Several at a time where the items lie in memory. Other iterators are the user's code, which may wait: with them each item
  // is fetched first and put then, and the end of the queue is held for nothing else.
  typename Base::Tried put_some() {
    if constexpr (std::contiguous_iterator<Iterator> && Items::many_at_once) {
      return this->state_->put(this->last(), most_at_once, [this](Items& items, auto& place, std::uint32_t room, std::uint32_t& count) {
        while (count < room && next_ != last_ && items.put(place, *next_)) {
          place.next(1);
          ++next_;
          ++count;
          ++total_;
        }
      });
    } else {
      auto&& item = *next_;
      typename Items::template Item<decltype(item)&&> ready(std::forward<decltype(item)>(item));
      const typename Base::Tried tried =
          this->state_->put(this->last(), 1, [this, &ready](Items& items, auto& place, std::uint32_t, std::uint32_t& count) {
            if (!items.put(place, ready.get())) return;
            count = 1;
            ++total_;
          });
      if (tried == Base::Tried::done) ++next_;
      return tried;
    }
  }

  Iterator next_;
  Sentinel last_;
  std::size_t total_ = 0;
};

/// Gets one item: R is T, or std::optional<T> where the wait may give up.
template <class T, class R, class Items, class B>
class QueueGet : public QueueGetting<QueueGet<T, R, Items, B>, R, Items, B> {
  using Base = QueueGetting<QueueGet, R, Items, B>;

 public:
  using Base::Base;

  [[gnu::always_inline]] typename Base::Tried try_it() {
    return this->state_->get(this->last(), 1, [this](Items& items, auto& place, std::uint32_t, std::uint32_t& count) {
      items.take(place, [this](Taken&& item) { item_.emplace(std::move(item)); });
      count = 1;
    });
  }

  R result() {
    (void)this->done_or_throw();
    if constexpr (std::is_same_v<R, T>) {
      return Items::finish(std::move(*item_));
    } else if constexpr (std::is_same_v<T, Taken>) {
      return std::move(item_);
    } else {
      return item_ ? R(Items::finish(std::move(*item_))) : R();
    }
  }

 private:
  using Taken = typename Items::Taken;

  // Large items that may lie anywhere lie where copies are fast: not right behind what the operation says of its last try.
  static constexpr std::size_t aligned = sizeof(Taken) > 64 ? alignof(void*) : 1;

  alignas(std::optional<Taken>) alignas(aligned) std::optional<Taken> item_;
};

}  // namespace trine
