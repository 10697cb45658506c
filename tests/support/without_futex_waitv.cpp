// SPDX-License-Identifier: BSL-1.0
//
// without_futex_waitv PROGRAM ARGUMENTS...
// Runs the program as on a kernel that lacks the system call futex_waitv (Linux before 5.16): it answers ENOSYS.
// Exits with 77 where that can't be arranged.

#include <cstdio>

namespace {
constexpr int cannot = 77;
}

#ifdef __linux__

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace {

#ifdef SYS_futex_waitv
constexpr unsigned futex_waitv = SYS_futex_waitv;
#else
constexpr unsigned futex_waitv = 449;  // newer than this machine's headers; the same number on nearly every processor
#endif

// From here on and in whatever this process executes, futex_waitv fails with ENOSYS and all else is as before.
bool forbid_futex_waitv() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, futex_waitv, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof program / sizeof *program, program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s PROGRAM ARGUMENTS...\n", argv[0]);
    return 2;
  }
  if (!forbid_futex_waitv()) {
    std::fprintf(stderr, "skipped: the kernel refuses the seccomp filter: %s\n", std::strerror(errno));
    return cannot;
  }
  // Without the filter this call, which names no futex, is EINVAL.
  if (syscall(futex_waitv, nullptr, 0, 0, nullptr, 0) != -1 || errno != ENOSYS) {
    std::fprintf(stderr, "skipped: the seccomp filter has no effect\n");
    return cannot;
  }
  execv(argv[1], argv + 1);
  std::fprintf(stderr, "can't execute %s: %s\n", argv[1], std::strerror(errno));
  return 1;
}

#else

int main() {
  std::fprintf(stderr, "skipped: only Linux has futex_waitv\n");
  return cannot;
}

#endif
