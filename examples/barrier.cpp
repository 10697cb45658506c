// SPDX-License-Identifier: BSL-1.0
//
// Barrier: three threads compute how heat spreads along a rod, step by step.
#include <array>
#include <cstddef>
#include <iostream>
#include <thread>
#include <utility>
#include <vector>

#include <trine/barrier.hpp>

int main() {
  std::array<double, 8> now{80, 0, 0, 0, 0, 0, 0, 0};  // the ends do not change
  auto next = now;
  constexpr int parties = 3;
  // The action runs once for each step, when all have arrived and before anyone goes on.
  trine::Barrier step(parties, [&] { std::swap(now, next); });
  {
    std::vector<std::jthread> threads;
    for (std::size_t part = 0; part < parties; ++part) {
      threads.emplace_back([&, part] {
        for (int i = 0; i < 4; ++i) {
          for (std::size_t x = 1 + 2 * part; x < 3 + 2 * part; ++x) next[x] = (now[x - 1] + now[x + 1]) / 2;
          step.wait();
        }
      });
    }
  }
  for (const double heat : now) std::cout << heat << ' ';
  std::cout << '\n';
}
