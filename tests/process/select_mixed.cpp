// SPDX-License-Identifier: BSL-1.0
//
// select() over operations of threads, processes and shared memory together.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <thread>

#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/queue.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_memory.hpp>

namespace {

using trine::processes;
using trine::select;
using trine::shared_memory;
using trine::threads;

constexpr std::chrono::milliseconds brief{20};

// Whether somebody sleeps in the system call that waits for several words.
bool sleeps(int thread) {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
  std::string text(512, '\0');
  std::FILE* const file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return false;
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
}

struct Objects {
  trine::Event<threads> here;
  trine::Event<processes> there;
  trine::Queue<int, processes> numbers{4};
  trine::Semaphore<threads> slots{0};
};

auto first_of(Objects& objects, const trine::Until& until = {}) {
  return select(objects.here.wait_op(), objects.there.wait_op(), objects.numbers.get_op(), objects.slots.acquire_op(), until);
}

TEST(SelectMixed, what_is_there_is_taken_at_once) {
  Objects objects;
  objects.numbers.put(7);
  auto done = first_of(objects);
  ASSERT_EQ(done.index(), 2U);
  EXPECT_EQ(done.get<2>(), 7);
  objects.slots.release();
  EXPECT_EQ(first_of(objects).index(), 3U);
  EXPECT_EQ(objects.slots.value(), 0);
}

TEST(SelectMixed, nothing_is_taken_when_the_limit_comes_first) {
  Objects objects;
  const auto began = std::chrono::steady_clock::now();
  const auto done = first_of(objects, brief);
  EXPECT_EQ(done.index(), decltype(done)::none);
  EXPECT_GE(std::chrono::steady_clock::now() - began, brief);
  objects.numbers.put(1);
  EXPECT_EQ(objects.numbers.size(), 1U);
}

// Lets `act` come when the thread that waits is asleep.
template <class Act>
std::size_t woken_by(Objects& objects, Act act) {
  const int waiter = gettid();
  std::jthread other([&] {
    while (!sleeps(waiter)) std::this_thread::yield();
    act();
  });
  return first_of(objects).index();
}

TEST(SelectMixed, a_sleeper_is_woken_on_a_word_of_either_kind) {
  Objects objects;
  EXPECT_EQ(woken_by(objects, [&] { objects.slots.release(); }), 3U);
  EXPECT_EQ(woken_by(objects, [&] { objects.numbers.put(1); }), 2U);
  EXPECT_EQ(woken_by(objects, [&] { objects.there.set(); }), 1U);
  objects.there.clear();
  EXPECT_EQ(woken_by(objects, [&] { objects.here.set(); }), 0U);
}

TEST(SelectMixed, a_stop_request_ends_it) {
  Objects objects;
  std::stop_source stop;
  const int waiter = gettid();
  std::jthread other([&] {
    while (!sleeps(waiter)) std::this_thread::yield();
    stop.request_stop();
  });
  const auto done = first_of(objects, stop.get_token());
  EXPECT_EQ(done.index(), decltype(done)::none);
}

TEST(SelectMixed, a_child_wakes_it) {
  Objects objects;
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      objects.numbers.put(i);
      _exit(0);
    }
    auto done = first_of(objects);
    ASSERT_EQ(done.index(), 2U);
    EXPECT_EQ(done.get<2>(), i);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
  }
}

TEST(SelectMixed, a_lock_of_shared_memory_is_one_of_them) {
  trine::SharedMemory memory(1 << 16);
  auto& lock = *memory.construct<trine::Lock<shared_memory>>("lock")();
  trine::Event<threads> event;
  EXPECT_EQ(select(event.wait_op(), lock.lock_op()).index(), 1U);
  const auto done = select(event.wait_op(), lock.lock_op(), brief);
  EXPECT_EQ(done.index(), decltype(done)::none);
  lock.unlock();
}

// Two that take from the same places: every number is got once.
TEST(SelectMixed, many_lose_nothing) {
  trine::Queue<int, threads> here(4);
  trine::Queue<int, processes> there(4);
  constexpr int count = 4000;
  std::uint64_t sums[2] = {};
  {
    std::jthread consumers[2];
    for (int i = 0; i < 2; ++i) {
      consumers[i] = std::jthread([&, i] {
        for (int n = 0; n < count; ++n) {
          auto done = select(here.get_op(), there.get_op());
          sums[i] += static_cast<std::uint64_t>(done.index() == 0 ? done.get<0>() : done.get<1>());
        }
      });
    }
    std::jthread one([&] { for (int n = 0; n < count; ++n) here.put(n); });
    std::jthread two([&] { for (int n = 0; n < count; ++n) there.put(n); });
  }
  EXPECT_EQ(sums[0] + sums[1], std::uint64_t{count} * (count - 1));
  EXPECT_TRUE(here.empty());
  EXPECT_TRUE(there.empty());
}

}  // namespace
