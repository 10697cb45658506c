// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

namespace trine_test {

/// A forked process that runs a function, whose result is its exit code; an exception is printed and makes that 99. Killed and
/// waited for at the end, if it still runs.
class Child {
 public:
  template <class Function>
  explicit Child(Function function) : pid_(::fork()) {
    if (pid_ != 0) return;
    int code = 99;
    try {
      code = function();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in a child: %s\n", error.what());
    }
    std::fflush(nullptr);
    ::_exit(code);
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }

  /// Waits for its end: its exit code, or the negative number of the signal that killed it.
  int join() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  /// Waits until it is stopped.
  void wait_until_stopped() const {
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
    EXPECT_TRUE(WIFSTOPPED(status));
  }

 private:
  pid_t pid_;
};

/// Runs a function in a child and returns its exit code or negative signal.
template <class Function>
int in_child(Function function) {
  return Child(function).join();
}

/// Runs `function(i)` in `count` children at once, and expects each to return 0.
template <class Function>
void in_children(int count, Function function) {
  std::vector<Child> children;
  for (int i = 0; i < count; ++i) {
    children.emplace_back([&function, i] { return function(i); });
  }
  for (auto& child : children) EXPECT_EQ(child.join(), 0);
}

}  // namespace trine_test
