// SPDX-License-Identifier: BSL-1.0
//
// Merging states and leaving out orders that commute must not lose an outcome: many small programs, made at random, are
// explored with and without, and the sets of what they can end with are compared.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <set>
#include <span>
#include <string>
#include <trine/backend/model.hpp>
#include <vector>

namespace {

using trine::model;

constexpr std::size_t variables = 2;

enum class Kind : std::uint8_t { load, store, add, exchange, compare_exchange, fence, sleep, wake, plain, yield };

/// What there is beside atomics and fences.
enum class With : std::uint8_t { nothing, sleeps, yields };

struct Operation {
  Kind kind;
  std::size_t variable;
  std::uint32_t value;
  std::memory_order order;
};
using Program = std::vector<std::vector<Operation>>;

std::memory_order any_of(std::mt19937& engine, std::initializer_list<std::memory_order> orders) {
  return *(orders.begin() + engine() % orders.size());
}

Operation make_operation(std::mt19937& engine, With with) {
  using enum Kind;
  constexpr auto relaxed = std::memory_order_relaxed;
  constexpr auto acquire = std::memory_order_acquire;
  constexpr auto release = std::memory_order_release;
  constexpr auto both = std::memory_order_acq_rel;
  constexpr auto sequential = std::memory_order_seq_cst;
  const Kind kinds[] = {load, load, load, store, store, store, add, exchange, compare_exchange, fence, plain, sleep, wake};
  const Kind yielding[] = {load, load, store, add, yield, yield, yield};
  const Kind kind = with == With::yields ? yielding[engine() % 7] : kinds[engine() % (with == With::sleeps ? 13 : 11)];
  Operation result{kind, engine() % variables, 1 + static_cast<std::uint32_t>(engine() % 2), relaxed};
  switch (result.kind) {
    case load:
      result.order = any_of(engine, {relaxed, acquire, sequential});
      break;
    case store:
      result.order = any_of(engine, {relaxed, release, sequential});
      break;
    case fence:
      result.order = any_of(engine, {acquire, release, both, sequential, sequential});
      break;
    default:
      result.order = any_of(engine, {relaxed, acquire, release, both, sequential});
  }
  return result;
}

Program make_program(unsigned seed, With with) {
  std::mt19937 engine(seed);
  Program result(2 + engine() % 2);
  const std::size_t most = result.size() == 2 ? 4 : 2;
  for (auto& thread : result) {
    thread.resize(std::min<std::size_t>(most, 2 + engine() % 3));
    for (Operation& operation : thread) operation = make_operation(engine, with);
  }
  return result;
}

using Word = model::Word;

struct Shared {
  std::array<Word, variables> words{0, 0};
  model::Cell<int> plain{0};
};

std::uint32_t run(const Operation& operation, Shared& shared) {
  Word& word = shared.words[operation.variable];
  switch (operation.kind) {
    case Kind::load:
      return word.load(operation.order);
    case Kind::store:
      word.store(operation.value, operation.order);
      return 0;
    case Kind::add:
      return word.fetch_add(operation.value, operation.order);
    case Kind::exchange:
      return word.exchange(operation.value, operation.order);
    case Kind::compare_exchange: {
      std::uint32_t expected = operation.value - 1;
      const bool done = word.compare_exchange_strong(expected, 3, operation.order);
      return expected + (done ? 10U : 0U);
    }
    case Kind::fence:
      model::fence(operation.order);
      return 0;
    case Kind::sleep: {
      const trine::Sleep<Word> sleep{&word, 0};
      trine::modelling::ModelledSleep::Limit limit{trine::Until(std::chrono::hours(1))};
      trine::modelling::ModelledSleep::sleep(std::span(&sleep, 1), limit);
      return limit.passed() ? 1 : 2;
    }
    case Kind::wake:
      model::wake(word, 1);
      return 0;
    case Kind::yield:
      model::yield();
      return 0;
    default:
      return 0;
  }
}

using Outcome = std::vector<std::uint32_t>;
struct Result {
  std::set<Outcome> outcomes;
  bool race = false;
  bool complete = false;
  std::uint64_t executions = 0;
  bool operator==(const Result& other) const { return race == other.race && (race || outcomes == other.outcomes); }
};

// With a plain operation, the program may race: then only that counts.
Result explore(const Program& program, const model::Options& options) {
  Result result;
  const auto report = model::check(options, [&] {
    std::vector<Outcome> read(program.size());
    Outcome last;
    {
      Shared shared;
      std::vector<model::thread> threads;
      for (std::size_t i = 0; i < program.size(); ++i) {
        threads.emplace_back([&, i] {
          for (const Operation& operation : program[i]) {
            if (operation.kind == Kind::plain) {
              shared.plain.set(static_cast<int>(i));
            } else {
              read[i].push_back(run(operation, shared));
            }
          }
        });
      }
      for (auto& thread : threads) thread.join();
      for (Word& word : shared.words) last.push_back(word.load(std::memory_order_relaxed));
      last.push_back(static_cast<std::uint32_t>(shared.plain.get()));
    }
    if (!trine::modelling::Explorer::current().exploring()) return;
    for (const Outcome& each : read) last.insert(last.end(), each.begin(), each.end());
    result.outcomes.insert(last);
  });
  result.race = report.finding().find("data race") != std::string::npos;
  EXPECT_TRUE(report.ok() || result.race) << report.finding() << report.trace();
  result.complete = report.complete() || result.race;
  result.executions = report.executions();
  return result;
}

std::string text(const Program& program) {
  std::string result;
  for (const auto& thread : program) {
    for (const Operation& each : thread) {
      static constexpr const char* names[] = {"load", "store", "add", "exchange", "cas", "fence", "sleep", "wake", "plain", "yield"};
      result += std::string(names[static_cast<int>(each.kind)]) + "(" + std::to_string(each.variable) + "," +
                std::to_string(each.value) + "," + std::to_string(static_cast<int>(each.order)) + ") ";
    }
    result += "\n";
  }
  return result;
}

void compare(unsigned first, unsigned count, With with) {
  for (unsigned seed = first; seed < first + count; ++seed) {
    const Program program = make_program(seed, with);
    model::Options plain;
    plain.merge_states = false;
    plain.reduce = false;
    plain.executions = 30'000;
    const Result whole = explore(program, plain);
    if (!whole.complete) continue;  // too large to compare
    for (const int way : {1, 2, 3, 4}) {
      model::Options options;
      options.merge_states = (way & 1) != 0;
      options.reduce = (way & 2) != 0;
      if (way == 4) {
        options.preemptions = 100;
        options.merge_states = true;
      }
      const Result result = explore(program, options);
      ASSERT_TRUE(result.complete);
      ASSERT_TRUE(result == whole) << "seed " << seed << ", way " << way << ": " << result.outcomes.size() << " outcomes of "
                                   << whole.outcomes.size() << ", race " << result.race << whole.race << "\n"
                                   << text(program);
    }
  }
}

unsigned programs() {
  const char* const given = std::getenv("TRINE_PROGRAMS");
  return given != nullptr ? static_cast<unsigned>(std::atoi(given)) : 40;
}

TEST(Differential, atomics) { compare(1, programs(), With::nothing); }
TEST(Differential, sleeping_and_waking) { compare(100'000, programs(), With::sleeps); }
TEST(Differential, yielding) { compare(200'000, programs(), With::yields); }

}  // namespace
