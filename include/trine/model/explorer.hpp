// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trine/model/exploration.hpp>
#include <utility>
#include <vector>

namespace trine::modelling {

/// What the modelled objects call: each operation is a step of the execution that runs.
class Explorer : public Exploration {
 public:
  static Explorer& current() {
    if (active() == nullptr) throw std::logic_error("trine: an object of the model backend is used outside model::check()");
    return static_cast<Explorer&>(*active());
  }
  static bool running() noexcept { return active() != nullptr; }

  std::size_t add_location(std::uint64_t value) {
    if (memory_.size() == most_locations) throw std::logic_error("trine: model: too many atomic variables in one body");
    return memory_.add(value);
  }

  /// The object is destroyed. That is a step: others may use it before, and must not after.
  void remove_location(std::size_t location) noexcept {
    if (location >= memory_.size()) return;
    if (!draining_ && threads_.others_alive()) begin(Step::change, location, Where{});
    memory_[location].alive = false;
  }

  std::uint64_t load(std::size_t location, std::memory_order order, const Where& where) {
    begin(Step::load, location, where, sequential(order));
    Location& from = memory_[location];
    if (draining_) return from.stores.back().value;
    const std::size_t store = store_for_load(location, order);
    const std::uint64_t value = memory_.load(me().knows, location, store, order);
    me().looked |= 1ULL << location;
    note(value);
    if (trace_.on()) say(order, "load", location, " = " + number(value) + (store == from.newest() ? "" : " (old)"));
    return value;
  }

  void store(std::size_t location, std::uint64_t value, std::memory_order order, const Where& where) {
    begin(Step::change, location, where, sequential(order));
    write_after(place_for(location, order), location, value, order, false);
    if (trace_.on()) say(order, "store", location, " = " + number(value));
  }

  template <class Change> std::uint64_t update(std::size_t location, std::memory_order order, const Where& where,
                                               const char* name, Change&& change) {
    begin(Step::change, location, where, sequential(order));
    const std::size_t store = place_for(location, order);
    const std::uint64_t value = memory_.load(me().knows, location, store, order);
    const std::uint64_t next = change(value);
    note(value);
    write_after(store, location, next, order, true);
    if (trace_.on()) say(order, name, location, ": " + number(value) + " -> " + number(next));
    return value;
  }

  bool compare_exchange(std::size_t location, std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                        std::memory_order failure, const Where& where) {
    begin(Step::change, location, where, sequential(success) || sequential(failure));
    const std::size_t store = store_for_exchange(location, expected, success, failure);
    const std::uint64_t value = memory_[location].stores[store].value;
    const bool same = value == expected;
    memory_.load(me().knows, location, store, same ? success : failure);
    note(value);
    if (same) {
      write_after(store, location, desired, success, true);
      if (trace_.on()) say(success, "compare_exchange", location, ": " + number(value) + " -> " + number(desired));
    } else {
      me().looked |= 1ULL << location;
      if (trace_.on())
        say(failure, "compare_exchange", location, " fails: " + number(value) + " is not " + number(expected));
    }
    expected = value;
    return same;
  }

  /// A load and a store, of what was read if it is not what was expected: others go on between the two, but for fences in all
  /// threads.
  bool exchange_between_fences(std::size_t location, std::uint64_t& expected, std::uint64_t desired, std::memory_order order,
                               const Where& where) {
    const std::uint64_t value = load(location, std::memory_order_relaxed, where);
    const bool same = value == std::exchange(expected, value);
    const std::uint64_t next = same ? desired : value;
    if (!same) order = std::memory_order_relaxed;
    threads_.keep_fences_out(true);
    begin(Step::change, location, where);
    threads_.keep_fences_out(false);
    write_after(place_for(location, order), location, next, order, false);
    if (trace_.on()) say(order, "store between fences", location, " = " + number(next));
    return same;
  }

  void fence(std::memory_order order, const Where& where) {
    begin(sequential(order) ? Step::sequential_fence : Step::fence, nowhere, where, sequential(order));
    memory_.fence(me().knows, order);
    if (trace_.on()) say(order, "fence", nowhere, "");
  }

  /// A full fence in every thread, as the kernel can make one.
  void fence_all(const Where& where) {
    begin(Step::fence_all, nowhere, where, true);
    for (int round = 0; round < 2; ++round) {
      for (std::size_t i = 0; i < threads_.count(); ++i) memory_.fence(threads_[i].knows, std::memory_order_seq_cst);
    }
    if (trace_.on()) say(std::memory_order_seq_cst, "fence in all threads", nowhere, "");
  }

  /// The words that the next sleep() of the caller watches, to be filled in.
  std::vector<Watched>& watched() noexcept {
    me().on.clear();
    return me().on;
  }

  /// Sleeps until one of the words is woken, if all hold their values. `may_time_out`: or until time is up, which it says.
  bool sleep(bool may_time_out, const Where& where) {
    begin_touching(Step::sleep, me().on, where);
    memory_.fence(me().knows, std::memory_order_seq_cst);  // the kernel's, before it compares
    for (const Watched& word : me().on) {
      const std::size_t store = store_for_load(word.location, std::memory_order_relaxed);
      // Of a wide word the low half is compared.
      const auto value =
          static_cast<std::uint32_t>(memory_.load(me().knows, word.location, store, std::memory_order_relaxed));
      note(value);
      if (value == word.value) continue;
      if (trace_.on()) say(std::memory_order_relaxed, "does not sleep on", word.location, ": it holds " + number(value));
      return false;
    }
    const Watched& first = me().on.front();
    if (trace_.on()) say(std::memory_order_relaxed, "sleeps on", first.location, " = " + number(first.value));
    threads_.fall_asleep(may_time_out);
    go_on();
    note(me().timed_out ? 1 : 0);
    return me().timed_out;
  }

  /// Wakes up to `count` of those who sleep on the address, the longest asleep first. The object there may be gone.
  void wake(const void* address, std::uint32_t count, const Where& where) {
    begin(Step::wake, nowhere, where, true);
    memory_.fence(me().knows, std::memory_order_seq_cst);
    rouse(address, count);
  }

  /// Stores and wakes without being a step of its own.
  void set_and_rouse(std::size_t location, const void* address, std::uint64_t value) {
    hidden_from_here();
    if (me().plain) ++me().knows.view.clock(threads_.running());
    me().plain = false;
    write_after(memory_[location].newest(), location, value, std::memory_order_seq_cst, false);
    rouse(address, 1);
  }

  /// Stores and wakes in one step of the system.
  void store_and_wake(std::size_t location, const void* address, std::uint64_t value, std::uint32_t count,
                      const Where& where) {
    begin(Step::wake, location, where, true);
    memory_.fence(me().knows, std::memory_order_seq_cst);
    const std::size_t newest = memory_[location].newest();
    memory_.load(me().knows, location, newest, std::memory_order_acq_rel);
    write_after(newest, location, value, std::memory_order_acq_rel, true);
    memory_.fence(me().knows, std::memory_order_seq_cst);  // who compares later finds the new value
    if (trace_.on()) say(std::memory_order_acq_rel, "store and wake", location, " = " + number(value));
    rouse(address, count);
  }

  // ---- deaths ----

  /// From here on the caller may be killed before each of its steps; or no more.
  void be_mortal(bool mortal) noexcept {
    me().mortal = mortal;
    threads_.expect_deaths();
  }

  /// A step that nobody else can see: all that may happen here is that the caller is killed.
  void private_step() {
    if (me().mortal) may_die();
  }

  [[nodiscard]] const Kernel& kernel() const noexcept { return options().kernel; }

  /// The caller, as the system knows it.
  Owner& owner() noexcept { return me().owner; }

  /// Puts a word on the caller's list. The links are in the object: it can't be on the list of another as well.
  void link(Owner& owner, const OwnedWord& word) {
    private_step();
    for (std::size_t i = 0; i < threads_.count(); ++i) {
      if (threads_[i].state != State::done && threads_[i].owner.owns(word.location)) find("a word is on the lists of two threads");
    }
    owner.list.push_back(word);
  }

  /// Whether the thread with this number has died. One who learns that knows all that the dead did.
  bool has_died(std::uint32_t id, const Where& where) {
    hidden_from_here();
    begin(Step::enquiry, nowhere, where, true);
    const ThreadState& thread = threads_[id - 1];
    const bool died = thread.killed && thread.state == State::done;
    if (died) me().knows.view.join(thread.knows.view);
    note(died ? 11 : 13);
    return died;
  }

  /// The caller's sleeps end after a while in any case; or no more.
  void sleep_in_slices(bool in_slices) noexcept {
    me().in_slices = in_slices;
    threads_.expect_deaths();
  }

  std::size_t spawn(std::unique_ptr<Runnable> function, const Where& where) {
    begin(Step::spawn, nowhere, where);
    if (threads_.count() == most_threads) throw std::logic_error("trine: model: too many threads in one body");
    const std::size_t id = add_thread(std::move(function));
    threads_[id].knows.view.join(me().knows.view);
    if (trace_.on()) say(std::memory_order_relaxed, "starts thread " + std::to_string(id), nowhere, "");
    return id;
  }

  void join(std::size_t id, const Where& where) {
    if (threads_[id].state != State::done) {
      me().state = State::joining;
      me().joins = id;
    }
    begin(Step::join, nowhere, where);
    threads_[id].joined = true;
    me().knows.view.join(threads_[id].knows.view);
    if (trace_.on()) say(std::memory_order_relaxed, "has joined thread " + std::to_string(id), nowhere, "");
  }

  void leak(std::size_t id) {
    if (!threads_[id].killed) find("thread " + std::to_string(id) + " was not joined: it is leaked");
  }

  /// Lets others go on before the caller looks again. What it has looked at it will see as new as it is now.
  void yield(const Where& where) {
    ThreadState& self = me();
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if ((self.looked >> i & 1U) == 0) continue;
      self.knows.fresh.seen(i) =
          static_cast<std::uint16_t>(std::max<std::size_t>(self.knows.fresh.seen(i), memory_[i].newest()));
    }
    self.looked = 0;
    const std::uint32_t changes = threads_.changes();
    begin(Step::yield, nowhere, where);
    me().next = Step::start;
    threads_.yield_is_over(changes);
    if (trace_.on()) say(std::memory_order_relaxed, "yields", nowhere, "");
  }

  /// From here on threads learn of each other in ways that are no steps: what follows must not be left out by their order.
  void hidden_from_here() noexcept { hidden_ = true; }

  /// Whether this execution is not one that is merely led to its end.
  [[nodiscard]] bool exploring() const noexcept { return !draining_; }

  [[nodiscard]] std::size_t self() const noexcept { return threads_.running(); }
  [[nodiscard]] const View& known() const noexcept { return threads_.me().knows.view; }

  /// The moment of a use of plain data, on the caller's clock. What it does in its next step comes after it, what it did in
  /// the last one before.
  std::uint16_t moment() noexcept {
    me().plain = true;
    me().told = me().history;
    return static_cast<std::uint16_t>(known().clock(self()) + 1);
  }

  void say_plain(std::string_view what, const void* address, const Where& where) {
    if (!trace_.on()) return;
    trace_.at(where);
    say(std::memory_order_relaxed,
        std::string(what) + " plain data at " + hexadecimal(reinterpret_cast<std::uintptr_t>(address)), nowhere, "");
  }

 private:
  using Places = std::array<std::uint16_t, 64>;

  void begin(Step step, std::size_t location, const Where& where, bool is_sequential = false) {
    if (location != nowhere && location >= memory_.size()) lost();
    begin_step(step, location == nowhere ? 0 : 1ULL << location, where, is_sequential);
    if (location != nowhere && !memory_[location].alive) find("an object is used after its destruction");
  }

  void begin_touching(Step step, std::span<const Watched> words, const Where& where) {
    std::uint64_t touches = 0;
    for (const Watched& word : words) {
      if (word.location >= memory_.size()) lost();
      touches |= 1ULL << word.location;
    }
    begin_step(step, touches, where, true);
    for (const Watched& word : words) {
      if (!memory_[word.location].alive) find("an object is used after its destruction");
    }
  }

  std::size_t store_for_load(std::size_t location, std::memory_order order) {
    const std::size_t newest = memory_[location].newest();
    if (!weak()) return newest;
    const std::size_t oldest =
        std::max<std::size_t>(memory_.oldest(me().knows, location, order), me().knows.fresh.seen(location));
    if (oldest == newest) return newest;
    Places possible;
    std::size_t count = 0;
    for (std::size_t i = newest + 1; i-- > oldest && count < possible.size();) {
      if (!memory_.needless(me().knows, location, i, oldest)) possible[count++] = static_cast<std::uint16_t>(i);
    }
    return possible[choose(count)];
  }

  // After which store a store or read-modify-write goes.
  std::size_t place_for(std::size_t location, std::memory_order order) {
    const std::size_t newest = memory_[location].newest();
    const std::size_t oldest = weak() ? memory_.oldest(me().knows, location, order) : newest;
    if (oldest == newest) return newest;
    Places open;
    std::size_t count = 0;
    for (std::size_t i = newest + 1; i-- > oldest && count < open.size();) {
      if (memory_.open_after(location, i)) open[count++] = static_cast<std::uint16_t>(i);
    }
    return open[choose(count)];
  }

  std::size_t store_for_exchange(std::size_t location, std::uint64_t expected, std::memory_order success,
                                 std::memory_order failure) {
    const auto& stores = memory_[location].stores;
    const std::size_t newest = stores.size() - 1;
    if (!weak()) return newest;
    const std::size_t to_write = memory_.oldest(me().knows, location, success);
    const std::size_t to_read =
        std::max<std::size_t>(memory_.oldest(me().knows, location, failure), me().knows.fresh.seen(location));
    Places possible;
    std::size_t count = 0;
    for (std::size_t i = newest + 1; i-- > std::min(to_write, to_read) && count < possible.size();) {
      const bool same = stores[i].value == expected;
      if (same ? i >= to_write && memory_.open_after(location, i) : i >= to_read) {
        possible[count++] = static_cast<std::uint16_t>(i);
      }
    }
    return possible[choose(count)];
  }

  void write_after(std::size_t before, std::size_t location, std::uint64_t value, std::memory_order order, bool follows) {
    threads_.changed();
    if (draining_) {
      memory_[location].stores.back().value = value;
      return;
    }
    if (!memory_.store(me().knows, location, before, value, order, follows)) return;
    memory_.shift_all(location, before + 1);
    for (std::size_t i = 0; i < threads_.count(); ++i) {
      Knowledge& knows = threads_[i].knows;
      if (i != threads_.running()) Memory::shift(knows.view, location, before + 1);
      Memory::shift(knows.acquired, location, before + 1);
      Memory::shift(knows.released, location, before + 1);
      Memory::shift(knows.fresh, location, before + 1);
    }
  }
};

}  // namespace trine::modelling
