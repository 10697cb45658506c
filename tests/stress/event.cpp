// SPDX-License-Identifier: BSL-1.0
//
// Event under many threads: no pulse is lost, what was written before set() is seen, and a waiter may destroy it.
#include <trine/event.hpp>

#include "stress/storm.hpp"
#include "support/backends.hpp"

namespace {

using trine::Event;
using trine::Until;
using trine_test::Party;
using trine_test::Storm;

template <class B>
class EventStress : public ::testing::Test {};
TYPED_TEST_SUITE(EventStress, trine_test::Backends, trine_test::BackendName);

// The event of each round is all that orders the plain data, and the rounds.
TYPED_TEST(EventStress, what_was_written_before_set_is_seen) {
  struct Round {
    Event<TypeParam> go;
    std::size_t data = 0;
    bool last = false;
  };
  static constexpr std::size_t threads = 8;
  static constexpr std::size_t most = 1 << 14;
  std::vector<Round> rounds(most);
  Storm storm;
  storm.add(threads, "party", [&](Party& me) {
    for (std::size_t r = 0;; ++r) {
      Round& round = rounds[r];
      if (r % threads == me.number()) {
        me.dawdle();
        me.at("set");
        const bool last = me.over() || r + 1 == most;
        round.data = r;
        round.last = last;
        round.go.set();
        if (last) return;
      } else {
        me.at("wait");
        while (!round.go.wait(me.limit_or_never())) me.at("wait again");
        me.must(round.data == r, "the data is not what was written before set()");
        if (round.last) return;
      }
    }
  });
  storm.run();
}

// A waiter that had begun when the pulse came returns true, whatever its limit.
TYPED_TEST(EventStress, no_pulse_is_lost) {
  static constexpr unsigned waiters = 4;
  Event<TypeParam> event;
  std::atomic<unsigned> ready{0};
  std::atomic<unsigned> pulses{0};
  std::atomic<bool> closed{false};
  Storm storm;
  storm.show([&] { return "pulses " + std::to_string(pulses) + ", ready " + std::to_string(ready); });
  storm.add(1, "pulses", [&](Party& me) {
    for (bool last = false; !last;) {
      me.at("until all have begun");
      while (ready.load(std::memory_order_acquire) != waiters) std::this_thread::yield();
      ready.store(0, std::memory_order_relaxed);
      last = me.over();
      closed.store(last, std::memory_order_relaxed);
      me.dawdle();
      me.at("pulse");
      event.set();
      event.clear();
      pulses.fetch_add(1, std::memory_order_release);
    }
  });
  storm.add(waiters, "waits", [&](Party& me) {
    for (unsigned round = 1;; ++round) {
      auto wait = event.wait_op();
      me.must(!wait.attempt(), "a wait that began after clear() was let go");
      me.at("ready");
      ready.fetch_add(1, std::memory_order_acq_rel);
      me.dawdle();
      const bool has_limit = me.one_in(2);
      const Until limit = has_limit ? me.limit() : Until();
      const bool pulsed = pulses.load(std::memory_order_acquire) == round;
      me.at(has_limit ? "wait with a limit" : "wait");
      const bool said = TypeParam::run(std::move(wait), limit);
      me.must(said || (has_limit && !pulsed), "a pulse was lost");
      me.at("until the pulse");
      while (pulses.load(std::memory_order_acquire) != round) std::this_thread::yield();
      if (closed.load(std::memory_order_relaxed)) return;
    }
  });
  storm.add(3, "gives up", [&](Party& me) {
    while (!me.over()) {
      me.at("wait");
      (void)event.wait(me.limit());
    }
  });
  storm.run();
}

TYPED_TEST(EventStress, anyone_does_anything) {
  static constexpr int setters = 3;
  Event<TypeParam> event;
  std::atomic<int> left{setters};
  Storm storm;
  storm.show([&] { return std::string(event.is_set() ? "set" : "clear"); });
  storm.add(setters, "sets", [&](Party& me) {
    while (!me.over()) {
      me.at("set");
      event.set();
      me.dawdle();
      me.at("clear");
      if (!me.one_in(3)) event.clear();
      me.dawdle();
    }
    if (left.fetch_sub(1) == 1) event.set();
  });
  storm.add(5, "waits", [&](Party& me) {
    while (!me.over()) {
      me.at("wait");
      const bool never = me.one_in(2);
      const bool said = event.wait(never ? Until() : me.limit());
      me.must(said || !never, "a wait without a limit gave up");
    }
  });
  storm.run();
  EXPECT_TRUE(event.is_set());
}

TYPED_TEST(EventStress, destroyed_by_the_waiter) {
  trine_test::destroy_after_wait([] { return new Event<TypeParam>; }, [](auto& event) { event.set(); },
                                 [](auto& event, Party& me) {
                                   while (!event.wait(me.limit_or_never())) me.at("wait again");
                                 });
}

}  // namespace
