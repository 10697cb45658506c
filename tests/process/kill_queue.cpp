// SPDX-License-Identifier: BSL-1.0
//
// The queues of items of a fixed size: see support/kill_queue.hpp.

#include <gtest/gtest.h>

#include <functional>

#include "process/killing/kill_queue.hpp"

namespace trine_test {
namespace {

using B = shared_memory_direct;
using Queues = ::testing::Types<trine::Queue<long, B, places>, trine::LifoQueue<long, B, places>,
                                trine::PriorityQueue<long, B, std::less<long>, places>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Numbers, KillQueue, Queues, QueueName);

}  // namespace
}  // namespace trine_test
