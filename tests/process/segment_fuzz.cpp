// SPDX-License-Identifier: BSL-1.0
//
// Segments whose bytes somebody has changed are attached and used: there may be errors and odd answers, but no crash and no hang.
// TRINE_FUZZ_ATTACHES says how many (100,000 by default), TRINE_FUZZ_SEED with which numbers.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <support/watchdog.hpp>
#include <thread>
#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/lock.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/segment_info.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>

// For the places of the locks in the states, which are no standard-layout types; the compilers know them all the same.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;
using P = processes;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What may come of a call on a damaged object: a result, or one of the library's errors.
template <class Call>
void tolerate(Call call) {
  try {
    call();
  } catch (const Error&) {
  } catch (const std::system_error&) {
  } catch (const std::invalid_argument&) {
  }
}

constexpr auto at_once = 0ms;
constexpr auto soon = 20us;

template <class L>
void use_lock(L& lock) {
  tolerate([&] {
    if (lock.try_lock()) lock.unlock();
  });
  tolerate([&] {
    if (lock.lock(soon)) lock.unlock();
  });
  tolerate([&] { const auto held = lock.recover(soon); });
  tolerate([&] { lock.unlock(); });
}

void use(Event<P>& event) {
  event.wait(soon);
  event.set();
  EXPECT_TRUE(event.wait(at_once));
  event.clear();
  EXPECT_FALSE(event.is_set());
}
void use(Lock<P>& lock) {
  tolerate([&] { static_cast<void>(lock.locked()); });
  use_lock(lock);
}
void use(RecursiveLock<P>& lock) {
  use_lock(lock);
  tolerate([&] { static_cast<void>(lock.depth()); });
}
void use(SharedLock<P>& lock) {
  use_lock(lock);
  tolerate([&] {
    if (lock.lock_shared(soon)) lock.unlock_shared();
  });
  tolerate([&] { lock.unlock_shared(); });
}
void use(Condition<P>& condition) {
  Lock<P> lock;
  auto held = lock.guard();
  tolerate([&] { condition.wait(held, soon); });
  tolerate([&] { condition.notify(3); });
  tolerate([&] { condition.notify_all(); });
}
void use(Semaphore<P>& semaphore) {
  tolerate([&] { static_cast<void>(semaphore.value()); });
  tolerate([&] { semaphore.acquire(soon); });
  tolerate([&] { const auto permit = semaphore.permit(soon); });
  tolerate([&] { semaphore.release(2); });
}
void use(Latch<P>& latch) {
  tolerate([&] { latch.count_down(); });
  tolerate([&] { static_cast<void>(latch.try_wait()); });
  tolerate([&] { latch.wait(soon); });
}
void use(Barrier<P>& barrier) {
  tolerate([&] { barrier.wait(soon); });
  tolerate([&] { static_cast<void>(barrier.waiting() + barrier.broken() + barrier.parties()); });
  tolerate([&] { barrier.abort(); });
  tolerate([&] { barrier.reset(); });
}

template <class Q>
void use_queue(Q& queue) {
  tolerate([&] { static_cast<void>(queue.size() + queue.capacity() + queue.full()); });
  tolerate([&] { queue.put(7, soon); });
  tolerate([&] { queue.put_many(std::array{1, 2, 3, 4, 5, 6, 7, 8, 9}, soon); });
  tolerate([&] { queue.get(soon); });
  tolerate([&] { queue.get_many(5, soon); });
  tolerate([&] { queue.task_done(); });
  tolerate([&] { queue.join(soon); });
  tolerate([&] { queue.shutdown(); });
}
void use(Queue<int, P>& queue) { use_queue(queue); }
void use(LifoQueue<int, P>& queue) { use_queue(queue); }
void use(PriorityQueue<int, P>& queue) { use_queue(queue); }

/// A live object, whose bytes can be damaged and mended.
struct Victim {
  std::string name;
  std::vector<std::byte> good;                          // the header and the state
  std::function<void(const std::string& name)> attach;  // and use
  std::vector<std::size_t> gates;                       // where the owners of the short locks in it are
};

class SegmentFuzz : public Leakless {
 protected:
  void TearDown() override {
    for (const Victim& each : victims) Segment::remove(each.name);
    Leakless::TearDown();
  }

  /// `gates`: where the short locks are in the state.
  template <class X, class... Arguments>
  void add(const std::string& type, const std::vector<std::size_t>& gates, Arguments... arguments) {
    Victim victim{.name = unique_name(type),
                  .good = {},
                  .attach =
                      [](const std::string& name) {
                        X object(open_only, name);
                        use(object);
                      },
                  .gates = gates};
    Segment::remove(victim.name);
    { X(create_only, victim.name, arguments...); }
    for (const auto& each : SegmentList::read()) {
      if (each.name != victim.name) continue;
      const std::size_t bytes = sizeof(SegmentHeader) + each.data.size();
      victim.good.resize(bytes);
      const int file = ::open(each.path.c_str(), O_RDONLY | O_CLOEXEC);
      EXPECT_EQ(::pread(file, victim.good.data(), bytes, 0), static_cast<ssize_t>(bytes));
      ::close(file);
    }
    victims.push_back(std::move(victim));
  }

  template <class Q, class Items>
  void add_queue(const std::string& type) {
    using State = QueueState<Items, P>;
    add<Q>(type, {offsetof(State, put_end), offsetof(State, get_end)}, std::size_t{8});
  }

  void add_all() {
    add<Event<P>>("Event", {});
    add<Lock<P>>("Lock", {});
    add<RecursiveLock<P>>("RecursiveLock", {});
    add<SharedLock<P>>("SharedLock", {});
    add<Condition<P>>("Condition", {});
    add<Semaphore<P>>("Semaphore", {16}, 2, 5);  // behind the state of 64 bits and the maximum
    add<Latch<P>>("Latch", {}, 3);
    add<Barrier<P>>("Barrier", {offsetof(BarrierState<P>, gate)}, 2);
    add_queue<Queue<int, P>, P::FifoItems<int, 0>>("Queue");
    add_queue<LifoQueue<int, P>, P::LifoItems<int, 0>>("LifoQueue");
    add_queue<PriorityQueue<int, P>, P::PriorityItems<int, std::less<int>, 0>>("PriorityQueue");
  }

  std::vector<Victim> victims;
};

class Damage {
 public:
  explicit Damage(std::uint64_t seed) : random_(seed) {}

  /// A copy with some words changed: in the header in one of four times, else in the state alone.
  std::vector<std::byte> to(const std::vector<std::byte>& good) {
    std::vector<std::byte> bad = good;
    const bool header = pick(4) == 0;
    const std::size_t begin = header ? 0 : sizeof(SegmentHeader);
    const std::size_t end = header ? sizeof(SegmentHeader) : good.size();
    for (std::uint64_t changes = 1 + pick(6); changes > 0; --changes) {
      const std::size_t at = begin + pick((end - begin) / 4) * 4;
      std::uint32_t word = 0;
      std::memcpy(&word, bad.data() + at, 4);
      word = changed(word);
      std::memcpy(bad.data() + at, &word, 4);
    }
    if (pick(50) == 0) {
      for (std::size_t at = begin; at < end; ++at) bad[at] = static_cast<std::byte>(random_());
    }
    return bad;
  }

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

 private:
  std::uint32_t changed(std::uint32_t word) {
    static constexpr std::array<std::uint32_t, 14> special{
        0, 1, 2, 3, 127, 128, 0xff, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0x80000001, 0xc0000000, 0xffffffff};
    switch (pick(5)) {
      case 0:
        return word ^ (1U << pick(32));
      case 1:
        return special[pick(special.size())];
      case 2:
        return word + static_cast<std::uint32_t>(pick(9)) - 4;
      case 3:
        return static_cast<std::uint32_t>(::getpid());  // which locks take for one of their owners
      default:
        return static_cast<std::uint32_t>(random_());
    }
  }

  std::mt19937_64 random_;
};

/// A short lock is held for a few instructions, and nobody can tell that the thread which is said to hold it does not, if there
/// is such a thread. So those are made the property of nobody.
void spare_the_living(std::vector<std::byte>& bytes, const std::vector<std::size_t>& gates) {
  for (const std::size_t gate : gates) {
    std::byte* const at = bytes.data() + sizeof(SegmentHeader) + gate;
    std::uint32_t word = 0;
    std::memcpy(&word, at, 4);
    const auto owner = static_cast<pid_t>(word & 0x3fffffff);
    if (owner == 0 || owner == ::getpid() || ::syscall(SYS_tkill, owner, 0) != 0) continue;
    word |= 0x3fffffff;
    std::memcpy(at, &word, 4);
  }
}

TEST_F(SegmentFuzz, DamagedSegmentsCrashAndHangNobody) {
  const std::uint64_t attaches = setting("TRINE_FUZZ_ATTACHES", 100'000);
  const std::uint64_t seed = setting("TRINE_FUZZ_SEED", 1);
  const auto end = std::chrono::steady_clock::now() + (std::getenv("TRINE_FUZZ_ATTACHES") == nullptr ? 20s : 3600s);
  add_all();
  std::atomic<std::uint64_t> done{0};
  std::uint64_t used = 0;
  {
    const Watchdog watchdog([&] { return done.load(); },
                            [&] {
                              return "seed " + std::to_string(seed) + ", attach " + std::to_string(done.load()) + ", of " +
                                     victims[done.load() % victims.size()].name;
                            },
                            5s);
    Damage damage(seed);
    for (; done < attaches && std::chrono::steady_clock::now() < end; ++done) {
      const Victim& victim = victims[done % victims.size()];
      auto bad = damage.to(victim.good);
      spare_the_living(bad, victim.gates);
      const std::string path = Segment::path_of(victim.name);
      const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
      ASSERT_NE(file, -1);
      ASSERT_EQ(::pwrite(file, bad.data(), bad.size(), 0), static_cast<ssize_t>(bad.size()));
      struct stat status;
      ASSERT_EQ(::fstat(file, &status), 0);
      const bool cut = damage.pick(20) == 0;
      const std::uint64_t size = cut ? damage.pick(2 * static_cast<std::uint64_t>(status.st_size)) : 0;
      if (cut) {
        ASSERT_EQ(::ftruncate(file, static_cast<off_t>(size)), 0);
      }
      tolerate([&] {
        victim.attach(victim.name);
        ++used;
      });
      ASSERT_EQ(::ftruncate(file, status.st_size), 0);
      ::close(file);
    }
  }
  std::printf("%llu attaches, %llu of them used\n", static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(used));
  EXPECT_GE(done, std::min<std::uint64_t>(attaches, 500));  // each waits several times, and the machine may be busy
  EXPECT_GT(used, done / 2);
}

// The bytes and the size change while the segment is looked at: what was checked is what is used.
TEST_F(SegmentFuzz, HeadersMayChangeWhileTheyAreRead) {
  add<Event<P>>("Event", {});
  const Victim& victim = victims.front();
  const std::string path = Segment::path_of(victim.name);
  Child changer([&] {
    Damage damage(2);
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status;
    if (::fstat(file, &status) != 0) return 1;
    for (;;) {
      const auto bad = damage.to(victim.good);
      if (::pwrite(file, bad.data(), sizeof(SegmentHeader), 0) < 0) return 1;
      if (::ftruncate(file, static_cast<off_t>(damage.pick(16384))) != 0) return 1;
      if (::ftruncate(file, status.st_size) != 0) return 1;
      if (::pwrite(file, victim.good.data(), sizeof(SegmentHeader), 0) < 0) return 1;
      std::this_thread::sleep_for(1us);
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t opened = 0;
  std::uint64_t refused = 0;
  // On a busy machine it may take longer until both have happened.
  const auto enough = [&](auto passed) { return passed > 20s || (passed > 2s && opened > 0 && refused > 0); };
  while (!enough(std::chrono::steady_clock::now() - begin)) {
    try {
      const Event<P> event(open_only, victim.name);
      ++opened;
    } catch (const LayoutMismatch&) {
      ++refused;
    }
    SegmentList::read();
  }
  EXPECT_GT(opened, 0U);
  EXPECT_GT(refused, 0U);
}

}  // namespace
