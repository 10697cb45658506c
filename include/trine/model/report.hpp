// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace trine::modelling {

/// How far an exploration goes.
struct Options {
  static constexpr int unbounded = -1;

  /// How often in one execution a thread that could go on is interrupted by another.
  int preemptions = unbounded;
  /// How often in one execution a sleeper wakes up for no reason.
  int spurious_wakes = 1;
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
  friend class Execution;

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
