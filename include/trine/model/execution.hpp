// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <trine/model/deaths.hpp>
#include <trine/model/schedule.hpp>
#include <trine/model/thread.hpp>
#include <trine/os/context.hpp>
#include <utility>

namespace trine::modelling {

/// One execution of a body: its threads, each step of theirs, and who goes on.
///
/// Threads are fibers of the calling thread, so an execution is deterministic but for its choices. An execution that comes
/// to a state (memory, what each thread knows and all it has read) seen before ends there: it is drained, that is led to its
/// end without choices, for its destructors to run. So is one in which something was found.
class Execution : public Deaths {
 protected:
  static Execution* active() noexcept { return active_; }

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

  /// Runs the body once, by the choices of the path as far as it goes.
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

 private:
  static constexpr std::size_t stack_size = std::size_t{256} * 1024;

  struct Activity {
    explicit Activity(Execution* execution) noexcept { active_ = execution; }
    Activity(const Activity&) = delete;
    Activity& operator=(const Activity&) = delete;
    ~Activity() { active_ = nullptr; }
  };

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

  inline static thread_local Execution* active_ = nullptr;

  os::Context host_;
  os::Context* came_from_ = &host_;

 protected:
  std::function<void()> body_;
};

}  // namespace trine::modelling
