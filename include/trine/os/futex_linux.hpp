// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/time_types.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <system_error>

#include <trine/os/native.hpp>
#include <trine/os/single_thread.hpp>
#include <trine/sleep.hpp>

// The thread sanitizer sees no assembly.
#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
#define TRINE_HAS_STEP_BETWEEN_FENCES 1
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef TRINE_HAS_STEP_BETWEEN_FENCES
#endif
#endif
#endif
#if defined(TRINE_HAS_STEP_BETWEEN_FENCES)
#include <trine/os/processor_x86.hpp>
#endif

namespace trine::os {

struct MixedFutex;

enum class FutexScope { process, machine };

/// A full fence in every running thread that uses the words, at the cost of a system call, so that others need none:
/// membarrier. Where the words are shared, it reaches the threads of all processes that ask works().
template <FutexScope Scope>
class Membarrier {
 public:
  /// Whether fence() works, so that others need no fence of their own. Until main() begins it is false.
  static bool works() noexcept { return state_.works.load(std::memory_order_relaxed); }

  /// Whether it comes before or after an instruction of another thread, and not amid one. Where works() is false this is.
  static bool between_instructions() noexcept { return state_.between_instructions.load(std::memory_order_relaxed); }

  /// Tries even where works() said no: somebody else may see it say yes a moment later. Should the system refuse later on
  /// what it granted (a filter of system calls was set up), nobody relies on it any more, and whoever calls waits until even
  /// those who still did have long gone on.
  static void fence() noexcept {
    if (done()) return;
    if (state_.granted) wait_until(over_at());
  }

  /// The same if others rely on it who asked works() once and never again: where it is refused, whoever calls waits each time.
  static void fence_or_wait() noexcept {
    if (!done()) wait_until(now() + enough);
  }

 private:
  static constexpr bool shared = Scope == FutexScope::machine;
  static constexpr int barrier = shared ? MEMBARRIER_CMD_GLOBAL_EXPEDITED : MEMBARRIER_CMD_PRIVATE_EXPEDITED;
  static constexpr int registration =
      shared ? MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED : MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;

  static long call(int command) noexcept {
    const int saved = errno;
    const long result = ::syscall(SYS_membarrier, command, 0, 0);
    errno = saved;
    return result;
  }

  static bool registered() noexcept { return call(registration) == 0; }

  static bool done() noexcept {
    if (call(barrier) == 0 || (registered() && call(barrier) == 0)) return true;
    state_.works.store(false, std::memory_order_relaxed);
    state_.between_instructions.store(false, std::memory_order_relaxed);
    return false;
  }

  // In ns. A processor holds a store back for far less than a microsecond, and not while it runs another thread: what a thread has
  // stored before it loads is seen by all long before so much time has gone by, and what others have stored is by its next loads.
  static constexpr std::int64_t enough = 1'000'000;

  static std::int64_t now() noexcept {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  // So long after somebody was refused first.
  [[gnu::noinline, gnu::cold]] static std::int64_t over_at() noexcept {
    const std::int64_t first = now() + enough;
    std::int64_t before = 0;
    return state_.over_at.compare_exchange_strong(before, first, std::memory_order_relaxed) ? first : before;
  }

  [[gnu::noinline, gnu::cold]] static void wait_until(std::int64_t until) noexcept {
    const int saved = errno;
    for (std::int64_t left = until - now(); left > 0; left = until - now()) {
      const timespec pause{.tv_sec = 0, .tv_nsec = static_cast<long>(std::min(left, enough))};
      ::nanosleep(&pause, nullptr);
    }
    errno = saved;
  }

  static bool comes_between_instructions() noexcept {
#if defined(TRINE_HAS_STEP_BETWEEN_FENCES)
    return ProcessorX86::interrupts_between_instructions();
#else
    return false;
#endif
  }

  struct State {
    const bool granted = registered();
    std::atomic<bool> works{granted};
    std::atomic<bool> between_instructions{granted && comes_between_instructions()};
    std::atomic<std::int64_t> over_at{0};  // 0: it still works, or never did
  };
  inline static State state_;
};

/// Sleeping on 32-bit words by the futex system calls of Linux. `Scope` says whether the words are shared with other
/// processes: then each sleep is a slice of 40 ms at most, so that nobody depends on being woken by one who has died since.
/// Every sleep may end for no reason; the caller looks again.
template <FutexScope Scope>
class LinuxFutex : public Native {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Whether other processes wake those who sleep.
  static constexpr bool shared = Scope == FutexScope::machine;

  static void yield() noexcept {
    const std::int64_t before = now();
    ::sched_yield();
    const std::int64_t after = now();
    if (after - before > long_yield) [[unlikely]]
      patient_from() = after + std::min(16 * (after - before), impatience);
  }

  /// Whether a yield gives the core to one who soon gives it back. Not for a while after one that took long: then somebody
  /// computes here, who keeps it for a slice of time each time, and a sleeper that is woken comes before him.
  static bool yields_pay() noexcept { return patient_from() == 0 || now() > patient_from(); }

  /// Whether nobody but the calling thread can use the words at present: never where other processes may.
  static bool alone() noexcept {
    if constexpr (shared) return false;
    return single_threaded();
  }

  /// Whether fence_others() puts a full fence into every other thread that may use the words.
  static bool fences_others() noexcept { return Membarrier<Scope>::works(); }
  static void fence_others() noexcept { Membarrier<Scope>::fence(); }
  /// The same where others go on to rely on it without asking again.
  static void fence_others_or_wait() noexcept { Membarrier<Scope>::fence_or_wait(); }

#if defined(TRINE_HAS_STEP_BETWEEN_FENCES)
  /// Whether exchange_between_fences() keeps what it says.
  static bool steps_between_fences() noexcept { return Membarrier<Scope>::between_instructions(); }

  /// As compare_exchange_strong with release, in one instruction that is not locked: another thread's change of the word may
  /// come between its load and its store, and is lost then, even if it does not hold `expected`, for then it stores what it
  /// has read. A fence_others() of another thread may not come there. So whoever changes a word that another thread changes
  /// by this calls fence_others(), and looks whether its change is still there.
  static bool exchange_between_fences(Word& word, std::uint32_t& expected, std::uint32_t desired) noexcept {
    bool done;
    // An interrupt comes before or after an instruction, and so does the fence that it makes; stores are made in order.
    __asm__ __volatile__("cmpxchgl %3, %1"
                         : "=@ccz"(done), "+m"(reinterpret_cast<std::uint32_t&>(word)), "+a"(expected)
                         : "r"(desired)
                         : "memory");
    return done;
  }
#endif

  /// Has `call` called in every child of a fork of this process, before anything else is: false if that can't be.
  static bool in_children(void (*call)()) noexcept { return ::pthread_atfork(nullptr, nullptr, call) == 0; }

  /// Wakes up to `count` of those who sleep on the word. Touches nothing but the address, so the word may be gone; safe in
  /// a signal handler.
  [[gnu::noinline]] static void wake(Word& word, std::uint32_t count) noexcept {
    const int saved = errno;
    ::syscall(futex_call, &word, FUTEX_WAKE | private_flag, count, nullptr, nullptr, 0);
    errno = saved;
  }

  /// Stores 0 and wakes up to `count` in one step of the kernel, so that nobody dies between the two. Release. The word may
  /// be gone once it is 0, and is not touched again.
  [[gnu::noinline]] static void clear_and_wake(Word& word, std::uint32_t count) noexcept {
    const int saved = errno;
    // Release: the kernel's own store is one on every machine; this one is for the compiler, and a reader of the text.
    word.fetch_and(~std::uint32_t{0}, std::memory_order_release);
    // The comparison with what the word held says whether to wake more, at the second address: it held an owner, so no.
    constexpr auto store_zero = static_cast<std::uint32_t>(FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0));
    if (::syscall(futex_call, &word, FUTEX_WAKE_OP | private_flag, count, std::uintptr_t{0}, &word, store_zero) == -1) {
      word.store(0, std::memory_order_release);
      ::syscall(futex_call, &word, FUTEX_WAKE | private_flag, count, nullptr, nullptr, 0);
    }
    errno = saved;
  }

  /// For a word of the sleeper's own, which is there until this returns.
  static void set_and_wake(Word& word, std::uint32_t value) noexcept {
    word.store(value, std::memory_order_relaxed);
    wake(word, 1);
  }

  /// Sleeps until one of the words no longer holds its value, somebody wakes one of them, the time has come, or for no
  /// reason. Without futex_waitv (before Linux 5.16) several words are watched in slices. Uses the words' addresses alone: but
  /// for the first they may be gone, which is a change.
  static void sleep(std::span<const Sleep<Word>> words, const Limit& limit) {
    const TimePoint until = end_of_sleep(limit);
    if (words.size() == 1) return sleep_on(words.front(), until);
    if (sleep_on_several(words, until, [](const Sleep<Word>&) { return shared; })) return;
    sleep_on(words.front(), std::min(until, std::chrono::steady_clock::now() + short_slice));
  }

 protected:
  friend struct MixedFutex;

  static constexpr std::chrono::milliseconds slice{40};
  static constexpr std::chrono::milliseconds short_slice{1};  // where one word is slept on and others are looked at

 private:
  static constexpr int private_flag = Scope == FutexScope::process ? FUTEX_PRIVATE_FLAG : 0;

  static constexpr std::int64_t long_yield = 100'000;      // ns
  static constexpr std::int64_t impatience = 100'000'000;  // ns

  static std::int64_t now() noexcept {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  // When the calling thread may yield again; 0: no yield has taken long.
  static std::int64_t& patient_from() noexcept {
    static constinit thread_local std::int64_t at = 0;
    return at;
  }

  static TimePoint end_of_sleep(const Limit& limit) {
    const TimePoint until = limit.sleep_until();
    if constexpr (Scope == FutexScope::process) return until;
    return std::min(until, std::chrono::steady_clock::now() + slice);
  }

  // Relaxed: a hint alone, every thread would find out by itself.
  static std::atomic<bool>& can_wait_for_several() noexcept {
    static constinit std::atomic<bool> can{true};
    return can;
  }

  // The kernel's own layout, the same for 32 and 64 bits.
  using Time = __kernel_timespec;
#if defined(SYS_futex_time64)
  static constexpr long futex_call = SYS_futex_time64;
#else
  static constexpr long futex_call = SYS_futex;
#endif

  static Time absolute(TimePoint at) noexcept {
    const auto ns = std::max<std::int64_t>(std::chrono::nanoseconds(at.time_since_epoch()).count(), 0);
    return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  }

  [[noreturn]] static void give_up(const char* call) {
    throw std::system_error(errno, std::system_category(), std::string("trine: ") + call);
  }

  static void sleep_on(const Sleep<Word>& sleep, TimePoint until) {
    const Time at = absolute(until);
    const Time* limit = until == TimePoint::max() ? nullptr : &at;
    const long result = ::syscall(futex_call, sleep.word, FUTEX_WAIT_BITSET | private_flag, sleep.value, limit, nullptr,
                                  FUTEX_BITSET_MATCH_ANY);
    if (result == -1 && errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT) give_up("futex wait");
  }

  // false: this kernel (or a filter of system calls) does not know the call, or there are too many words for it.
  template <class IsShared>
  static bool sleep_on_several(std::span<const Sleep<Word>> words, TimePoint until, IsShared is_shared) {
    if (words.size() > FUTEX_WAITV_MAX || !can_wait_for_several().load(std::memory_order_relaxed)) return false;
    std::array<futex_waitv, FUTEX_WAITV_MAX> list;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::uint32_t flag = is_shared(words[i]) ? 0 : FUTEX_PRIVATE_FLAG;
      list[i] = {.val = words[i].value,
                 .uaddr = reinterpret_cast<std::uintptr_t>(words[i].word),
                 .flags = FUTEX_32 | flag,
                 .__reserved = 0};
    }
    Time at = absolute(until);
    Time* limit = until == TimePoint::max() ? nullptr : &at;
    const long result = ::syscall(SYS_futex_waitv, list.data(), words.size(), 0, limit, CLOCK_MONOTONIC);
    if (result != -1 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT || errno == EFAULT) return true;
    if (errno != ENOSYS && errno != EPERM) give_up("futex_waitv");
    can_wait_for_several().store(false, std::memory_order_relaxed);
    return false;
  }
};

}  // namespace trine::os
#undef TRINE_HAS_STEP_BETWEEN_FENCES
