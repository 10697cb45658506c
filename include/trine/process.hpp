// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/child.hpp>
#include <trine/lock.hpp>
#include <trine/os/process_linux.hpp>
#include <trine/process_table.hpp>
#include <trine/spawn.hpp>
#include <trine/until.hpp>

namespace trine {

/// How a Process begins. fork: a copy of the caller, which has all that the caller had; the default. spawn: the program is
/// started anew, and has the function and its arguments alone.
namespace start_method {

struct Fork {};
struct Spawn {};
inline constexpr Fork fork;
inline constexpr Spawn spawn;

}  // namespace start_method

/// A function that runs in a process of its own. It starts at once.
///
///     trine::Queue<std::string, trine::processes> greetings;
///     trine::Process child([&] { greetings.put("hello"); });
///     std::cout << greetings.get();
///     child.join();  // true; child.exit_code() == 0
///
/// The child sees a copy of all that is not in shared memory; arguments by std::ref refer to its own copy. Its exit code is what
/// the function returns, if that is an int, else 0. An exception that leaves the function is printed to stderr and makes that 1.
/// The function may be one that returns a Task. When it returns the process ends without the destructors of what the parent
/// had, std::cout, stdout and stderr flushed. No other thread of the parent exists in a forked child: what such a thread had locked
/// (but for trine's objects between processes) stays locked there.
///
/// Options, before the function: `Process(Process::Options{.name = "worker", .daemon = true}, function, arguments...)`.
/// With `.start_method = trine::start_method::spawn` the child is a new start of this program, whose main() must begin with
/// trine::main_hook(argc, argv); the function is an ordinary one or a lambda without captures, of the program and not of a
/// library, its arguments go by Codec (<trine/codec.hpp>), and objects are shared by their names.
///
/// Deaths: killed at any instruction the child leaves every object between processes as its death there is described; join()
/// says true within moments, and exit_code() is the negative number of the signal.
/// Lifetime: the destructor waits for the child; that of a daemon sends SIGTERM, and SIGKILL to one that has not ended a second
/// later. A Process that comes into a child by fork is no more than a copy of its name and number: join() throws
/// std::logic_error there, and the destructor does nothing. Movable; of one that was moved from every member throws
/// std::logic_error. May be used by several threads at once, but for moves.
class Process {
 public:
  template <class Method = start_method::Fork>
  struct Options {
    std::string name{};   // empty: Process-1, Process-2 ...
    bool daemon = false;  // whether it ends when this object does
    Method start_method{};
  };

  class JoinOperation;

  /// Calls `function(arguments...)` in a child. Throws std::system_error, and starts nothing, if the system has no more to give.
  template <class F, class... A>
    requires std::invocable<std::decay_t<F>&, std::unwrap_ref_decay_t<A>...>
  explicit Process(F&& function, A&&... arguments)
      : Process(Options<>{}, std::forward<F>(function), std::forward<A>(arguments)...) {}

  template <class F, class... A>
    requires std::invocable<std::decay_t<F>&, std::unwrap_ref_decay_t<A>...>
  explicit Process(Options<> options, F&& function, A&&... arguments) : state_(described(options)) {
    std::tuple<std::unwrap_ref_decay_t<A>...> with(std::forward<A>(arguments)...);
    state_->child.fork([&](ChildReport<processes>& report) {
      return run_as_process(report, state_->information, [&] { return exit_code_of(function, std::move(with)); });
    });
    started();
  }

  template <class Method, class F, class... A>
    requires std::same_as<Method, start_method::Spawn> && std::invocable<std::decay_t<F>&, std::decay_t<A>...>
  explicit Process(Options<Method> options, F&& function, A&&... arguments) : state_(described(options)) {
    const auto order = SpawnedCall<std::decay_t<F>, wire::Sent<A>...>::order(state_->information, function, arguments...);
    state_->child.spawn(order.function, order.bytes);
    started();
  }

  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept {
    Process moved(std::move(other));
    std::swap(state_, moved.state_);
    return *this;
  }
  ~Process() { finish(); }

  /// Waits until the child has ended: true, or false when it gave up.
  bool join(const Until& until = Until::forever());

  /// May be selected with operations of objects between processes.
  [[nodiscard]] JoinOperation join_op();

  [[nodiscard]] bool is_alive() const { return !exit_code().has_value(); }

  /// Nothing while it runs; then its exit code, or the negative number of the signal that killed it.
  [[nodiscard]] std::optional<int> exit_code() const { return state().ended(); }

  [[nodiscard]] int pid() const { return state().information.pid; }
  [[nodiscard]] const std::string& name() const { return state().information.name; }
  [[nodiscard]] bool daemon() const { return state().information.daemon; }

  /// Sends SIGTERM, or SIGKILL, unless it has ended. Does not wait. What it held is as after any death.
  void terminate() const { state().child.system().terminate(); }
  void kill() const { state().child.system().kill(); }

  /// A file descriptor that can be read when the child has ended, for poll() and the like; it is valid as long as this object.
  [[nodiscard]] int sentinel() const { return state().child.system().sentinel(); }

 private:
  struct State : RunningProcess {
    ReportingChild<processes> child;
    Lock<> reaping;

    std::optional<int> ended() {
      require_parent();
      const auto held = reaping.guard();
      const auto code = child.ended();
      if (code) gone();
      return code;
    }

    // Nothing but its end and the time end this. The sentinel tells of the end when the child can be waited for, the word of
    // join_op() a moment before that, and looking on would take from the child what it needs to end.
    bool join(const Until& until) {
      require_parent();
      const processes::System::Limit limit(until);
      for (;;) {
        const bool told = child.system().sleep(limit.sleep_until());
        if (ended()) return true;
        if (limit.passed()) return false;
        if (told) os::sleep_a_millisecond();  // a debugger that has it is told first
      }
    }
  };

  [[nodiscard]] State& state() const {
    if (state_ == nullptr) throw std::logic_error("trine: Process: it was moved from");
    return *state_;
  }

  template <class Method>
  static std::unique_ptr<State> described(Options<Method>& options) {
    auto state = std::make_unique<State>();
    state->information = ProcessTable::here().describe(std::move(options.name), options.daemon);
    return state;
  }

  // The file of the sentinel names the child for good: its number may come again.
  void started() {
    auto& child = state_->child.system();
    try {
      child.sentinel();
      state_->information.pid = child.id();
      state_->enter();
    } catch (...) {
      child.destroy();
      throw;
    }
  }

  void finish() noexcept {
    if (state_ == nullptr || !state_->is_mine()) return;
    try {
      if (!is_alive()) return;
      if (daemon()) {
        terminate();
        if (!join(std::chrono::seconds(1))) kill();
      }
      join();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "trine: process '%s': %s\n", name().c_str(), e.what());
    }
  }

  std::unique_ptr<State> state_;
};

/// True when the child has ended.
class Process::JoinOperation : public OperationOf<bool, processes> {
 public:
  explicit JoinOperation(State& state) noexcept : state_(&state) {}

  bool attempt() {
    ended_ = state_->ended().has_value();
    return ended_;
  }

  Sleep<processes::Word> announce() {
    if (attempt()) return {};
    return state_->child.sleep();
  }
  Sleep<processes::Word> announce_at_once() {
    if (attempt()) return {};
    return state_->child.watch();
  }

  [[nodiscard]] bool result() const noexcept { return ended_; }

 private:
  State* state_;
  bool ended_ = false;
};

inline Process::JoinOperation Process::join_op() { return JoinOperation(state()); }
inline bool Process::join(const Until& until) {
  return until.stop_token().stop_possible() ? processes::run(join_op(), until) : state().join(until);
}

/// The calling process.
inline ProcessInformation current_process() { return ProcessTable::here().information(); }

/// The children that were started by a Process of this process, and run.
inline std::vector<ProcessInformation> active_children() { return ProcessTable::here().running(); }

/// How many processors there are.
inline std::size_t cpu_count() noexcept { return os::processors(); }

}  // namespace trine
