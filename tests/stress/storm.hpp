// SPDX-License-Identifier: BSL-1.0
//
// What the stress tests share: parties that run random operations for a given time, with random limits, under a watchdog.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <latch>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <trine/until.hpp>

#include "support/watchdog.hpp"

namespace trine_test {

/// The number in an environment variable, or `otherwise`.
inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// What all random choices depend on: TRINE_STRESS_SEED, or another one in every run.
inline std::uint64_t stress_seed() {
  static const std::uint64_t seed = from_environment("TRINE_STRESS_SEED", std::random_device()());
  return seed;
}

/// How long a case lasts: TRINE_STRESS_MS, or 400 ms.
inline std::chrono::milliseconds stress_time() {
  return std::chrono::milliseconds(from_environment("TRINE_STRESS_MS", 400));
}

class Storm;

/// One thread of a storm: its random choices, and where it is.
class Party {
 public:
  Party(Storm& storm, std::string name, std::size_t number, std::uint64_t seed, std::size_t stops)
      : storm_(storm), name_(std::move(name)), number_(number), random_(seed), stops_(stops) {}

  /// Its place among all parties of the storm, from 0.
  [[nodiscard]] std::size_t number() const noexcept { return number_; }

  /// Says what comes next, and that something has been done.
  void at(const char* doing) noexcept {
    doing_.store(doing, std::memory_order_relaxed);
    steps_.store(steps_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// Whether the time is over, or a check has failed.
  [[nodiscard]] bool over() const noexcept;

  /// Ends the storm with a failure unless `holds`.
  void must(bool holds, const char* what);

  [[nodiscard]] unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
  [[nodiscard]] bool one_in(unsigned chances) { return below(chances) == 0; }

  /// A limit of any kind, at most 200 us away or at a stop request that comes at random.
  [[nodiscard]] trine::Until limit() {
    const std::chrono::microseconds time(below(201));
    switch (below(8)) {
      case 0: return std::chrono::seconds(0);
      case 1: return std::chrono::steady_clock::now() + time;
      case 2: return std::chrono::system_clock::now() + time;
      case 3: return {time, stop()};
      case 4: return stop();
      case 5: return std::chrono::nanoseconds(below(3000));
      default: return time;
    }
  }

  /// None, as often as not.
  [[nodiscard]] trine::Until limit_or_never() { return one_in(2) ? trine::Until() : limit(); }

  /// Is stopped by the storm at a random time, at the latest when it is over.
  [[nodiscard]] std::stop_token stop() {
    while (stop_ + 1 < stops_.size() && stops_[stop_].stop_requested()) ++stop_;
    return stops_[stop_].get_token();
  }

  /// Does nothing, for a random and mostly short while.
  void dawdle() {
    switch (below(4)) {
      case 0: return;
      case 1: return std::this_thread::yield();
      default: {
        const unsigned turns = below(300);
        for (unsigned i = 0; i < turns; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
      }
    }
  }

 private:
  friend class Storm;

  Storm& storm_;
  const std::string name_;
  const std::size_t number_;
  std::mt19937_64 random_;
  std::vector<std::stop_source> stops_;
  std::size_t stop_ = 0;  // the next of them to use
  alignas(64) std::atomic<std::uint64_t> steps_{0};
  std::atomic<const char*> doing_{"not begun"};
};

/// Parties that are let go at the same time.
class Storm {
 public:
  Storm() = default;
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  /// Adds `count` threads that call `body(party)`.
  template <class Body>
  void add(std::size_t count, const char* name, Body body) {
    const std::size_t stops = std::max<std::size_t>(64, 2 * static_cast<std::size_t>(stress_time().count()));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t number = parties_.size();
      parties_.push_back(std::make_unique<Party>(*this, name, number, stress_seed() * 1'000'003 + number, stops));
      bodies_.emplace_back(body);
    }
  }

  /// What the watchdog prints beside what each party does.
  void show(std::function<std::string()> state) { state_ = std::move(state); }

  void run() {
    std::printf("seed %llu\n", static_cast<unsigned long long>(stress_seed()));
    std::fflush(stdout);
    const Watchdog watchdog([this] { return steps(); }, [this] { return state(); });
    std::latch start(static_cast<std::ptrdiff_t>(parties_.size() + 1));
    std::jthread stopper([this, &start](const std::stop_token& all_done) {
      start.arrive_and_wait();
      request_stops(all_done);
    });
    end_ = std::chrono::steady_clock::now() + stress_time();
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < parties_.size(); ++i) {
        threads.emplace_back([this, i, &start] {
          start.arrive_and_wait();
          perform(*parties_[i], bodies_[i]);
        });
      }
    }
  }

  [[nodiscard]] bool over() const noexcept {
    return failed_.load(std::memory_order_relaxed) || std::chrono::steady_clock::now() >= end_;
  }

  void fail(const std::string& what) {
    if (failed_.exchange(true, std::memory_order_relaxed)) return;
    ADD_FAILURE() << what << "\nTRINE_STRESS_SEED=" << stress_seed() << "\n" << state();
  }

 private:
  static void perform(Party& me, const std::function<void(Party&)>& body) {
    try {
      body(me);
    } catch (const std::exception& e) {
      me.storm_.fail(me.name_ + ": " + e.what());
    }
    me.at("returned");
  }

  void request_stops(const std::stop_token& all_done) {
    std::mt19937_64 random(stress_seed());
    std::vector<std::size_t> next(parties_.size());
    while (!over() && !all_done.stop_requested()) {
      const std::size_t party = random() % parties_.size();
      auto& stops = parties_[party]->stops_;
      if (next[party] < stops.size()) stops[next[party]++].request_stop();
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 200));
    }
    for (auto& party : parties_) {
      for (auto& stop : party->stops_) stop.request_stop();
    }
  }

  [[nodiscard]] std::uint64_t steps() const {
    std::uint64_t sum = 0;
    for (const auto& party : parties_) sum += party->steps_.load(std::memory_order_relaxed);
    return sum;
  }

  [[nodiscard]] std::string state() const {
    std::string text = "TRINE_STRESS_SEED=" + std::to_string(stress_seed()) + "\n";
    for (const auto& party : parties_) {
      text += std::to_string(party->number_) + " " + party->name_ + ": " + party->doing_.load(std::memory_order_relaxed) +
              ", step " + std::to_string(party->steps_.load(std::memory_order_relaxed)) + "\n";
    }
    return text + (state_ ? state_() : std::string());
  }

  std::vector<std::unique_ptr<Party>> parties_;
  std::vector<std::function<void(Party&)>> bodies_;
  std::function<std::string()> state_;
  std::chrono::steady_clock::time_point end_;
  std::atomic<bool> failed_{false};
};

inline bool Party::over() const noexcept { return storm_.over(); }

inline void Party::must(bool holds, const char* what) {
  if (!holds) storm_.fail(name_ + " " + std::to_string(number_) + ": " + what);
}

/// Who waits destroys the object the moment its wait returns, while the other may still be inside the call that let it go.
/// `make()` allocates it, in the thread that will call `serve(object)`; the other calls `wait(object, party)`.
template <class Make, class Serve, class Wait>
void destroy_after_wait(Make make, Serve serve, Wait wait) {
  using Thing = std::remove_pointer_t<decltype(make())>;
  struct alignas(64) Hand {
    std::atomic<Thing*> thing{nullptr};
    std::atomic<bool> closed{false};
  };
  static constexpr std::size_t pairs = 4;
  static constexpr int least = 500;
  std::vector<Hand> hands(pairs);
  Storm storm;
  storm.add(pairs, "serves", [&](Party& me) {
    Hand& hand = hands[me.number()];
    for (int round = 0; round < least || !me.over(); ++round) {
      Thing* const thing = make();
      me.at("hand over");
      hand.thing.store(thing, std::memory_order_release);
      const bool taken_first = me.one_in(2);
      while (taken_first && hand.thing.load(std::memory_order_relaxed) == thing) std::this_thread::yield();
      me.dawdle();
      me.at("serve");
      serve(*thing);
      me.at("until it is taken");
      while (hand.thing.load(std::memory_order_relaxed) != nullptr) std::this_thread::yield();
    }
    hand.closed.store(true, std::memory_order_release);
  });
  storm.add(pairs, "waits", [&](Party& me) {
    Hand& hand = hands[me.number() - pairs];
    for (;;) {
      me.at("take over");
      Thing* thing = nullptr;
      while ((thing = hand.thing.exchange(nullptr, std::memory_order_acquire)) == nullptr) {
        if (hand.closed.load(std::memory_order_acquire)) return;
        std::this_thread::yield();
      }
      me.at("wait");
      wait(*thing, me);
      delete thing;
    }
  });
  storm.run();
}

}  // namespace trine_test
