// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <trine/model/memory.hpp>
#include <trine/model/path.hpp>
#include <trine/model/report.hpp>
#include <trine/model/schedule.hpp>
#include <trine/model/seen.hpp>
#include <trine/model/thread.hpp>
#include <trine/model/trace.hpp>

namespace trine::modelling {

/// Where an execution has come to, and what is chosen at each of its choices: by the path that leads through the tree of all,
/// by chance, or by a replay string. What was found is kept here too.
class Choices {
 public:
  Choices() = default;
  Choices(const Choices&) = delete;
  Choices& operator=(const Choices&) = delete;

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
  static constexpr const char* another_body = "the replay string is that of another body: it does not fit";

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  ThreadState& me() noexcept { return threads_.me(); }
  [[nodiscard]] bool weak() const noexcept { return options_.weak_memory && !draining_; }

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

  void say(std::memory_order order, const std::string& what, std::size_t location, const std::string& how) {
    trace_.say(threads_.running(), order, what, location, how);
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

  void new_walk() {
    engine_.seed(options_.random_seed + report_.executions_);
    for (auto& priority : priority_) priority = static_cast<std::uint32_t>(engine_()) >> 4U;
    path_.clear();
  }

  bool come_before() {
    if (!options_.merge_states || random_ || replaying_ || !path_.fresh()) return false;
    threads_.forget_the_unreadable(memory_);
    const std::uint64_t state = mix(memory_.hash(), threads_.hash(options_, memory_.size()));
    if (!seen_.visit(state, threads_.sleep_set())) return false;
    // Whoever came to this state before could have died on the way as well.
    path_.close(open_deaths_);
    return true;
  }

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

  Options options_;
  Report report_;
  Path path_;
  Seen seen_;
  Memory memory_;
  Schedule threads_;
  Trace trace_;
  std::uint32_t steps_here_ = 0;
  std::uint32_t replay_sum_ = 0;
  std::uint32_t open_deaths_ = 0;  // the last so many choices were not to die
  bool random_ = false;
  bool replaying_ = false;
  bool reducing_ = false;
  bool draining_ = false;  // the execution is led to its end without choices
  bool hidden_ = false;    // something is not told by the steps

 private:
  std::mt19937_64 engine_;
  std::array<std::uint32_t, most_threads> priority_{};
};

}  // namespace trine::modelling
