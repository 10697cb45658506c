// SPDX-License-Identifier: BSL-1.0
//
// What waiting costs in memory: nothing beside the coroutine's frame, in that less than 200 bytes, and no stack however many
// wake each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <thread>

#include <trine/trine.hpp>

namespace {
std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> released{0};
thread_local bool out_of_memory = false;

void release(void* made) noexcept {
  if (made != nullptr) released.fetch_add(1, std::memory_order_relaxed);
  std::free(made);
}
}  // namespace

// Not inlined: g++ would warn that what one gave is given back by the other's free().
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (out_of_memory) throw std::bad_alloc();
  if (void* const made = std::malloc(size)) return made;
  throw std::bad_alloc();
}
// The sanitizers' own would not call the one above.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::noinline]] void operator delete(void* made) noexcept { release(made); }
[[gnu::noinline]] void operator delete(void* made, std::size_t) noexcept { release(made); }

namespace {

using B = trine::coroutines;
using trine::Scheduler;
using trine::Task;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int many = 100'000;
#else
constexpr int many = 1'000'000;
#endif

static_assert(sizeof(trine::Awaiting<bool>) < 200);

/// How much stack is in use.
class Depth {
 public:
  [[gnu::noinline]] void look() noexcept {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest_ = std::min(lowest_, here);
    highest_ = std::max(highest_, here);
  }
  [[nodiscard]] std::size_t spread() const noexcept { return highest_ - lowest_; }

 private:
  std::uintptr_t lowest_ = UINTPTR_MAX;
  std::uintptr_t highest_ = 0;
};

TEST(Footprint, ManyWaitWithoutMemoryAndWakeEachOtherWithoutStack) {
  trine::Semaphore<B> permits(0);
  Depth depth;
  int woken = 0;
  const auto wait_and_pass_on = [&]() -> Task<void, B> {
    co_await permits.acquire();
    ++woken;
    depth.look();
    permits.release();
  };
  const auto body = [&]() -> Task<void, B> {
    Scheduler& here = *Scheduler::current();
    for (int i = 0; i < many; ++i) here.spawn(wait_and_pass_on());
    const std::size_t before = allocations.load();
    co_await here.hop();
    // All of them wait now.
    EXPECT_EQ(woken, 0);
    EXPECT_EQ(allocations.load(), before);
    permits.release();
    co_await permits.acquire();
    EXPECT_EQ(woken, many);
    EXPECT_EQ(allocations.load(), before);
  };
  trine::run(body());
  EXPECT_LT(depth.spread(), 4096U);
  EXPECT_EQ(permits.value(), 0);
}

// Each wait is an attempt of the waker: the chain is one call of release().
TEST(Footprint, ManyPermitsAtOnceTakeNoStack) {
  trine::Semaphore<B> permits(0);
  int woken = 0;
  const auto wait = [&]() -> Task<void, B> {
    co_await permits.acquire();
    ++woken;
  };
  const auto body = [&]() -> Task<void, B> {
    Scheduler& here = *Scheduler::current();
    for (int i = 0; i < many; ++i) here.spawn(wait());
    co_await here.hop();
    const std::size_t before = allocations.load();
    permits.release(many);
    co_await here.hop();
    EXPECT_EQ(woken, many);
    EXPECT_EQ(allocations.load(), before);
  };
  trine::run(body());
}

// And of tasks that have ended the next are made; nothing of it is left when the thread has ended.
TEST(Footprint, TheMemoryOfTasksIsUsedAgain) {
  static constexpr int tasks = 1000;
  const std::size_t allocated = allocations.load();
  const std::size_t given_back = released.load();
  std::thread([] {
    const auto nothing = []() -> Task<void, B> { co_return; };
    Scheduler scheduler;
    const auto run_all = [&] {
      const std::size_t before = allocations.load();
      for (int i = 0; i < tasks; ++i) scheduler.spawn(nothing());
      scheduler.run();
      return allocations.load() - before;
    };
    EXPECT_GE(run_all(), 2 * tasks);
    if (!trine::os::memory_is_checked) {
      EXPECT_EQ(run_all(), 0U);
    }
  }).join();
  EXPECT_EQ(allocations.load() - allocated, released.load() - given_back);
}

// A wait that can be called off needs memory for that: without it does not begin, and leaves things as they were.
TEST(Footprint, AWaitForWhichThereIsNoMemoryThrows) {
  trine::SharedLock<B> lock;
  int thrown = 0;
  const auto write = [&]() -> Task<void, B> {
    auto wait = lock.lock();  // tried: no reader gets in from here on
    try {
      out_of_memory = true;
      co_await wait;
    } catch (const std::bad_alloc&) {
      ++thrown;
    }
    out_of_memory = false;
  };
  const auto body = [&]() -> Task<void, B> {
    co_await lock.lock_shared();
    co_await trine::with_timeout(write(), std::chrono::hours(1));
    EXPECT_TRUE(lock.try_lock_shared());
    lock.unlock_shared();
    lock.unlock_shared();
  };
  trine::run(body());
  EXPECT_EQ(thrown, 1);
}

}  // namespace
