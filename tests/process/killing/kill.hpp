// SPDX-License-Identifier: BSL-1.0
//
// Kills a process after each single instruction of an operation, and looks how those fare who are left.
//
// A sweep runs a trial once for each instruction. A trial makes its objects, lets others sleep on them, leads the victim so
// many instructions into its operation, kills it, and then those who wait must go on, and a newcomer must be able to use the
// objects. TRINE_KILLS: how many kills each sweep does at most, evenly spread from a random one on; `all`: every instruction.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <trine/backend/processes.hpp>

#include "process/killing/children.hpp"
#include "process/killing/tracee.hpp"

namespace trine_test {

/// As trine::shared_memory and trine::processes, but those who wait go to sleep at once: then the way there is short enough to
/// kill at each instruction of it.
struct DirectFutex : trine::os::RobustFutex {
  static constexpr bool spins = false;
};
struct shared_memory_direct : trine::Mortal<DirectFutex> {
  template <class T>
  using Attached = trine::shared_memory::Attached<T>;
  template <class T, std::size_t N>
  using FifoItems = trine::RingItems<T, shared_memory_direct, N>;
  template <class T, std::size_t N>
  using LifoItems = trine::StackItems<T, shared_memory_direct, N>;
  template <class T, class Compare, std::size_t N>
  using PriorityItems = trine::HeapItems<T, shared_memory_direct, Compare, N>;
};
struct processes_direct : trine::Mortal<DirectFutex> {
  using PipeEnds = trine::os::SocketEnds;
  template <class S>
  using Storage = trine::SharedState<S>;
  template <class T, std::size_t N>
  using FifoItems = typename trine::ItemsBetweenProcesses<T, processes_direct, N>::Fifo;
  template <class T, std::size_t N>
  using LifoItems = typename trine::ItemsBetweenProcesses<T, processes_direct, N>::Lifo;
  template <class T, class Compare, std::size_t N>
  using PriorityItems = typename trine::ItemsBetweenProcesses<T, processes_direct, N>::template Priority<Compare>;
};

/// One kill, and what came of it.
class Trial {
 public:
  static constexpr std::size_t to_the_end = ~std::size_t{0};

  explicit Trial(std::size_t instructions) : instructions_(instructions) {}

  /// An object in memory that all share.
  template <class T, class... Arguments>
  T& make(Arguments&&... arguments) {
    return place_.make<T>(std::forward<Arguments>(arguments)...);
  }

  /// Starts the one to be killed, and lets it run until it calls trap(), right before the operation.
  void victim(const std::function<void()>& body) { victim_.emplace(place_.report(), with_warm_up(body)); }

  /// The same for one that has never used an object between processes.
  void fresh_victim(const std::function<void()>& body) { victim_.emplace(place_.report(), body); }

  /// One that runs already: it is stopped where it is. `traced`: as Tracee::next_child_of() has left it.
  void seize(pid_t running, bool traced = false) { victim_.emplace(place_.report(), running, traced); }

  /// Starts one who must go on in the end.
  Child& survivor(const std::function<void()>& body) { return survivors_.emplace_back(place_.report(), body); }

  /// Starts one who neither is the victim nor need go on. It finds its report in `report`.
  Child& bystander(const std::function<void()>& body, Report*& report) {
    report = &place_.report();
    return bystanders_.emplace_back(*report, body);
  }

  /// The same as a survivor, and waits until it sleeps.
  Child& sleeper(const std::function<void()>& body) {
    Child& child = survivor(body);
    if (!child.falls_asleep()) trouble("one did not fall asleep");
    return child;
  }

  /// Runs somebody to the end, which must not take long.
  void newcomer(const std::function<void()>& body) {
    Child child(place_.report(), body);
    if (!child.ends_before(Clock::now() + hang)) hangs("a newcomer", child);
    if (const std::string text = child.trouble(); !text.empty()) trouble("a newcomer: " + text);
  }

  /// Leads the victim as many instructions on as it is this trial's turn, through a few sleeps at most.
  void step() {
    for (int sleeps = 0; steps_ < instructions_ && sleeps < 3; ++steps_) {
      const Tracee::Went went = victim_->step();
      if (went > Tracee::Went::asleep) break;
      sleeps += went == Tracee::Went::asleep;
    }
  }

  /// The same, but falling asleep is the last that it does.
  void step_to_sleep() {
    while (steps_ < instructions_) {
      const Tracee::Went went = victim_->step();
      if (went != Tracee::Went::on) break;
      ++steps_;
    }
  }

  /// Lets the victim run until it sleeps. Whoever wakes it then, it goes no further than that before step().
  void fall_asleep() {
    if (!victim_->run_to_sleep()) trouble("the victim did not fall asleep");
  }

  /// Lets the victim run to its next trap().
  void go_on() { victim_->go_on(); }

  /// Kills the victim. From now on, or from the last call of now(), the survivors' time counts.
  void kill() {
    where_ = victim_->place();
    done_ = victim_->done();
    if (const std::string text = victim_->trouble(); !text.empty()) trouble("the victim: " + text);
    now();
    victim_->kill();
  }

  void now() { released_at_ = Clock::now(); }

  /// Whether the victim had done its operation.
  [[nodiscard]] bool done() const noexcept { return done_; }

  /// Waits for the survivors to go on. One that does not hangs.
  void all_go_on() {
    const Clock::time_point end = released_at_ + hang;
    for (Child& child : survivors_) {
      if (!child.ends_before(end)) {
        hangs("a survivor", child);
        continue;
      }
      if (const std::string text = child.trouble(); !text.empty()) trouble("a survivor: " + text);
      slowest_ =
          std::max(slowest_, std::chrono::duration_cast<std::chrono::microseconds>(child.finished_at() - released_at_));
    }
  }

  /// Records a trouble unless `holds`.
  void check(bool holds, const char* what) {
    if (!holds) trouble(what);
  }

  void trouble(const std::string& what) {
    if (trouble_.empty()) trouble_ = what;
  }

  [[nodiscard]] std::size_t steps() const noexcept { return steps_; }
  [[nodiscard]] std::size_t hung() const noexcept { return hung_; }
  [[nodiscard]] std::chrono::microseconds slowest() const noexcept { return slowest_; }
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

 private:
  static std::function<void()> with_warm_up(const std::function<void()>& body) {
    return [&body] {
      trine::os::Robust::self();
      body();
    };
  }

  void hangs(const char* who, const Child& child) {
    ++hung_;
    trouble(std::string(who) + " hangs in system call " + std::to_string(sleeps_in(child.id())));
  }

  std::size_t instructions_;
  std::size_t steps_ = 0;
  std::size_t hung_ = 0;
  std::chrono::microseconds slowest_{0};
  std::string trouble_;
  std::string where_;
  Clock::time_point released_at_ = Clock::now();
  bool done_ = false;
  SharedPlace place_;
  std::optional<Tracee> victim_;
  std::deque<Child> survivors_;
  std::deque<Child> bystanders_;
};

/// What a sweep came to.
struct Swept {
  std::size_t instructions = 0;
  std::size_t kills = 0;
  std::size_t hangs = 0;
  std::size_t troubles = 0;
  std::chrono::microseconds slowest{0};
  std::string first_troubles;

  void add(const Trial& trial, std::size_t at) {
    ++kills;
    hangs += trial.hung();
    slowest = std::max(slowest, trial.slowest());
    if (trial.trouble().empty()) return;
    if (++troubles <= 5) {
      first_troubles +=
          "  after instruction " + std::to_string(at) + ", at " + trial.where() + ": " + trial.trouble() + "\n";
    }
  }
};

/// How many kills a sweep does at most.
inline std::size_t most_kills(std::size_t usual) {
  const char* const text = std::getenv("TRINE_KILLS");
  if (text == nullptr) return usual;
  return std::string_view(text) == "all" ? Trial::to_the_end : std::strtoull(text, nullptr, 10);
}

/// Does the trial with a kill after each instruction of the victim's operation, or so many of them.
inline Swept sweep_instructions(const char* name, const std::function<void(Trial&)>& trial, std::size_t usual,
                                std::size_t most_hangs) {
  Swept swept;
  const auto kill_after = [&](std::size_t instructions) {
    Trial one(instructions);
    trial(one);
    swept.add(one, one.steps());
    return one.steps();
  };
  swept.instructions = kill_after(Trial::to_the_end);
  const std::size_t stride = swept.instructions / std::max<std::size_t>(most_kills(usual), 1) + 1;
  std::random_device random;
  for (std::size_t at = random() % stride; at < swept.instructions && swept.hangs < most_hangs; at += stride) kill_after(at);
  std::printf("%-62s | instructions %5zu | kills %5zu | hangs %zu | troubles %zu | slowest recovery %6.1f ms\n", name,
              swept.instructions, swept.kills, swept.hangs, swept.troubles,
              static_cast<double>(swept.slowest.count()) / 1000);
  std::fflush(stdout);
  return swept;
}

/// The same; any hang or trouble fails the test.
inline void sweep(const char* name, const std::function<void(Trial&)>& trial, std::size_t usual = 64) {
  const Swept swept = sweep_instructions(name, trial, usual, 5);
  EXPECT_EQ(swept.hangs, 0U) << name << "\n" << swept.first_troubles;
  EXPECT_EQ(swept.troubles, 0U) << name << "\n" << swept.first_troubles;
}

/// What every test that kills is derived from.
class Kills : public LeavesNothing {
 protected:
  void SetUp() override {
    LeavesNothing::SetUp();
    static const std::string why_not = Tracee::forbidden();
    if (!why_not.empty()) GTEST_SKIP() << why_not;
  }
};

}  // namespace trine_test
