// SPDX-License-Identifier: BSL-1.0
// requires: boost_fiber
//
// A backend of one's own: fibers of Boost.Fiber. A fiber that waits lets the others on its thread run. The waiting itself is
// os::ParkingLot over Boost's mutex and condition variable; what a fiber is has to be said here.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>

#include <boost/fiber/condition_variable.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/fss.hpp>
#include <boost/fiber/mutex.hpp>
#include <boost/fiber/operations.hpp>

#include <trine/trine.hpp>

struct FiberYield {
  void operator()() const noexcept { boost::this_fiber::yield(); }
};

// How a fiber sleeps and is woken. The mutexes inside are Boost's as well: a waiting fiber lets the others run.
using FiberSleep = trine::os::ParkingLot<boost::fibers::mutex, boost::fibers::condition_variable, FiberYield>;

struct fibers : trine::Blocking<FiberSleep> {
  /// Carries out a task of a TaskGroup.
  using Worker = boost::fibers::fiber;

  /// The calling fiber: RecursiveLock's owner. Never zero, at most 30 bits, and of no other living fiber. With the
  /// thread's number in its place all fibers of a thread would own each other's locks.
  static std::uint32_t self() {
    // The number stands in the place of a pointer: nothing to allocate and, by the function that does nothing, to delete.
    static boost::fibers::fiber_specific_ptr<Number> own([](Number*) {});
    if (own.get() == nullptr) own.reset(reinterpret_cast<Number*>(next()));
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(own.get()));
  }

 private:
  struct Number;

  static std::uintptr_t next() {
    static std::atomic<std::uint32_t> last = 0;
    constexpr std::uint32_t most = (1U << 30) - 1;
    return last.fetch_add(1, std::memory_order_relaxed) % most + 1;  // relaxed: only uniqueness matters
  }
};

static_assert(trine::Backend<fibers>);

namespace {

void race() {
  trine::Event<fibers> start;
  trine::Lock<fibers> lock;
  int total = 0;
  trine::TaskGroup<fibers> runners;
  for (int i = 1; i <= 3; ++i) {
    runners.spawn([&, i] {
      start.wait();
      for (int n = 0; n < 100; ++n) {
        auto held = lock.guard();
        const int seen = total;
        boost::this_fiber::yield();  // another fiber runs here, and has to wait for the lock
        total = seen + i;
      }
    });
  }
  start.set();
  runners.join();
  std::cout << "Event and Lock: " << total << '\n';
}

void own_levels() {
  trine::RecursiveLock<fibers> lock;
  trine::TaskGroup<fibers> group;
  auto outer = lock.guard();
  auto inner = lock.guard();
  bool refused = false;
  group.spawn([&] { refused = !lock.try_lock(); });  // the same thread, but another fiber
  group.join();
  std::cout << "RecursiveLock: depth " << lock.depth() << ", another fiber is " << (refused ? "refused" : "let in")
            << '\n';
}

// The same body as on any other backend.
template <class B>
trine::Task<void, B> produce(trine::Queue<std::string, B>& words) {
  for (const char* word : {"fibers", "take", "turns"}) co_await words.put(word);
  words.shutdown();
}

void pass_on() {
  trine::Queue<std::string, fibers> words(1);  // full after one: producer and consumer wait for each other
  trine::TaskGroup<fibers> group;
  group.spawn(produce<fibers>, std::ref(words));
  std::cout << "Queue:";
  for (const std::string& word : words) std::cout << ' ' << word;
  std::cout << '\n';
}

void give_up() {
  trine::Event<fibers> never;
  const bool came = never.wait(std::chrono::milliseconds(5));
  std::cout << "with a limit: " << (came ? "came" : "gave up") << '\n';
}

}  // namespace

int main() {
  race();
  own_levels();
  pass_on();
  give_up();
}
