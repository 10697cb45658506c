// SPDX-License-Identifier: BSL-1.0
//
// What a coroutine that watches an object of threads or of processes waits longer than a thread that blocks on it.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include <trine/trine.hpp>

#include "process_harness.hpp"

namespace {

using namespace bench;
using Clock = Meeting::Clock;

/// How a party waits for an operation.
struct Blocked {
  static constexpr const char* name = "blocked";
  using Backend = trine::threads;

  template <class O>
  static typename O::Result wait(O operation) {
    return O::Backend::run(std::move(operation), trine::Until::forever());
  }
};
struct Watched {
  static constexpr const char* name = "watched";
  using Backend = trine::coroutines;

  template <class O>
  static auto wait(O operation) {
    return trine::Scheduler::current()->watch(std::move(operation));
  }
};
/// Blocks on that and on something else, as a scheduler does that sleeps.
struct Selected {
  static constexpr const char* name = "blocked_on_two";
  using Backend = trine::threads;

  template <class O>
  static bool wait(O operation) {
    static trine::Event<> never;
    return trine::select(std::move(operation), never.wait_op()).index() == 0;
  }
};
inline constexpr List<Blocked, Selected, Watched> waiters;

/// Two events, by which two parties let each other go.
template <class B>
struct Sides {
  trine::Event<B> there;
  trine::Event<B> back;
};

template <class W, class B>
trine::Task<void, typename W::Backend> rally(Sides<B>& sides, std::size_t me, std::int64_t turns) {
  for (std::int64_t i = 0; i < turns; ++i) {
    trine::Event<B>& mine = me == 0 ? sides.back : sides.there;
    if (me == 0) sides.there.set();
    co_await W::wait(mine.wait_op());
    mine.clear();
    if (me == 1) sides.back.set();
  }
}

/// There and back: two parties of the same kind, who look on before they sleep.
void enroll_rallies(Placement placement) {
  const std::string place = name_of_placement(placement);
  for (auto* each : enroll("threads_ping_pong/" + place, waiters, [placement]<class W>(benchmark::State& state) {
         measure_team(state, 2, placement, [] {
           return [sides = Sides<trine::threads>()](std::size_t me, std::int64_t turns) mutable {
             trine::run(rally<W>(sides, me, turns));
           };
         });
       })) {
    each->UseManualTime();
  }
  for (auto* each : enroll("processes_ping_pong/" + place, waiters, [placement]<class W>(benchmark::State& state) {
         measure_processes<Sides<trine::shared_memory>>(
             state, 2, placement, [](auto& sides, std::size_t me, std::int64_t turns) { trine::run(rally<W>(sides, me, turns)); });
       })) {
    each->UseManualTime();
  }
}

/// Somebody signals, or ends, long after the other has gone to sleep, and notes when.
constexpr std::chrono::microseconds long_after{300};

struct Signal {
  trine::Event<trine::shared_memory> ready;
  trine::Event<trine::shared_memory> go;
  std::atomic<Clock::time_point> at;
  std::atomic<std::int64_t> nanoseconds{0};  // all that the other has waited longer than it should

  void note() { at.store(Clock::now()); }
  void heard() { nanoseconds += std::chrono::nanoseconds(Clock::now() - at.load()).count(); }
};

template <class W>
trine::Task<void, typename W::Backend> listen(Signal& signal, std::int64_t turns) {
  for (std::int64_t i = 0; i < turns; ++i) {
    signal.ready.set();
    co_await W::wait(signal.go.wait_op());
    signal.heard();
    signal.go.clear();
  }
}

void call(Signal& signal, std::int64_t turns) {
  for (std::int64_t i = 0; i < turns; ++i) {
    signal.ready.wait();
    signal.ready.clear();
    std::this_thread::sleep_for(long_after);
    signal.note();
    signal.go.set();
  }
}

/// A child ends: the other hears of it when it can be waited for.
template <class W>
trine::Task<void, typename W::Backend> join_many(Signal& signal, Placement placement, std::int64_t turns) {
  for (std::int64_t i = 0; i < turns; ++i) {
    trine::Process child([&] {
      pin(placement, 1);
      std::this_thread::sleep_for(long_after);
      signal.note();
    });
    co_await W::wait(child.join_op());
    signal.heard();
  }
}

/// Reports what signal.nanoseconds says. `work(signal, turns)` runs in a process of its own.
template <class Work>
void measure_waits(benchmark::State& state, Work work) {
  while (state.KeepRunningBatch(state.max_iterations)) {
    Shared<Signal> signal;
    trine::Process party([&] { work(*signal, state.max_iterations); });
    party.join();
    if (party.exit_code() != 0) state.SkipWithError("a process failed");
    state.SetIterationTime(static_cast<double>(signal->nanoseconds.load()) * 1e-9);
  }
}

void enroll_sleepers(Placement placement) {
  const std::string place = name_of_placement(placement);
  for (auto* each : enroll("event_to_sleeper/" + place, waiters, [placement]<class W>(benchmark::State& state) {
         measure_waits(state, [placement](Signal& signal, std::int64_t turns) {
           trine::Process caller([&] {
             pin(placement, 1);
             call(signal, turns);
           });
           pin(placement, 0);
           trine::run(listen<W>(signal, turns));
         });
       })) {
    each->UseManualTime()->Iterations(1000);
  }
  for (auto* each : enroll("end_of_process/" + place, waiters, [placement]<class W>(benchmark::State& state) {
         measure_waits(state, [placement](Signal& signal, std::int64_t turns) {
           pin(placement, 0);
           trine::run(join_many<W>(signal, placement, turns));
         });
       })) {
    each->UseManualTime()->Iterations(300);
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const Placement placement : placements()) enroll_rallies(placement);
  for (const Placement placement : placements()) enroll_sleepers(placement);
  return run(argc, argv);
}
