// SPDX-License-Identifier: BSL-1.0
//
// Event on threads and signals: set() in a handler that interrupts anything, and waits that signals interrupt.
#include <trine/event.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>

#if defined(__linux__)

#include <pthread.h>
#include <signal.h>

#include <system_error>

#include "stress/storm.hpp"

namespace {

using Event = trine::Event<trine::threads>;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;
using namespace std::chrono_literals;

// What the handler does: one thing, chosen by the test. Lock-free, as a handler needs it.
std::atomic<Event*> to_set{nullptr};
std::atomic<bool> and_clear{false};
std::atomic<std::uint64_t> handled{0};
static_assert(std::atomic<Event*>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

extern "C" void on_signal(int) {
  if (Event* const event = to_set.load()) {
    event->set();
    if (and_clear.load()) event->clear();
  }
  handled.fetch_add(1);
}

/// Handles SIGUSR1 while it lives. Without SA_RESTART, so that calls are interrupted; SA_NODEFER lets handlers nest.
class SignalStress : public ::testing::Test {
 protected:
  SignalStress() {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_NODEFER;
    sigemptyset(&action.sa_mask);
    if (::sigaction(SIGUSR1, &action, &before_) != 0) {
      throw std::system_error(errno, std::system_category(), "sigaction");
    }
    handled = 0;
  }
  ~SignalStress() override {
    to_set = nullptr;
    and_clear = false;
    ::sigaction(SIGUSR1, &before_, nullptr);
  }

  struct sigaction before_ = {};
};

/// A thread that can be sent signals while `body` runs in it.
class Victim {
 public:
  template <class Body>
  explicit Victim(Body body)
      : thread_([this, body] {
          self_ = ::pthread_self();
          ready_ = true;
          body();
          done_ = true;
          while (!released_) std::this_thread::yield();  // pthread_kill needs a thread that has not ended
        }) {
    while (!ready_) std::this_thread::yield();
  }
  ~Victim() { released_ = true; }

  [[nodiscard]] bool done() const noexcept { return done_; }
  void signal() const noexcept { ::pthread_kill(self_, SIGUSR1); }

 private:
  pthread_t self_{};
  std::atomic<bool> ready_{false};
  std::atomic<bool> done_{false};
  std::atomic<bool> released_{false};
  std::jthread thread_;
};

void short_break(std::uint64_t i) { std::this_thread::sleep_for(std::chrono::microseconds(i * 7 % 50)); }

// The handler pulses the event while its thread is in the middle of set(), clear() and is_set() of the same one. Each pulse
// lets all go who had begun to wait.
TEST_F(SignalStress, set_in_a_handler_that_interrupts_the_same_event) {
  static constexpr unsigned waiters = 3;
  Event event;
  std::atomic<unsigned> ready{0};
  std::atomic<std::uint64_t> rounds{0};
  std::atomic<bool> closed{false};
  std::atomic<bool> busy{true};
  and_clear = true;
  to_set = &event;
  Victim victim([&] {
    while (busy) {
      event.clear();
      (void)event.is_set();
      event.clear();
    }
  });
  Storm storm;
  storm.show([&] { return "handled " + std::to_string(handled) + ", ready " + std::to_string(ready); });
  storm.add(1, "signals", [&](Party& me) {
    for (bool last = false; !last;) {
      me.at("until all have begun");
      while (ready.load() != waiters) std::this_thread::yield();
      ready = 0;
      last = me.over();
      closed = last;
      me.at("signal");
      const std::uint64_t before = handled;
      victim.signal();
      while (handled == before) std::this_thread::yield();
      ++rounds;
    }
  });
  storm.add(waiters, "waits", [&](Party& me) {
    for (std::uint64_t round = 1;; ++round) {
      auto wait = event.wait_op();
      me.must(!wait.attempt(), "a wait that began after clear() was let go");
      ready.fetch_add(1);
      me.at("wait");
      me.must(trine::threads::run(std::move(wait), Until()), "a pulse was lost");
      while (rounds.load() < round) std::this_thread::yield();
      if (closed) return;
    }
  });
  storm.run();
  busy = false;
  EXPECT_GT(rounds, 0U);
}

// As above, but the interrupted code is set(): waiters are let go by either, and nobody is left behind.
TEST_F(SignalStress, set_in_a_handler_that_interrupts_set) {
  Event event;
  std::atomic<bool> busy{true};
  std::atomic<std::uint64_t> woken{0};
  to_set = &event;
  Victim victim([&] {
    while (busy) {
      event.set();
      event.clear();
    }
  });
  Storm storm;
  storm.show([&] { return "handled " + std::to_string(handled) + ", woken " + std::to_string(woken); });
  storm.add(1, "signals", [&](Party& me) {
    for (std::uint64_t i = 0; !me.over(); ++i) {
      victim.signal();
      me.dawdle();
      if (i % 16 == 0) short_break(i);
    }
    // The last word is a handler's: nobody clears after it.
    busy = false;
    while (!victim.done()) std::this_thread::yield();
    const std::uint64_t before = handled;
    victim.signal();
    while (handled == before) std::this_thread::yield();
  });
  storm.add(4, "waits", [&](Party& me) {
    while (!me.over()) {
      me.at("wait");
      (void)event.wait(me.limit_or_never());
      woken.fetch_add(1, std::memory_order_relaxed);
    }
    me.at("wait for the last one");
    me.must(event.wait(), "a wait without a limit gave up");
  });
  storm.run();
  EXPECT_TRUE(event.is_set());
  EXPECT_GT(handled, 0U);
}

// A thread is let go by the handler that interrupts its own wait.
TEST_F(SignalStress, set_in_a_handler_that_interrupts_the_wait) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer puts handlers off until a call that it knows, and a wait makes none";
#endif
  const auto end = std::chrono::steady_clock::now() + trine_test::stress_time();
  std::atomic<std::uint64_t> rounds{0};
  const trine_test::Watchdog watchdog([&] { return rounds.load(); },
                                      [&] { return "handled " + std::to_string(handled); });
  Event event;
  Event stopped;
  to_set = &event;
  std::atomic<bool> closed{false};
  Victim victim([&] {
    for (; !closed; ++rounds) {
      EXPECT_TRUE(event.wait());
      event.clear();
      EXPECT_EQ(trine::select(stopped.wait_op(), event.wait_op()).index(), 1U);
      event.clear();
    }
  });
  for (std::uint64_t i = 0; !victim.done(); ++i) {
    closed = std::chrono::steady_clock::now() >= end;
    victim.signal();
    short_break(i);
  }
  EXPECT_GT(rounds, 0U);
}

// Signals come all the time. A wait ends neither early nor, because each signal began it anew, late.
TEST_F(SignalStress, interrupted_waits_keep_their_limits) {
  const auto end = std::chrono::steady_clock::now() + trine_test::stress_time();
  std::atomic<std::uint64_t> rounds{0};
  const trine_test::Watchdog watchdog([&] { return rounds.load(); },
                                      [&] { return "handled " + std::to_string(handled); });
  Event event;
  trine::Semaphore<> semaphore(0);
  std::stop_source never;
  std::atomic<std::uint64_t> interrupted{0};
  Victim victim([&] {
    using Clock = std::chrono::steady_clock;
    const auto timed = [&](auto wait) {
      const std::uint64_t before = handled;
      const Clock::time_point start = Clock::now();
      EXPECT_FALSE(wait());
      const Clock::duration took = Clock::now() - start;
      EXPECT_GE(took, 20ms);
      EXPECT_LT(took, 10s);
      interrupted += handled - before;
      ++rounds;
    };
    do {
      timed([&] { return event.wait(20ms); });
      timed([&] { return event.wait({20ms, never.get_token()}); });
      timed([&] { return event.wait(Clock::now() + 20ms); });
      timed([&] { return semaphore.acquire(20ms); });
      timed([&] { return trine::select(event.wait_op(), semaphore.acquire_op(), 20ms).index() != trine::Selected<>::none; });
    } while (Clock::now() < end);
  });
  for (std::uint64_t i = 0; !victim.done(); ++i) {
    victim.signal();
    short_break(i);
  }
  EXPECT_GT(interrupted, 0U);
}

// Without a limit, too, a wait goes on after a signal.
TEST_F(SignalStress, interrupted_waits_do_not_return_for_nothing) {
  Event first;
  Event second;
  std::atomic<int> stage{0};
  Victim victim([&] {
    stage = 1;
    EXPECT_TRUE(first.wait());
    first.clear();
    stage = 2;
    EXPECT_EQ(trine::select(first.wait_op(), second.wait_op()).index(), 1U);
    stage = 3;
  });
  const auto send_many = [&] {
    for (std::uint64_t i = 0; i < 500; ++i) {
      victim.signal();
      short_break(i);
    }
  };
  while (stage != 1) std::this_thread::yield();
  send_many();
  EXPECT_EQ(stage, 1);
  first.set();
  while (stage != 2) std::this_thread::yield();
  send_many();
  second.set();
  while (stage != 3) std::this_thread::yield();
}

}  // namespace

#endif
