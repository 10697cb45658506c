// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <system_error>

#include <trine/os/process_identity.hpp>
#include <trine/os/process_linux.hpp>

namespace trine::os {

/// A word in shared memory that says which thread owns something, so that the kernel marks it when that thread dies: an
/// entry for the list of robust futexes that the C library keeps for each thread, laid out as the beginning of its own
/// mutex.
///
/// The kernel reads `next` alone, and the word, which it finds at the offset that the C library told it.
struct OwnedWord {
  std::atomic<std::uint32_t> word{0};  // of bits 0-29 the owner's thread id; 30: the owner died; 31: somebody sleeps
  mutable std::atomic<std::uint32_t> probe{0};  // whether two addresses are the same memory: changed by the owner alone
  std::atomic<std::uint32_t> since[2]{};        // when the owner's thread started, where the kernel does not watch
  std::uint32_t kind = 0;                       // never 0 in a robust mutex of the C library
  std::uint32_t unused = 0;
  void* previous = nullptr;
  void* next = nullptr;
};
static_assert(sizeof(void*) != 8 || (offsetof(OwnedWord, kind) == 16 && offsetof(OwnedWord, next) == 32));

/// The calling thread's list of robust futexes: what it holds is on it, and what it is about to take or to free is noted
/// beside it, so that at no instruction something is taken and the kernel does not know by whom.
///
/// It shares the list with the C library, which is never told to use another one. Where the list does not look as expected
/// (a first use in each thread makes sure of that with a mutex of the C library), a list that the kernel does not know takes
/// its place, and those who wait find out about a death by asking the system for the owner's thread: see look_after().
///
/// A store in front of a locked instruction delays it until the store has reached the cache, so there are as few as can be:
/// what a thread owns is told by its list and by nothing else, `previous` is written where something is put in front of an
/// entry and not read while the entry is the first, and the note is left where it is until the word is free again.
class Robust {
 public:
  struct Head {
    void* list;
    long offset;
    void* pending;
  };

  struct Thread {
    Head* head = nullptr;
    std::uint32_t id = 0;    // what the kernel compares with
    std::uint32_t more = 0;  // how many it holds beside the first, or with it if the C library's were on the list before
  };

  /// The kernel looks at the first 2048 entries of a list, and the C library has its own on it.
  static constexpr std::uint32_t most_held = 1024;

  static Thread& self() {
    Thread& thread = own();
    if (thread.id == 0) [[unlikely]]
      begin(thread);
    return thread;
  }

  /// Whether it can hold one more.
  static bool has_room(const Thread& thread) noexcept { return thread.more < most_held - 1; }

  /// Whether the thread has taken it and not freed it. Threads' numbers come again, so the word does not tell: the list does.
  static bool owns(Thread& thread, const OwnedWord& owned) noexcept {
    if (thread.head->list == &owned.next) [[likely]]
      return true;
    return entry_of(thread, owned) != nullptr;
  }

  /// There is room for what is freed as well as for what is taken: nothing of trine's needs more than this.
  [[noreturn, gnu::noinline, gnu::cold]] static void too_many() {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                            "trine: a thread holds more than 1024 locks of processes");
  }

  /// Notes, for a scope, that the thread is about to take or to free something. One note may replace another, in a signal
  /// handler say, and puts it back. The note of what was taken stays (stay()) unless there was another: as long as the word
  /// is on the list the kernel does the same with it or without it, and who frees the word need not note it again.
  class Noted {
   public:
    Noted(Thread& thread, OwnedWord& owned) noexcept : head_(*thread.head), before_(head_.pending) {
      if (before_ == &owned.next) {
        before_ = nullptr;
      } else {
        head_.pending = &owned.next;
      }
      barrier();
    }
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;
    ~Noted() {
      barrier();
      if (!stays_ || before_ != nullptr) head_.pending = before_;
    }
    void stay() noexcept { stays_ = true; }

   private:
    volatile Head& head_;
    void* before_;
    bool stays_ = false;
  };

  /// While noted, right after the word was taken.
  static void link(Thread& thread, OwnedWord& owned) noexcept {
    barrier();
    Head& head = *thread.head;
    void* const first = head.list;
    owned.next = first;
    barrier();
    head.list = &owned.next;
    barrier();
    // Now: a signal handler that comes before and takes and frees something leaves `first` as it was.
    if (first != &head.list) [[unlikely]] {
      previous_of(first) = &owned.next;
      ++thread.more;
    }
    if (!kernel_watches()) [[unlikely]]
      note_start(owned, start_of(thread.id));
    barrier();
  }

  /// While noted, right before the word is freed.
  static void unlink(Thread& thread, OwnedWord& owned) noexcept {
    Head& head = *thread.head;
    if (head.list == &owned.next) [[likely]] {
      void* const next = owned.next;
      head.list = next;
      if (next != &head.list) [[unlikely]]
        previous_of(next) = &head.list;
    } else if (void* const entry = entry_of(thread, owned); entry != nullptr) {
      take_out(head, entry);
    }
    barrier();
    if (!kernel_watches()) [[unlikely]]
      note_start(owned, 0);
    if (thread.more != 0) [[unlikely]]
      --thread.more;
    barrier();
  }

  /// Gives up everything that the thread holds between two addresses, as its death would: this process is about to have the
  /// memory no more, but others may.
  static void forget(const void* begin, const void* end) noexcept {
    Thread& thread = self();
    const auto inside = [&](const void* at) { return at >= begin && at < end; };
    const void* const last = &thread.head->list;
    for (void* at = thread.head->list; untagged(at) != last;) {
      void* const next = next_of(at);
      if (inside(at) && is_ours(at)) {
        OwnedWord& owned = owned_at(at);
        const Noted noted(thread, owned);
        unlink(thread, owned);
        mark_dead(owned);
      }
      at = next;
    }
  }

  /// Whether the kernel marks what a dead thread owned. If not, one who waits calls look_after().
  static bool kernel_watches() noexcept { return watches_.load(std::memory_order_relaxed); }

  /// For one who is about to sleep until the word is free: marks it as the kernel would, if its owner no longer runs. That is
  /// how a death is noticed where the kernel does not watch; then an owner is known by its number and the moment at which it
  /// started; before it has noted that moment, by the number alone. Where the kernel watches, this is for words that were
  /// damaged: now and then it makes sure that a thread of that number exists at all.
  static void look_after(OwnedWord& owned) noexcept {
    std::uint32_t seen = owned.word.load(std::memory_order_relaxed);
    const std::uint32_t owner = seen & FUTEX_TID_MASK;
    if (owner == 0) return;
    if (kernel_watches() ? may_own(owned, owner) : runs(owned, owner)) return;
    note_start(owned, 0);  // before another can own it
    // Release: pairs with the acquire of whoever takes it next.
    owned.word.compare_exchange_strong(seen, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED, std::memory_order_release,
                                       std::memory_order_relaxed);
  }

  /// How many forks there were from the first use, in this process or one before it, to the calling process: a copy of something
  /// that was made with fewer is in another process than what it is a copy of.
  static std::uint32_t forks() noexcept { return forks_.load(std::memory_order_relaxed); }

  /// For a test of what happens where the list can't be used: threads that begin from now on don't.
  static void do_without_kernel(bool without) noexcept { disabled_.store(without, std::memory_order_relaxed); }

 private:
  static Thread& own() noexcept {
    static constinit thread_local Thread thread;
    return thread;
  }

  static void note_start(OwnedWord& owned, std::uint64_t started) noexcept {
    owned.since[0].store(static_cast<std::uint32_t>(started), std::memory_order_relaxed);
    owned.since[1].store(static_cast<std::uint32_t>(started >> 32), std::memory_order_relaxed);
  }

  // 0: the system does not tell.
  static std::uint64_t start_of(std::uint32_t id) noexcept {
    const int saved = errno;
    const ThreadStat stat = thread_stat(id);
    errno = saved;
    return stat.start;
  }

  // Where the kernel does not watch: false only if the system says that the owner is dead.
  static bool runs(const OwnedWord& owned, std::uint32_t owner) noexcept {
    if (!knows_numbers_.load(std::memory_order_relaxed)) return true;
    const std::uint64_t noted =
        owned.since[0].load(std::memory_order_relaxed) | std::uint64_t{owned.since[1].load(std::memory_order_relaxed)} << 32;
    const int saved = errno;
    const Life life = life_of_thread(owner, noted);
    errno = saved;
    return life != Life::dead;
  }

  // Where the kernel watches: false only if it can't be the owner of a word that was taken as it should be.
  static bool may_own(const OwnedWord& owned, std::uint32_t owner) noexcept {
    Thread& me = self();
    if (!knows_numbers_.load(std::memory_order_relaxed)) return true;
    if (owner == me.id) return owns(me, owned);
    if (!is_due()) return true;
    const int saved = errno;
    const bool none = Calls::tkill(owner, 0) == -1 && errno == ESRCH;
    errno = saved;
    return !none;
  }

  // Every 40 ms in each thread.
  static bool is_due() noexcept {
    static constinit thread_local std::int64_t last = 0;
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    const std::int64_t ms = std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
    if (ms - last < 40) return false;
    last = ms;
    return true;
  }

  // What the kernel does to the word of an owner that has died.
  static void mark_dead(OwnedWord& owned) noexcept {
    std::uint32_t seen = owned.word.load(std::memory_order_relaxed);
    while (!owned.word.compare_exchange_weak(seen, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED, std::memory_order_release,
                                             std::memory_order_relaxed)) {
    }
    if ((seen & FUTEX_WAITERS) != 0) ::syscall(SYS_futex, &owned.word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }

  static void barrier() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

  // The lowest bit of a pointer tells the kernel of another kind of mutex.
  static void* untagged(void* entry) noexcept {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(entry) & ~std::uintptr_t{1});
  }
  static void*& next_of(void* entry) noexcept { return *static_cast<void**>(untagged(entry)); }
  static void*& previous_of(void* entry) noexcept { return static_cast<void**>(untagged(entry))[-1]; }

  static OwnedWord& owned_at(void* entry) noexcept {
    return *reinterpret_cast<OwnedWord*>(static_cast<std::byte*>(entry) - offsetof(OwnedWord, next));
  }

  // And no mutex of the C library.
  static bool is_ours(void* entry) noexcept { return untagged(entry) == entry && owned_at(entry).kind == 0; }

  // The entry of the thread's list that is this word, maybe by another address of the same memory; null: none is.
  [[gnu::noinline, gnu::cold]] static void* entry_of(Thread& thread, const OwnedWord& owned) noexcept {
    const bool names_it = (owned.word.load(std::memory_order_relaxed) & FUTEX_TID_MASK) == thread.id;
    Head& head = *thread.head;
    for (void* at = head.list; untagged(at) != &head.list; at = next_of(at)) {
      if (at == &owned.next) return at;
      if (!names_it || !is_ours(at) || !is_same(owned, owned_at(at))) continue;
      if (head.pending == at)
        head.pending = nullptr;  // the word is about to be freed by its other address, or it has no need
      return at;
    }
    return nullptr;
  }

  // No two entries of a list have the same successor; the probe is for a word that is on no list of this thread's.
  static bool is_same(const OwnedWord& owned, const OwnedWord& other) noexcept {
    if (owned.next != other.next) return false;
    const std::uint32_t probe = other.probe.load(std::memory_order_relaxed) + 1;
    owned.probe.store(probe, std::memory_order_relaxed);
    return other.probe.load(std::memory_order_relaxed) == probe;
  }

  [[gnu::noinline, gnu::cold]] static void take_out(Head& head, void* entry) noexcept {
    void* const next = next_of(entry);
    void* const previous = head.list == entry ? &head.list : previous_of(entry);
    next_of(previous) = next;
    if (next != &head.list) previous_of(next) = previous;
  }

  [[gnu::noinline]] static void begin(Thread& thread) {
    static const int at_fork = ::pthread_atfork(nullptr, nullptr, [] { forget_thread(); });
    if (at_fork != 0) throw std::system_error(at_fork, std::system_category(), "trine: pthread_atfork");
    static thread_local struct {
      void* previous;
      Head head;
    } own;
    Head* const head = disabled_.load(std::memory_order_relaxed) ? nullptr : head_of_library(thread.head);
    own.head.list = &own.head.list;
    thread.head = head != nullptr ? head : &own.head;
    if (head == nullptr) watches_.store(false, std::memory_order_relaxed);
    look_at_numbers();
    thread.more = 0;
    thread.id = thread_id();
  }

  // Who was forked into a PID namespace of its own, and shares memory with those outside, knows others by other numbers. A
  // process stays in the namespace that it was forked into.
  static void look_at_numbers() {
    static const std::uint64_t numbers = namespace_now();
    const std::uint32_t generation = forks();
    const std::uint32_t looked = looked_after_.load(std::memory_order_relaxed);
    if (generation == looked) return;
    if (!(generation == looked + 1 && parent_is_seen()) && numbers != namespace_now()) {
      knows_numbers_.store(false, std::memory_order_relaxed);
    }
    looked_after_.store(generation, std::memory_order_relaxed);  // last: another thread that comes meanwhile looks as well
  }

  static std::uint64_t namespace_now() noexcept {
    const int saved = errno;
    const std::uint64_t found = known_pid_namespace();
    errno = saved;
    return found;
  }

  // Whether the process that forked the calling one is in its namespace: else it has no number there, nor has whoever is the
  // parent since that has ended, for orphans go to one of the namespace of their parent.
  // By syscall(), which the parent has called before: a function of the library that is new to a process is looked for by name.
  static bool parent_is_seen() noexcept { return ::syscall(SYS_getppid) != 0; }

  // The child of a fork has another number, and a list that the C library has emptied, but for the note.
  static void forget_thread() noexcept {
    Thread& thread = own();
    if (thread.head != nullptr) thread.head->pending = nullptr;
    thread.id = 0;
    thread.more = 0;
    forks_.fetch_add(1, std::memory_order_relaxed);
  }

  // The list of the calling thread, if it is as expected. `known`: the one that was found to be so before a fork.
  static Head* head_of_library(const Head* known) {
    Head* head = nullptr;
    std::size_t size = 0;
    if (::syscall(SYS_get_robust_list, 0, &head, &size) != 0 || head == nullptr || size != sizeof(Head)) return nullptr;
    constexpr auto offset = static_cast<long>(offsetof(OwnedWord, word)) - static_cast<long>(offsetof(OwnedWord, next));
    if (head->offset != offset || head->pending != nullptr) return nullptr;
    if (head == known && head->list == &head->list) return head;
    return library_agrees(*head) ? head : nullptr;
  }

  // A robust mutex of the C library must stand where, and look as, an entry of ours would.
  static bool library_agrees(Head& head) {
    if (sizeof(pthread_mutex_t) < sizeof(OwnedWord)) return false;
    pthread_mutexattr_t robust;
    pthread_mutex_t mutex;
    void* const before = head.list;
    bool agrees = ::pthread_mutexattr_init(&robust) == 0 &&
                  ::pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST) == 0 &&
                  ::pthread_mutex_init(&mutex, &robust) == 0;
    if (!agrees) return false;
    agrees = ::pthread_mutex_lock(&mutex) == 0;
    auto& entry = reinterpret_cast<OwnedWord&>(mutex);
    agrees = agrees && head.list == &entry.next && entry.next == before && entry.previous == &head.list && entry.kind != 0 &&
             (entry.word.load(std::memory_order_relaxed) & FUTEX_TID_MASK) == thread_id();
    ::pthread_mutex_unlock(&mutex);
    ::pthread_mutex_destroy(&mutex);
    ::pthread_mutexattr_destroy(&robust);
    return agrees && head.list == before;
  }

  inline static std::atomic<bool> watches_{true};
  inline static std::atomic<bool> disabled_{false};
  inline static std::atomic<bool> knows_numbers_{true};
  inline static std::atomic<std::uint32_t> forks_{0};
  inline static std::atomic<std::uint32_t> looked_after_{0};  // so many forks, at the numbers
};

}  // namespace trine::os
