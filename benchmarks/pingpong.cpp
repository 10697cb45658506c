// SPDX-License-Identifier: BSL-1.0
//
// Threads that wait for each other in turn: what a hand-over and back costs, where they share a core and
// where they don't.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "contenders/limits.hpp"
#include "harness.hpp"

namespace {

using namespace bench;

/// Whether so many players of a contender can get on at all: there is nothing to see where those who spin keep others waiting.
template <class Contender>
bool plays(Placement placement, std::size_t players) {
  if constexpr (requires { requires Contender::needs_cores; })
    return placement != Placement::one_core && players <= cores().size();
  else
    return true;
}

/// Enrolls `Game<Contender>` for each placement. A game is played by Game::players threads, each of which
/// calls play(number, rounds).
template <template <class> class Game, class... Contenders>
void enroll_game(const std::string& name, List<Contenders...>) {
  const auto enroll_one = [&name]<class Contender>(List<Contender> alone, Placement placement) {
    if (!plays<Contender>(placement, Game<Contender>::players)) return;
    const auto shape = [placement]<class>(benchmark::State& state) {
      std::unique_ptr<Game<Contender>> game;
      measure_team(state, Game<Contender>::players, placement, [&game] {
        game = std::make_unique<Game<Contender>>();
        return [&game](std::size_t number, std::int64_t rounds) { game->play(number, rounds); };
      });
    };
    for (auto* each : enroll(name + "/" + name_of_placement(placement), alone, shape)) each->UseManualTime();
  };
  for (const Placement placement : placements()) (enroll_one(List<Contenders>(), placement), ...);
}

template <class Event>
class EventGame {
 public:
  static constexpr std::size_t players = 2;

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

template <class Semaphore>
class SemaphoreGame {
 public:
  static constexpr std::size_t players = 2;

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

template <class Condition>
class ConditionGame {
 public:
  static constexpr std::size_t players = 2;

  void play(std::size_t number, std::int64_t rounds) {
    for (; rounds > 0; --rounds) {
      condition_.turn([this, number] { return turn_ == number; }, [this, number] { turn_ = 1 - number; });
    }
  }

 private:
  Condition condition_;
  std::size_t turn_ = 0;
};

template <class Queues>
class QueueGame {
 public:
  static constexpr std::size_t players = 2;

  void play(std::size_t number, std::int64_t rounds) {
    std::int64_t item = 0;
    for (; rounds > 0; --rounds) {
      if (number == 0) queues_[1]->put(item);
      item = queues_[number]->get();
      benchmark::DoNotOptimize(item);
      if (number == 1) queues_[0]->put(item);
    }
  }

 private:
  using Queue = typename Queues::template Of<std::int64_t>;
  std::array<std::unique_ptr<Queue>, 2> queues_{std::make_unique<Queue>(1), std::make_unique<Queue>(1)};
};

template <class Barrier>
class BarrierGame {
 public:
  static constexpr std::size_t players = 2;

  void play(std::size_t, std::int64_t rounds) {
    for (; rounds > 0; --rounds) barrier_.wait();
  }

 private:
  Barrier barrier_{2};
};

/// One sets an event that eight wait for; the last of them to come back tells it so. Two events in turn, so
/// that each is cleared when nobody waits for it.
template <class Event>
class WakeAllGame {
  static constexpr std::size_t waiters = 8;

 public:
  static constexpr std::size_t players = waiters + 1;

  void play(std::size_t number, std::int64_t rounds) {
    for (std::int64_t round = 0; round < rounds; ++round) {
      Event& go = go_[static_cast<std::size_t>(round % 2)].event;
      if (number == 0) {
        back_.store(0, std::memory_order_relaxed);
        go.set();
        all_back_.wait();
        all_back_.clear();
        go.clear();
      } else {
        go.wait();
        if (back_.fetch_add(1, std::memory_order_acq_rel) + 1 == waiters) all_back_.set();
      }
    }
  }

 private:
  struct alignas(64) Gate {
    Event event;
  };
  std::array<Gate, 2> go_;
  alignas(64) std::atomic<std::size_t> back_{0};
  alignas(64) Event all_back_;
};

}  // namespace

int main(int argc, char** argv) {
  enroll_game<EventGame>("event_round_trip", events_of_two + limit_events);
  enroll_game<SemaphoreGame>("semaphore_round_trip", semaphores);
  enroll_game<ConditionGame>("condition_round_trip", conditions);
  enroll_game<QueueGame>("queue_round_trip", queues_of_one);
  enroll_game<BarrierGame>("barrier_of_two", barriers + limit_barriers);
  enroll_game<WakeAllGame>("wake_eight", events + limit_events);
  return bench::run(argc, argv);
}
