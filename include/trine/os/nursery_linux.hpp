// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

#include <trine/os/calls.hpp>
#include <trine/os/child_linux.hpp>

namespace trine::os {

/// What a process with one thread needs of the system that makes others at the request of its parent, and buries them: a nursery.
/// Nothing that it made outlives it, and it does not outlive its parent.
class Nursery {
 public:
  static int this_process() noexcept { return ::getpid(); }

  /// What the parent rings when the nursery is to look at what they share.
  class Bell {
   public:
    Bell() : file_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
      if (!file_) fail_call("eventfd", "of a pool");
    }

    // It can only fail where it has been rung often enough already.
    void ring() const noexcept {
      const int saved = errno;
      const std::uint64_t once = 1;
      (void)!::write(file_.number(), &once, sizeof once);
      errno = saved;
    }

   private:
    friend class Nursery;
    File<Calls> file_;
  };

  /// In the parent, so that it learns of what it can't have. Throws std::system_error.
  explicit Nursery(Bell& bell) : bell_(bell), parent_(this_process()) {
    const sigset_t children = of_children();
    children_ = File<Calls>(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!children_) fail_call("signalfd", "of a pool");
#if defined(SYS_pidfd_open)
    parent_file_ = File<Calls>(static_cast<int>(::syscall(SYS_pidfd_open, parent_, 0)));
    if (!parent_file_ && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) fail_call("pidfd_open", "of a pool");
#endif
  }
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  /// In the nursery itself, first of all. A signal of the terminal is for the parent to answer: if it ends, all end.
  void begin() noexcept {
    self_ = this_process();
    signal(SIGCHLD, SIG_DFL, as_before_[0]);
    signal(SIGINT, SIG_IGN, as_before_[1]);
    signal(SIGQUIT, SIG_IGN, as_before_[2]);
    const sigset_t children = of_children();
    ::sigprocmask(SIG_BLOCK, &children, &mask_before_);
  }

  /// Waits until the bell rings, a child has ended, or the parent has, or for no reason. false: the parent has.
  bool wait() {
    std::array<pollfd, 3> watched{pollfd{bell_.file_.number(), POLLIN, 0}, pollfd{children_.number(), POLLIN, 0},
                                  pollfd{parent_file_.number(), POLLIN, 0}};
    if (::getppid() != parent_) return false;
    // Without a file for the parent (before Linux 5.3) it is looked for now and then.
    ::poll(watched.data(), watched.size(), parent_file_ ? -1 : slice);
    drain(bell_.file_);
    drain(children_);
    return ::getppid() == parent_;
  }

  /// Calls `run` in a child, as Child::start does, with the signals as the parent had them. It is killed when the nursery ends.
  template <class Run>
  Child start(Run&& run) {
    return Child::start([&] {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != self_) return EXIT_FAILURE;
      leave();
      return run();
    });
  }

  static void kill(const Child& child) noexcept { ::kill(child.id(), SIGKILL); }

  /// In the parent: a nursery that somebody has stopped goes on.
  static void resume(const Child& nursery) noexcept { ::kill(nursery.id(), SIGCONT); }

 private:
  static constexpr int slice = 40;  // milliseconds

  // The signal that tells of a child's end. Read from the file, it is that of the process which reads.
  static sigset_t of_children() noexcept {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    return children;
  }

  static void signal(int number, void (*action)(int), struct sigaction& before) noexcept {
    struct sigaction now {};
    now.sa_handler = action;
    ::sigaction(number, &now, &before);
  }

  static void drain(const File<Calls>& file) noexcept {
    std::array<std::byte, 1024> text;
    while (::read(file.number(), text.data(), text.size()) > 0) {
    }
  }

  // In a child: nothing of the nursery's is its own.
  void leave() {
    children_ = File<Calls>();
    parent_file_ = File<Calls>();
    bell_.file_ = File<Calls>();
    ::sigaction(SIGCHLD, &as_before_[0], nullptr);
    ::sigaction(SIGINT, &as_before_[1], nullptr);
    ::sigaction(SIGQUIT, &as_before_[2], nullptr);
    ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  Bell& bell_;
  const int parent_;
  int self_ = 0;
  std::array<struct sigaction, 3> as_before_{};
  sigset_t mask_before_{};
  File<Calls> children_;
  File<Calls> parent_file_;
};

}  // namespace trine::os
