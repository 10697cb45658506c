// SPDX-License-Identifier: BSL-1.0
//
// The memory that a process shares with a child, and keeps for the next one: nobody else ever has it at the same time.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <trine/os/spare_memory.hpp>
#include <utility>
#include <vector>

namespace {

using trine::os::ChildMemory;

constexpr std::size_t bytes = 2000;

std::atomic<int>& number_in(const ChildMemory& memory) { return *reinterpret_cast<std::atomic<int>*>(memory.data()); }

ChildMemory free_piece() {
  ChildMemory memory = ChildMemory::take(bytes);
  memory.free();
  return memory;
}

/// In a child made by fork(), which no class of trine's made: what `run` returns.
template <class Run>
int in_child(Run run) {
  const pid_t id = ::fork();
  if (id == 0) ::_exit(run());
  int status = -1;
  ::waitpid(id, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class SpareMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    // Takes what earlier tests have left; it is not free, and so goes.
    { const ChildMemory taken = ChildMemory::take(bytes); }
    ASSERT_EQ(ChildMemory::kept(), 0U);
  }
};

TEST_F(SpareMemory, IsForTheNextChild) {
  const std::byte* const first = free_piece().data();
  EXPECT_EQ(ChildMemory::kept(), 1U);
  const ChildMemory next = ChildMemory::take(bytes);
  EXPECT_EQ(next.data(), first);
  EXPECT_EQ(ChildMemory::kept(), 0U);
}

TEST_F(SpareMemory, IsNotThatOfAChildThatMayRun) {
  { const ChildMemory memory = ChildMemory::take(bytes); }
  EXPECT_EQ(ChildMemory::kept(), 0U);
}

TEST_F(SpareMemory, IsOnePiece) {
  {
    const ChildMemory first = free_piece();
    const ChildMemory second = free_piece();
    EXPECT_NE(first.data(), second.data());
  }
  EXPECT_EQ(ChildMemory::kept(), 1U);
}

TEST_F(SpareMemory, IsNotOfAnotherSize) {
  {
    ChildMemory big = ChildMemory::take(10'000);
    big.data()[9'999] = std::byte{1};
    big.free();
  }
  EXPECT_EQ(ChildMemory::kept(), 0U);
  { const ChildMemory piece = free_piece(); }
  const ChildMemory big = ChildMemory::take(10'000);
  EXPECT_EQ(ChildMemory::kept(), 1U);
  EXPECT_EQ(big.data()[9'999], std::byte{0});
}

TEST_F(SpareMemory, Moves) {
  ChildMemory first = free_piece();
  const std::byte* const data = first.data();
  ChildMemory second = std::move(first);
  EXPECT_EQ(second.data(), data);
  first = ChildMemory();
  EXPECT_EQ(ChildMemory::kept(), 0U);
  second = ChildMemory();
  EXPECT_EQ(ChildMemory::kept(), 1U);
}

// Both have the same piece by the same address, and must not both use it.
TEST_F(SpareMemory, OfTheParentIsNotUsedInAForkedChild) {
  {
    const ChildMemory memory = free_piece();
    number_in(memory) = 1;
  }
  EXPECT_EQ(in_child([] {
              const ChildMemory memory = ChildMemory::take(bytes);
              number_in(memory) = 2;
              return 0;
            }),
            0);
  const ChildMemory memory = ChildMemory::take(bytes);
  EXPECT_EQ(number_in(memory), 1);
}

TEST_F(SpareMemory, IsNoCopyInAForkedChild) {
  ChildMemory memory = free_piece();
  number_in(memory) = 1;
  EXPECT_EQ(in_child([&] {
              memory = ChildMemory();
              const ChildMemory next = ChildMemory::take(bytes);
              number_in(next) = 2;
              return 0;
            }),
            0);
  EXPECT_EQ(number_in(memory), 1);
}

// It has a piece of the parent's and one of its own, and uses the second alone.
TEST_F(SpareMemory, OfAForkedChildIsItsOwn) {
  {
    const ChildMemory memory = free_piece();
    number_in(memory) = 1;
  }
  EXPECT_EQ(in_child([] {
              const std::byte* const own = free_piece().data();
              const ChildMemory next = ChildMemory::take(bytes);
              number_in(next) = 2;
              return next.data() == own ? 0 : 1;
            }),
            0);
  EXPECT_EQ(number_in(ChildMemory::take(bytes)), 1);
}

TEST_F(SpareMemory, OfAGrandchildIsItsOwnThoughTheChildHadNone) {
  {
    const ChildMemory memory = free_piece();
    number_in(memory) = 1;
  }
  EXPECT_EQ(in_child([] {
              return in_child([] {
                const ChildMemory memory = ChildMemory::take(bytes);
                number_in(memory) = 2;
                return 0;
              });
            }),
            0);
  EXPECT_EQ(number_in(ChildMemory::take(bytes)), 1);
}

TEST_F(SpareMemory, IsOfOneThreadAtATime) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int id = 1; id <= 4; ++id) {
    threads.emplace_back([&wrong, id] {
      for (int i = 0; i < 2000; ++i) {
        ChildMemory memory = ChildMemory::take(bytes);
        number_in(memory) = id;
        if (i % 4 == 0) std::this_thread::yield();
        wrong += number_in(memory) != id;
        memory.free();
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(in_child([] {
                const ChildMemory memory = ChildMemory::take(bytes);
                number_in(memory) = -1;
                return 0;
              }),
              0);
  }
  for (auto& each : threads) each.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
