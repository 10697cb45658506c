// SPDX-License-Identifier: BSL-1.0
//
// Primitives between processes: their fast paths, on one thread; what two to four processes get done with one object; and
// what a hand-over and back costs between two of them.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "contenders/limits.hpp"
#include "process_contenders.hpp"
#include "process_harness.hpp"

#if __has_include(<cereal/cereal.hpp>)
#define TRINE_HAVE_CEREAL
#include <trine/codec.hpp>
#endif

namespace {

using namespace bench;

template <std::size_t Bytes>
using Item = std::array<std::uint64_t, Bytes / sizeof(std::uint64_t)>;

// The fast paths.

/// `lock_count_unlock`: something is guarded, so that there are stores between the locked instructions of each contender.
void enroll_locks() {
  const auto contenders = List<PlainFutexLock>() + shared_process_locks;
  enroll("lock_unlock", contenders, []<class Lock>(benchmark::State& state) {
    Shared<Lock> object;
    auto& lock = hidden(*object);
    for (auto _ : state) {
      lock.lock();
      lock.unlock();
    }
  });
  enroll("lock_count_unlock", contenders, []<class Lock>(benchmark::State& state) {
    struct Guarded {
      Lock lock;
      alignas(64) std::uint64_t count = 0;
    };
    Shared<Guarded> object;
    auto& guarded = hidden(*object);
    for (auto _ : state) {
      guarded.lock.lock();
      ++guarded.count;
      guarded.lock.unlock();
    }
  });
  enroll(
      "short_lock",
      List<Named<"plain_futex", trine::threads::ShortLock>, Named<"trine_shared_memory", trine::shared_memory::ShortLock>>(),
      []<class Lock>(benchmark::State& state) {
        Shared<Lock> object;
        auto& lock = hidden(*object);
        for (auto _ : state) {
          lock.lock();
          lock.unlock();
        }
      });
}

void enroll_others() {
  enroll("acquire_release", List<Named<"plain_futex", trine::Semaphore<>>>() + process_semaphores,
         []<class Semaphore>(benchmark::State& state) {
           Shared<Semaphore> object(1);
           auto& semaphore = hidden(*object);
           for (auto _ : state) {
             semaphore.acquire();
             semaphore.release();
           }
         });
  enroll("permit", List<TrineProcessesSemaphore, TrineSharedSemaphore>(), []<class Semaphore>(benchmark::State& state) {
    Shared<Semaphore> object(1);
    auto& semaphore = hidden(*object);
    for (auto _ : state) {
      auto permit = semaphore.permit();
      benchmark::DoNotOptimize(permit);
    }
  });
  enroll("wait_when_set",
         List<AcquireLoad, Named<"trine_processes", trine::Event<trine::processes>>,
              Named<"trine_shared_memory", trine::Event<trine::shared_memory>>, BareFutex>(),
         []<class Event>(benchmark::State& state) {
           Shared<Event> object;
           auto& event = hidden(*object);
           event.set();
           for (auto _ : state) {
             bool was_set = event.wait();
             benchmark::DoNotOptimize(was_set);
           }
         });
}

template <std::size_t Bytes>
void enroll_queue() {
  enroll("queue_" + std::to_string(Bytes), List<TrineQueue<trine::threads>>() + process_queues,
         []<class Queues>(benchmark::State& state) {
           Shared<typename Queues::template Of<Item<Bytes>>> object(shared_capacity);
           auto& queue = hidden(*object);
           Item<Bytes> item{};
           for (auto _ : state) {
             benchmark::DoNotOptimize(item);
             queue.put(item);
             item = queue.get();
           }
         });
}

#ifdef TRINE_HAVE_CEREAL
struct StringsByTrine {
  static constexpr const char* name = "trine_processes";

  void put(const std::string& text) { queue.put(text); }
  std::string get() { return queue.get(); }

  trine::Queue<std::string, trine::processes> queue{shared_capacity};
};

#ifdef TRINE_HAVE_INTERPROCESS
struct StringsByMessages {
  static constexpr const char* name = "message_queue";
  static constexpr std::size_t longest = 1024;

  void put(const std::string& text) { queue.send(text.data(), text.size()); }
  std::string get() {
    std::array<char, longest> bytes;
    return {bytes.data(), queue.receive(bytes.data(), longest)};
  }

  MessageQueueOfBytes queue{shared_capacity, longest};
};
inline constexpr List<StringsByTrine, StringsByMessages> queues_of_strings;
#else
inline constexpr List<StringsByTrine> queues_of_strings;
#endif

void enroll_strings() {
  for (const std::size_t length : {24U, 256U}) {
    enroll("queue_string_" + std::to_string(length), queues_of_strings, [length]<class Queue>(benchmark::State& state) {
      Shared<Queue> object;
      auto& queue = hidden(*object);
      std::string text(length, 'x');
      for (auto _ : state) {
        queue.put(text);
        text = queue.get();
      }
      if (text.size() != length) state.SkipWithError("another text came back");
    });
  }
}
#else
void enroll_strings() {}
#endif

// Several processes at once.

/// As in contended.cpp: `least` is what the process with the fewest turns got, compared with an even share.
template <class Lock>
void count_together(benchmark::State& state, std::size_t parties) {
  struct Counted {
    alignas(64) Lock lock;
    alignas(64) std::int64_t count = 0;
    std::array<std::int64_t, Meeting::most> turns{};
  };
  std::int64_t least = 0;
  const auto work = [](Counted& counted, std::size_t number, std::int64_t operations) {
    std::int64_t mine = 0;
    for (bool over = false; !over; ++mine) {
      counted.lock.lock();
      over = counted.count == operations;
      if (!over) ++counted.count;
      counted.lock.unlock();
    }
    counted.turns[number] = mine - 1;
  };
  measure_processes<Counted>(state, parties, Placement::two_cores, work, [&](Counted& counted) {
    least = *std::min_element(counted.turns.begin(), counted.turns.begin() + static_cast<std::ptrdiff_t>(parties));
  });
  state.counters["least"] =
      static_cast<double>(least) * static_cast<double>(parties) / static_cast<double>(state.max_iterations);
}

void enroll_counting() {
  for (const std::size_t parties : {2U, 4U}) {
    const auto shape = [parties]<class Lock>(benchmark::State& state) { count_together<Lock>(state, parties); };
    for (auto* each : enroll("lock_by_" + std::to_string(parties), shared_process_locks, shape)) each->UseManualTime();
  }
}

template <class Queue>
struct Moved {
  Queue queue{shared_capacity};
};

/// So many producers and as many consumers, each a process; the time is that of one item.
template <std::size_t Bytes, class Queue>
void move_items(benchmark::State& state, std::size_t producers) {
  const auto work = [producers](Moved<Queue>& moved, std::size_t number, std::int64_t operations) {
    const std::size_t pair = number / 2;
    const bool producing = (number + pair) % 2 == 0;
    Item<Bytes> item{};
    for (std::int64_t left = share(operations, pair, producers); left > 0; --left) {
      if (producing) {
        benchmark::DoNotOptimize(item);
        moved.queue.put(item);
      } else {
        item = moved.queue.get();
        benchmark::DoNotOptimize(item);
      }
    }
  };
  measure_processes<Moved<Queue>>(state, 2 * producers, Placement::two_cores, work);
}

template <std::size_t Bytes>
void enroll_moving() {
  for (const std::size_t producers : {1U, 2U, 4U}) {
    const auto shape = [producers]<class Queues>(benchmark::State& state) {
      move_items<Bytes, typename Queues::template Of<Item<Bytes>>>(state, producers);
    };
    const std::string number = std::to_string(producers);
    for (auto* each : enroll("queue_" + std::to_string(Bytes) + "_" + number + "to" + number, process_queues, shape))
      each->UseManualTime();
  }
}

// There and back. A game is played by two processes, each of which calls play(number, rounds).

template <Text Name, class Event>
class EventGame {
 public:
  static constexpr const char* name = Name.text;

  void play(std::size_t number, std::int64_t rounds) {
    for (; rounds > 0; --rounds) {
      if (number == 0) balls_[1].event.set();
      balls_[number].event.wait();
      balls_[number].event.clear();
      if (number == 1) balls_[0].event.set();
    }
  }

 private:
  struct alignas(64) Ball {
    Event event;
  };
  std::array<Ball, 2> balls_;
};

template <Text Name, class Semaphore>
class SemaphoreGame {
 public:
  static constexpr const char* name = Name.text;

  void play(std::size_t number, std::int64_t rounds) {
    for (; rounds > 0; --rounds) {
      if (number == 0) balls_[1].semaphore.release();
      balls_[number].semaphore.acquire();
      if (number == 1) balls_[0].semaphore.release();
    }
  }

 private:
  struct alignas(64) Ball {
    Semaphore semaphore{0};
  };
  std::array<Ball, 2> balls_;
};

template <Text Name, class Condition>
class ConditionGame {
 public:
  static constexpr const char* name = Name.text;

  void play(std::size_t number, std::int64_t rounds) {
    for (; rounds > 0; --rounds)
      condition_.turn([this, number] { return turn_ == number; }, [this, number] { turn_ = 1 - number; });
  }

 private:
  Condition condition_;
  std::size_t turn_ = 0;
};

template <Text Name, class Queue>
class QueueGame {
 public:
  static constexpr const char* name = Name.text;

  void play(std::size_t number, std::int64_t rounds) {
    std::int64_t item = 0;
    for (; rounds > 0; --rounds) {
      if (number == 0) balls_[1].queue.put(item);
      item = balls_[number].queue.get();
      benchmark::DoNotOptimize(item);
      if (number == 1) balls_[0].queue.put(item);
    }
  }

 private:
  struct alignas(64) Ball {
    Queue queue{1};
  };
  std::array<Ball, 2> balls_;
};

#ifdef TRINE_HAVE_MQUEUE
inline constexpr List<QueueGame<"posix_mq", PosixMessages::Of<std::int64_t>>> mqueue_games;
#else
inline constexpr List<> mqueue_games;
#endif

#ifdef TRINE_HAVE_INTERPROCESS
inline constexpr List<SemaphoreGame<"interprocess_semaphore", InterprocessSemaphore>,
                      ConditionGame<"interprocess_condition", InterprocessCondition>,
                      QueueGame<"message_queue", MessageQueue::Of<std::int64_t>>>
    interprocess_games;
#else
inline constexpr List<> interprocess_games;
#endif

inline constexpr auto games =
    List<EventGame<"bare_futex", BareFutex>, EventGame<"trine_event", trine::Event<trine::shared_memory>>,
         SemaphoreGame<"trine_semaphore", trine::Semaphore<trine::shared_memory>>,
         ConditionGame<"trine_condition", TrineCondition<trine::shared_memory>>,
         QueueGame<"trine_queue", SharedMemoryQueue::Of<std::int64_t, 1>>, SemaphoreGame<"sem_t", SharedPosixSemaphore>,
         ConditionGame<"pthread_cond", SharedCondition<RobustMutex>>,
         QueueGame<"robust_mutex_2cv", RobustRing::Of<std::int64_t>>, QueueGame<"pipe", Pipe::Of<std::int64_t>>>() +
    mqueue_games + interprocess_games;

void enroll_games() {
  for (const Placement placement : placements()) {
    const auto shape = [placement]<class Game>(benchmark::State& state) {
      measure_processes<Game>(state, 2, placement,
                              [](Game& game, std::size_t number, std::int64_t rounds) { game.play(number, rounds); });
    };
    const std::string name = std::string("round_trip/") + name_of_placement(placement);
    for (auto* each : enroll(name, games, shape)) each->UseManualTime();
    // One who looks on all the time keeps the core that the other needs.
    if (placement == Placement::one_core) continue;
    for (auto* each : enroll(name, List<EventGame<"limit_spin", LimitEvent<Spinning>>>(), shape)) each->UseManualTime();
  }
}

}  // namespace

int main(int argc, char** argv) {
  enroll_locks();
  enroll_others();
  enroll_queue<8>();
  enroll_queue<256>();
  enroll_strings();
  enroll_counting();
  enroll_moving<8>();
  enroll_moving<256>();
  enroll_moving<4096>();
  enroll_games();
  return bench::run(argc, argv);
}
