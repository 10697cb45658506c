// SPDX-License-Identifier: BSL-1.0
//
// For the tests that explore a primitive exhaustively: proofs (nothing is found, and all was seen), and mutants (an algorithm
// with one thing wrong, in which the checker must find that), which show that the proofs would notice.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/backend/blocking.hpp>
#include <trine/backend/model.hpp>
#include <trine/guard.hpp>
#include <trine/model/explorer.hpp>
#include <trine/sleep.hpp>

namespace checking {

using trine::model;
using Thread = model::thread;
template <class T>
using Cell = model::Cell<T>;
template <class T>
using Atomic = model::Atomic<T>;

/// A limit that the model lets pass at any time that the caller sleeps, or never.
inline constexpr std::chrono::seconds a_while{1};

// ---- mutants ----

enum class Op {
  load,
  store,
  exchange,
  exchange_between_fences,
  compare_exchange,
  fetch_add,
  fetch_sub,
  fetch_or,
  fetch_and,
  wake,
  take_out,  // of a list
  fence,     // the one in all threads
  rouse,     // by a stop request
};

/// What is wrong with an algorithm: each operation `op` that a function makes whose name and file these are does something
/// else. What is not said stays as it is.
struct Mutation {
  std::string_view file = {};                         // the end of its path
  std::string_view function = {};                     // a part of its signature
  Op op = Op::load;
  std::optional<std::memory_order> order = {};        // only those of this order
  std::optional<std::memory_order> weakened = {};     // the order instead
  std::uint32_t (*written)(std::uint32_t before, std::uint32_t after) = nullptr;  // what it writes instead of `after`
  std::uint32_t (*said)(std::uint32_t value) = nullptr;                           // what a load returns instead
  std::uint64_t (*wide_written)(std::uint64_t before, std::uint64_t after) = nullptr;  // the same for 64 bits
  std::uint64_t (*wide_said)(std::uint64_t value) = nullptr;
  std::uint32_t (*woken)(std::uint32_t count) = nullptr;                          // how many a wake wakes instead
  std::uint32_t unmarked = 0;                         // bits that those who sleep do not expect in their word either
  bool dropped = false;                               // a fence that is not made
};

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto acq_rel = std::memory_order_acq_rel;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

inline std::uint32_t nobody(std::uint32_t /*count*/) { return 0; }
inline std::uint32_t one_only(std::uint32_t count) { return count < 1 ? count : 1; }
inline std::uint32_t unchanged(std::uint32_t before, std::uint32_t /*after*/) { return before; }
/// Writes all but some bits.
template <std::uint32_t Bits>
std::uint32_t without(std::uint32_t /*before*/, std::uint32_t after) {
  return after & ~Bits;
}
/// Leaves some bits as they were.
template <std::uint32_t Bits>
std::uint32_t keeping(std::uint32_t before, std::uint32_t after) {
  return (after & ~Bits) | (before & Bits);
}

inline const Mutation* mutation = nullptr;  // the one in force
inline std::size_t mutated_operations = 0;  // how often it was applied

/// The mutation, if it concerns this operation.
inline const Mutation* concerns(Op op, const std::source_location& where) {
  if (mutation == nullptr || mutation->op != op) return nullptr;
  if (!std::string_view(where.file_name()).ends_with(mutation->file)) return nullptr;
  std::string_view function = where.function_name();
  function = function.substr(0, function.find(" [with"));
  if (function.find(mutation->function) == std::string_view::npos) return nullptr;
  return mutation;
}

/// The same, if it concerns this order too, which is weakened then.
inline const Mutation* concerns(Op op, std::memory_order& order, const std::source_location& where) {
  const Mutation* const found = concerns(op, where);
  if (found == nullptr || (found->order && *found->order != order)) return nullptr;
  ++mutated_operations;
  if (found->weakened) order = *found->weakened;
  return found;
}

/// An atomic variable that obeys the mutation.
template <class T>
class MutableAtomic : public trine::modelling::Atomic<T> {
  using Base = trine::modelling::Atomic<T>;
  using Order = std::memory_order;
  using Where = std::source_location;

 public:
  MutableAtomic() = default;
  MutableAtomic(T value) : Base(value) {}
  explicit MutableAtomic(trine::modelling::LowHalf of) noexcept requires(sizeof(T) == 4) : Base(of) {}

  [[nodiscard]] T load(Order order = seq_cst, const Where& where = Where::current()) const {
    const Mutation* const found = concerns(Op::load, order, where);
    const T value = Base::load(order, where);
    if constexpr (std::integral<T>) {
      if (found != nullptr && found->said != nullptr) return static_cast<T>(found->said(static_cast<std::uint32_t>(value)));
    }
    if constexpr (std::same_as<T, std::uint64_t>) {
      if (found != nullptr && found->wide_said != nullptr) return found->wide_said(value);
    }
    return value;
  }
  void store(T value, Order order = seq_cst, const Where& where = Where::current()) {
    const Mutation* const found = concerns(Op::store, order, where);
    Base::store(written(found, T{}, value), order, where);
  }
  T exchange(T value, Order order = seq_cst, const Where& where = Where::current()) {
    return update(Op::exchange, "exchange", order, where, [value](T) { return value; });
  }
  bool compare_exchange_strong(T& expected, T desired, Order success, Order failure, const Where& where = Where::current()) {
    const Mutation* const found = concerns(Op::compare_exchange, success, where);
    if (found != nullptr) concerns(Op::compare_exchange, failure, where);
    return Base::compare_exchange_strong(expected, written(found, expected, desired), success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure, const Where& where = Where::current()) {
    return compare_exchange_strong(expected, desired, success, failure, where);
  }
  T fetch_add(T by, Order order = seq_cst, const Where& where = Where::current()) {
    return update(Op::fetch_add, "fetch_add", order, where, [by](T value) { return static_cast<T>(value + by); });
  }
  T fetch_sub(T by, Order order = seq_cst, const Where& where = Where::current()) {
    return update(Op::fetch_sub, "fetch_sub", order, where, [by](T value) { return static_cast<T>(value - by); });
  }
  T fetch_or(T bits, Order order = seq_cst, const Where& where = Where::current()) {
    return update(Op::fetch_or, "fetch_or", order, where, [bits](T value) { return static_cast<T>(value | bits); });
  }
  T fetch_and(T bits, Order order = seq_cst, const Where& where = Where::current()) {
    return update(Op::fetch_and, "fetch_and", order, where, [bits](T value) { return static_cast<T>(value & bits); });
  }

  /// Whether the mutation has concerned this one.
  [[nodiscard]] bool mutated() const noexcept { return mutated_ && mutation != nullptr; }

 private:
  T written(const Mutation* found, T before, T after) {
    mutated_ |= found != nullptr;
    if constexpr (std::integral<T>) {
      if (found != nullptr && found->written != nullptr) {
        return static_cast<T>(found->written(static_cast<std::uint32_t>(before), static_cast<std::uint32_t>(after)));
      }
    }
    if constexpr (std::same_as<T, std::uint64_t>) {
      if (found != nullptr && found->wide_written != nullptr) return found->wide_written(before, after);
    }
    return after;
  }

  template <class Change>
  T update(Op op, const char* name, Order order, const Where& where, Change change) {
    const Mutation* const found = concerns(op, order, where);
    std::uint64_t before = trine::modelling::Explorer::current().update(
        this->location(), order, where, name, [&](std::uint64_t bits) {
          const T value = from_bits(bits);
          return to_bits(written(found, value, change(value)));
        });
    return from_bits(before);
  }

  static T from_bits(std::uint64_t bits) {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<T>(static_cast<std::uintptr_t>(bits));
    } else {
      return static_cast<T>(bits);
    }
  }
  static std::uint64_t to_bits(T value) {
    if constexpr (std::is_pointer_v<T>) {
      return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(value));
    } else {
      return static_cast<std::uint64_t>(value);
    }
  }

  bool mutated_ = false;
};

/// Whether the system of the mutated backend can put a fence into all other threads.
inline bool fences_available = true;

/// How a modelled thread sleeps in a mutated algorithm.
struct MutableSleep : trine::modelling::ModelledSleep {
  using Base = trine::modelling::ModelledSleep;
  using Where = std::source_location;
  using Word = MutableAtomic<std::uint32_t>;
  template <class T>
  using Atomic = MutableAtomic<T>;

  static void sleep(std::span<const trine::Sleep<Word>> words, Limit& limit, const Where& where = Where::current()) {
    std::array<trine::Sleep<Base::Word>, 8> seen;  // no memory that a killed thread would not give back
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto& each = words[i];
      seen.at(i) = {each.word, each.word->mutated() ? each.value & ~mutation->unmarked : each.value};
    }
    Base::sleep(std::span(seen).first(words.size()), limit, where);
  }
  static void set_and_wake(Word& word, std::uint32_t value) {
    if (const Mutation* const found = concerns(Op::rouse, Where::current()); found != nullptr) {
      ++mutated_operations;
      return;
    }
    Base::set_and_wake(word, value);
  }
  static void wake(Word& word, std::uint32_t count, const Where& where = Where::current()) {
    if (const Mutation* const found = concerns(Op::wake, where); found != nullptr) {
      ++mutated_operations;
      count = found->woken(count);
    }
    Base::wake(word, count, where);
  }
  static bool steps_between_fences() noexcept { return fences_available; }
  static bool exchange_between_fences(Word& word, std::uint32_t& expected, std::uint32_t desired,
                                      const Where& where = Where::current()) {
    std::memory_order order = release;
    const Mutation* const found = concerns(Op::exchange_between_fences, order, where);
    if (found != nullptr && found->written != nullptr) desired = found->written(expected, desired);
    return word.exchange_between_fences(expected, desired, order, where);
  }
  static bool fences_others() noexcept { return fences_available; }
  static void fence_others(const Where& where = Where::current()) {
    if (!fences_available) return;
    if (concerns(Op::fence, where) != nullptr) {
      ++mutated_operations;
    } else {
      Base::fence_others(where);
    }
  }
  static void fence_others_or_wait(const Where& where = Where::current()) { fence_others(where); }
};

/// The backend `model`, with the mutation. Where the shipped algorithm calls B::wake, the caller's place is seen.
struct mutated : trine::Blocking<MutableSleep> {
  using thread = model::thread;
  using Worker = model::Worker;

  static void wake(Word& word, std::uint32_t count, const std::source_location& where = std::source_location::current()) {
    MutableSleep::wake(word, count, where);
  }
  static std::uint32_t self() { return model::self(); }
};

// ---- what was checked ----

/// Appends a row to the table that the environment names, if it does.
inline void record(const std::string& name, int threads, int bound, const model::Report& report, const std::string& verdict) {
  const char* const path = std::getenv("TRINE_MODEL_TABLE");
  if (path == nullptr || *path == '\0') return;
  std::FILE* const table = std::fopen(path, "a");
  if (table == nullptr) return;
  const std::string bounded = bound == model::Options::unbounded ? "none" : std::to_string(bound);
  std::fprintf(table, "| %s | %d | %s | %llu | %llu | %.2f | %s |\n", name.c_str(), threads, bounded.c_str(),
               static_cast<unsigned long long>(report.executions()), static_cast<unsigned long long>(report.states()),
               report.seconds(), verdict.c_str());
  std::fclose(table);
}

inline std::string test_name() {
  const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
  return std::string(info->test_suite_name()) + "." + info->name();
}

inline model::Options bounded_by(int preemptions) {
  model::Options options;
  options.preemptions = preemptions;
  // Rather a failure than an endless test. TRINE_MODEL_SECONDS: how long a check may take.
  const char* const seconds = std::getenv("TRINE_MODEL_SECONDS");
  options.time = std::chrono::seconds(seconds == nullptr ? 240 : std::atoi(seconds));
  return options;
}

inline constexpr int no_bound = model::Options::unbounded;

/// Nothing can go wrong in the body, in whatever way it goes within the bound.
inline void prove(int threads, int bound, const std::function<void()>& body, int spurious_wakes = 1) {
  model::Options options = bounded_by(bound);
  options.spurious_wakes = spurious_wakes;
  const auto report = model::check(options, body);
  record(test_name(), threads, bound, report, report.complete() ? "proved" : "FAILED: " + (report.ok() ? "out of time" : report.finding()));
  EXPECT_TRUE(report.ok()) << report.finding() << "\n" << report.trace() << "replay: " << report.replay();
  EXPECT_TRUE(report.complete()) << "out of time after " << report.executions() << " executions";
}

/// The main thread and one more, without a bound.
inline void prove_two(const std::function<void()>& body) { prove(2, no_bound, body); }
/// The main thread and two more, of which one that could go on is interrupted at most `bound` times.
inline void prove_three(const std::function<void()>& body, int bound = 3, int spurious_wakes = 1) {
  prove(3, bound, body, spurious_wakes);
}

/// The same, with all operations sequentially consistent: where the relaxed ones make too many executions, this looks at the
/// order of the steps, and prove_three() with a smaller bound at the memory model.
inline void prove_three_in_sequence(const std::function<void()>& body, int bound = 3) {
  model::Options options = bounded_by(bound);
  options.spurious_wakes = 0;
  options.weak_memory = false;
  const auto report = model::check(options, body);
  record(test_name() + ", all sequentially consistent", 3, bound, report,
         report.complete() ? "proved" : "FAILED: " + (report.ok() ? "out of time" : report.finding()));
  EXPECT_TRUE(report.ok()) << report.finding() << "\n" << report.trace() << "replay: " << report.replay();
  EXPECT_TRUE(report.complete()) << "out of time after " << report.executions() << " executions";
}

/// With the mutation the checker finds `expected` in the body, which is the same that was proved without.
inline void caught(const Mutation& mutant, int threads, int bound, const std::function<void()>& body, std::string_view expected,
                   bool weak_memory = true) {
  mutation = &mutant;
  mutated_operations = 0;
  model::Options options = bounded_by(bound);
  options.spurious_wakes = 0;
  options.weak_memory = weak_memory;
  const auto report = model::check(options, body);
  mutation = nullptr;
  const std::string finding = report.finding();
  record(test_name(), threads, bound, report, report.ok() ? "SURVIVES" : "caught: " + finding.substr(0, finding.find(':')));
  EXPECT_GT(mutated_operations, 0U) << "nothing was mutated";
  EXPECT_FALSE(report.ok()) << "the mutant survives";
  EXPECT_NE(finding.find(expected), std::string::npos) << finding << "\n" << report.trace();
}
inline void caught_two(const Mutation& mutant, const std::function<void()>& body, std::string_view expected) {
  caught(mutant, 2, no_bound, body, expected);
}
inline void caught_three(const Mutation& mutant, const std::function<void()>& body, std::string_view expected, int bound = 3) {
  caught(mutant, 3, bound, body, expected);
}

/// A mutant that is no worse than the original, for the reason given: the checker must find nothing.
inline void equivalent(const Mutation& mutant, int threads, int bound, const std::function<void()>& body, std::string_view why) {
  mutation = &mutant;
  mutated_operations = 0;
  model::Options options = bounded_by(bound);
  options.spurious_wakes = 0;
  const auto report = model::check(options, body);
  mutation = nullptr;
  record(test_name(), threads, bound, report, "equivalent: " + std::string(why));
  EXPECT_GT(mutated_operations, 0U) << "nothing was mutated";
  EXPECT_TRUE(report.complete()) << "it is not equivalent: " << report.finding() << "\n" << report.trace();
}

/// A test of the mutated backend as on a system without fences in others.
template <class F>
void without_fences(F&& test) {
  fences_available = false;
  test();
  fences_available = true;
}

}  // namespace checking
