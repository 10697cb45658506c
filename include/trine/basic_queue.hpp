// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/backend.hpp>
#include <trine/error.hpp>
#include <trine/queue_get_many.hpp>
#include <trine/queue_join.hpp>
#include <trine/queue_operations.hpp>
#include <trine/queue_ready.hpp>
#include <trine/queue_state.hpp>
#include <trine/until.hpp>

namespace trine {

/// What Queue, LifoQueue and PriorityQueue have in common; `Items` says in which order items come out.
///
/// Many producers and many consumers. put() waits while the queue is full, get() while it is empty. What put() returned from
/// is visible to get() at once, with everything that the producer did before. An item that an operation refuses (it gave up,
/// the queue was shut down) is left with the caller, unmoved. Where T's copy or move into the queue throws, nothing was put;
/// where the move out of it throws, nothing was taken, but an item that is out and throws on its way to the caller is lost.
/// shutdown(): later puts throw QueueShutdown; gets drain what is left and then throw it too; every blocked caller is
/// released. task_done() and join(): a consumer says when it has finished with an item, join() waits for all that were put.
/// Waiters are served in the order in which the system wakes them; a running caller may come before a woken one.
/// Lifetime: it may be destroyed when no call is in progress; items inside are destroyed with it.
/// A queue without capacity allocates as it grows; one with capacity allocates in its constructor alone. Items are copied, moved
/// and compared with a lock held for a few instructions, on coroutines perhaps while another thread waits that touches them for
/// the first time: so that must not wait for anything, be it a mutex, nor use the queue.
template <class T, class Items, class B>
class BasicQueue {
  using State = QueueState<Items, B>;

 public:
  using value_type = T;
  using GetOperation = QueueGet<T, T, Items, B>;
  using TimedGetOperation = QueueGet<T, std::optional<T>, Items, B>;
  using PutOperation = QueuePut<T&&, Items, B>;
  using CopyOperation = QueuePut<const T&, Items, B>;
  using JoinOperation = QueueJoin<Items, B>;
  using ReadyOperation = QueueReady<Items, B>;
  using GetManyOperation = QueueGetMany<T, Items, B>;
  class iterator;

  /// At most `capacity` items, or any number if it is 0. Throws std::invalid_argument if it is 2^30 or more.
  explicit BasicQueue(std::size_t capacity = 0) : state_(capacity) {}
  /// The same, with something for the kind of queue: PriorityQueue takes a comparison.
  template <class Argument>
  explicit BasicQueue(std::size_t capacity, Argument&& for_items) : state_(capacity, std::forward<Argument>(for_items)) {}
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create. Whoever opens it finds it with
  /// the capacity that it has.
  template <NameTagOf<B> Tag>
  BasicQueue(Tag tag, std::string_view name, std::size_t capacity = 0) : state_(tag, name, capacity) {}
  template <NameTagOf<B> Tag, class Argument>
  BasicQueue(Tag tag, std::string_view name, std::size_t capacity, const Argument& for_items)
      : state_(tag, name, capacity, for_items) {}
  BasicQueue(const BasicQueue&) = delete;
  BasicQueue& operator=(const BasicQueue&) = delete;

  /// Waits for room and puts the item in: true, or false when it gave up. Throws QueueShutdown.
  typename B::template Result<bool> put(T&& item, const Until& until = Until::forever()) {
    state_->put_end.patience.linger();
    return B::run(put_op(std::move(item)), until);
  }
  typename B::template Result<bool> put(const T& item, const Until& until = Until::forever()) {
    state_->put_end.patience.linger();
    return B::run(put_op(item), until);
  }

  /// Puts the item in if there is room.
  bool try_put(T&& item) { return at_once(put_op(std::move(item))); }
  bool try_put(const T& item) { return at_once(put_op(item)); }

  /// Puts all items of the range in, one after the other; how many it put before it gave up or the queue was shut down.
  /// Throws QueueShutdown if it put none. Items that lie in memory are put as many at a time as there is room for.
  template <std::ranges::input_range R>
  typename B::template Result<std::size_t> put_many(R&& items, const Until& until = Until::forever()) {
    state_->put_end.patience.linger();
    return B::run(put_many_op(items), until);
  }

  /// Waits for an item and takes it out. Throws QueueShutdown when the queue was shut down and is empty.
  typename B::template Result<T> get() {
    state_->get_end.patience.linger();
    return B::run(get_op(), Until::forever());
  }

  /// The same; nothing when it gave up.
  typename B::template Result<std::optional<T>> get(const Until& until) {
    state_->get_end.patience.linger();
    return B::run(timed_get_op(), until);
  }

  /// Takes an item out if there is one.
  std::optional<T> try_get() {
    // Where the last look found something this one may as well, and the other end keeps its cache line.
    if (state_->get_end.patience.found_nothing() && state_->seems_empty()) return std::nullopt;
    return at_once(timed_get_op());
  }

  /// Waits for an item and takes up to n out at once; none when it gave up.
  typename B::template Result<std::vector<T>> get_many(std::size_t n, const Until& until = Until::forever()) {
    state_->get_end.patience.linger();
    return B::run(get_many_op(n), until);
  }

  /// Says that one item that was got is finished with. Throws TaskDoneTooOften, and changes nothing.
  void task_done() {
    if (!state_->finish_one()) fail<TaskDoneTooOften>();
  }

  /// Waits until every item that was put is finished with: true, or false when it gave up. At most 2^31 - 1 items may be
  /// unfinished.
  typename B::template Result<bool> join(const Until& until = Until::forever()) { return B::run(join_op(), until); }

  /// Ends the queue: see above. `immediate` drops the items that are left, and counts them as finished with. May be repeated.
  void shutdown(bool immediate = false) { state_->shutdown(immediate); }
  [[nodiscard]] bool is_shutdown() const noexcept { return state_->is_shut(); }

  /// At this moment.
  [[nodiscard]] std::size_t size() const noexcept { return state_->size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] bool full() const noexcept { return size() >= state_->limit; }

  /// As it was given to the constructor: 0 is unlimited.
  [[nodiscard]] std::size_t capacity() const noexcept { return state_->asked; }

  /// The caller keeps the item in its place until the operation is done, which moves from it only then.
  [[nodiscard]] PutOperation put_op(T&& item) { return {*state_, std::move(item)}; }
  [[nodiscard]] CopyOperation put_op(const T& item) { return {*state_, item}; }
  [[nodiscard]] GetOperation get_op() noexcept { return GetOperation(*state_); }
  [[nodiscard]] TimedGetOperation timed_get_op() noexcept { return TimedGetOperation(*state_); }
  [[nodiscard]] GetManyOperation get_many_op(std::size_t n) noexcept { return GetManyOperation(*state_, n); }
  [[nodiscard]] JoinOperation join_op() noexcept { return JoinOperation(*state_); }

  /// Waits until get() would not wait: there is an item, or the queue was shut down. Takes nothing.
  [[nodiscard]] ReadyOperation ready_op() noexcept { return ReadyOperation(*state_); }

  /// Wakes all who wait: for those among them who wait for something else as well, and look at that when they look anew.
  void rouse() { state_->rouse(); }

  /// Not for select(): it may have put a part when it gives up.
  template <std::ranges::input_range R>
  [[nodiscard]] auto put_many_op(R&& items) {
    return QueuePutMany<std::ranges::iterator_t<R>, std::ranges::sentinel_t<R>, Items, B>(*state_, std::ranges::begin(items),
                                                                                          std::ranges::end(items));
  }

  /// `for (T item : queue)` takes items out until the queue was shut down and is empty.
  [[nodiscard]] iterator begin() { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  /// Removes a name; those who have the queue keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  template <class O>
  static typename O::Result at_once(O operation) {
    operation.attempt();
    return operation.result();
  }

  typename B::template Storage<State> state_;
};

template <class T, class Items, class B>
class BasicQueue<T, Items, B>::iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;

  explicit iterator(BasicQueue& queue) : queue_(&queue) { next(); }
  iterator(iterator&&) = default;
  iterator& operator=(iterator&&) = default;

  T&& operator*() const noexcept { return std::move(*item_); }
  iterator& operator++() {
    next();
    return *this;
  }
  void operator++(int) { next(); }
  friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept { return !it.item_.has_value(); }

 private:
  void next() {
    item_.reset();
    try {
      item_.emplace(queue_->get());
    } catch (const QueueShutdown&) {
      // the end of the range
    }
  }

  BasicQueue* queue_;
  mutable std::optional<T> item_;
};

}  // namespace trine
