// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trine/model/memory.hpp>
#include <trine/model/path.hpp>
#include <trine/model/report.hpp>
#include <trine/model/schedule.hpp>
#include <trine/model/seen.hpp>
#include <trine/model/thread.hpp>
#include <trine/model/trace.hpp>
#include <trine/os/context.hpp>
#include <utility>

namespace trine::modelling {

/// Runs a body again and again, each time with other choices, until there are none left: which thread goes on at each step,
/// which store a load reads and where in the modification order a store goes, when a sleeper times out or wakes for no
/// reason.
///
/// Threads are fibers of the calling thread, so an execution is deterministic but for its choices. An execution that comes
/// to a state (memory, what each thread knows and all it has read) seen before ends there: it is drained, that is led to its
/// end without choices, for its destructors to run. So is one in which something was found.
class Execution {
 public:
  Execution() = default;
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  Report check(const Options& options, std::function<void()> body) {
    if (active_ != nullptr) throw std::logic_error("trine: model::check() is called inside model::check()");
    options_ = options;
    options_.steps = std::min<std::uint32_t>(options_.steps, 30'000);  // clocks and indices of stores have sixteen bits
    body_ = std::move(body);
    const auto start = std::chrono::steady_clock::now();
    explore(start);
    if (!report_.finding_.empty()) tell();
    report_.seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report_.states_ = seen_.size();
    return std::move(report_);
  }

  void find(const std::string& what) {
    if (draining_ || !report_.finding_.empty()) return;
    report_.finding_ = what;
    if (trace_.on()) report_.trace_ = trace_.end(what);
    draining_ = true;
  }

  /// Something that the running thread learns; executions in which it differs are different.
  void note(std::uint64_t value) noexcept { me().history = mix(me().history, value); }

  /// What the running thread does from here on depends on `value` alone, not on what it has learnt before.
  void forget(std::uint64_t value) noexcept { me().history = mix(me().told, value); }

 protected:
  static Execution* active() noexcept { return active_; }

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  ThreadState& me() noexcept { return threads_.me(); }
  [[nodiscard]] bool weak() const noexcept { return options_.weak_memory && !draining_; }

  /// Each step begins here: it says what it will be, and others may go first.
  void begin_step(Step step, std::uint64_t touches, const Where& where, bool is_sequential) {
    ThreadState& self = me();
    self.next = step;
    self.touches = touches;
    self.sequential = is_sequential;
    if (++steps_here_ > options_.steps) too_long();
    if (self.mortal) [[unlikely]]
      may_die();
    if (!draining_ || step == Step::yield || self.state != State::ready) go_on();
    if (draining_) return;
    trace_.at(where);
    if (self.plain) ++self.knows.view.clock(threads_.running());
    self.plain = false;
    self.history = mix(self.history, static_cast<std::uint64_t>(step) + (touches << 8U));
  }

  /// Chooses who goes on, and switches to it if it is another.
  void go_on() {
    const std::size_t from = threads_.running();
    const std::optional<std::size_t> next = draining_ ? any() : choose_next();
    if (next && *next == from) return;
    if (next) threads_.run(*next);
    const bool for_ever = threads_[from].state == State::done || threads_[from].state == State::dying;
    switch_to(threads_[from].context, next ? threads_[*next].context : host_, for_ever);
  }

  /// The running thread is killed here, or goes on.
  void may_die() {
    if (draining_ || threads_.killed() >= options_.kills) return;
    const std::uint32_t before = path_.fresh() ? open_deaths_ + 1 : 0;
    if (choose(2) == 0) {
      open_deaths_ = before;
      return;
    }
    die(threads_.running());
    go_on();  // never back
    std::terminate();
  }

  /// Wakes up to `count` of those who sleep on the address, the longest asleep first. The object there may be gone.
  void rouse(const void* address, std::uint32_t count) {
    const auto& sleepers = threads_.sleepers();
    for (std::size_t i = 0; i < sleepers.size() && count > 0;) {
      const std::size_t id = sleepers[i];
      const auto& on = threads_[id].on;
      if (std::none_of(on.begin(), on.end(), [&](const Watched& word) { return word.address == address; })) {
        ++i;
        continue;
      }
      if (trace_.on()) say(std::memory_order_relaxed, "wakes thread " + std::to_string(id), nowhere, "");
      threads_.get_up(id);
      --count;
    }
  }

  std::size_t choose(std::size_t count) {
    if (count == 1 || draining_) return 0;
    return choose(count, random_ && engine_() % 10 >= 7 ? engine_() % count : 0);
  }
  std::size_t choose(std::size_t count, std::size_t first) {
    const bool fresh = path_.fresh();
    open_deaths_ = 0;
    std::uint64_t mark = steps_here_ * most_threads + threads_.running();
    for (std::size_t i = 0; i < threads_.count(); ++i) {
      mark = mark * 0x9e3779b97f4a7c15U + threads_[i].touches * 16 + static_cast<std::uint64_t>(threads_[i].next);
    }
    if (fresh && replaying_) {
      find(another_body);
    } else if (const auto taken = path_.choose(count, static_cast<std::uint32_t>(mark >> 32U), first)) {
      return *taken;
    } else {
      find(replaying_ ? another_body : "the body is not deterministic: it had other choices than before");
    }
    return 0;
  }

  std::size_t add_thread(std::unique_ptr<Runnable> function) {
    const std::size_t id = threads_.add(&Execution::run_thread, stack_size);
    threads_[id].function = std::move(function);
    ++threads_[id].knows.view.clock(id);
    return id;
  }

  /// The running thread uses an object that is no more: it can't go on.
  [[noreturn]] void lost() {
    find("an object is used after its destruction");
    abandon();
  }

  void say(std::memory_order order, const std::string& what, std::size_t location, const std::string& how) {
    trace_.say(threads_.running(), order, what, location, how);
  }

 private:
  static constexpr std::size_t stack_size = std::size_t{256} * 1024;
  static constexpr const char* another_body = "the replay string is that of another body: it does not fit";

  struct Activity {
    explicit Activity(Execution* execution) noexcept { active_ = execution; }
    Activity(const Activity&) = delete;
    Activity& operator=(const Activity&) = delete;
    ~Activity() { active_ = nullptr; }
  };

  // ---- one execution ----

  void execute() {
    memory_.clear();
    threads_.clear();
    steps_here_ = open_deaths_ = 0;
    draining_ = false;
    path_.rewind();
    {
      const Activity activity(this);
      add_thread({});
      threads_.run(0);
      switch_to(host_, threads_[0].context, false);
    }
    ++report_.executions_;
    // What a thread that could not be led to its end holds, is nobody's; but its function may go.
    for (std::size_t i = 0; i < threads_.count(); ++i) threads_[i].function.reset();
  }

  void switch_to(os::Context& from, os::Context& to, bool for_ever) {
    came_from_ = &from;
    if (for_ever) {
      os::Context::leave(from, to);
    } else {
      os::Context::change(from, to);
    }
  }

  static void run_thread() {
    Execution& execution = *active_;
    os::Context::arrived(*execution.came_from_);
    execution.run_function();
    execution.go_on();  // never back
    std::terminate();
  }

  void run_function() {
    ThreadState& self = me();
    try {
      if (threads_.running() == 0) {
        body_();
      } else {
        self.function->run();
      }
    } catch (const std::exception& e) {
      find(std::string("an exception left a thread: ") + e.what());
    } catch (...) {
      find("an exception left a thread");
    }
    self.function.reset();
    if (threads_.running() == 0) {
      for (std::size_t i = 1; i < threads_.count(); ++i) {
        if (!threads_[i].joined && !threads_[i].killed) find("thread " + std::to_string(i) + " was not joined: it is leaked");
      }
    }
    if (self.plain) ++self.knows.view.clock(threads_.running());
    self.plain = false;
    threads_.lay_out(threads_.running(), options_.kernel);
    if (trace_.on()) say(std::memory_order_relaxed, "ends", nowhere, "");
  }

  // ---- deaths ----

  void die(std::size_t id) {
    if (trace_.on()) trace_.line("thread " + std::to_string(id) + "  is killed");
    threads_.kill(id);
    threads_.lay_out(id, options_.kernel);
  }

  // The system sees to the next of the words that a dead thread owned, and at last to the one that it had noted.
  void bury(std::size_t id) {
    Owner& owner = threads_[id].owner;
    const bool is_noted = owner.list.empty();
    const OwnedWord word = is_noted ? *owner.noted : owner.list.back();
    if (is_noted) {
      owner.noted.reset();
    } else {
      owner.list.pop_back();
    }
    const bool comes_last = !is_noted && owner.noted && owner.noted->location == word.location;
    if (!comes_last || !memory_[word.location].alive) mark_dead(id, word, is_noted);
    threads_.wake_up_all_steps();
    if (owner.has_nothing()) threads_.finish(id);
  }

  void mark_dead(std::size_t id, const OwnedWord& word, bool is_noted) {
    static constexpr std::uint64_t owners = (1U << 30) - 1;
    static constexpr std::uint64_t died = 1U << 30;
    static constexpr std::uint64_t sleepers = 1U << 31;
    Location& at = memory_[word.location];
    if (!at.alive) {
      if (!is_noted) find("a thread ended that owned something which is destroyed");
      return;
    }
    const std::uint64_t held = at.stores.back().value;
    Knowledge& knows = threads_[id].knows;
    if (!draining_) memory_.fence(knows, std::memory_order_seq_cst);
    if (is_noted && (held & owners) == 0) {
      if (options_.kernel.wakes_for_noted) rouse(word.address, 1);
    } else if ((held & owners) == threads_[id].owner.id) {
      const std::uint64_t marked = (options_.kernel.keeps_mark ? held & sleepers : 0) | (options_.kernel.marks ? died : 0);
      if (trace_.on()) trace_.line("thread " + std::to_string(id) + "  is dead: #" + std::to_string(word.location) + " = " + number(marked));
      threads_.changed();
      if (draining_) {
        at.stores.back().value = marked;
      } else {
        memory_.load(knows, word.location, at.newest(), std::memory_order_acq_rel);
        memory_.store(knows, word.location, at.newest(), marked, std::memory_order_acq_rel, true);
        memory_.fence(knows, std::memory_order_seq_cst);  // who compares later finds the new value
      }
      if ((held & sleepers) != 0 && options_.kernel.wakes) rouse(word.address, 1);
    }
  }

  // Who goes on when there is nothing to choose.
  std::optional<std::size_t> any() {
    while (const auto id = threads_.dying()) bury(*id);
    return threads_.any();
  }

  [[noreturn]] void abandon() {
    switch_to(me().context, host_, true);
    std::terminate();
  }

  void too_long() {
    if (draining_) abandon();
    find("the execution does not end: " + std::to_string(options_.steps) + " steps (a livelock?)");
    steps_here_ = 0;
  }

  std::optional<std::size_t> choose_next() {
    for (;;) {
      ++report_.steps_;
      Schedule::Transitions possible;
      bool pruned = false;
      std::size_t count = threads_.collect(possible, options_, reducing_, pruned);
      if (threads_.expects_deaths()) [[unlikely]]
        count = threads_.collect_deaths(possible, count, options_, memory_);
      if (count == 0 && !pruned) return nobody_can();
      if (count == 0 || ((count > 1 || threads_.expects_deaths()) && come_before())) {
        draining_ = true;
        return any();
      }
      const std::size_t taken = count == 1 ? 0 : choose(count, random_ ? at_random(possible, count) : 0);
      if (draining_) return any();
      const Transition& transition = possible[taken];
      if (trace_.on()) tell(transition);
      if (transition.how == How::dies) {
        die(transition.thread);
        threads_.wake_up_all_steps();
      } else if (transition.how == How::is_buried) {
        bury(transition.thread);
      } else {
        return threads_.take(possible, taken, memory_, reducing_);
      }
    }
  }

  void tell(const Transition& transition) {
    const std::string who = "thread " + std::to_string(transition.thread);
    if (transition.how == How::times_out) trace_.line(who + "  times out");
    if (transition.how == How::wakes_for_nothing) trace_.line(who + "  wakes for no reason");
    if (transition.how == How::looks_again) trace_.line(who + "  wakes, for its slice of sleep is over");
  }

  std::optional<std::size_t> nobody_can() {
    std::string who;
    for (std::size_t i = 0; i < threads_.count(); ++i) {
      const ThreadState& thread = threads_[i];
      if (thread.state == State::asleep) {
        who += " thread " + std::to_string(i) + " sleeps on #" + std::to_string(thread.on.front().location) + ";";
      } else if (thread.state == State::joining) {
        who += " thread " + std::to_string(i) + " waits for thread " + std::to_string(thread.joins) + ";";
      }
    }
    if (!who.empty()) find("deadlock:" + who);
    return {};
  }

  // Priorities that change now and then find bugs of small depth with known probability (S. Burckhardt et al., 2010).
  std::size_t at_random(const Schedule::Transitions& possible, std::size_t count) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < count; ++i) {
      if (priority_[possible[i].thread] > priority_[possible[best].thread]) best = i;
    }
    if (engine_() % 16 == 0) priority_[possible[best].thread] = static_cast<std::uint32_t>(engine_()) >> 8U;
    return engine_() % 16 == 0 ? engine_() % count : best;
  }

  // ---- states ----

  bool come_before() {
    if (!options_.merge_states || random_ || replaying_ || !path_.fresh()) return false;
    threads_.forget_the_unreadable(memory_);
    const std::uint64_t state = mix(memory_.hash(), threads_.hash(options_, memory_.size()));
    if (!seen_.visit(state, threads_.sleep_set())) return false;
    // Whoever came to this state before could have died on the way as well.
    path_.close(open_deaths_);
    return true;
  }

  // ---- all executions ----

  void explore(std::chrono::steady_clock::time_point start) {
    random_ = options_.random_seed != 0;
    const bool timed = options_.time != std::chrono::nanoseconds::max();
    if (!options_.replay.empty()) return replay();
    if (random_ && !timed && options_.executions == Options().executions) {
      throw std::invalid_argument("trine: model: random walks need a limit");
    }
    reducing_ = options_.reduce && !random_ && options_.preemptions == Options::unbounded;
    begin_anew();
    for (;;) {
      if (random_) new_walk();
      execute();
      if (!report_.finding_.empty()) return;
      if (reducing_ && hidden_) {
        reducing_ = false;
        begin_anew();
        continue;
      }
      if (!random_ && !path_.advance()) {
        report_.complete_ = true;
        return;
      }
      if (report_.executions_ >= options_.executions) return;
      if (timed && report_.executions_ % 64 == 0 && std::chrono::steady_clock::now() - start >= options_.time) return;
    }
  }

  void begin_anew() {
    path_.clear();
    seen_.clear();
  }

  void new_walk() {
    engine_.seed(options_.random_seed + report_.executions_);
    for (auto& priority : priority_) priority = static_cast<std::uint32_t>(engine_()) >> 4U;
    path_.clear();
  }

  // ---- replay ----

  // What decides which choices there are, and the choices.
  [[nodiscard]] std::string replay_text() const {
    return std::to_string(options_.preemptions + 1) + "," + std::to_string(options_.spurious_wakes) + "," +
           std::to_string(options_.steps) + "," + (options_.weak_memory ? "1" : "0") + "," + (reducing_ ? "1" : "0") + "," +
           std::to_string(options_.kills) + "," + (options_.slices ? "1" : "0") + ":" + path_.text();
  }

  bool parse(std::string_view text) {
    std::array<std::uint32_t, 7> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::size_t end = text.find(i + 1 < numbers.size() ? ',' : ':');
      if (end == std::string_view::npos) return false;
      const auto value = Path::number(text.substr(0, end));
      if (!value || *value > 1'000'000) return false;
      numbers[i] = *value;
      text.remove_prefix(end + 1);
    }
    options_.preemptions = static_cast<int>(numbers[0]) - 1;
    options_.spurious_wakes = static_cast<int>(numbers[1]);
    options_.steps = std::min<std::uint32_t>(numbers[2], 30'000);
    options_.weak_memory = numbers[3] != 0;
    reducing_ = numbers[4] != 0;
    options_.kills = static_cast<int>(numbers[5]);
    options_.slices = numbers[6] != 0;
    const auto sum = path_.parse(text);
    if (sum) replay_sum_ = *sum;
    return sum.has_value();
  }

  void replay() {
    if (!parse(options_.replay)) throw std::invalid_argument("trine: model: replay is not a replay string");
    random_ = false;
    replaying_ = true;
    execute();
    if (report_.finding_.empty() && (!path_.fresh() || path_.sum() != replay_sum_)) report_.finding_ = another_body;
  }

  // The failing execution once more, with its steps written down.
  void tell() {
    const std::uint64_t executions = report_.executions_;
    const std::uint64_t steps = report_.steps_;
    const std::string finding = std::exchange(report_.finding_, {});
    report_.replay_ = replaying_ ? options_.replay : replay_text();
    parse(report_.replay_);
    random_ = false;
    replaying_ = true;
    trace_.begin();
    execute();
    if (report_.finding_ != finding) report_.trace_ = trace_.end(finding);
    report_.finding_ = finding;
    report_.executions_ = executions;
    report_.steps_ = steps;
  }

  inline static thread_local Execution* active_ = nullptr;

  Options options_;
  std::function<void()> body_;
  Report report_;
  Path path_;
  Seen seen_;
  os::Context host_;
  os::Context* came_from_ = &host_;
  std::uint32_t steps_here_ = 0;
  std::uint32_t replay_sum_ = 0;
  std::uint32_t open_deaths_ = 0;  // the last so many choices were not to die
  bool random_ = false;
  bool replaying_ = false;
  bool reducing_ = false;
  std::mt19937_64 engine_;
  std::array<std::uint32_t, most_threads> priority_{};

 protected:
  Memory memory_;
  Schedule threads_;
  Trace trace_;
  bool draining_ = false;  // the execution is led to its end without choices
  bool hidden_ = false;    // something is not told by the steps
};

}  // namespace trine::modelling
