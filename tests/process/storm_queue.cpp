// SPDX-License-Identifier: BSL-1.0
//
// Random kills of producers and consumers. An item whose put returned comes out once: but for one that a killed consumer had just
// got, and one that a killed producer was just putting, none may be missing, and none may come twice.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>

#include <trine/error.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>

#include "process/killing/kill_storm.hpp"
#include "process/killing/queues.hpp"

namespace {

using namespace trine_test;

/// Which of the many items of a producer came out.
class Seen {
 public:
  static constexpr std::uint64_t most = std::uint64_t{1} << 28;

  Seen() = default;

  /// false: it did before.
  bool mark(std::uint64_t n) {
    const std::uint64_t bit = std::uint64_t{1} << (n % 64);
    return (bits_[n / 64 % bits_.size()].fetch_or(bit) & bit) == 0;
  }
  [[nodiscard]] std::uint64_t count(std::uint64_t up_to) const {
    std::uint64_t marked = 0;
    for (std::uint64_t i = 0; i <= up_to / 64; ++i) marked += static_cast<std::uint64_t>(__builtin_popcountll(bits_[i]));
    return marked;
  }

 private:
  std::array<std::atomic<std::uint64_t>, most / 64> bits_;
};

constexpr std::size_t producers = 2;
constexpr std::uint64_t producer_bit = std::uint64_t{1} << 40;

std::uint64_t number_of(std::uint64_t item) { return item; }
std::uint64_t number_of(const std::string& item) {
  const std::uint64_t n = std::strtoull(item.c_str(), nullptr, 10);
  require(item.size() == 150 && item.back() == static_cast<char>('a' + n % 26), "an item is damaged");
  return n;
}
template <class T>
T item_of(std::uint64_t n) {
  if constexpr (std::is_same_v<T, std::string>) {
    std::string text = std::to_string(n);
    text.resize(150, static_cast<char>('a' + n % 26));
    text.back() = static_cast<char>('a' + n % 26);
    text[text.size() / 2] = '-';
    return text;
  } else {
    return n;
  }
}

class QueueStorm : public KillStorm {
 protected:
  void SetUp() override {
    KillStorm::SetUp();
    seen_place_.emplace(sizeof(*seen_) + 4096);
    // Pages full of zeros are a Seen of nothing: it is not written before it is used.
    seen_ = static_cast<std::array<Seen, producers>*>(seen_place_->raw(sizeof(*seen_)));
  }
  void TearDown() override {
    seen_place_.reset();
    KillStorm::TearDown();
  }

  template <class Q>
  void storm_of(const char* name, Q& queue, bool first_in_first_out) {
    const auto turn = [this, &queue, first_in_first_out](std::size_t worker) {
      try {
        if (worker < producers) {
          put(queue, worker);
        } else {
          get(queue, first_in_first_out);
        }
      } catch (const trine::QueueShutdown&) {
        require(over(), "the queue was shut down before the end");
      }
    };
    storm({.name = name,
           .turn = turn,
           .check = [this, &queue] { drain_and_check(queue); },
           .release = [&queue] { queue.shutdown(); }});
  }

 private:
  template <class Q>
  void put(Q& queue, std::size_t producer) {
    queue.put(item_of<typename Q::value_type>(producer * producer_bit + counts(producer).begun));
  }

  template <class Q>
  void get(Q& queue, bool first_in_first_out) {
    static std::array<std::uint64_t, producers> last{};
    const std::uint64_t item = number_of(queue.get());
    const std::uint64_t n = came_out(item);
    std::uint64_t& before = last[item / producer_bit];
    if (first_in_first_out) require(before < n, "an item came before one that was put earlier");
    before = n;
  }

  std::uint64_t came_out(std::uint64_t item) {
    require(item / producer_bit < producers, "an item that nobody put");
    const std::uint64_t n = item % producer_bit;
    require(n <= counts(item / producer_bit).begun, "an item that nobody put");
    require((*seen_)[item / producer_bit].mark(n), "an item came out twice");
    return n;
  }

  template <class Q>
  void drain_and_check(Q& queue) {
    try {
      for (;;) came_out(number_of(queue.get()));
    } catch (const trine::QueueShutdown&) {
    }
    std::uint64_t missing = 0;
    for (std::size_t i = 0; i < producers; ++i) missing += counts(i).begun - (*seen_)[i].count(counts(i).begun);
    // One for each that was killed, and for each producer the last, which met the shutdown.
    require(missing <= kills() + producers, "more items are missing than workers were killed");
  }

  std::optional<SharedPlace> seen_place_;
  std::array<Seen, producers>* seen_ = nullptr;
};

using B = trine::shared_memory;
constexpr std::size_t places = 8;

TEST_F(QueueStorm, Queue) { storm_of("storm: Queue", place().make<trine::Queue<std::uint64_t, B, places>>(), true); }
TEST_F(QueueStorm, LifoQueue) {
  storm_of("storm: LifoQueue", place().make<trine::LifoQueue<std::uint64_t, B, places>>(), false);
}
TEST_F(QueueStorm, PriorityQueue) {
  using Queue = trine::PriorityQueue<std::uint64_t, B, std::less<std::uint64_t>, places>;
  storm_of("storm: PriorityQueue", place().make<Queue>(), false);
}

#if defined(TRINE_TEST_STRINGS)
TEST_F(QueueStorm, QueueOfStrings) {
  trine::Queue<std::string, trine::processes> queue(places, std::size_t{192} * places);
  storm_of("storm: Queue of strings", queue, true);
}
TEST_F(QueueStorm, LifoQueueOfStrings) {
  trine::LifoQueue<std::string, trine::processes> queue(places, std::size_t{192} * places);
  storm_of("storm: LifoQueue of strings", queue, false);
}
TEST_F(QueueStorm, PriorityQueueOfStrings) {
  trine::PriorityQueue<std::string, trine::processes> queue(places, std::size_t{192} * places);
  storm_of("storm: PriorityQueue of strings", queue, false);
}
#endif

}  // namespace
