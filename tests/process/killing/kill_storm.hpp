// SPDX-License-Identifier: BSL-1.0
//
// Several processes use one object as fast as they can; time and again some of them are killed, wherever they are, and others take
// their places. TRINE_STORM_SECONDS: how long each storm lasts; TRINE_STORM_KILLS: until so many were killed.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "process/killing/children.hpp"

namespace trine_test {

/// What a worker counts, for a place that one worker after the other has. A worker may be killed between a thing and the count
/// of it: `begun` and `done` are apart by one then.
struct alignas(64) Counts {
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> lives{0};
};

class KillStorm : public LeavesNothing {
 protected:
  static constexpr std::size_t most_workers = 8;
  using Everyone = std::array<Counts, most_workers>;

  /// What one storm is made of.
  struct Plan {
    const char* name;
    std::size_t workers = 4;
    /// One turn of the worker with this number; the storm goes on as long as turns are done.
    std::function<void(std::size_t)> turn;
    /// Looked at in the end, by a newcomer.
    std::function<void()> check;
    /// Lets those who wait in a turn go when the storm is over.
    std::function<void()> release = [] {};
  };

  SharedPlace& place() { return *place_; }

  void SetUp() override {
    LeavesNothing::SetUp();
    place_.emplace(std::size_t{1} << 20);
    everyone_ = &place_->make<Everyone>();
    over_ = &place_->make<std::atomic<bool>>(false);
    crowded_ = &place_->make<std::atomic<bool>>(false);
  }
  void TearDown() override {
    place_.reset();
    LeavesNothing::TearDown();
  }

  [[nodiscard]] Counts& counts(std::size_t worker) { return everyone_->at(worker); }
  [[nodiscard]] std::uint64_t begun() const { return sum(&Counts::begun); }
  [[nodiscard]] std::uint64_t done() const { return sum(&Counts::done); }
  [[nodiscard]] bool over() const { return over_->load(); }
  [[nodiscard]] std::size_t kills() const { return kills_; }

  void storm(const Plan& plan) {
    std::vector<std::optional<Child>> workers(plan.workers);
    for (std::size_t i = 0; i < plan.workers; ++i) start(plan, i, workers[i]);
    const auto time = std::chrono::seconds(number_from_environment("TRINE_STORM_SECONDS", 2));
    const std::uint64_t wanted = number_from_environment("TRINE_STORM_KILLS", 0);
    const Clock::time_point end = Clock::now() + time;
    while (hangs_ + troubles_ == 0 && (wanted != 0 ? kills_ < wanted : Clock::now() < end)) {
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % 300));
      kill_some(plan, workers);
      watch();
    }
    over_->store(true);
    for (auto& worker : workers) ends(plan, *worker);
    newcomer(plan);
    std::printf("%-28s | kills %6zu | operations %10llu | hangs %zu | longest standstill %5.1f ms\n", plan.name, kills_,
                static_cast<unsigned long long>(done()), hangs_, static_cast<double>(longest_.count()) / 1000);
    std::fflush(stdout);
    EXPECT_EQ(hangs_, 0U) << plan.name;
    EXPECT_GT(kills_, 10U);
    EXPECT_GT(done(), 0U);
  }

 private:
  void start(const Plan& plan, std::size_t number, std::optional<Child>& worker) {
    ++counts(number).lives;
    worker.emplace(place_->report(), [&, number] {
      while (!over()) {
        // In most rounds those who are left begin nothing new until the dead are buried and others are there: dying takes a
        // processor too, and with more workers than these it would take most of the time to get one.
        while (crowded_->load()) look_again_soon();
        ++counts(number).begun;
        plan.turn(number);
        ++counts(number).done;
      }
    });
  }

  // One, or several at the same time, or all.
  void kill_some(const Plan& plan, std::vector<std::optional<Child>>& workers) {
    std::array<std::size_t, most_workers> places;
    std::iota(places.begin(), places.end(), std::size_t{0});
    std::shuffle(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(workers.size()), random_);
    const std::span victims(places.data(), 1 + random_() % workers.size());
    for (const std::size_t each : victims) workers[each]->kill();
    crowded_->store(random_() % 4 != 0);
    for (const std::size_t each : victims) {
      Child& child = *workers[each];
      child.bury();
      look_for_trouble(child);
      place_->unused(child.report());
      start(plan, each, workers[each]);
      ++kills_;
    }
    crowded_->store(false);
  }

  // Somebody must have done something since, be it at the last.
  void watch() {
    const std::uint64_t now = done();
    const Clock::time_point at = Clock::now();
    if (now != last_done_) {
      longest_ = std::max(longest_, std::chrono::duration_cast<std::chrono::microseconds>(at - last_moved_));
      last_done_ = now;
      last_moved_ = at;
    } else if (at - last_moved_ > hang) {
      ++hangs_;
      ADD_FAILURE() << "nobody goes on";
    }
  }

  void ends(const Plan& plan, Child& worker) {
    const Clock::time_point end = Clock::now() + hang;
    const bool ended = holds_before(end, [&] {
      plan.release();
      return worker.ends_before(Clock::now());
    });
    if (ended) return look_for_trouble(worker);
    ++hangs_;
    ADD_FAILURE() << "a worker does not end; it is in system call " << sleeps_in(worker.id());
  }

  void newcomer(const Plan& plan) {
    Child child(place_->report(), plan.check);
    if (!child.ends_before(Clock::now() + hang)) {
      ++hangs_;
      ADD_FAILURE() << "the newcomer hangs in system call " << sleeps_in(child.id());
    }
    look_for_trouble(child);
  }

  void look_for_trouble(const Child& child) {
    if (child.report().text[0] == '\0') return;
    ++troubles_;
    ADD_FAILURE() << child.report().text.data();
  }

  [[nodiscard]] std::uint64_t sum(std::atomic<std::uint64_t> Counts::*which) const {
    std::uint64_t total = 0;
    for (const Counts& each : *everyone_) total += each.*which;
    return total;
  }

  std::optional<SharedPlace> place_;
  Everyone* everyone_ = nullptr;
  std::atomic<bool>* over_ = nullptr;
  std::atomic<bool>* crowded_ = nullptr;
  std::size_t kills_ = 0;
  std::size_t hangs_ = 0;
  std::size_t troubles_ = 0;
  std::uint64_t last_done_ = 0;
  Clock::time_point last_moved_ = Clock::now();
  std::chrono::microseconds longest_{0};
  std::mt19937 random_{std::random_device()()};
};

}  // namespace trine_test
