// SPDX-License-Identifier: BSL-1.0
//
// A child that is led instruction by instruction.
#pragma once

#include <linux/futex.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "process/killing/children.hpp"

namespace trine_test {

#if defined(__x86_64__)
inline constexpr bool can_step = true;
inline void trap() { asm volatile("int3" ::: "memory"); }
#else
inline constexpr bool can_step = false;
inline void trap() { ::raise(SIGTRAP); }
#endif

/// Where the code of this program begins, for those who look an address up.
extern "C" const char __executable_start;  // NOLINT: the linker's

class Tracee {
 public:
  enum class Went : std::uint8_t { on, asleep, over, wrong };

  /// Runs `body` up to its mark.
  Tracee(Report& report, const std::function<void()>& body)
      : child_(report, [&report, &body] {
          if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
            throw std::system_error(errno, std::system_category(), "ptrace");
          ::raise(SIGSTOP);
          body();
          report.stage.store(over);
          trap();
        }) {
    if (!stops_by(SIGSTOP)) return;
    ::ptrace(PTRACE_SETOPTIONS, id(), nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
    go_on();
  }

  /// One that runs already, started by whomever. `traced`: it is stopped, as next_child_of() leaves it.
  Tracee(Report& report, pid_t running, bool traced) : child_(report, running) {
    if (!traced) {
      ::ptrace(PTRACE_SEIZE, running, nullptr, PTRACE_O_EXITKILL);
      ::ptrace(PTRACE_INTERRUPT, running, nullptr, nullptr);
      stops_by(SIGTRAP);
    }
  }

  /// Waits for the next child that `parent` makes because of `cause`: its number, or 0. It is stopped before its first instruction.
  template <class Cause>
  static pid_t next_child_of(pid_t parent, Cause cause) {
    unsigned long child = 0;
    int status = 0;
    if (::ptrace(PTRACE_SEIZE, parent, nullptr, PTRACE_O_TRACEFORK) != 0) return 0;
    cause();
    if (::waitpid(parent, &status, __WALL) != parent || status >> 16 != PTRACE_EVENT_FORK) return 0;
    ::ptrace(PTRACE_GETEVENTMSG, parent, nullptr, &child);
    const auto id = static_cast<pid_t>(child);
    ::waitpid(id, &status, __WALL);
    ::ptrace(PTRACE_DETACH, parent, nullptr, nullptr);
    return id;
  }

  /// Runs to the next trap().
  void go_on() {
    ::ptrace(PTRACE_CONT, id(), nullptr, nullptr);
    stops_by(SIGTRAP);
  }

  /// Why no process can be led here, or nothing.
  static std::string forbidden() {
    if (!can_step || sanitized) return "instructions are not stepped through in this build";
    SharedPlace place;
    Tracee tracee(place.report(), [] { trap(); });
    const bool works = tracee.trouble().empty() && tracee.step() != Went::wrong;
    tracee.kill();
    return works ? "" : "the system does not let a process be traced";
  }

  [[nodiscard]] pid_t id() const noexcept { return child_.id(); }
  [[nodiscard]] bool done() const noexcept { return child_.report().stage.load() == over; }
  [[nodiscard]] std::string trouble() const { return trouble_.empty() ? child_.trouble() : trouble_; }

  /// One instruction. A sleep on a futex, or in poll(), counts as one, in which it may be killed, and another one when it is over.
  Went step() {
    if (!trouble_.empty()) return Went::wrong;
    if (done()) return Went::over;
    if (asleep_) return wait_for_waking();
    const bool sleeps = about_to_sleep();
    ::ptrace(PTRACE_SINGLESTEP, id(), nullptr, nullptr);
    if (!sleeps) return stops_by(SIGTRAP) ? Went::on : Went::wrong;
    return stops_or_sleeps();
  }

  /// Runs until it sleeps on a futex; false if it is over before.
  bool run_to_sleep() {
    while (!done()) {
      // From one system call to the next: each stops twice, before and after.
      ::ptrace(PTRACE_SYSCALL, id(), nullptr, nullptr);
      if (!stops_by(SIGTRAP) || done()) return false;
      const bool sleeps = in_a_sleep();
      ::ptrace(PTRACE_SYSCALL, id(), nullptr, nullptr);
      if (!sleeps) {
        if (!stops_by(SIGTRAP)) return false;
      } else if (const Went went = stops_or_sleeps(); went != Went::on) {
        return went == Went::asleep;
      }
    }
    return false;
  }

  /// Where it is, as an offset in the program.
  [[nodiscard]] std::string place() const {
    std::array<char, 64> text;
    std::snprintf(text.data(), text.size(), "0x%llx",
                  static_cast<unsigned long long>(at() - reinterpret_cast<std::uintptr_t>(&__executable_start)));
    return text.data();
  }

  void kill() {
    if (id() == 0) return;
    child_.kill();
    child_.bury();
  }

 private:
  static constexpr int over = 1000;

#if defined(__x86_64__)
  [[nodiscard]] user_regs_struct registers() const {
    user_regs_struct found{};
    ::ptrace(PTRACE_GETREGS, id(), nullptr, &found);
    return found;
  }
  [[nodiscard]] std::uintptr_t at() const { return registers().rip; }

  // Whether its next instruction is a system call that may sleep.
  [[nodiscard]] bool about_to_sleep() const {
    const user_regs_struct now = registers();
    if (!sleeps(now.rax, now.rsi)) return false;
    constexpr long system_call = 0x050f;
    return (::ptrace(PTRACE_PEEKTEXT, id(), reinterpret_cast<void*>(now.rip), nullptr) & 0xffff) == system_call;
  }

  // Whether the system call is one that it has stopped before.
  [[nodiscard]] bool in_a_sleep() const {
    const user_regs_struct now = registers();
    return sleeps(now.orig_rax, now.rsi);
  }

  static bool sleeps(unsigned long long number, unsigned long long operation) {
    if (number == static_cast<unsigned long long>(SYS_futex_waitv)) return true;
    if (number == static_cast<unsigned long long>(SYS_poll)) return true;
    const int command = static_cast<int>(operation) & FUTEX_CMD_MASK;
    return number == static_cast<unsigned long long>(SYS_futex) && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
  }
#else
  [[nodiscard]] std::uintptr_t at() const { return 0; }
  [[nodiscard]] static bool about_to_sleep() { return false; }
  [[nodiscard]] static bool in_a_sleep() { return false; }
#endif

  // Waits until it is stopped by a signal: true if by this one.
  bool stops_by(int signal) {
    int status = 0;
    while (::waitpid(id(), &status, __WALL) < 0) {
      if (errno != EINTR) break;
    }
    return stopped(status, signal);
  }

  bool stopped(int status, int signal) {
    constexpr int system_call = 0x80;
    if (WIFSTOPPED(status) && (WSTOPSIG(status) & ~system_call) == signal) return true;
    if (WIFEXITED(status) || WIFSIGNALED(status)) child_.is_gone();
    if (trouble_.empty()) trouble_ = "the victim stopped unexpectedly, status " + std::to_string(status);
    return false;
  }

  Went stops_or_sleeps() {
    for (;;) {
      int status = 0;
      if (::waitpid(id(), &status, __WALL | WNOHANG) == id()) return stopped(status, SIGTRAP) ? Went::on : Went::wrong;
      if (sleeps_on_futex(id()) || sleeps_in(id()) == SYS_poll) {
        asleep_ = true;
        return Went::asleep;
      }
    }
  }

  Went wait_for_waking() {
    asleep_ = false;
    int status = 0;
    const bool woken = holds_before(Clock::now() + hang, [&] { return ::waitpid(id(), &status, __WALL | WNOHANG) == id(); });
    if (!woken) trouble_ = "the victim was not woken";
    return woken && stopped(status, SIGTRAP) ? Went::on : Went::wrong;
  }

  Child child_;
  std::string trouble_;
  bool asleep_ = false;
};

}  // namespace trine_test
