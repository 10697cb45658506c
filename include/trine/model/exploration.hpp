// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <trine/model/execution.hpp>
#include <trine/model/report.hpp>
#include <utility>

namespace trine::modelling {

/// Runs a body again and again, each time with other choices, until there are none left: which thread goes on at each step,
/// which store a load reads and where in the modification order a store goes, when a sleeper times out or wakes for no
/// reason.
class Exploration : public Execution {
 public:
  Report check(const Options& options, std::function<void()> body) {
    if (active() != nullptr) throw std::logic_error("trine: model::check() is called inside model::check()");
    options_ = options;
    options_.steps = std::min<std::uint32_t>(options_.steps, 30'000);  // clocks and indices of stores have sixteen bits
    body_ = std::move(body);
    const auto start = std::chrono::steady_clock::now();
    explore(start);
    if (!report_.finding_.empty()) retrace();
    report_.seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report_.states_ = seen_.size();
    return std::move(report_);
  }

 private:
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

  void replay() {
    if (!parse(options_.replay)) throw std::invalid_argument("trine: model: replay is not a replay string");
    random_ = false;
    replaying_ = true;
    execute();
    if (report_.finding_.empty() && (!path_.fresh() || path_.sum() != replay_sum_)) report_.finding_ = another_body;
  }

  // The failing execution once more, with its steps written down.
  void retrace() {
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
};

}  // namespace trine::modelling
