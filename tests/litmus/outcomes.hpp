// SPDX-License-Identifier: BSL-1.0
//
// How a litmus test collects all that a small program can end with.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <trine/backend/model.hpp>
#include <utility>
#include <vector>

namespace trine_test {

using trine::model;
using Atomic = trine::modelling::Atomic<int>;
using Outcome = std::vector<int>;
using Outcomes = std::set<Outcome>;

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto acq_rel = std::memory_order_acq_rel;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

/// Two variables, and what the threads have read: r[i] is written by one thread each.
struct Litmus {
  Atomic x{0};
  Atomic y{0};
  std::vector<int> r;
};

/// All outcomes of the threads, each of which is given the Litmus. `last`: makes the outcome of what they left.
template <class Last>
Outcomes outcomes_of(std::size_t registers, Last last, std::vector<std::function<void(Litmus&)>> threads) {
  Outcomes all;
  const auto report = model::check({}, [&] {
    Outcome outcome;
    {
      Litmus litmus;
      litmus.r.resize(registers);
      std::vector<model::thread> running;
      for (const auto& each : threads) running.emplace_back([&] { each(litmus); });
      for (auto& each : running) each.join();
      outcome = last(litmus);
    }
    all.insert(outcome);
  });
  EXPECT_TRUE(report.complete()) << report.finding() << "\n" << report.trace();
  return all;
}

inline Outcome what_was_read(Litmus& litmus) { return litmus.r; }
inline Outcome what_was_left(Litmus& litmus) { return {litmus.x.load(relaxed), litmus.y.load(relaxed)}; }

inline Outcomes all_pairs() { return {{0, 0}, {0, 1}, {1, 0}, {1, 1}}; }
inline Outcomes without(Outcomes from, const Outcome& outcome) {
  from.erase(outcome);
  return from;
}

}  // namespace trine_test
