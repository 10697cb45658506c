// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace trine::os {

/// The kernel's number of the calling thread, in this PID namespace.
inline std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(::syscall(SYS_gettid)); }

/// The kernel's number of the calling process, in this PID namespace.
inline int process_id() noexcept { return ::getpid(); }

/// How many processors this process may run on.
inline std::size_t processors() noexcept { return std::max(1U, std::thread::hardware_concurrency()); }

/// Whether a child of this process has not ended.
inline bool child_runs(int id) noexcept {
  siginfo_t ended{};
  return ::waitid(P_PID, static_cast<id_t>(id), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0;
}

}  // namespace trine::os
