// SPDX-License-Identifier: BSL-1.0
//
// What two parties do with each primitive, wherever they are: threads, a parent and its child, two programs, with the objects at
// one address or at two. A scenario is a struct in shared memory with the objects in it; one party calls first(), the other
// second(), and each throws if something is not as it should be. Neither sleeps for the other's sake.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/trine.hpp>

namespace trine_test {

/// In either party, of which only one may be where a test framework listens.
inline void check(bool holds, std::source_location where = std::source_location::current()) {
  if (!holds) throw std::runtime_error("scenarios.hpp: line " + std::to_string(where.line()) + " does not hold");
}
template <class E, class Call>
void check_throws(Call call, std::source_location where = std::source_location::current()) {
  bool thrown = false;
  try {
    call();
  } catch (const E&) {
    thrown = true;
  }
  check(thrown, where);
}

/// How long a wait may take that should succeed, and one that should not.
inline constexpr std::chrono::seconds in_time{20};
inline constexpr std::chrono::milliseconds not_long{5};

// A queue with capacity N, which its constructor is given as well where it is no part of its type.
template <class T, class B, std::size_t N>
using FifoOf = std::conditional_t<std::is_same_v<B, trine::processes>, trine::Queue<T, B>, trine::Queue<T, B, N>>;
template <class T, class B, std::size_t N>
using LifoOf = std::conditional_t<std::is_same_v<B, trine::processes>, trine::LifoQueue<T, B>, trine::LifoQueue<T, B, N>>;
template <class T, class B, std::size_t N>
using SmallestOf = std::conditional_t<std::is_same_v<B, trine::processes>, trine::PriorityQueue<T, B>,
                                      trine::PriorityQueue<T, B, std::less<T>, N>>;

/// Says to the other party that something is done, any number of times.
template <class B>
class Baton {
 public:
  void pass() { said_.release(); }
  void take(std::source_location where = std::source_location::current()) { check(said_.acquire(in_time), where); }

 private:
  trine::Semaphore<B> said_{0};
};

template <class B>
struct EventScenario {
  static constexpr const char* name = "event";
  trine::Event<B> go, back, never, set{true};
  std::int64_t written = 0;
  static constexpr int rounds = 500;

  void first() {
    check(set.is_set() && !never.is_set());
    check(!never.wait(not_long));
    for (int i = 1; i <= rounds; ++i) {
      written = i;
      go.set();
      check(back.wait(in_time));
      back.clear();
      check(written == -i);
    }
    check(set.wait());
  }
  void second() {
    check(set.is_set() && !never.is_set());
    for (int i = 1; i <= rounds; ++i) {
      check(go.wait());
      go.clear();
      check(written == i);
      written = -i;
      back.set();
    }
  }
};

template <class B>
struct LockScenario {
  static constexpr const char* name = "lock";
  trine::Lock<B> lock;
  Baton<B> held, looked;
  std::int64_t sum = 0;
  static constexpr int rounds = 2000;

  void first() {
    check(lock.lock(in_time));
    held.pass();
    looked.take();
    check(lock.locked());
    lock.unlock();
    count();
    looked.take();
    check(sum == 2 * rounds && !lock.locked());
  }
  void second() {
    held.take();
    check(lock.locked() && !lock.try_lock() && !lock.lock(not_long) && !lock.guard(not_long));
    check_throws<trine::NotOwner>([this] { lock.unlock(); });
    looked.pass();
    count();
    looked.pass();
  }
  void count() {
    for (int i = 0; i < rounds; ++i) {
      const auto guard = lock.guard(in_time);
      check(static_cast<bool>(guard));
      const std::int64_t before = sum;
      if (i % 64 == 0) std::this_thread::yield();
      sum = before + 1;
    }
  }
};

template <class B>
struct RecursiveLockScenario {
  static constexpr const char* name = "recursive_lock";
  trine::RecursiveLock<B> lock;
  Baton<B> held, looked;
  std::int64_t sum = 0;
  static constexpr int rounds = 1000;

  void first() {
    for (int i = 0; i < 3; ++i) check(lock.lock());
    held.pass();
    looked.take();
    check(lock.depth() == 3);
    for (int i = 0; i < 3; ++i) lock.unlock();
    count();
    looked.take();
    check(sum == 2 * rounds && !lock.locked());
  }
  void second() {
    held.take();
    check(lock.locked() && lock.depth() == 0 && !lock.try_lock() && !lock.lock(not_long));
    check_throws<trine::NotOwner>([this] { lock.unlock(); });
    looked.pass();
    count();
    looked.pass();
  }
  void count() {
    for (int i = 0; i < rounds; ++i) {
      const auto outer = lock.guard(in_time);
      const auto inner = lock.guard(in_time);
      check(outer && inner && lock.depth() == 2);
      ++sum;
    }
  }
};

template <class B>
struct SharedLockScenario {
  static constexpr const char* name = "shared_lock";
  trine::SharedLock<B> lock;
  trine::Barrier<B> both_read{2};
  Baton<B> held, looked;
  std::int64_t left = 0, right = 0;
  static constexpr int rounds = 1000;

  void first() {
    check(lock.lock(in_time));
    held.pass();
    looked.take();
    lock.unlock();
    read_together();
    count();
    looked.take();
    check(left == 2 * rounds && right == left);
  }
  void second() {
    held.take();
    check(!lock.try_lock_shared() && !lock.lock_shared(not_long) && !lock.try_lock());
    check_throws<trine::NotOwner>([this] { lock.unlock(); });
    check_throws<trine::NotLocked>([this] { lock.unlock_shared(); });
    looked.pass();
    read_together();
    count();
    looked.pass();
  }
  void read_together() {
    const auto reading = lock.shared_guard(in_time);
    check(static_cast<bool>(reading));
    both_read.wait(in_time);
    check(!lock.try_lock());
    both_read.wait(in_time);
  }
  void count() {
    for (int i = 0; i < rounds; ++i) {
      {
        const auto writing = lock.guard(in_time);
        check(static_cast<bool>(writing) && left == right);
        ++left;
        ++right;
      }
      const auto reading = lock.shared_guard(in_time);
      check(static_cast<bool>(reading) && left == right);
    }
  }
};

template <class B>
struct ConditionScenario {
  static constexpr const char* name = "condition";
  trine::Lock<B> lock;
  trine::RecursiveLock<B> recursive;
  trine::Condition<B> changed, deep, never;
  int turn = 1;
  int level = 0;
  static constexpr int rounds = 500;

  void first() {
    {
      auto held = lock.guard(in_time);
      check(!never.wait(
          held, [] { return false; }, not_long));
      check(static_cast<bool>(held));
    }
    play(1);
    auto outer = recursive.guard(in_time);
    auto inner = recursive.guard(in_time);
    check(deep.wait(
        inner, [this] { return level == 1; }, in_time));
    check(recursive.depth() == 2);
    level = 2;
    deep.notify_all();
  }
  void second() {
    play(2);
    auto held = recursive.guard(in_time);
    level = 1;
    deep.notify();
    check(deep.wait(
        held, [this] { return level == 2; }, in_time));
    check(recursive.depth() == 1);
  }
  void play(int mine) {
    for (int i = 0; i < rounds; ++i) {
      auto held = lock.guard(in_time);
      check(changed.wait(
          held, [&] { return turn == mine; }, in_time));
      turn = 3 - mine;
      held.unlock();
      changed.notify();
    }
  }
};

template <class B>
struct SemaphoreScenario {
  static constexpr const char* name = "semaphore";
  trine::Semaphore<B> filled{0}, taken{1};
  trine::BoundedSemaphore<B> places{2};
  Baton<B> held, looked;
  std::int64_t data = 0;
  static constexpr int rounds = 500;

  void first() {
    for (int i = 1; i <= rounds; ++i) {
      check(taken.acquire(in_time));
      data = i;
      filled.release();
    }
    {
      const auto one = places.permit(in_time);
      const auto two = places.permit(in_time);
      check(one && two && places.value() == 0);
      held.pass();
      looked.take();
    }
    check(places.value() == 2);
    check_throws<trine::ReleasedTooManyTimes>([this] { places.release(); });
    held.pass();
    looked.take();
  }
  void second() {
    for (int i = 1; i <= rounds; ++i) {
      check(filled.acquire());
      check(data == i);
      taken.release();
    }
    held.take();
    check(!places.try_acquire() && !places.acquire(not_long) && !places.permit(not_long));
    looked.pass();
    held.take();
    const auto permit = places.permit(in_time);
    check(static_cast<bool>(permit) && places.value() == 1);
    looked.pass();
  }
};

template <class B>
struct BarrierScenario {
  static constexpr const char* name = "barrier";
  trine::Barrier<B> barrier{2}, hasty{2, not_long}, broken{2};
  Baton<B> gone, whole;
  std::int64_t actions = 0;
  std::array<std::int64_t, 2> places{};
  static constexpr int rounds = 300;

  void first() {
    play();
    check(actions == rounds && places[0] == rounds && places[1] == rounds);
    check_throws<trine::BrokenBarrier>([this] { hasty.wait(); });
    check_throws<trine::BrokenBarrier>([this] { broken.wait(in_time); });  // the other aborts
    gone.pass();
    whole.take();
    check(!broken.broken());
    broken.wait(in_time);
  }
  void second() {
    play();
    while (broken.waiting() == 0) std::this_thread::yield();
    broken.abort();
    gone.take();
    check(hasty.broken() && broken.broken());
    check_throws<trine::BrokenBarrier>([this] { broken.wait(); });
    broken.reset();
    whole.pass();
    broken.wait(in_time);
  }
  void play() {
    for (int i = 1; i <= rounds; ++i) {
      const std::ptrdiff_t place = barrier.wait([this] { ++actions; }, in_time);
      check(actions == i);  // the next comes when both have been here again
      check(place == 0 || place == 1);
      std::atomic_ref(places[static_cast<std::size_t>(place)]).fetch_add(1);
    }
    barrier.wait(in_time);
  }
};

template <class B>
struct LatchScenario {
  static constexpr const char* name = "latch";
  trine::Latch<B> ready{3}, both{2}, done{0};
  std::int64_t data = 0;

  void first() {
    check(done.try_wait() && !ready.try_wait() && !ready.wait(not_long));
    ready.count_down();
    check(ready.wait(in_time));
    check(data == 7);
    check(both.arrive_and_wait(in_time));
  }
  void second() {
    data = 7;
    ready.count_down(2);
    check(ready.wait(in_time));
    check(both.arrive_and_wait(in_time));
    check(both.try_wait());
    check_throws<std::invalid_argument>([this] { both.count_down(); });
  }
};

struct Record {
  std::int32_t number;
  char text[20];
  double half;
  friend bool operator<(const Record& left, const Record& right) { return left.number < right.number; }
  static Record of(int n) {
    Record record{n, {}, n / 2.0};
    std::snprintf(record.text, sizeof record.text, "%d", n);
    return record;
  }
  [[nodiscard]] bool sound() const { return half == number / 2.0 && std::to_string(number) == text; }
};

/// One puts numbers and the other gets them, and then the other way about with records, through queues of seven places.
template <class B>
struct QueueScenario {
  static constexpr const char* name = "queue";
  FifoOf<int, B, 7> there{7};
  FifoOf<Record, B, 7> back{7};
  Baton<B> full, empty;
  static constexpr int rounds = 2000;

  void first() {
    check(there.capacity() == 7 && there.empty() && !there.get(not_long) && !there.try_get());
    for (int i = 0; i < 7; ++i) check(there.try_put(i));
    check(!there.try_put(7) && !there.put(7, not_long) && there.full());
    full.pass();
    check(there.join(in_time));
    empty.take();
    check_throws<trine::TaskDoneTooOften>([this] { there.task_done(); });
    for (int i = 0; i < rounds; ++i) check(there.put(i, in_time));
    std::vector<int> more(100);
    std::iota(more.begin(), more.end(), rounds);
    check(there.put_many(more, in_time) == more.size());
    there.shutdown();
    check_throws<trine::QueueShutdown>([this] { there.put(1); });
    int next = 0;
    for (const Record& record : back) check(record.sound() && record.number == next++);
    check(next == rounds);
    check_throws<trine::QueueShutdown>([this] { (void)back.get(); });
  }
  void second() {
    full.take();
    check(there.full() && there.size() == 7);
    const std::vector<int> seven = there.get_many(9, in_time);
    check(seven == std::vector<int>({0, 1, 2, 3, 4, 5, 6}));
    check(!there.join(std::chrono::seconds(0)));
    for (int i = 0; i < 7; ++i) there.task_done();
    empty.pass();
    int next = 0;
    for (const int n : there) check(n == next++);
    check(next == rounds + 100);
    for (int i = 0; i < rounds; ++i) check(back.put(Record::of(i), in_time));
    back.shutdown();
  }
};

/// The other orders, with the items of both parties.
template <class B>
struct OrderScenario {
  static constexpr const char* name = "order";
  LifoOf<int, B, 16> last{16};
  SmallestOf<Record, B, 16> smallest{16};
  Baton<B> put, got;

  void first() {
    for (const int n : {5, 1, 9}) check(last.put(n, in_time) && smallest.put(Record::of(n), in_time));
    put.pass();
    got.take();
    for (const int n : {4, 8, 3}) check(last.get(in_time) == n);
    for (const int n : {3, 4, 5, 8, 9}) {
      const auto record = smallest.get(in_time);
      check(record && record->sound() && record->number == n);
    }
    check(last.get_many(5, in_time) == std::vector<int>({1, 5}) && smallest.empty());
    last.shutdown();
    smallest.shutdown(true);
  }
  void second() {
    put.take();
    check(last.get(in_time) == 9);
    check(smallest.get(in_time)->number == 1);
    for (const int n : {3, 8, 4}) check(last.put(n, in_time) && smallest.put(Record::of(n), in_time));
    got.pass();
    while (!smallest.is_shutdown()) std::this_thread::yield();
    check_throws<trine::QueueShutdown>([this] { (void)last.get(in_time); });
    check_throws<trine::QueueShutdown>([this] { (void)smallest.get(in_time); });
  }
};

/// One waits for the first of many, and the other makes each of them possible in turn.
template <class B>
struct SelectScenario {
  static constexpr const char* name = "select";
  trine::Event<B> event;
  FifoOf<int, B, 4> items{4};
  FifoOf<int, B, 1> room{1};
  trine::Semaphore<B> permits{0};
  trine::Latch<B> latch{1};
  trine::Lock<B> lock;
  Baton<B> locked, next;
  static constexpr std::size_t kinds = 6;
  static constexpr std::size_t rounds = 60;

  void first() {
    locked.take();
    check(room.put(1));
    const int item = 2;
    for (std::size_t round = 0; round < rounds; ++round) {
      const std::size_t kind = round % kinds;
      if (kind == 4 && round != 4) continue;  // a latch opens once
      next.pass();
      check(choose(item, round > 4) == kind);
      if (kind == 0) event.clear();
      if (kind == 2) check(room.get(in_time) == 2 && room.put(1));
      if (kind == 5) {
        next.pass();
        locked.take();
      }
    }
    check(choose(item, true, not_long) == trine::Selected<bool>::none);
    check(items.empty() && room.size() == 1 && permits.value() == 0 && lock.locked());
    next.pass();
  }
  void second() {
    check(lock.lock());
    locked.pass();
    for (std::size_t round = 0; round < rounds; ++round) {
      const std::size_t kind = round % kinds;
      if (kind == 4 && round != 4) continue;
      next.take();
      if (kind == 0) event.set();
      if (kind == 1) check(items.put(7, in_time));
      if (kind == 2) check(room.get(in_time) == 1);
      if (kind == 3) permits.release();
      if (kind == 4) latch.count_down();
      if (kind == 5) {
        lock.unlock();
        next.take();
        check(lock.lock(in_time));
        locked.pass();
      }
    }
    next.take();
    lock.unlock();
  }

  /// The latch is left out once it is open.
  std::size_t choose(const int& item, bool open, const trine::Until& until = in_time) {
    if (open) {
      const auto done =
          trine::select(event.wait_op(), items.get_op(), room.put_op(item), permits.acquire_op(), lock.guard_op(), until);
      if (done.index() == done.none) return done.none;
      return done.index() == 4 ? 5 : done.index();
    }
    const auto done = trine::select(event.wait_op(), items.get_op(), room.put_op(item), permits.acquire_op(),
                                    latch.wait_op(), lock.guard_op(), until);
    return done.index();
  }
};

/// One holds everything, and the other waits for it with each kind of limit.
template <class B>
struct LimitScenario {
  static constexpr const char* name = "limits";
  trine::Event<B> event;
  trine::Lock<B> lock;
  trine::RecursiveLock<B> recursive;
  trine::SharedLock<B> written, read;
  trine::Lock<B> free;
  trine::Condition<B> condition;
  trine::Semaphore<B> semaphore{0};
  trine::Latch<B> latch{1};
  trine::Barrier<B> barrier{2};
  FifoOf<int, B, 1> empty{1}, full{1};
  Baton<B> held, done;

  void first() {
    check(lock.lock() && recursive.lock() && written.lock() && read.lock_shared() && full.put(1));
    held.pass();
    done.take();
    lock.unlock();
    recursive.unlock();
    written.unlock();
    read.unlock_shared();
    check(empty.empty() && full.size() == 1 && semaphore.value() == 0 && barrier.broken());
  }
  void second() {
    held.take();
    using Clock = std::chrono::steady_clock;
    using WallClock = std::chrono::system_clock;
    const auto gives_up = [this](const auto& make) {
      check(!event.wait(make()));
      check(!lock.lock(make()));
      check(!lock.guard(make()));
      check(!recursive.lock(make()));
      check(!written.lock(make()));
      check(!written.lock_shared(make()));
      check(!read.lock(make()));
      check(!semaphore.acquire(make()));
      check(!semaphore.permit(make()));
      check(!latch.wait(make()));
      check(!empty.get(make()));
      check(!full.put(2, make()));
      check(full.put_many(std::vector<int>(2), make()) == 0);
      check(empty.get_many(2, make()).empty());
      check(!full.join(make()));
      auto guard = free.guard();
      check(!condition.wait(
                guard, [] { return false; }, make()) &&
            guard);
      barrier.reset();
      check_throws<trine::BrokenBarrier>([&] { barrier.wait(make()); });
      check(trine::select(event.wait_op(), empty.get_op(), make()).index() == trine::Selected<bool>::none);
    };
    gives_up([] { return trine::Until(std::chrono::seconds(0)); });
    gives_up([] { return trine::Until(-std::chrono::hours(1)); });
    gives_up([] { return trine::Until(not_long); });
    gives_up([] { return trine::Until(Clock::now() + not_long); });
    gives_up([] { return trine::Until(WallClock::now() + not_long); });
    gives_up([] { return trine::Until(in_time, Clock::now() + not_long, WallClock::now() + in_time); });
    std::stop_source stopped;
    stopped.request_stop();
    gives_up([&] { return trine::Until(stopped.get_token()); });
    // A token that another thread stops, as far as can be arranged while the wait sleeps.
    std::vector<std::jthread> stoppers;
    gives_up([&] {
      std::stop_source stop;
      stoppers.emplace_back([stop]() mutable { stop.request_stop(); });
      return trine::Until(stop.get_token());
    });
    const auto begun = Clock::now();
    check(!event.wait(std::chrono::milliseconds(100)));  // longer than a slice of a sleep
    check(Clock::now() - begun >= std::chrono::milliseconds(100));
    done.pass();
  }
};

/// All of them.
struct ScenarioName {
  template <class S>
  static std::string GetName(int) {
    return S::name;
  }
};

template <class B>
using Scenarios = ::testing::Types<EventScenario<B>, LockScenario<B>, RecursiveLockScenario<B>, SharedLockScenario<B>,
                                   ConditionScenario<B>, SemaphoreScenario<B>, BarrierScenario<B>, LatchScenario<B>,
                                   QueueScenario<B>, OrderScenario<B>, SelectScenario<B>, LimitScenario<B>>;

}  // namespace trine_test
