// SPDX-License-Identifier: BSL-1.0
//
// What Linux and the processor must keep for a lock to be freed without a locked instruction: a mark that still stands after
// a fence in all other threads is seen by the owner. Without that fence some are not, within a second on two cores.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include <trine/backend/threads.hpp>
#include <trine/os/futex.hpp>

namespace {

using Word = std::atomic<std::uint32_t>;
constexpr std::uint32_t owned = 1;
constexpr std::uint32_t mark = 2;

template <class Os>
concept StepsBetweenFences = requires(Word& word, std::uint32_t& expected) {
  Os::exchange_between_fences(word, expected, 0U);
};

template <class Os>
class FencesStress : public ::testing::Test {
 protected:
  struct State {
    alignas(64) Word word{0};
    alignas(64) std::atomic<std::uint64_t> seen{0};  // marks that the owner found
    std::atomic<bool> over{false};
  };

  // Owns and frees the word, again and again.
  static void own(State& state) {
    for (unsigned turn = 0; !state.over.load(std::memory_order_relaxed); ++turn) {
      state.word.store(owned, std::memory_order_relaxed);
      for (volatile unsigned i = turn % 8; i != 0;) i = i - 1;
      std::uint32_t expected = owned;
      if (Os::exchange_between_fences(state.word, expected, 0)) continue;
      state.seen.store(state.seen.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      state.word.store(0, std::memory_order_release);
    }
  }

  // Marks it once, if it can. false: the mark stood, and the owner went on without having seen it.
  static bool mark_it(State& state, std::uint64_t& stood) {
    const std::uint64_t before = state.seen.load(std::memory_order_relaxed);
    std::uint32_t expected = owned;
    if (!state.word.compare_exchange_strong(expected, owned | mark, std::memory_order_relaxed)) return true;
    Os::fence_others();
    if (state.word.load(std::memory_order_acquire) != (owned | mark)) return true;
    ++stood;
    while (state.word.load(std::memory_order_acquire) == (owned | mark)) std::this_thread::yield();
    return state.seen.load(std::memory_order_relaxed) == before + 1;
  }
};

using Systems = ::testing::Types<trine::os::LinuxFutex<trine::os::FutexScope::process>,
                                 trine::os::LinuxFutex<trine::os::FutexScope::machine>>;
TYPED_TEST_SUITE(FencesStress, Systems);

TYPED_TEST(FencesStress, a_mark_that_stands_is_seen) {
  if constexpr (!StepsBetweenFences<TypeParam>) {
    GTEST_SKIP() << "locks are freed by a locked instruction here";
  } else {
    if (!TypeParam::steps_between_fences()) GTEST_SKIP() << "this system has no fence for other threads, or interrupts amid one";
    typename TestFixture::State state;
    std::thread owner([&] { TestFixture::own(state); });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    std::uint64_t stood = 0;
    bool kept = true;
    while (kept && std::chrono::steady_clock::now() < end) kept = TestFixture::mark_it(state, stood);
    state.over.store(true, std::memory_order_relaxed);
    owner.join();
    EXPECT_TRUE(kept) << "a mark was lost after the fence; " << stood << " had stood";
    EXPECT_GT(stood, 0U);
  }
}

}  // namespace
