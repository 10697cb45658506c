// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <trine/backend.hpp>
#include <trine/error.hpp>
#include <trine/queue_index.hpp>
#include <trine/queue_items.hpp>
#include <trine/type_text.hpp>

namespace trine {

/// The algorithm of the queues: two ends, each with a short lock and an index. Whoever puts holds the one end, whoever gets holds
/// the other (where the items have a single lock, both ends have that). The store of an index publishes: until it nothing has
/// happened, after it all has. Each end remembers what it last saw of the other's index, and looks again only when that is not
/// enough, so that a producer and a consumer rarely touch each other's line; with room for one, all they need is in one line.
///
/// Those who wait for items raise the flag of the putting end, look for the last time, and sleep on the flag; who puts publishes
/// and then wakes. Those who wait for room do the same at the getting end. A woken one raises the flag again before it looks again,
/// and wakes another when there is more; so where the flag is down although somebody sleeps, one who was woken is on its way.
///
/// Where a party may die: until the store of an index nothing has happened, and the next owner of that end goes on from there; Items
/// that have more to keep in order are told, and mend it. What a put or get needs to know of its place comes from the indices, not
/// from what the dead one wrote. The two-lock queue is that of M. Michael and M. Scott (1996), as a ring.
template <class Items, class B>
struct QueueState : QueueIndex {
  using Word = typename B::Word;
  using Gate = typename B::ShortLock;
  /// What came of a try. fresh: there was none yet. must_wait: for the other end. held_up: somebody holds this end, and seems to
  /// keep it; slept: the same, and the operation has slept for that since. A new try is told what came of the last.
  enum class Tried : std::uint8_t { fresh, must_wait, held_up, slept, done, shut };

  // | bits of `finished` | meaning |
  // | 0    | sleepers: somebody may sleep in join() (may be stale-set, never stale-clear) |
  // | 1-31 | how many items were said to be finished with, modulo 2^31; equal to the putting end's: all of them |
  static constexpr std::uint32_t sleepers = 1;

  using End = QueueEnd<Items, B>;
  using Index = typename B::template Atomic<std::uint32_t>;

  template <class... Arguments>
  explicit QueueState(std::size_t capacity, Arguments&&... for_items)
      : limit(Items::places(checked(capacity))),
        asked(Items::fixed ? limit : static_cast<std::uint32_t>(capacity)),
        items(capacity, put_end.cursor, get_end.cursor, std::forward<Arguments>(for_items)...) {
    if constexpr (requires { items.lie_at(this + 1); }) items.lie_at(this + 1);
  }
  ~QueueState() requires(!Items::owns_memory) = default;
  ~QueueState() { items.free(get_end.cursor, size()); }

  static std::size_t checked(std::size_t capacity) {
    if (capacity >= most) throw std::invalid_argument("trine: queue: capacity must be less than 2^30");
    return capacity;
  }

  Gate& put_gate() noexcept { return put_end.gate; }
  Gate& get_gate() noexcept { return (Items::one_gate ? put_end : get_end).gate; }
  Index& put_index() noexcept { return limit == 1 ? of_one.put : put_end.index; }
  Index& get_index() noexcept { return limit == 1 ? of_one.get : get_end.index; }
  [[nodiscard]] const Index& put_index() const noexcept { return limit == 1 ? of_one.put : put_end.index; }
  [[nodiscard]] const Index& get_index() const noexcept { return limit == 1 ? of_one.get : get_end.index; }

  /// Holds an end, publishes at the end of the scope how far its index has come, and wakes those who wait for that.
  class Holding {
   public:
    Holding(QueueState& state, Gate& gate, End& end, Index& index, Tried last) : gate_(gate), end_(end), index_(index) {
      bool clean = true;
      held_ = gate_.lock_now(clean, last == Tried::slept);
      if (!held_) return;
      if (!clean) [[unlikely]] state.mend();
      was_ = index_.load(std::memory_order_relaxed);  // written with the gate held alone
    }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;
    [[gnu::always_inline]] ~Holding() {
      if (!held_) return;
      // Release: pairs with the acquire of the other end, which reads the items or uses their places.
      if (count != 0) index_.store(was_ + count * one, std::memory_order_release);
      gate_.unlock();
      if (count != 0) end_.waiting.wake(Items::uneven ? everyone : count);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return held_; }
    [[nodiscard]] std::uint32_t was() const noexcept { return was_; }

    std::uint32_t count = 0;  // how many items were put or got

   private:
    Gate& gate_;
    End& end_;
    Index& index_;
    std::uint32_t was_ = 0;
    bool held_;
  };

  static Tried held_up(Tried last) noexcept { return last == Tried::slept ? last : Tried::held_up; }

  using Place = QueuePlace<typename Items::Cursor>;

  /// How much memory behind the state the items need, where they are in one piece with it.
  template <class... Arguments>
  static std::size_t extra(std::size_t capacity, const Arguments&... for_items)
    requires requires { Items::extra(capacity, for_items...); }
  {
    return Items::extra(checked(capacity), for_items...);
  }

  /// What it is for those who find it by a name.
  static std::string type_text() {
    return std::string(Items::kind) + "<" + trine::type_text<typename Items::value_type>() + ">";
  }

  /// Whether a state of `bytes` that was found by a name can be used: it may have been damaged.
  [[nodiscard]] bool sound(std::size_t bytes) const noexcept {
    const auto* const begin = reinterpret_cast<const std::byte*>(this + 1);
    return asked < most && limit == Items::places(asked) &&
           items.sound(begin, reinterpret_cast<const std::byte*>(this) + bytes, limit);
  }

  /// Calls `fill(items, place, room, count)`, which puts up to `room` items in and counts them; would like to put `wanted`.
  template <class Fill>
  [[gnu::always_inline]] Tried put(Tried last, std::uint32_t wanted, Fill&& fill) {
    if (last == Tried::must_wait && still_full(put_index(), get_index(), limit)) return last;
    if (limit == 1) fetch_for_put<B>(items);
    Holding holding(*this, put_gate(), put_end, put_index(), last);
    if (!holding) [[unlikely]] return held_up(last);
    if ((holding.was() & closed) != 0) return Tried::shut;
    std::uint32_t inside = distance(put_end.other.read(), holding.was());
    if (limit - inside < wanted || looks_each_time) {
      const std::uint32_t got = get_index().load(std::memory_order_acquire);
      put_end.other.write() = got;
      inside = distance(got, holding.was());
      put_end.patience.found(limit - inside, !looks_each_time && inside != 0, holding.was() / one);
      if (inside >= limit) return Tried::must_wait;
    }
    Place place{put_end.cursor, holding.was() / one, inside};
    fill(items, place, limit - inside, holding.count);
    if (holding.count == limit - inside) put_end.patience.used_up();
    return holding.count != 0 ? Tried::done : Tried::must_wait;
  }

  /// Calls `drain(items, place, there, count)`, which takes up to `there` items out and counts them; would like `wanted`.
  template <class Drain>
  [[gnu::always_inline]] Tried get(Tried last, std::uint32_t wanted, Drain&& drain) {
    if (last == Tried::must_wait && seems_empty()) return last;
    if (limit == 1) fetch_for_get<B>(items);
    Holding holding(*this, get_gate(), get_end, get_index(), last);
    if (!holding) [[unlikely]] return held_up(last);
    std::uint32_t there = distance(holding.was(), get_end.other.read());
    if (there < wanted || looks_each_time) {
      const std::uint32_t put = put_index().load(std::memory_order_acquire);
      get_end.other.write() = put;
      there = distance(holding.was(), put);
      get_end.patience.found(there, !looks_each_time && there != limit, holding.was() / one);
      if (there == 0) return (put & closed) != 0 ? Tried::shut : Tried::must_wait;
    }
    Place place{get_end.cursor, holding.was() / one, there};
    drain(items, place, there, holding.count);
    if (holding.count == there) get_end.patience.used_up();
    return Tried::done;
  }

  [[nodiscard]] std::size_t size() const noexcept {
    // The getting end first: it can't overtake what the putting end shows later.
    const std::uint32_t got = get_index().load(std::memory_order_acquire);
    return std::min(distance(got, put_index().load(std::memory_order_acquire)), limit);
  }

  /// Whether a get would have to wait, without the gate: all was got that was put before the call.
  [[nodiscard]] bool seems_empty() const noexcept { return still_empty(put_index(), get_index()); }

  [[nodiscard]] bool is_shut() const noexcept { return (put_index().load(std::memory_order_acquire) & closed) != 0; }

  /// Whether all items are finished with. `done`: what `finished` held before.
  [[nodiscard]] bool all_finished(std::uint32_t done) const noexcept {
    // Later than `finished`, which never overtakes it: if they are equal now, they were equal then.
    return distance(done, put_index().load(std::memory_order_acquire)) == 0;
  }

  /// Counts one item as finished with; false, and nothing, if all are already.
  bool finish_one() {
    std::uint32_t done = finished.load(std::memory_order_relaxed);
    std::uint32_t next = 0;
    bool last = false;
    do {
      if (all_finished(done)) return false;
      next = done + one;
      last = all_finished(next);
      if (last) next &= ~sleepers;
      // Release: pairs with the acquire in join(); what was done with the item is visible to whoever joins.
    } while (!finished.compare_exchange_weak(done, next, std::memory_order_release, std::memory_order_relaxed));
    if (last && (done & sleepers) != 0) B::wake(finished, everyone);
    return true;
  }

  void rouse() { put_end.waiting.wake_all(), get_end.waiting.wake_all(); }

  void shutdown(bool immediate) {
    shut(put_gate(), put_end, put_index());
    shut(get_gate(), get_end, get_index());
    while (immediate && drop_one()) continue;
  }

  const std::uint32_t limit;
  const std::uint32_t asked;  // the capacity that was asked for; 0: unlimited, or as many as there is memory for
  alignas(64) End put_end;
  alignas(64) End get_end;
  alignas(64) Word finished{0};
  QueueIndicesOfOne<B> of_one;
  Items items;

 private:
  static constexpr bool looks_each_time = Items::one_gate || Items::uneven;

  // With an end held whose last owner died with it.
  void mend() noexcept {
    if constexpr (requires { items.mend(0U, 0U); }) {
      items.mend(put_index().load(std::memory_order_relaxed) / one, get_index().load(std::memory_order_relaxed) / one);
    }
  }

  void shut(Gate& gate, End& end, Index& index) {
    if (!gate.lock()) mend();
    index.fetch_or(closed, std::memory_order_release);
    gate.unlock();
    end.waiting.wake_all();
  }

  // An item's destructor runs with no gate held.
  bool drop_one() {
    std::optional<typename Items::Taken> dropped;
    const Tried tried = get(Tried::fresh, 1, [&dropped](Items& from, Place& place, std::uint32_t, std::uint32_t& count) {
      from.take(place, [&dropped](auto&& item) { dropped.emplace(std::move(item)); });
      ++count;
    });
    if (tried != Tried::done) return false;
    finish_one();
    return true;
  }
};

}  // namespace trine
