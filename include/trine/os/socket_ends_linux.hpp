// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include <trine/os/calls.hpp>

namespace trine::os {

/// Which of the two ends of something are open, in whichever process: a connected pair of sockets, through which nothing is sent.
/// A child that is made by fork() has a copy of each that is open, and the system counts them: an end is gone when every process
/// has closed its copy, or ended, or become another program.
class SocketEnds {
 public:
  SocketEnds() {
    std::array<int, 2> numbers{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers.data()) != 0) fail_call("socketpair", "of a pipe");
    files_ = {File<Calls>(numbers[0]), File<Calls>(numbers[1])};
  }

  /// In this process.
  void close(int end) noexcept { files_[static_cast<std::size_t>(end)] = File<Calls>(); }

  /// Whether an end is closed everywhere; the other one is open in this process, or else nobody asks.
  [[nodiscard]] bool gone(int end) const noexcept {
    const auto& mine = files_[static_cast<std::size_t>(1 - end)];
    if (!mine) return false;
    pollfd file{.fd = mine.number(), .events = 0, .revents = 0};
    const int saved = errno;
    const bool gone = ::poll(&file, 1, 0) == 1 && (file.revents & POLLHUP) != 0;
    errno = saved;
    return gone;
  }

 private:
  std::array<File<Calls>, 2> files_;
};

}  // namespace trine::os
