// SPDX-License-Identifier: BSL-1.0
//
// For the tests that explore a primitive exhaustively while threads are killed.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <support/model.hpp>
#include <trine/backend/mortal_model.hpp>

namespace checking {

using trine::mortal_model;

inline void be_mortal(bool mortal = true) { mortal_model::be_mortal(mortal); }
inline void forget(std::uint64_t place) { mortal_model::forget(place); }

/// How far a body is explored.
struct Deaths {
  int threads = 2;
  int bound = no_bound;  // on preemptions
  int kills = 1;
  bool weak_memory = true;
  bool slices = true;
  int spurious_wakes = 0;
  trine::modelling::Kernel kernel = {};

  [[nodiscard]] model::Options options() const {
    model::Options result = bounded_by(bound);
    result.kills = kills;
    result.weak_memory = weak_memory;
    result.slices = slices;
    result.spurious_wakes = spurious_wakes;
    result.kernel = kernel;
    return result;
  }
  [[nodiscard]] std::string name() const {
    return test_name() + ", " + std::to_string(kills) + " killed" + (weak_memory ? "" : ", all sequentially consistent") +
           (slices ? "" : ", no slices");
  }
};

/// Nothing can go wrong in the body, in whatever way it goes within the bounds, and whoever of those who may die does.
inline void prove_deaths(const Deaths& deaths, const std::function<void()>& body) {
  const auto report = model::check(deaths.options(), body);
  const std::string verdict = report.ok() ? "out of time" : report.finding();
  record(deaths.name(), deaths.threads, deaths.bound, report, report.complete() ? "proved" : "FAILED: " + verdict);
  EXPECT_TRUE(report.ok()) << report.finding() << "\n" << report.trace() << "replay: " << report.replay();
  EXPECT_TRUE(report.complete()) << "out of time after " << report.executions() << " executions";
}

/// What is wrong in the body, which goes right otherwise, is found.
inline void caught_deaths(const Deaths& deaths, const std::function<void()>& body, std::string_view expected) {
  const auto report = model::check(deaths.options(), body);
  const std::string finding = report.finding();
  record(deaths.name(), deaths.threads, deaths.bound, report,
         report.ok() ? "SURVIVES" : "caught: " + finding.substr(0, finding.find(':')));
  EXPECT_FALSE(report.ok()) << "the mutant survives";
  EXPECT_NE(finding.find(expected), std::string::npos) << finding << "\n" << report.trace();
}

/// The same for a mutation of single operations, of the backend mutated_mortal.
inline void caught_deaths(const Mutation& mutant, const Deaths& deaths, const std::function<void()>& body,
                          std::string_view expected) {
  mutation = &mutant;
  mutated_operations = 0;
  caught_deaths(deaths, body, expected);
  mutation = nullptr;
  EXPECT_GT(mutated_operations, 0U) << "nothing was mutated";
}

/// A mutant that is no worse than the original, for the reason given.
inline void harmless(const Deaths& deaths, const std::function<void()>& body, std::string_view why) {
  const auto report = model::check(deaths.options(), body);
  record(deaths.name(), deaths.threads, deaths.bound, report, "equivalent: " + std::string(why));
  EXPECT_TRUE(report.complete()) << "it is not equivalent: " << report.finding() << "\n" << report.trace();
}
inline void harmless(const Mutation& mutant, const Deaths& deaths, const std::function<void()>& body, std::string_view why) {
  mutation = &mutant;
  mutated_operations = 0;
  harmless(deaths, body, why);
  mutation = nullptr;
  EXPECT_GT(mutated_operations, 0U) << "nothing was mutated";
}

/// A system whose semaphores keep only so many of the bits of a place's turns in their state.
template <std::uint32_t Bits>
struct FewTurns : trine::modelling::ModelledDeath {
  static constexpr std::uint32_t turn_bits = Bits;
};
template <std::uint32_t Bits>
struct few_turns : trine::Mortal<FewTurns<Bits>> {};

using MutableDeath = trine::modelling::Deadly<MutableSleep>;

/// The backend mortal_model, with the mutation.
struct mutated_mortal : trine::Mortal<MutableDeath> {
  using thread = model::thread;
  using Worker = model::Worker;

  static void wake(Word& word, std::uint32_t count, const std::source_location& where = std::source_location::current()) {
    MutableSleep::wake(word, count, where);
  }
};

}  // namespace checking
