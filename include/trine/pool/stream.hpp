// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <trine/error.hpp>
#include <trine/pool/result.hpp>
#include <trine/until.hpp>

namespace trine {

/// Which result comes next: that of the first item whose result has not come, or the first that is there.
enum class PoolOrder { of_items, of_results };

/// What a PoolStream has: it stays where it is.
template <class Crew, class F, class R, std::ranges::view Items>
class PoolReading {
  using Item = typename Crew::template Sent<std::ranges::range_value_t<Items>>;
  using Chunk = std::shared_ptr<PoolResult<std::vector<R>>>;

 public:
  class iterator;

  PoolReading(std::shared_ptr<Crew> crew, F function, Items items, std::size_t chunk, PoolOrder order)
      : crew_(std::move(crew)),
        reading_(std::in_place, *crew_),
        function_(std::move(function)),
        items_(std::move(items)),
        next_(std::ranges::begin(items_)),
        chunk_(chunk),
        order_(order) {
    read_ahead();
  }
  PoolReading(const PoolReading&) = delete;
  PoolReading& operator=(const PoolReading&) = delete;

  auto next(const Until& until) {
    if (at_ == results_.size()) read_ahead();
    return crew_->wait([this] { return at_ < results_.size() || known(); }, until, [this](bool ready) -> std::optional<R> {
      if (!ready) fail<TimedOut>();
      if (at_ == results_.size() && !next_chunk()) return std::nullopt;
      return std::optional<R>(static_cast<R&&>(results_[at_++]));
    });
  }

  auto next_results() {
    read_ahead();
    return crew_->wait([this] { return known(); }, Until::forever(), [this](bool) -> std::optional<std::vector<R>> {
      if (!next_chunk()) return std::nullopt;
      at_ = 0;
      return std::exchange(results_, {});
    });
  }

 private:
  auto done() {
    return std::find_if(first(), last(), [](const Chunk& each) { return each->ready(); });
  }
  // Whether it is known what comes next.
  bool known() { return waiting_.empty() || done() != last(); }

  // Which is known. false: nothing.
  bool next_chunk() {
    if (waiting_.empty()) {
      if (cut_) std::rethrow_exception(std::exchange(cut_, nullptr));
      return false;
    }
    const auto at = done();
    const Chunk chunk = std::move(*at);
    waiting_.erase(at);
    read_ahead();  // the worker that did it has something to do again
    results_.clear();
    at_ = 0;
    results_ = std::move(chunk->value());
    return true;
  }

  auto first() { return waiting_.begin(); }
  auto last() { return order_ == PoolOrder::of_results || waiting_.empty() ? waiting_.end() : waiting_.begin() + 1; }

  void read_ahead() {
    while (reading_ && waiting_.size() < 4 * crew_->workers()) {
      std::vector<Item> items;
      const bool more = read(items);
      if (!items.empty()) hand_out(std::move(items));
      if (!more) reading_.reset();  // not before these are handed out
    }
  }

  // The items of the next chunk. false: there are no more then.
  bool read(std::vector<Item>& items) {
    try {
      const auto end = std::ranges::end(items_);
      if (next_ != end && !crew_->reads()) throw Error("trine: Pool: it ended before all items of the range were read");
      if constexpr (std::ranges::sized_range<Items>) items.reserve(std::min(chunk_, std::size_t{1} << 16));
      for (; items.size() < chunk_ && next_ != end; ++next_) items.push_back(Item(*next_));
      return next_ != end;
    } catch (...) {
      cut_ = std::current_exception();
      return false;
    }
  }

  // The pool may end at this moment. Else it is these items that can't be sent.
  void hand_out(std::vector<Item>&& items) {
    try {
      waiting_.push_back(crew_->template call_each<R>(function_, std::move(items), true));
    } catch (...) {
      if (!crew_->reads()) {
        if (!cut_) cut_ = std::current_exception();
        return reading_.reset();
      }
      auto failed = std::make_shared<PoolResult<std::vector<R>>>();
      failed->fail(std::current_exception());
      waiting_.push_back(std::move(failed));
    }
  }

  /// Says to the crew that items are being read.
  class Reading {
   public:
    explicit Reading(Crew& crew) : crew_(crew) { crew_.begin_reading(); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { crew_.end_reading(); }

   private:
    Crew& crew_;
  };

  std::shared_ptr<Crew> crew_;
  std::optional<Reading> reading_;  // until the range ends
  F function_;
  Items items_;
  std::ranges::iterator_t<Items> next_;
  const std::size_t chunk_;
  const PoolOrder order_;
  std::deque<Chunk> waiting_;
  std::exception_ptr cut_;  // why the range ends before its end
  std::vector<R> results_;
  std::size_t at_ = 0;
};

template <class Crew, class F, class R, std::ranges::view Items>
class PoolReading<Crew, F, R, Items>::iterator {
 public:
  using value_type = R;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  explicit iterator(PoolReading& reading) : reading_(&reading), result_(reading.next(Until::forever())) {}
  iterator(iterator&&) noexcept = default;
  iterator& operator=(iterator&&) noexcept = default;

  R& operator*() const noexcept { return *result_; }
  iterator& operator++() {
    result_ = reading_->next(Until::forever());
    return *this;
  }
  void operator++(int) { ++*this; }

  friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept { return !i.result_; }

 private:
  PoolReading* reading_;
  mutable std::optional<R> result_;
};

/// The results of a function that the workers of a pool call with the items of a range: an input range, which is gone through once.
///
///     for (int square : pool.imap(square_of, numbers)) print(square);
///
///     auto squares = pool.imap(square_of, numbers);  // in a Task, on any backend
///     while (auto square = co_await squares.next()) print(*square);
///
/// Of the items no more are read ahead than 4 chunks for each worker: the range may be endless. They are read by the thread that
/// asks for the results. What an item's task failed with is thrown where its result would come, once for its chunk; the rest can
/// be had afterwards. What reading an item throws ends the range there: it is thrown after the last result, once. So is Error
/// if the pool was joined or terminated before all items were read; after close() the range is read on.
template <class Crew, class F, class R, std::ranges::view Items>
class PoolStream {
  using Reading = PoolReading<Crew, F, R, Items>;

 public:
  using iterator = typename Reading::iterator;

  PoolStream(std::shared_ptr<Crew> crew, F function, Items items, std::size_t chunk, PoolOrder order)
      : reading_(std::make_unique<Reading>(std::move(crew), std::move(function), std::move(items), chunk, order)) {}

  /// Waits for the next result: it, or nothing after the last one. Throws what its task failed with, or TimedOut when it gave up:
  /// the result is not lost. To be awaited on coroutines, as on any backend where that is done.
  auto next(const Until& until = Until::forever()) { return reading_->next(until); }

  /// The results of the next chunk that is done, if one is left and none of it was taken.
  auto next_results() { return reading_->next_results(); }

  /// For callers that block. An adaptor of ranges may be put on it: `pool.imap(f, items) | std::views::take(3)`.
  iterator begin()
    requires(Crew::blocks)
  {
    return iterator(*reading_);
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::unique_ptr<Reading> reading_;
};

}  // namespace trine
