// SPDX-License-Identifier: BSL-1.0
//
// The table in which coroutines wait, explored with modelled threads in the place of coroutines: each suspends once for a wait,
// by sleeping on a word of its own, and goes on when it was delivered.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <support/model.hpp>
#include <trine/coroutine/wait_table.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;
using trine::Sleep;

struct Checked {
  using Os = trine::modelling::ModelledSleep;
  static constexpr std::size_t bucket_bits = 1;  // so that words share a list
  static std::uintptr_t address(const Os::Word& word) { return word.location() * 4; }
  static trine::coroutine::WaitTable<Checked>::Batch*& batch();
  static void delivered() noexcept {}
};
using Table = trine::coroutine::WaitTable<Checked>;
using Word = Table::Word;

/// What an execution has: the table, and what each thread has in hand.
struct World {
  World() { current = this; }
  Table table;
  std::array<Table::Batch*, 8> batches{};
  static inline World* current = nullptr;
};

Table::Batch*& Checked::batch() { return World::current->batches[model::self()]; }

/// One wait, as trine::coroutine::One does it for a coroutine.
template <class O>
class Suspended final : public Table::Sleeper {
 public:
  Suspended(O operation, bool limited) : operation_(std::move(operation)) {
    node_.sleeper = this;
    this->may_be_called_off_ = limited;
  }

  typename O::Result wait() {
    while (!rouse()) {
      const Table::Placed placed = settle(table(), false);
      if (placed == Table::Placed::changed) continue;
      if (placed == Table::Placed::asleep) suspend();
      break;
    }
    if (!over_) leave();
    return operation_.result();
  }

 private:
  static Table& table() { return World::current->table; }

  bool rouse() noexcept override {
    node_.sleep = operation_.announce();
    over_ = node_.sleep.needless();
    return over_;
  }

  Table::Placed settle(Table& in, bool front) noexcept override {
    slept_on_ = node_.sleep.word;
    return in.enqueue(node_, front, this->may_be_called_off_, *this);
  }

  void deliver() noexcept override { Checked::Os::set_and_wake(delivered_, 1); }

  // Until it is delivered, or takes itself out because its limit came.
  void suspend() {
    const Sleep<Word> asleep{&delivered_, 0};
    Checked::Os::Limit limit(this->may_be_called_off_ ? trine::Until(a_while) : trine::Until());
    Checked::Os::Limit never{trine::Until()};
    bool called_off = false;
    while (delivered_.load(std::memory_order_acquire) == 0) {
      Checked::Os::sleep({&asleep, 1}, called_off ? never : limit);
      if (called_off || !limit.passed()) continue;
      called_off = true;
      this->state_.fetch_or(this->calling_off, std::memory_order_seq_cst);
      while (node_.word.load(std::memory_order_seq_cst) != nullptr) {
        if (table().remove(node_)) return;
      }
    }
  }

  void leave() {
    if (operation_.attempt()) return;
    operation_.give_up();
    table().wake(*slept_on_, 1);
  }

  Table::Node node_;
  Word delivered_{0};
  O operation_;
  Word* slept_on_ = nullptr;
  bool over_ = false;
};

/// The backend: as coroutines, with modelled threads.
struct tabled {
  struct Wakes : Checked::Os {
    static void wake(Word& word, std::uint32_t count) { World::current->table.wake(word, count); }
  };
  using Words = trine::Blocking<Wakes>;

  using Word = ::Word;
  template <class T>
  using Atomic = Words::Atomic<T>;
  template <class T>
  using Cell = Words::Cell<T>;
  template <class S>
  using Storage = Words::Storage<S>;
  template <class T>
  using Attached = Words::Attached<T>;
  template <class R>
  using Result = R;
  using Owned = Words::Owned;
  using Tally = Words::Tally;
  using Escrow = Words::Escrow;
  using Flag = Words::Flag;
  using Patience = trine::NoPatience;
  using ShortLock = trine::Blocking<Checked::Os>::ShortLock;

  static bool claim(Owned& owned, std::uint32_t& expected, std::uint32_t desired, std::memory_order order) {
    return Words::claim(owned, expected, desired, order);
  }
  static std::uint32_t vacate(Owned& owned, std::uint32_t me, std::uint32_t sleepers, std::uint32_t count) {
    return Words::vacate(owned, me, sleepers, count);
  }
  static void abandon(Owned& owned) { Words::abandon(owned); }
  static void look_after(Owned& owned) { Words::look_after(owned); }
  static void wake(Word& word, std::uint32_t count) { Wakes::wake(word, count); }
  static std::uint32_t self() { return model::self(); }
  static constexpr std::uint32_t holder() noexcept { return 1; }

  template <class O>
  static typename O::Result run(O operation, const trine::Until& until) {
    if (operation.attempt()) return operation.result();
    const auto waiting = std::make_unique<Suspended<O>>(std::move(operation), !until.never());
    return waiting->wait();
  }
};

using B = tabled;

void prove(const char* name, void (*body)(), int preemptions) {
  model::Options options;
  options.preemptions = preemptions;
  options.spurious_wakes = 0;
  options.merge_states = false;  // the lists are plain data, which a state does not show
  options.time = std::chrono::minutes(4);
  const auto report = model::check(options, [body] {
    const World world;
    body();
  });
  EXPECT_TRUE(report.ok()) << name << '\n' << report.trace();
  EXPECT_TRUE(report.complete()) << name << ": " << report.executions() << " executions";
}

void an_event_lets_two_go() {
  trine::Event<B> event;
  Cell<int> data;
  const auto wait = [&] {
    event.wait();
    model::check_that(data.get() == 1);
  };
  Thread other(wait);
  Thread setter([&] {
    data.set(1);
    event.set();
  });
  wait();
  other.join();
  setter.join();
}

void a_lock_is_handed_on() {
  trine::Lock<B> lock;
  Cell<int> count;
  const auto count_up = [&] {
    lock.lock();
    count.set(count.get() + 1);
    lock.unlock();
  };
  Thread one(count_up);
  Thread other(count_up);
  count_up();
  one.join();
  other.join();
  model::check_that(count.get() == 3 && !lock.locked());
}

// Two permits at once: who is served by the waker wakes the next within that waker's work.
void two_permits_serve_two() {
  trine::Semaphore<B> permits(0);
  Thread one([&] { permits.acquire(); });
  Thread releaser([&] {
    permits.release();
    permits.release();
  });
  permits.acquire();
  one.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// A limit comes at any moment: the permit is taken by one of the two, or is left.
void a_waiter_that_gives_up_passes_its_wake_on() {
  trine::Semaphore<B> permits(0);
  bool first = false;
  Thread impatient([&] { first = permits.acquire(a_while); });
  Thread releaser([&] { permits.release(); });
  releaser.join();
  impatient.join();
  model::check_that(permits.value() == (first ? 0 : 1));
}

void the_patient_is_served_whether_or_not_the_impatient_gives_up() {
  trine::Semaphore<B> permits(0);
  Thread impatient([&] {
    if (permits.acquire(a_while)) permits.release();
  });
  Thread releaser([&] { permits.release(); });
  permits.acquire();
  impatient.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

TEST(WaitTable, AnEventLetsTwoGo) { prove("an event", an_event_lets_two_go, 1); }
TEST(WaitTable, ALockIsHandedOn) { prove("a lock", a_lock_is_handed_on, 2); }
TEST(WaitTable, TwoPermitsServeTwo) { prove("two permits", two_permits_serve_two, 1); }
TEST(WaitTable, AWaiterThatGivesUpPassesItsWakeOn) { prove("giving up", a_waiter_that_gives_up_passes_its_wake_on, 2); }
TEST(WaitTable, ThePatientIsServed) { prove("the patient", the_patient_is_served_whether_or_not_the_impatient_gives_up, 1); }

}  // namespace
