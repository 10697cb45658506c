// SPDX-License-Identifier: BSL-1.0
//
// A system that grants fences in other threads and refuses them later: who comes along to words of which another thread is the sole
// one waits then until that thread must have seen it, each time.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include <trine/coroutine/sole_word.hpp>

#ifdef __linux__

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace {

using Sole = trine::coroutine::Sole<trine::coroutine::EachObject>;

// For the calling thread, from here on.
bool forbid_fences() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof program / sizeof *program, program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(RefusedFence, WhoComesAlongWaitsEachTime) {
  if (!trine::coroutine::EveryWord::prepare()) GTEST_SKIP() << "no fences of others here";
  Sole words[3];
  for (Sole& each : words) {
    ASSERT_TRUE(each.enter());
    each.leave();
  }
  bool forbidden = false;
  std::thread other([&] {
    forbidden = forbid_fences();
    if (!forbidden) return;
    for (Sole& each : words) {
      const auto before = std::chrono::steady_clock::now();
      EXPECT_FALSE(each.enter());
      EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(1));
    }
  });
  other.join();
  if (!forbidden) GTEST_SKIP() << "the kernel refuses the seccomp filter";
  for (Sole& each : words) EXPECT_FALSE(each.enter());
  // Nobody begins to rely on it any more.
  Sole later;
  EXPECT_FALSE(later.enter());
}

}  // namespace

#endif
