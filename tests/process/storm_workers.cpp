// SPDX-License-Identifier: BSL-1.0
//
// Random kills of those who use a Pool, a Pipe or the containers of a Manager.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/codec.hpp>
#include <trine/error.hpp>
#include <trine/manager.hpp>
#include <trine/pipe.hpp>
#include <trine/pool.hpp>

#include "process/killing/kill_storm.hpp"

namespace {

using namespace trine_test;
using trine::OwnerDied;
using trine::processes;

class WorkerStorm : public KillStorm {};

/// How often each of many numbers was seen.
struct Seen {
  static constexpr std::uint32_t most = std::uint32_t{1} << 19;
  std::atomic<std::uint32_t> next{0};
  std::array<std::atomic<std::uint8_t>, most> times{};

  void came(std::uint32_t n) {
    require(n < most, "a message that nobody sent");
    require(++times[n] == 1, "a message came twice");
  }
};

// Two send and two receive. A message is lost only with the receiver that had taken it.
TEST_F(WorkerStorm, Pipe) {
  auto pipe = trine::Pipe<std::string, processes>();
  auto& seen = place().make<Seen>();
  auto& sent = place().make<std::atomic<std::uint64_t>>(std::uint64_t{0});
  auto& received = place().make<std::atomic<std::uint64_t>>(std::uint64_t{0});
  const auto text_of = [](std::uint32_t n) { return std::to_string(n) + std::string(n % 150, 'x'); };
  const auto receive = [&](const trine::Until& until) {
    const auto text = pipe.first.recv(until);
    if (!text) return false;
    const auto n = static_cast<std::uint32_t>(std::stoul(*text));
    require(*text == text_of(n), "a message is damaged");
    seen.came(n);
    ++received;
    return true;
  };
  const auto turn = [&](std::size_t worker) {
    if (worker % 2 != 0) return (void)receive(std::chrono::milliseconds(5));
    const std::uint32_t n = seen.next++;
    if (n < Seen::most && pipe.second.send(text_of(n), std::chrono::milliseconds(5))) ++sent;
  };
  const auto check = [&] {
    while (receive(std::chrono::seconds(0))) {
    }
    require(received <= seen.next, "more came than was sent");
    require(received + 2 * kills() >= sent, "more is lost than those who were killed can have had");
    pipe.second.send("7");
    require(pipe.first.recv(hang) == "7", "it does not work");
  };
  storm({.name = "storm: Pipe", .turn = turn, .check = check});
}

// One end is closed everywhere when all who have it are dead, whenever they die: the other end is told.
TEST_F(WorkerStorm, PipesThatEnd) {
  const auto turn = [] {
    auto pipe = trine::Pipe<int, processes>(false);
    SharedPlace place;
    Child sender(place.report(), [&] {
      pipe.first.close();
      for (int i = 0;; ++i) pipe.second.send(i);
    });
    pipe.second.close();
    for (int i = 0; i < 5; ++i) require(pipe.first.recv(hang) == i, "a message is lost");
    sender.kill();
    try {
      while (pipe.first.recv(hang)) {
      }
      require(false, "nobody is told that the sender is dead");
    } catch (const trine::EndOfStream&) {
    }
  };
  for (int i = 0; i < 50; ++i) turn();
}

template <class C, class Use>
void use_or_recover(C& container, Use use) {
  try {
    use();
  } catch (const OwnerDied&) {
    container.recover();
  }
}

TEST_F(WorkerStorm, Manager) {
  trine::Manager manager(std::size_t{1} << 20);
  auto dict = manager.dict<int, std::string>("dict", std::size_t{1} << 17);
  auto list = manager.list<std::string>("list", std::size_t{1} << 17);
  auto space = manager.ns("space", std::size_t{1} << 17);
  auto calm = manager.dict<int, int>("calm", std::size_t{1} << 15);
  calm.set(1, 1);
  const auto text_of = [](int n) { return std::to_string(n) + std::string(static_cast<std::size_t>(n % 90), 'x'); };
  const auto is_whole = [&](const std::string& text) { return text == text_of(std::stoi(text)); };
  const auto use_dict = [&](int n) {
    dict.set(n % 40, text_of(n));
    if (n % 3 == 0) dict.erase(n % 37);
    if (n % 101 == 0) dict.clear();
    if (const auto got = dict.get(n % 31)) require(is_whole(*got), "a value is damaged");
  };
  const auto use_list = [&](int n) {
    list.append(text_of(n));
    if (n % 2 == 0) list.insert(0, text_of(n + 1));
    if (list.size() > 40) list.clear();
    for (const std::string& each : list.items()) require(is_whole(each), "an item is damaged");
  };
  const auto use_space = [&](int n) {
    const std::string name = "attribute" + std::to_string(n % 20);
    space.set(name, text_of(n));
    if (n % 5 == 0) space.erase("attribute" + std::to_string(n % 19));
  };
  auto& next = place().make<std::atomic<int>>(0);
  const auto turn = [&](std::size_t) {
    const int n = next++ % 1'000'000;
    use_or_recover(dict, [&] { use_dict(n); });
    use_or_recover(list, [&] { use_list(n); });
    use_or_recover(space, [&] { use_space(n); });
    try {
      require(calm.at(1) == 1, "a container that nobody changes suffered");
    } catch (const OwnerDied&) {
      require(calm.recover(), "a death in a look is taken for one in a change");
    }
  };
  const auto check = [&] {
    turn(0);
    use_dict(1);
    use_list(1);
    use_space(1);
    for (const std::string& each : space.names()) require(is_whole(space.get<std::string>(each)), "an attribute is damaged");
  };
  storm({.name = "storm: Manager", .turn = turn, .check = check});
}

/// The living children of a process that has one thread.
std::vector<pid_t> children_of(pid_t id) {
  std::ifstream list("/proc/" + std::to_string(id) + "/task/" + std::to_string(id) + "/children");
  std::vector<pid_t> all;
  for (pid_t each = 0; list >> each;) all.push_back(each);
  return all;
}

/// Kills the workers of a pool as long as it is there.
class Killer {
 public:
  explicit Killer(pid_t nursery) : nursery_(nursery), thread_([this](const std::stop_token& stop) { run(stop); }) {}
  [[nodiscard]] std::uint64_t kills() const { return kills_; }

 private:
  void run(const std::stop_token& stop) {
    std::mt19937 random(std::random_device{}());
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 8000));
      const auto workers = children_of(nursery_);
      if (workers.empty()) continue;
      ::kill(workers[random() % workers.size()], SIGKILL);
      ++kills_;
    }
  }

  pid_t nursery_;
  std::atomic<std::uint64_t> kills_{0};
  std::jthread thread_;
};

/// How often each task of a round was done.
using Runs = std::array<std::atomic<int>, 64>;
int run_and_square(Runs& runs, int n) {
  ++runs[static_cast<std::size_t>(n)];
  return n * n;
}

class PoolStorm : public LeavesNothing {
 protected:
  struct Tally {
    std::uint64_t done = 0;
    std::uint64_t died = 0;
  };

  static Runs& runs() {
    static auto* const place = new SharedPlace;
    static Runs& made = place->make<Runs>();
    return made;
  }
  void SetUp() override {
    runs();
    LeavesNothing::SetUp();
  }

  using Pool = trine::Pool<processes>;

  /// Submits as many tasks as there are counts; each is done once, or fails and was begun once at most.
  static void submit(Pool& pool, Tally& tally) {
    for (auto& each : runs()) each = 0;
    std::vector<trine::Future<int>> futures;
    for (int n = 0; n < 64; ++n) futures.push_back(pool.submit(run_and_square, std::ref(runs()), n));
    for (int n = 0; n < 64; ++n) {
      const int times = settle(futures[static_cast<std::size_t>(n)], n, tally) ? 1 : 0;
      const int ran = runs()[static_cast<std::size_t>(n)];
      ASSERT_TRUE(times == 1 ? ran == 1 : ran <= 1) << "task " << n << " was done " << ran << " times";
    }
  }

  static bool settle(trine::Future<int>& future, int n, Tally& tally) {
    try {
      EXPECT_EQ(future.get(hang * 5), n * n);
      ++tally.done;
      return true;
    } catch (const trine::WorkerDied&) {
      ++tally.died;
      return false;
    }
  }

  static void map(Pool& pool, Tally& tally) {
    std::vector<int> numbers;
    for (int n = 0; n < 200; ++n) numbers.push_back(n);
    try {
      const auto results = pool.map([](int n) { return n * n; }, numbers, 7);
      ASSERT_EQ(results.size(), numbers.size());
      for (int n = 0; n < 200; ++n) ASSERT_EQ(results[static_cast<std::size_t>(n)], n * n);
      ++tally.done;
    } catch (const trine::WorkerDied&) {
      ++tally.died;
    }
  }

  /// Each result comes once, or its chunk fails.
  static void imap(Pool& pool, Tally& tally, bool ordered) {
    std::vector<int> numbers;
    for (int n = 0; n < 200; ++n) numbers.push_back(n);
    std::array<int, 200> came{};
    std::size_t failed = 0;
    const auto gather = [&](auto stream) {
      for (;;) {
        try {
          const auto n = stream->next(hang * 5);
          if (!n) break;
          ++came.at(static_cast<std::size_t>(*n));
        } catch (const trine::WorkerDied&) {
          ++failed;
        }
      }
    };
    const auto same = [](int n) { return n; };
    if (ordered) {
      auto stream = pool.imap(same, numbers, 5);
      gather(&stream);
    } else {
      auto stream = pool.imap_unordered(same, numbers, 5);
      gather(&stream);
    }
    std::size_t missing = 0;
    for (const int times : came) {
      ASSERT_LE(times, 1) << "a result came twice";
      missing += times == 0;
    }
    ASSERT_EQ(missing, 5 * failed) << "results are lost";
    tally.done += 40 - failed;
    tally.died += failed;
  }
};

TEST_F(PoolStorm, EachTaskIsDoneOnceOrFails) {
  Pool pool(3);
  const pid_t nursery = pool.apply([] { return ::getppid(); });
  Tally tally;
  std::uint64_t kills = 0;
  {
    const Killer killer(nursery);
    const auto end = Clock::now() + std::chrono::seconds(number_from_environment("TRINE_STORM_SECONDS", 3));
    const std::uint64_t wanted = number_from_environment("TRINE_STORM_KILLS", 0);
    while (!HasFatalFailure() && (wanted != 0 ? killer.kills() < wanted : Clock::now() < end)) {
      submit(pool, tally);
      map(pool, tally);
      imap(pool, tally, true);
      imap(pool, tally, false);
    }
    kills = killer.kills();
  }
  std::printf("%-28s | kills %6llu | tasks done %10llu | failed with a worker %llu\n", "storm: Pool",
              static_cast<unsigned long long>(kills), static_cast<unsigned long long>(tally.done),
              static_cast<unsigned long long>(tally.died));
  EXPECT_GT(kills, 10U);
  EXPECT_GT(tally.done, 0U);
  EXPECT_EQ(pool.map([](int n) { return n + 1; }, std::vector{1, 2, 3}, 1), (std::vector{2, 3, 4}));
  EXPECT_TRUE(holds_before(Clock::now() + hang, [&] { return children_of(nursery).size() == 3; })) << "places are empty";
}

}  // namespace
