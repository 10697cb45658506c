// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <system_error>

namespace trine::os {

/// A child of the calling process, made by fork().
class Child {
 public:
  Child() = default;

  /// Calls `run` in a child, which ends when it returns, with what it returns as its exit code: without the destructors of what
  /// the parent has, and after what it printed by the C library was written. Throws std::system_error.
  template <class Run>
  static Child start(Run&& run) {
    std::fflush(nullptr);  // or both would print what is not written yet
    const pid_t id = ::fork();
    if (id == -1) throw std::system_error(errno, std::system_category(), "trine: fork");
    if (id == 0) {
      const int code = run();
      std::fflush(nullptr);
      ::_exit(code);
    }
    return Child(id);
  }

  [[nodiscard]] int id() const noexcept { return id_; }

  /// Its exit code, or the negative number of the signal that ended it; nothing while it runs. Once it has said so it is
  /// forgotten by the system.
  std::optional<int> ended() { return look(WNOHANG); }

  /// The same, and waits for that.
  int wait() { return *look(0); }

 private:
  explicit Child(pid_t id) noexcept : id_(id) {}

  std::optional<int> look(int options) {
    if (code_) return code_;
    int status = 0;
    pid_t found = 0;
    do {
      found = ::waitpid(id_, &status, options);
    } while (found == -1 && errno == EINTR);
    if (found == 0) return std::nullopt;
    if (found == -1) {
      code_ = EXIT_FAILURE;  // somebody else has waited for it
    } else {
      code_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }
    return code_;
  }

  pid_t id_ = 0;
  std::optional<int> code_;
};

}  // namespace trine::os
