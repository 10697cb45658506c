// SPDX-License-Identifier: BSL-1.0
//
// For the tests that explore a primitive exhaustively while threads are killed.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>

#include <support/model.hpp>
#include <trine/backend/mortal_model.hpp>

namespace checking {

using trine::mortal_model;

inline void be_mortal(bool mortal = true) { mortal_model::be_mortal(mortal); }

inline std::string with_deaths(int kills) { return test_name() + ", " + std::to_string(kills) + " killed"; }

/// Nothing can go wrong in the body, in whatever way it goes within the bound, and whoever of those who may die does.
inline void prove_deaths(int threads, int bound, int kills, const std::function<void()>& body, int spurious_wakes = 0) {
  model::Options options = bounded_by(bound);
  options.spurious_wakes = spurious_wakes;
  options.kills = kills;
  const auto report = model::check(options, body);
  const std::string verdict = report.ok() ? "out of time" : report.finding();
  record(with_deaths(kills), threads, bound, report, report.complete() ? "proved" : "FAILED: " + verdict);
  EXPECT_TRUE(report.ok()) << report.finding() << "\n" << report.trace() << "replay: " << report.replay();
  EXPECT_TRUE(report.complete()) << "out of time after " << report.executions() << " executions";
}

}  // namespace checking
