// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace trine::modelling {

/// What the system does for the words that a dead thread owned. All of it is what Linux does; that it could be otherwise is
/// for tests.
struct Kernel {
  bool watches = true;          // else it does nothing
  bool marks = true;            // the word, with `died`; else it is free then
  bool wakes = true;            // one who sleeps on a word whose owner died, if the word says that somebody sleeps
  bool keeps_mark = true;       // that somebody sleeps
  bool wakes_for_noted = true;  // one who sleeps on a free word that the dead was about to take or had just freed
};

/// How far an exploration goes.
struct Options {
  static constexpr int unbounded = -1;

  /// How often in one execution a thread that could go on is interrupted by another.
  int preemptions = unbounded;
  /// How often in one execution a sleeper wakes up for no reason.
  int spurious_wakes = 1;
  /// How many threads are killed in one execution, of those that have said that they may be: see mortal_model.
  int kills = 0;
  /// What happens to what they owned.
  Kernel kernel = {};
  /// Whether a sleep of mortal_model ends after a while, if nothing else can go on.
  bool slices = true;
  /// Whether loads and stores may behave as the memory model of C++ allows; else all are sequentially consistent.
  bool weak_memory = true;
  /// Whether executions that come to a state seen before end there. It needs all data that threads share to be in Atomic,
  /// Cell or the primitives, or to be read only after a join.
  bool merge_states = true;
  /// Whether only one of the orders of steps that commute is looked at. Not done with a bound on preemptions, at random, or
  /// where stop tokens are used.
  bool reduce = true;
  /// Steps of one execution after which it is taken to run for ever; at most 30'000.
  std::uint32_t steps = 10'000;
  /// When to stop short of the whole.
  std::uint64_t executions = std::numeric_limits<std::uint64_t>::max();
  std::chrono::nanoseconds time = std::chrono::nanoseconds::max();
  /// Random walks instead of the whole, from this seed (0: the whole). There must be a limit of `executions` or `time`.
  std::uint64_t random_seed = 0;
  /// One execution alone: Report::replay() of an earlier check of the same body. It has the bounds of that.
  std::string replay = {};
};

/// What an exploration found.
class Report {
 public:
  /// Nothing was found.
  [[nodiscard]] bool ok() const noexcept { return finding_.empty(); }
  /// Nothing was found, and every execution within the bounds was seen.
  [[nodiscard]] bool complete() const noexcept { return complete_ && ok(); }
  [[nodiscard]] std::uint64_t executions() const noexcept { return executions_; }
  /// Scheduling points passed, and distinct states at them.
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
  [[nodiscard]] std::uint64_t states() const noexcept { return states_; }
  [[nodiscard]] double seconds() const noexcept { return seconds_; }
  /// What was found, in one line.
  [[nodiscard]] const std::string& finding() const noexcept { return finding_; }
  /// The first execution that fails, step by step.
  [[nodiscard]] const std::string& trace() const noexcept { return trace_; }
  /// The same execution, for Options::replay.
  [[nodiscard]] const std::string& replay() const noexcept { return replay_; }

 private:
  friend class Choices;
  friend class Execution;
  friend class Exploration;

  bool complete_ = false;
  std::uint64_t executions_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t states_ = 0;
  double seconds_ = 0;
  std::string finding_;
  std::string trace_;
  std::string replay_;
};

}  // namespace trine::modelling
