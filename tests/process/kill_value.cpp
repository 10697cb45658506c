// SPDX-License-Identifier: BSL-1.0
//
// Value and Array: a kill after each instruction. A value is the old one or the new one; whatever may be half done is told.

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <trine/array.hpp>
#include <trine/backend/processes.hpp>
#include <trine/error.hpp>
#include <trine/value.hpp>

#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;

/// Whole if both are equal.
struct Twice {
  explicit Twice(long n = 0) : one(n), other(n) {}
  [[nodiscard]] bool is(long n) const { return one == n && other == n; }
  long one;
  long other;
};

class KillValue : public Kills {
 protected:
  using Value = trine::Value<Twice, shared_memory_direct>;
  using Array = trine::Array<Twice, trine::processes>;

  /// Calls `use`, after recover() if a death is told: whether it was.
  template <class Lock, class Use>
  static bool told(Lock& lock, Use use) {
    try {
      use(false);
      return false;
    } catch (const trine::OwnerDied&) {
    }
    const auto held = lock.recover();
    use(true);
    return true;
  }

  static void works(Value& value) {
    value.store(Twice(7));
    value.update([](Twice& to) { to = Twice(to.one + 1); });
    require(value.load().is(8), "it does not work");
    require(value.get_lock().try_lock(), "its lock is not free");
    value.get_lock().unlock();
  }

  /// The victim makes a 2 of a 1.
  static void sweep_change(const char* scenario, const std::function<void(Value&)>& change, bool in_place = false) {
    sweep(
        scenario,
        [&](Trial& trial) {
          auto& value = trial.make<Value>(Twice(1));
          trial.victim([&] {
            trap();
            change(value);
          });
          trial.step();
          trial.survivor([&] {
            told(value.get_lock(), [&](bool /*died*/) { (void)value.load(); });
          });
          trial.kill();
          trial.all_go_on();
          const bool done = trial.done();
          trial.newcomer([&] {
            const Twice found = value.load();
            require(in_place || found.is(1) || found.is(2), "neither the old value nor the new one");
            require(!done || found.is(2), "a change that was done is lost");
            works(value);
          });
        },
        32);
  }
};

TEST_F(KillValue, Store) {
  sweep_change("Value: store", [](Value& value) { value.store(Twice(2)); });
}
TEST_F(KillValue, Update) {
  sweep_change("Value: update", [](Value& value) {
    value.update([](Twice& to) {
      ++to.one;
      ++to.other;
    });
  });
}
TEST_F(KillValue, WithLock) {
  const auto change = [](Value& value) {
    value.with_lock([](Twice& to) {
      ++to.one;
      ++to.other;
    });
  };
  sweep_change("Value: with_lock", change, true);
}
TEST_F(KillValue, SeveralCalls) {
  sweep_change("Value: get_lock, load and store", [](Value& value) {
    const auto held = value.get_lock().guard();
    value.store(Twice(value.load().one + 1));
  });
}

TEST_F(KillValue, Load) {
  sweep(
      "Value: load",
      [](Trial& trial) {
        auto& value = trial.make<Value>(Twice(1));
        trial.victim([&] {
          trap();
          (void)value.load();
        });
        trial.step();
        trial.kill();
        trial.newcomer([&] {
          told(value.get_lock(), [&](bool /*died*/) { require(value.load().is(1), "a look changed it"); });
          works(value);
        });
      },
      32);
}

// What with_lock() had written when it was killed is told of, or is whole.
TEST_F(KillValue, HalfWrittenIsTold) {
  sweep(
      "Value: with_lock; half written or told",
      [](Trial& trial) {
        auto& value = trial.make<Value>(Twice(1));
        trial.victim([&] {
          trap();
          value.with_lock([](Twice& to) {
            ++to.one;
            ++to.other;
          });
        });
        trial.step();
        trial.kill();
        trial.newcomer([&] {
          told(value.get_lock(), [&](bool died) {
            const Twice found = value.load();
            require(died || found.is(1) || found.is(2), "half written, and nobody was told of a death");
          });
          works(value);
        });
      },
      32);
}

TEST_F(KillValue, SleeperIsKilled) {
  sweep(
      "Value: update; asleep, then it gets the lock",
      [](Trial& trial) {
        auto& value = trial.make<Value>(Twice(1));
        value.get_lock().lock();
        trial.victim([&] {
          trap();
          value.update([](Twice& to) { to = Twice(to.one + 1); });
        });
        trial.fall_asleep();
        trial.sleeper([&] {
          told(value.get_lock(), [&](bool /*died*/) { value.update([](Twice& to) { to = Twice(to.one + 10); }); });
        });
        value.get_lock().unlock();
        trial.step();
        trial.kill();
        trial.all_go_on();
        const bool done = trial.done();
        trial.newcomer([&] {
          told(value.get_lock(), [&](bool /*died*/) {
            const Twice found = value.load();
            require(found.is(11) || found.is(12), "an update is lost, or half done");
            require(!done || found.is(12), "an update that was done is lost");
          });
          works(value);
        });
      },
      32);
}

TEST_F(KillValue, ElementsOfAnArray) {
  const auto as = [](const char* scenario, const std::function<void(Array&)>& change) {
    sweep(
        scenario,
        [&](Trial& trial) {
          Array array{Twice(1), Twice(1), Twice(1)};
          trial.victim([&] {
            trap();
            change(array);
          });
          trial.step();
          trial.kill();
          const bool done = trial.done();
          trial.newcomer([&] {
            const bool died = told(array.get_lock(), [&](bool has_died) {
              const std::vector<Twice> all = array.load();
              require(all[0].is(1) && all[2].is(1), "another element suffered");
              require(has_died || all[1].is(1) || all[1].is(2), "half written, and nobody was told of a death");
              require(!done || all[1].is(2), "a change that was done is lost");
            });
            require(!done || !died, "a death was told of one who had let go");
            array.store(1, Twice(5));
            require(array.load(1).is(5), "it does not work");
          });
        },
        32);
  };
  as("Array: store", [](Array& array) { array.store(1, Twice(2)); });
  as("Array: update", [](Array& array) { array.update(1, [](Twice& to) { to = Twice(to.one + 1); }); });
  as("Array: with_lock", [](Array& array) { array.with_lock([](Array& all) { all[1] = Twice(2); }); });
}

}  // namespace
