// SPDX-License-Identifier: BSL-1.0
//
// The queues of items of any size, which lie in several blocks: see support/kill_queue.hpp.

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "process/killing/kill_queue.hpp"

namespace trine_test {
namespace {

#if defined(TRINE_TEST_STRINGS)
using B = processes_direct;
using Queues = ::testing::Types<trine::Queue<std::string, B>, trine::LifoQueue<std::string, B>,
                                trine::PriorityQueue<std::string, B, std::less<std::string>>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Strings, KillQueue, Queues, QueueName);
#else
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KillQueue);
#endif

}  // namespace
}  // namespace trine_test
