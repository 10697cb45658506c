// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace trine::os {

/// The kernel's number of the calling thread, in this PID namespace.
inline std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(::syscall(SYS_gettid)); }

/// Which PID namespace the calling process is in: within one, numbers of threads mean the same; 0 if the system does not tell.
inline std::uint64_t pid_namespace() noexcept {
  const int saved = errno;
  struct stat file {};
  const bool known = ::stat("/proc/self/ns/pid", &file) == 0;
  errno = saved;
  return known ? file.st_ino : 0;
}

/// When a thread of this machine started, in clock ticks since the machine did; 0 if there is none, or it is dead and only
/// not buried yet. With its number it names a thread for good.
inline std::uint64_t thread_start(std::uint32_t id) noexcept {
  std::array<char, 32> path;
  std::array<char, 1024> text;
  const int saved = errno;
  std::snprintf(path.data(), path.size(), "/proc/%u/stat", id);
  const int file = ::open(path.data(), O_RDONLY | O_CLOEXEC);
  const auto size = file < 0 ? -1 : ::read(file, text.data(), text.size() - 1);
  if (file >= 0) ::close(file);
  errno = saved;
  if (size <= 0) return 0;
  text[static_cast<std::size_t>(size)] = '\0';
  // After the name, which is in parentheses and may hold anything: the state is field 3, the start field 22.
  const char* at = std::strrchr(text.data(), ')');
  if (at == nullptr || at[1] == '\0' || at[2] == 'Z' || at[2] == 'X') return 0;
  for (int field = 2; field < 22; ++field) {
    at = std::strchr(at + 1, ' ');
    if (at == nullptr) return 0;
  }
  return std::strtoull(at + 1, nullptr, 10);
}

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
