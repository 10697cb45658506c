// SPDX-License-Identifier: BSL-1.0
//
// Semaphore: eight downloads, but never more than two at a time.
#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

#include <trine/semaphore.hpp>

int main() {
  trine::BoundedSemaphore slots(2);
  std::atomic<int> running = 0;
  std::atomic<int> finished = 0;
  std::atomic<bool> too_many = false;
  {
    std::vector<std::jthread> downloads;
    for (int i = 0; i < 8; ++i) {
      downloads.emplace_back([&] {
        auto permit = slots.permit();  // given back at the end of the scope
        if (++running > 2) too_many = true;
        std::this_thread::yield();  // the download
        --running;
        ++finished;
      });
    }
  }
  std::cout << finished << " downloads, " << (too_many ? "too many" : "at most two") << " at a time\n";

  slots.acquire();
  slots.acquire();
  std::cout << "a third slot: " << (slots.try_acquire() ? "taken" : "none free") << '\n';
  slots.release(2);
  try {
    slots.release();
  } catch (const trine::ReleasedTooManyTimes&) {
    std::cout << "a slot that nobody held can't be given back; free slots: " << slots.value() << '\n';
  }
}
