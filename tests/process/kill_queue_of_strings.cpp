// SPDX-License-Identifier: BSL-1.0
//
// The queues of items of any size, which lie in several blocks: see killing/kill_queue.hpp. And one dies who used such a queue,
// and the next who comes has no memory.

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "process/killing/kill_queue.hpp"
#include "support/failing_memory.hpp"

namespace trine_test {
namespace {

#if defined(TRINE_TEST_STRINGS)
using B = processes_direct;
using Queues = ::testing::Types<trine::Queue<std::string, B>, trine::LifoQueue<std::string, B>,
                                trine::PriorityQueue<std::string, B, std::less<std::string>>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Strings, KillQueue, Queues, QueueName);

template <class Q>
class KillQueueWithoutMemory : public KillQueue<Q> {
 protected:
  /// `operation` is killed, and then one who has no memory gets or shuts down, and then has memory and finds the queue in order.
  static void then_without_memory(const char* scenario, const std::function<void(Shop<Q>&)>& operation) {
    KillQueue<Q>::sweep_as(scenario, [&operation](Trial& trial, auto& shop) {
      shop.fill(1, 3);
      trial.victim([&] {
        trap();
        operation(shop);
      });
      trial.step();
      trial.kill();
      trial.newcomer([&] {
        // One may be lost that is out and on its way, and the victim may have got one.
        const std::size_t before = shop.queue.size();
        if (enough_for(0, [&] { shop.queue.try_get(); })) require(before == 0, "an item without memory for it");
        const std::size_t missing = before - shop.queue.size();
        require(missing <= 1, "items are lost");
        shop.drain();
        require(shop.got() + missing == before, "an item is lost, or came out twice");
        shop.works();
        require(enough_for(0, [&] { shop.queue.shutdown(); }), "shutdown() allocates");
      });
      is_over(trial, shop);
    });
  }

  using KillQueue<Q>::is_over;
};
TYPED_TEST_SUITE(KillQueueWithoutMemory, Queues, QueueName);

TYPED_TEST(KillQueueWithoutMemory, Put) {
  const auto item = Shop<TypeParam>::item(4);
  this->then_without_memory("put; then one has no memory", [&](auto& shop) { shop.queue.put(item); });
}

TYPED_TEST(KillQueueWithoutMemory, Get) {
  this->then_without_memory("get; then one has no memory", [](auto& shop) { static_cast<void>(shop.queue.get()); });
}

TYPED_TEST(KillQueueWithoutMemory, Shutdown) {
  const auto scenario = "put; then one shuts down and has no memory";
  const auto item = Shop<TypeParam>::item(4);
  this->sweep_as(scenario, [&](Trial& trial, auto& shop) {
    shop.fill(1, 3);
    trial.victim([&] {
      trap();
      shop.queue.put(item);
    });
    trial.step();
    trial.kill();
    trial.newcomer([&] {
      const std::size_t before = shop.queue.size();
      require(enough_for(0, [&] { shop.queue.shutdown(); }), "shutdown() allocates");
      shop.drain();
      require(shop.got() == before, "an item is lost, or came out twice");
    });
    this->is_over(trial, shop);
  });
}
#else
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KillQueue);
#endif

}  // namespace
}  // namespace trine_test
