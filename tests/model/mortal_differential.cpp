// SPDX-License-Identifier: BSL-1.0
//
// Merging states and leaving out orders that commute must not lose an outcome where threads die: many small programs, made at
// random, are explored with and without, and the sets of what they can end with are compared.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <trine/backend/mortal_model.hpp>

namespace {

using trine::model;
using trine::mortal_model;
using Os = trine::modelling::ModelledDeath;
using Word = Os::Word;

constexpr std::size_t variables = 2;
constexpr std::uint32_t sleepers = 1U << 31;

enum class Kind : std::uint8_t { load, store, add, fence, plain, own, free, sleep, wake, point };
constexpr std::size_t kinds = 10;

struct Operation {
  Kind kind;
  std::size_t variable;
  std::uint32_t value;
  std::memory_order order;
};
using Program = std::vector<std::vector<Operation>>;

Program make_program(unsigned seed) {
  std::mt19937 engine(seed);
  Program result(2 + engine() % 2);
  const std::size_t most = result.size() == 2 ? 3 : 2;
  for (auto& thread : result) {
    thread.resize(1 + engine() % most);
    for (Operation& operation : thread) {
      constexpr std::memory_order orders[] = {std::memory_order_relaxed, std::memory_order_relaxed, std::memory_order_seq_cst};
      operation = {static_cast<Kind>(engine() % kinds), engine() % variables, 1 + static_cast<std::uint32_t>(engine() % 2),
                   orders[engine() % 3]};
    }
  }
  return result;
}

struct Shared {
  std::array<Word, variables> words{0, 0};
  std::array<Os::Owned, variables> owned;
  std::array<model::Cell<std::uint64_t>, 3> read;
  model::Cell<int> plain{0};
};

std::uint32_t run(const Operation& operation, Shared& shared) {
  Word& word = shared.words[operation.variable];
  Os::Owned& owned = shared.owned[operation.variable];
  std::uint32_t seen = 0;
  switch (operation.kind) {
    case Kind::load:
      return word.load(operation.order);
    case Kind::store:
      word.store(operation.value, operation.order);
      return 0;
    case Kind::add:
      return word.fetch_add(operation.value, operation.order);
    case Kind::fence:
      model::fence(std::memory_order_seq_cst);
      return 0;
    case Kind::own:
      mortal_model::claim(owned, seen, mortal_model::self(), std::memory_order_acquire);
      return seen;
    case Kind::free:
      return mortal_model::vacate(owned, mortal_model::self(), sleepers, 1);
    case Kind::sleep: {
      const trine::Sleep<Word> sleep{&owned.word, 0};
      Os::Limit limit{trine::Until(std::chrono::hours(1))};
      Os::sleep(std::span(&sleep, 1), limit);
      return limit.passed() ? 1 : 2;
    }
    case Kind::wake:
      Os::wake(owned.word, 1);
      return 0;
    default:
      mortal_model::may_die_here();
      return 0;
  }
}

using Outcome = std::vector<std::uint64_t>;
struct Result {
  std::set<Outcome> outcomes;
  bool race = false;
  bool complete = false;
  bool operator==(const Result& other) const { return race == other.race && (race || outcomes == other.outcomes); }
};

Result explore(const Program& program, const model::Options& options) {
  Result result;
  const auto report = model::check(options, [&] {
    Outcome last;
    {
      Shared shared;
      std::vector<model::thread> threads;
      for (std::size_t i = 0; i < program.size(); ++i) {
        threads.emplace_back([&, i] {
          mortal_model::be_mortal(i != 0);
          for (const Operation& operation : program[i]) {
            if (operation.kind == Kind::plain) {
              shared.plain.set(static_cast<int>(i));
            } else {
              const std::uint64_t read = run(operation, shared);
              shared.read[i].set(shared.read[i].get() * 0x10001 + read + 1);
            }
          }
        });
      }
      for (auto& thread : threads) thread.join();
      for (Word& word : shared.words) last.push_back(word.load(std::memory_order_relaxed));
      for (auto& owned : shared.owned) last.push_back(owned.word.load(std::memory_order_relaxed));
      for (auto& read : shared.read) last.push_back(read.get());
      last.push_back(static_cast<std::uint64_t>(shared.plain.get()));
    }
    if (trine::modelling::Explorer::current().exploring()) result.outcomes.insert(last);
  });
  result.race = report.finding().find("data race") != std::string::npos;
  EXPECT_TRUE(report.ok() || result.race) << report.finding() << report.trace();
  result.complete = report.complete() || result.race;
  return result;
}

unsigned programs() {
  const char* const given = std::getenv("TRINE_PROGRAMS");
  return given != nullptr ? static_cast<unsigned>(std::atoi(given)) : 100;
}

TEST(MortalDifferential, programs) {
  unsigned compared = 0;
  for (unsigned seed = 1; seed <= programs(); ++seed) {
    const Program program = make_program(seed);
    model::Options plain;
    plain.kills = 1 + static_cast<int>(seed % 2);
    plain.merge_states = false;
    plain.reduce = false;
    plain.executions = 30'000;
    const Result whole = explore(program, plain);
    if (!whole.complete) continue;  // too large to compare
    ++compared;
    for (const int way : {1, 2, 3, 4}) {
      model::Options options;
      options.kills = plain.kills;
      options.merge_states = (way & 1) != 0 || way == 4;
      options.reduce = (way & 2) != 0;
      if (way == 4) options.preemptions = 100;
      const Result result = explore(program, options);
      ASSERT_TRUE(result.complete);
      ASSERT_TRUE(result == whole) << "seed " << seed << ", way " << way << ": " << result.outcomes.size() << " outcomes of "
                                   << whole.outcomes.size() << ", race " << result.race << whole.race;
    }
  }
  EXPECT_GT(compared, programs() / 3);
}

}  // namespace
