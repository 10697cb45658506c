// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <trine/backend.hpp>
#include <trine/error.hpp>
#include <trine/task.hpp>

namespace trine {

/// What a child process tells its parent.
template <class B>
struct ChildReport {
  static constexpr std::size_t most_text = 2000;
  static constexpr std::uint32_t sleepers = 1U << 31;  // in the word of `alive`: somebody sleeps until it ends

  typename B::Owned alive;  // owned by the child while it runs, so that its end is noticed
  typename B::template Atomic<std::uint32_t> failed{0};
  typename B::template Atomic<std::uint32_t> ended{0};  // its exit code plus one, when it has come to its end
  char type[200] = {};
  char text[most_text] = {};

  /// In the child, first of all.
  void begin() {
    const std::uint32_t me = B::holder();
    std::uint32_t seen = 0;
    while (!B::claim(alive, seen, me | (seen & sleepers), std::memory_order_acquire)) {
    }
  }

  void fail(const char* what_type, const char* what) noexcept {
    std::snprintf(type, sizeof type, "%s", what_type);
    std::snprintf(text, sizeof text, "%s", what);
    // Release: pairs with the acquire of the parent, which reads the text.
    failed.store(1, std::memory_order_release);
  }

  /// Runs what may throw, and says what it threw: the exit code. A process that was forked meanwhile comes to the end of this as
  /// well, even later than the child, and says nothing here.
  template <class Run>
  int guard(Run&& run) noexcept {
    const int child = B::Child::this_process();
    const auto say = [&](const char* what_type, const char* what) {
      if (B::Child::this_process() == child) fail(what_type, what);
    };
    int code = EXIT_FAILURE;
    try {
      code = run();
    } catch (const RemoteError& e) {
      say(e.type().c_str(), e.what() + e.type().size() + 2);  // what comes after the type
    } catch (const std::exception& e) {
      say(typeid(e).name(), e.what());
    } catch (...) {
      say("", "something that is not a std::exception was thrown");
    }
    B::Child::flush();
    if (B::Child::this_process() == child) {
      // Release: pairs with the acquire of the parent, to whom all that it did is visible when it is said to have ended.
      ended.store(static_cast<std::uint32_t>(code & 0xFF) + 1, std::memory_order_release);
    }
    return code;
  }

  /// What the child said of its exit code.
  [[nodiscard]] int exit_code() const noexcept {
    const std::uint32_t said = ended.load(std::memory_order_acquire);
    return said == 0 ? EXIT_FAILURE : static_cast<int>(said - 1);
  }
};

/// A child process of backend B and its report. One thread at a time uses it.
template <class B>
class ReportingChild {
 public:
  using Report = ChildReport<B>;

  /// Calls `run(report)` in a child, a copy of this process: its exit code.
  template <class Run>
  void fork(Run&& run) {
    child_ = B::Child::template fork<Report>([&run](Report& report) {
      report.begin();
      return run(report);
    });
  }

  /// Starts the program anew: `function` of its image, with bytes.
  void spawn(std::uint64_t function, std::span<const std::byte> bytes) {
    child_ = B::Child::template spawn<Report>(function, bytes);
  }

  [[nodiscard]] const Report& report() const noexcept { return child_.template shared<Report>(); }
  [[nodiscard]] typename B::Child& system() noexcept { return child_; }
  [[nodiscard]] const typename B::Child& system() const noexcept { return child_; }

  /// Its exit code, or the negative number of the signal that ended it; nothing while it runs. Where the system doesn't know,
  /// what it said itself, and EXIT_FAILURE if it came to no end of its own.
  std::optional<int> ended() {
    const std::optional<int> code = child_.ended();
    return code && child_.forgotten() ? report().exit_code() : code;
  }

  /// Where to sleep until it has ended: on the word that says whether it is alive, and which its end changes. `soon`: it is on
  /// its way out, and no word will tell when it has ended.
  Sleep<typename B::Word> watch() const {
    auto& alive = child_.template shared<Report>().alive;
    B::look_after(alive);
    // Acquire: pairs with what marked its end. Nothing else is read because of the word.
    std::uint32_t seen = alive.word.load(std::memory_order_acquire);
    while ((seen & (owner_word::died | Report::sleepers)) == 0) {
      const std::uint32_t marked = seen | Report::sleepers;
      if (alive.word.compare_exchange_strong(seen, marked, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return {&alive.word, marked};
      }
    }
    // If it has not died, somebody sleeps already.
    return {&alive.word, seen, false, (seen & owner_word::died) != 0};
  }

  /// The same for one who blocks.
  Sleep<typename B::Word> sleep() const {
    const Sleep<typename B::Word> where = watch();
    if (!where.soon) return where;
    child_.sleep_a_moment();
    return {where.word, 0};  // which the word does not hold: look again
  }

 private:
  typename B::Child child_;
};

/// Calls a function with the elements of a tuple; if that gives a task, runs it. What it came to.
template <class F, class Arguments>
decltype(auto) perform(F& function, Arguments&& arguments) {
  using R = decltype(std::apply(function, std::forward<Arguments>(arguments)));
  if constexpr (task::Lazy<R>) {
    return trine::run(std::apply(function, std::forward<Arguments>(arguments)));
  } else {
    return std::apply(function, std::forward<Arguments>(arguments));
  }
}

}  // namespace trine
