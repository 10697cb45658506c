// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <source_location>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <trine/model/memory.hpp>
#include <trine/model/path.hpp>
#include <trine/model/report.hpp>
#include <trine/model/view.hpp>
#include <trine/os/context.hpp>

namespace trine::modelling {

using Where = std::source_location;

/// What a thread is about to do; two steps commute unless they touch one location and one of them changes it.
enum class Step : std::uint8_t { start, load, change, fence, sequential_fence, sleep, wake, spawn, join, finish };

/// Runs a body again and again, each time with other choices, until there are none left: which thread goes on at each step,
/// which store a load reads and where in the modification order a store goes, when a sleeper times out or wakes for no reason.
///
/// Threads are fibers of the calling thread, so an execution is deterministic but for its choices. An execution that comes to a
/// state (memory, what each thread knows and all it has read) seen before ends there: it is led to its end without choices, for
/// its destructors to run. Without a bound on preemptions, sleep sets (P. Godefroid) leave out the orders of steps that commute.
class Explorer {
 public:
  static constexpr std::size_t nowhere = most_locations;

  static Explorer& current() {
    if (active_ == nullptr) throw std::logic_error("trine: an object of the model backend is used outside model::check()");
    return *active_;
  }
  static bool running() noexcept { return active_ != nullptr; }

  Report check(const Options& options, std::function<void()> body) {
    if (active_ != nullptr) throw std::logic_error("trine: model::check() is called inside model::check()");
    options_ = options;
    body_ = std::move(body);
    active_ = this;
    const auto begin = std::chrono::steady_clock::now();
    explore(begin);
    if (!report_.finding_.empty()) tell();
    active_ = nullptr;
    report_.seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    report_.states_ = seen_.size();
    return std::move(report_);
  }

  // ---- what the modelled objects call ----

  std::size_t add_location(std::uint64_t value, const void* address) {
    if (memory_.size() == most_locations) throw std::logic_error("trine: model: too many atomic variables in one body");
    return memory_.add(value, address);
  }

  void remove_location(std::size_t location) noexcept { memory_[location].alive = false; }

  std::uint64_t load(std::size_t location, std::memory_order order, const Where& where) {
    begin(Step::load, location, where, sequential(order));
    const std::size_t newest = memory_[location].stores.size() - 1;
    const std::size_t oldest = weak() ? memory_.oldest(me().knows, location, order) : newest;
    const std::size_t store = newest - choose(newest - oldest + 1);
    const std::uint64_t value = memory_.load(me().knows, location, store, order);
    note(value, store);
    if (telling_) say(order, "load", location, " = " + number(value) + (store == newest ? "" : " (old)"));
    return value;
  }

  void store(std::size_t location, std::uint64_t value, std::memory_order order, const Where& where) {
    begin(Step::change, location, where, sequential(order));
    write_after(place_for(location, order), location, value, order, false);
    if (telling_) say(order, "store", location, " = " + number(value));
  }

  template <class Change>
  std::uint64_t update(std::size_t location, std::memory_order order, const Where& where, const char* name, Change&& change) {
    begin(Step::change, location, where, sequential(order));
    const std::size_t store = place_for(location, order);
    const std::uint64_t value = memory_.load(me().knows, location, store, order);
    const std::uint64_t next = change(value);
    note(value, store);
    write_after(store, location, next, order, true);
    if (telling_) say(order, name, location, ": " + number(value) + " -> " + number(next));
    return value;
  }

  bool compare_exchange(std::size_t location, std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                        std::memory_order failure, const Where& where) {
    begin(Step::change, location, where, sequential(success) || sequential(failure));
    const std::size_t store = choose_for_exchange(location, expected, success, failure);
    const std::uint64_t value = memory_[location].stores[store].value;
    const bool same = value == expected;
    memory_.load(me().knows, location, store, same ? success : failure);
    note(value, store);
    if (same) {
      write_after(store, location, desired, success, true);
      if (telling_) say(success, "compare_exchange", location, ": " + number(value) + " -> " + number(desired));
    } else if (telling_) {
      say(failure, "compare_exchange", location, " fails: " + number(value) + " is not " + number(expected));
    }
    expected = value;
    return same;
  }

  void fence(std::memory_order order, const Where& where) {
    begin(sequential(order) ? Step::sequential_fence : Step::fence, nowhere, where, sequential(order));
    memory_.fence(me().knows, order);
    if (telling_) say(order, "fence", nowhere, "");
  }

  /// A full fence in every thread, as the kernel can make one.
  void fence_all(const Where& where) {
    begin(Step::sequential_fence, nowhere, where, true);
    for (int round = 0; round < 2; ++round) {
      for (std::size_t i = 0; i < count_; ++i) memory_.fence(threads_[i].knows, std::memory_order_seq_cst);
    }
    if (telling_) say(std::memory_order_seq_cst, "fence in all threads", nowhere, "");
  }

  struct Watched {
    const void* address;
    std::size_t location;
    std::uint64_t value;
  };

  /// Sleeps until one of the words is woken, if all hold their values. `may_time_out`: or until time is up, which it says.
  bool sleep(std::span<const Watched> words, bool may_time_out, const Where& where) {
    begin(Step::sleep, words.front().location, where, true);
    memory_.fence(me().knows, std::memory_order_seq_cst);  // the kernel's, before it compares
    for (const Watched& word : words) {
      const std::size_t newest = memory_[word.location].stores.size() - 1;
      const std::size_t oldest = weak() ? memory_.oldest(me().knows, word.location, std::memory_order_relaxed) : newest;
      const std::size_t store = newest - choose(newest - oldest + 1);
      const std::uint64_t value = memory_.load(me().knows, word.location, store, std::memory_order_relaxed);
      note(value, store);
      if (value != word.value) {
        if (telling_) say(std::memory_order_relaxed, "does not sleep on", word.location, ": it holds " + number(value));
        return false;
      }
    }
    if (telling_) say(std::memory_order_relaxed, "sleeps on", words.front().location, " = " + number(words.front().value));
    Thread& self = me();
    self.state = State::asleep;
    self.may_time_out = may_time_out;
    self.timed_out = false;
    self.on.assign(words.begin(), words.end());
    sleepers_.push_back(running_);
    go_on();
    note(self.timed_out ? 1 : 0, 0);
    return self.timed_out;
  }

  /// Wakes up to `count` of those who sleep on the address, the longest asleep first. The object there may be gone.
  void wake(const void* address, std::uint32_t count, const Where& where) {
    begin(Step::wake, location_at(address), where, true, true);
    memory_.fence(me().knows, std::memory_order_seq_cst);
    rouse(address, count);
  }

  /// Stores and wakes without being a step of its own.
  void set_and_rouse(std::size_t location, const void* address, std::uint64_t value) {
    memory_.store(me().knows, location, memory_[location].stores.size() - 1, value, std::memory_order_seq_cst, false);
    rouse(address, 1);
  }

  void rouse(const void* address, std::uint32_t count) {
    for (std::size_t i = 0; i < sleepers_.size() && count > 0;) {
      Thread& sleeper = threads_[sleepers_[i]];
      bool here = false;
      for (const Watched& word : sleeper.on) here |= word.address == address;
      if (!here) {
        ++i;
        continue;
      }
      if (telling_) say(std::memory_order_relaxed, "wakes thread " + std::to_string(sleepers_[i]), nowhere, "");
      get_up(sleepers_[i]);
      --count;
    }
  }

  /// Something that the body learns from outside the model; executions in which it differs are different.
  void note(std::uint64_t value, std::uint64_t detail) noexcept {
    me().history = mix(mix(me().history, value), detail);
  }

  std::size_t spawn(std::function<void()> function, const Where& where) {
    begin(Step::spawn, nowhere, where);
    if (count_ == most_threads) throw std::logic_error("trine: model: too many threads in one body");
    const std::size_t id = add_thread(std::move(function));
    threads_[id].knows.view.join(me().knows.view);
    tick(threads_[id], id);
    if (telling_) say(std::memory_order_relaxed, "starts thread " + std::to_string(id), nowhere, "");
    return id;
  }

  void join(std::size_t id, const Where& where) {
    begin(Step::join, nowhere, where);
    if (threads_[id].state != State::done) {
      me().state = State::joining;
      me().joins = id;
      go_on();
    }
    threads_[id].joined = true;
    me().knows.view.join(threads_[id].knows.view);
    if (telling_) say(std::memory_order_relaxed, "has joined thread " + std::to_string(id), nowhere, "");
  }

  void leak(std::size_t id) { find("thread " + std::to_string(id) + " was neither joined nor finished: it is leaked"); }

  /// Lets others go on before the caller is looked at again.
  void yield(const Where& where) {
    me().yielded = true;
    begin(Step::start, nowhere, where);
  }

  [[nodiscard]] std::size_t self() const noexcept { return running_; }
  [[nodiscard]] const View& known() const noexcept { return threads_[running_].knows.view; }

  void find(const std::string& what) {
    if (!report_.finding_.empty() || draining_) return;
    report_.finding_ = what;
    if (telling_) trace_ += "    *** " + what + "\n";
    draining_ = true;
  }

  void say_plain(std::string_view what, const void* address, const Where& where) {
    if (!telling_) return;
    where_ = where;
    say(std::memory_order_relaxed, std::string(what) + " plain data " + name_of(address), nowhere, "");
  }
  [[nodiscard]] bool telling() const noexcept { return telling_; }

 private:
  enum class State : std::uint8_t { ready, asleep, joining, done };

  struct Thread {
    os::Context context;
    std::function<void()> function;
    Knowledge knows;
    std::uint64_t history = 0;
    State state = State::ready;
    Step next = Step::start;  // what it does when it goes on
    std::size_t location = nowhere;
    bool may_time_out = false;
    bool timed_out = false;
    bool yielded = false;
    bool joined = false;
    bool sequential = false;  // its next step is sequentially consistent
    std::size_t joins = 0;
    std::vector<Watched> on;
  };

  enum class How : std::uint8_t { goes_on, times_out, wakes_for_nothing };
  struct Transition {
    std::uint8_t thread;
    How how;
  };

  static constexpr std::size_t stack_size = std::size_t{256} * 1024;

  // ---- one execution ----

  void execute() {
    memory_.clear();
    count_ = 0;
    sleepers_.clear();
    sleep_set_ = 0;
    preemptions_ = 0;
    spurious_ = 0;
    steps_here_ = 0;
    draining_ = false;
    stuck_ = false;
    path_.rewind();
    add_thread(body_);
    running_ = 0;
    os::Context::change(host_, threads_[0].context);
    ++report_.executions_;
  }

  std::size_t add_thread(std::function<void()> function) {
    const std::size_t id = count_++;
    Thread& thread = threads_[id];
    thread.function = std::move(function);
    thread.knows = {};
    thread.history = id;
    thread.state = State::ready;
    thread.next = Step::start;
    thread.location = nowhere;
    thread.yielded = false;
    thread.joined = id == 0;
    thread.sequential = false;
    thread.on.clear();
    thread.context.prepare(&Explorer::run_thread, stack_size);
    tick(thread, id);
    return id;
  }

  static void tick(Thread& thread, std::size_t id) noexcept { ++thread.knows.view.clock(id); }

  static void run_thread() {
    Explorer& explorer = *active_;
    os::Context::arrived(*explorer.came_from_);
    {
      Thread& self = explorer.threads_[explorer.running_];
      try {
        self.function();
      } catch (const std::exception& e) {
        explorer.find(std::string("an exception left a thread: ") + e.what());
      } catch (...) {
        explorer.find("an exception left a thread");
      }
      self.function = nullptr;
      explorer.finish();
    }
    explorer.go_on();  // never back
    std::terminate();
  }

  void finish() {
    Thread& self = me();
    if (running_ == 0) {
      for (std::size_t i = 1; i < count_; ++i) {
        if (threads_[i].state != State::done) leak(i);
      }
    }
    self.state = State::done;
    self.next = Step::finish;
    self.location = nowhere;
    tick(self, running_);
    if (telling_) say(std::memory_order_relaxed, "ends", nowhere, "");
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].state == State::joining && threads_[i].joins == running_) threads_[i].state = State::ready;
    }
  }

  Thread& me() noexcept { return threads_[running_]; }
  [[nodiscard]] bool weak() const noexcept { return options_.weak_memory && !draining_; }

  /// Each step begins here: it says what it will be, and others may go first.
  void begin(Step step, std::size_t location, const Where& where, bool sequential = false, bool may_be_gone = false) {
    Thread& self = me();
    self.next = step;
    self.location = location;
    self.sequential = sequential;
    if (++steps_here_ > options_.steps) too_long();
    if (!draining_) go_on();
    self.yielded = false;
    where_ = where;
    tick(self, running_);
    self.history = mix(self.history, 0x51);
    if (location != nowhere && !may_be_gone && !memory_[location].alive) find("an object is used after its destruction");
  }

  void too_long() {
    if (draining_) {
      stuck_ = true;
      os::Context::change(me().context, to_host());
    }
    find("the execution does not end: " + std::to_string(options_.steps) + " steps (a livelock?)");
    steps_here_ = 0;
  }

  os::Context& to_host() noexcept {
    came_from_ = &me().context;
    return host_;
  }

  /// Chooses who goes on, and switches to it if it is another.
  void go_on() {
    const std::size_t from = running_;
    const std::optional<std::size_t> next = draining_ ? any_ready() : choose_next();
    if (next && *next == from) return;
    os::Context& mine = threads_[from].context;
    came_from_ = &mine;
    if (next) running_ = *next;
    os::Context::change(mine, next ? threads_[*next].context : host_);
  }

  std::optional<std::size_t> any_ready() {
    if (me().state == State::ready && !me().yielded) return running_;
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].state == State::ready && i != running_) return i;
    }
    if (me().state == State::ready) return running_;
    for (const std::size_t i : sleepers_) {
      if (!threads_[i].may_time_out) continue;
      threads_[i].timed_out = true;
      get_up(i);
      return i;
    }
    for (std::size_t i = 0; i < count_; ++i) stuck_ |= threads_[i].state != State::done;
    return {};
  }

  void get_up(std::size_t id) {
    threads_[id].state = State::ready;
    std::erase(sleepers_, id);
  }

  std::optional<std::size_t> choose_next() {
    ++report_.steps_;
    if (path_.fresh() && options_.merge_states && !random_ && !telling_ && come_before()) {
      draining_ = true;
      return any_ready();
    }
    std::array<Transition, 2 * most_threads> possible;
    std::size_t count = collect(possible);
    if (count == 0) {
      if (draining_) return any_ready();
      return nobody_can();
    }
    const std::size_t taken = random_ ? choose_at_random(possible, count) : choose(count);
    if (draining_) return any_ready();
    for (std::size_t i = 0; i < taken; ++i) {
      if (possible[i].how == How::goes_on) sleep_set_ |= 1U << possible[i].thread;
    }
    return take(possible[taken]);
  }

  std::size_t take(const Transition& transition) {
    const std::size_t next = transition.thread;
    if (transition.how == How::goes_on) {
      if (next != running_ && me().state == State::ready && !me().yielded) ++preemptions_;
    } else {
      threads_[next].timed_out = transition.how == How::times_out;
      if (transition.how == How::wakes_for_nothing) ++spurious_;
      if (telling_) trace_ += "    thread " + std::to_string(next) + (threads_[next].timed_out ? " times out\n" : " wakes for no reason\n");
      get_up(next);
      sleep_set_ = 0;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if ((sleep_set_ >> i & 1U) != 0 && (i == next || dependent(threads_[i], threads_[next]))) sleep_set_ &= ~(1U << i);
    }
    return next;
  }

  // Sleeping and waking fence, and a fence changes what sequentially consistent operations may read.
  static bool fences(const Thread& thread) noexcept {
    return thread.next == Step::sequential_fence || thread.next == Step::sleep || thread.next == Step::wake;
  }
  static bool dependent(const Thread& a, const Thread& b) noexcept {
    if ((fences(a) && b.sequential) || (fences(b) && a.sequential)) return true;
    return a.location == b.location && a.location != nowhere && (a.next != Step::load || b.next != Step::load);
  }

  // Going on comes first, and the one that runs before all others.
  std::size_t collect(std::array<Transition, 2 * most_threads>& possible) {
    std::size_t count = 0;
    const bool can_stay = me().state == State::ready && !me().yielded;
    const bool must_stay = can_stay && options_.preemptions != Options::unbounded && preemptions_ >= options_.preemptions;
    const bool use_sleep_set = options_.preemptions == Options::unbounded && !random_;
    bool asleep_in_set = false;
    const auto add = [&](std::size_t i) {
      if (use_sleep_set && (sleep_set_ >> i & 1U) != 0) {
        asleep_in_set = true;
      } else {
        possible[count++] = {static_cast<std::uint8_t>(i), How::goes_on};
      }
    };
    if (can_stay) add(running_);
    if (must_stay) return finish_collecting(count, asleep_in_set);
    for (const bool yielded : {false, true}) {
      if (yielded && (count != 0 || asleep_in_set)) break;
      for (std::size_t i = 0; i < count_; ++i) {
        if (threads_[i].state == State::ready && threads_[i].yielded == yielded && !(i == running_ && can_stay)) add(i);
      }
    }
    for (const std::size_t i : sleepers_) {
      if (threads_[i].may_time_out) possible[count++] = {static_cast<std::uint8_t>(i), How::times_out};
      if (spurious_ < options_.spurious_wakes && count < possible.size() && (count != 0 || asleep_in_set)) {
        possible[count++] = {static_cast<std::uint8_t>(i), How::wakes_for_nothing};
      }
    }
    return finish_collecting(count, asleep_in_set);
  }

  // All that could go on has been looked at in another order of the same steps.
  std::size_t finish_collecting(std::size_t count, bool asleep_in_set) {
    if (count == 0 && asleep_in_set) draining_ = true;
    return count;
  }

  std::optional<std::size_t> nobody_can() {
    std::string who;
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].state == State::asleep) {
        who += " thread " + std::to_string(i) + " sleeps on " + name_of(threads_[i].on.front().address) + ";";
      } else if (threads_[i].state == State::joining) {
        who += " thread " + std::to_string(i) + " waits for thread " + std::to_string(threads_[i].joins) + ";";
      }
    }
    if (!who.empty()) {
      find("deadlock:" + who);
      stuck_ = true;
    }
    return {};
  }

  // ---- choices ----

  std::size_t choose(std::size_t count) {
    if (count == 1 || draining_) return 0;
    std::size_t first = 0;
    if (random_ && path_.fresh()) first = engine_() % 10 < 7 ? 0 : engine_() % count;
    const auto taken = path_.choose(count, first);
    if (taken) return *taken;
    find("the body is not deterministic (or the replay string is that of another): it had other choices than before");
    return 0;
  }

  // Priorities that change now and then find bugs of small depth with known probability (S. Burckhardt et al., 2010).
  std::size_t choose_at_random(const std::array<Transition, 2 * most_threads>& possible, std::size_t count) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < count; ++i) {
      if (priority_[possible[i].thread] > priority_[possible[best].thread]) best = i;
    }
    if (engine_() % 16 == 0) priority_[possible[best].thread] = static_cast<std::uint32_t>(engine_()) >> 8U;
    if (engine_() % 16 == 0) best = engine_() % count;
    if (count == 1) return 0;
    const auto taken = path_.choose(count, best);
    return taken ? *taken : 0;
  }

  // After which store a store or read-modify-write goes.
  std::size_t place_for(std::size_t location, std::memory_order order) {
    const std::size_t newest = memory_[location].stores.size() - 1;
    const std::size_t oldest = weak() ? memory_.oldest(me().knows, location, order) : newest;
    std::array<std::uint16_t, 64> open;
    std::size_t count = 0;
    for (std::size_t i = newest + 1; i-- > oldest && count < open.size();) {
      if (memory_.open_after(location, i)) open[count++] = static_cast<std::uint16_t>(i);
    }
    return open[choose(count)];
  }

  std::size_t choose_for_exchange(std::size_t location, std::uint64_t expected, std::memory_order success,
                                  std::memory_order failure) {
    const auto& stores = memory_[location].stores;
    const std::size_t newest = stores.size() - 1;
    const std::size_t oldest_success = weak() ? memory_.oldest(me().knows, location, success) : newest;
    const std::size_t oldest_failure = weak() ? memory_.oldest(me().knows, location, failure) : newest;
    std::array<std::uint16_t, 64> possible;
    std::size_t count = 0;
    for (std::size_t i = newest + 1; i-- > std::min(oldest_success, oldest_failure) && count < possible.size();) {
      const bool same = stores[i].value == expected;
      if (same ? i >= oldest_success && memory_.open_after(location, i) : i >= oldest_failure) {
        possible[count++] = static_cast<std::uint16_t>(i);
      }
    }
    return possible[choose(count)];
  }

  void write_after(std::size_t before, std::size_t location, std::uint64_t value, std::memory_order order, bool follows) {
    if (memory_.store(me().knows, location, before, value, order, follows)) {
      memory_.shift_all(location, before + 1);
      for (std::size_t i = 0; i < count_; ++i) {
        Knowledge& knows = threads_[i].knows;
        if (i != running_) Memory::shift(knows.view, location, before + 1);
        Memory::shift(knows.acquired, location, before + 1);
        Memory::shift(knows.released, location, before + 1);
      }
    }
    note(before, value);
  }

  // ---- states ----

  bool come_before() {
    std::uint64_t state = mix(memory_.hash(), running_);
    for (std::size_t i = 0; i < count_; ++i) {
      const Thread& thread = threads_[i];
      state = mix(state, mix(thread.history, mix(thread.knows.view.hash(), static_cast<std::uint64_t>(thread.state))));
      state = mix(state, mix(mix(thread.knows.acquired.hash(), thread.knows.released.hash()),
                             (thread.yielded ? 2U : 0U) | (thread.timed_out ? 1U : 0U)));
      state = mix(state, mix(static_cast<std::uint64_t>(thread.next), thread.location));
    }
    for (const std::size_t i : sleepers_) state = mix(state, i);
    state = mix(state, static_cast<std::uint64_t>(spurious_));
    if (options_.preemptions != Options::unbounded) state = mix(state, static_cast<std::uint64_t>(preemptions_));
    const auto [known, is_new] = seen_.try_emplace(state, sleep_set_);
    if (is_new) return false;
    // Seen, but only if no more steps were left out then than would be now.
    if ((known->second & ~sleep_set_) == 0) return true;
    known->second &= sleep_set_;
    return false;
  }

  // ---- all executions ----

  void explore(std::chrono::steady_clock::time_point begin) {
    random_ = options_.random_seed != 0;
    path_.clear();
    seen_.clear();
    if (!options_.replay.empty()) {
      if (!path_.parse(options_.replay)) throw std::invalid_argument("trine: model: replay is not a replay string");
      replaying_ = true;
      execute();
      replaying_ = false;
      return;
    }
    for (;;) {
      if (random_) {
        engine_.seed(options_.random_seed + report_.executions_);
        for (auto& priority : priority_) priority = static_cast<std::uint32_t>(engine_()) >> 4U;
        path_.clear();
      }
      execute();
      if (!report_.finding_.empty()) return;
      if (!random_ && !path_.advance()) {
        report_.complete_ = true;
        return;
      }
      if (report_.executions_ >= options_.executions) return;
      if (options_.time != std::chrono::nanoseconds::max() && report_.executions_ % 256 == 0 &&
          std::chrono::steady_clock::now() - begin >= options_.time) {
        return;
      }
    }
  }

  // The failing execution once more, with its steps written down.
  void tell() {
    report_.replay_ = path_.text();
    const std::uint64_t executions = report_.executions_;
    std::string finding = std::exchange(report_.finding_, {});
    telling_ = true;
    path_.parse(report_.replay_);
    execute();
    telling_ = false;
    report_.trace_ = std::exchange(trace_, {});
    report_.finding_ = std::move(finding);
    report_.executions_ = executions;
  }

  // ---- words ----

  static std::string number(std::uint64_t value) {
    if (value < 1000) return std::to_string(value);
    std::array<char, 24> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
    return "0x" + std::string(text.data(), end);
  }

  static std::string_view name(std::memory_order order) noexcept {
    switch (order) {
      case std::memory_order_relaxed:
        return "relaxed";
      case std::memory_order_acquire:
      case std::memory_order_consume:
        return "acquire";
      case std::memory_order_release:
        return "release";
      case std::memory_order_acq_rel:
        return "acq_rel";
      default:
        return "seq_cst";
    }
  }

  std::size_t location_at(const void* address) noexcept {
    for (std::size_t i = memory_.size(); i-- > 0;) {
      if (memory_[i].alive && memory_[i].address == address) return i;
    }
    return nowhere;
  }

  std::string name_of(const void* address) {
    const std::size_t location = location_at(address);
    if (location != nowhere) return "#" + std::to_string(location);
    std::array<char, 24> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), reinterpret_cast<std::uintptr_t>(address), 16).ptr;
    return "at " + std::string(text.data(), end);
  }

  void say(std::memory_order order, const std::string& what, std::size_t location, const std::string& how) {
    std::string_view file = where_.file_name();
    if (const std::size_t slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
    trace_ += "    thread " + std::to_string(running_) + "  " + what;
    if (location != nowhere) trace_ += " #" + std::to_string(location);
    trace_ += how;
    if (order != std::memory_order_relaxed) trace_ += "  (" + std::string(name(order)) + ")";
    trace_ += "  " + std::string(file) + ":" + std::to_string(where_.line()) + "\n";
  }

  inline static thread_local Explorer* active_ = nullptr;

  Options options_;
  std::function<void()> body_;
  Report report_;
  std::array<Thread, most_threads> threads_;
  std::size_t count_ = 0;
  std::size_t running_ = 0;
  os::Context host_;
  os::Context* came_from_ = &host_;
  Memory memory_;
  std::vector<std::size_t> sleepers_;  // in the order in which they fell asleep
  Path path_;
  std::unordered_map<std::uint64_t, std::uint32_t> seen_;  // states, and the sleep set with which they were left
  std::uint32_t sleep_set_ = 0;                            // threads whose next step was tried in another order already
  int preemptions_ = 0;
  int spurious_ = 0;
  std::uint32_t steps_here_ = 0;
  bool draining_ = false;  // the execution is led to its end without choices
  bool stuck_ = false;     // it can't be
  bool random_ = false;
  bool replaying_ = false;
  bool telling_ = false;
  std::string trace_;
  Where where_;
  std::mt19937_64 engine_;
  std::array<std::uint32_t, most_threads> priority_{};
};

}  // namespace trine::modelling
