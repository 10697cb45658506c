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
#include <source_location>
#include <string_view>
#include <utility>

#include <support/model.hpp>
#include <trine/coroutine/wait_table.hpp>
#include <trine/coroutine/words.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/semaphore.hpp>

namespace {

using namespace checking;
using trine::Sleep;

template <class Os_>
struct Checked {
  using Os = Os_;
  using Table = trine::coroutine::WaitTable<Checked>;
  static constexpr std::size_t bucket_bits = 1;  // so that words share a list
  struct Gate {
    bool lock() {
      locked.lock();
      return false;
    }
    void unlock(bool /*sole*/) { locked.unlock(); }
    typename trine::Blocking<Os>::ShortLock locked;
  };
  static std::uintptr_t address(const typename Os::Word& word) { return word.location() * 4; }
  static typename Table::Batch*& batch();
  static void deliver(typename Table::Sleeper& sleeper) noexcept { sleeper.deliver(); }
  static void delivered() noexcept {}
};

/// What an execution has: the table, and what each thread has in hand.
template <class Os>
struct World {
  using Table = typename Checked<Os>::Table;

  World() { current = this; }
  Table table;
  std::array<typename Table::Batch*, 8> batches{};
  static inline World* current = nullptr;
};

template <class Os>
auto Checked<Os>::batch() -> typename Table::Batch*& {
  return World<Os>::current->batches[model::self()];
}

/// One wait, as trine::coroutine::One does it for a coroutine.
template <class Os, class O>
class Suspended final : public Checked<Os>::Table::Sleeper {
  using Table = typename Checked<Os>::Table;
  using Word = typename Os::Word;

 public:
  Suspended(O operation, bool limited) : operation_(std::move(operation)) {
    node_.sleeper = this;
    this->may_be_called_off_ = limited;
  }

  typename O::Result wait() {
    while (!rouse()) {
      const typename Table::Placed placed = settle(table(), false);
      if (placed == Table::Placed::changed) continue;
      if (placed == Table::Placed::asleep) suspend();
      break;
    }
    if (!over_) leave();
    return operation_.result();
  }

 private:
  static Table& table() { return World<Os>::current->table; }

  bool rouse() noexcept override {
    const auto sleep = operation_.announce();
    over_ = sleep.needless();
    if (!over_) node_.sleep_on(sleep);
    return over_;
  }

  typename Table::Placed settle(Table& in, bool front) noexcept override {
    slept_on_ = node_.where;
    return in.enqueue(node_, front, this->may_be_called_off_, *this);
  }

  void deliver() noexcept override { Os::set_and_wake(delivered_, 1); }

  // Until it is delivered, or takes itself out because its limit came.
  void suspend() {
    const Sleep<Word> asleep{&delivered_, 0};
    typename Os::Limit limit(this->may_be_called_off_ ? trine::Until(a_while) : trine::Until());
    typename Os::Limit never{trine::Until()};
    bool called_off = false;
    while (delivered_.load(std::memory_order_acquire) == 0) {
      Os::sleep({&asleep, 1}, called_off ? never : limit);
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

  typename Table::Node node_;
  Word delivered_{0};
  O operation_;
  Word* slept_on_ = nullptr;
  bool over_ = false;
};

template <class Os>
struct Wakes : Os {
  static void wake(typename Os::Word& word, std::uint32_t count) { World<Os>::current->table.wake(word, count); }
};

/// The backend: the words of coroutines, with modelled threads in their place.
template <class Os>
struct tabled : trine::coroutine::CoroutineWords<Wakes<Os>, Os> {
  using World = ::World<Os>;
  template <class R>
  using Result = R;

  // The caller's place is seen by a mutation.
  static void wake(typename Os::Word& word, std::uint32_t count,
                   const std::source_location& where = std::source_location::current()) {
    if (const Mutation* const found = concerns(Op::wake, where); found != nullptr) {
      ++mutated_operations;
      count = found->woken(count);
    }
    if (count != 0) Wakes<Os>::wake(word, count);
  }
  static std::uint32_t self() { return model::self(); }

  template <class O>
  static typename O::Result run(O operation, const trine::Until& until) {
    if (operation.attempt()) return operation.result();
    const auto waiting = std::make_unique<Suspended<Os, O>>(std::move(operation), !until.never());
    return waiting->wait();
  }
};

using B = tabled<trine::modelling::ModelledSleep>;
using Mutated = tabled<MutableSleep>;

model::Options options_for(int preemptions) {
  model::Options options = bounded_by(preemptions);
  options.spurious_wakes = 0;
  options.merge_states = false;  // the lists are plain data, which a state does not show
  return options;
}

void prove(const char* name, void (*body)(), int preemptions) {
  model::Options options = options_for(preemptions);
  options.time = std::chrono::minutes(4);
  const auto report = model::check(options, [body] {
    const B::World world;
    body();
  });
  EXPECT_TRUE(report.ok()) << name << '\n' << report.trace();
  EXPECT_TRUE(report.complete()) << name << ": " << report.executions() << " executions";
}

void caught(const Mutation& mutant, void (*body)(), int preemptions, std::string_view expected) {
  mutation = &mutant;
  mutated_operations = 0;
  const auto report = model::check(options_for(preemptions), [body] {
    const Mutated::World world;
    body();
  });
  mutation = nullptr;
  EXPECT_GT(mutated_operations, 0U) << "nothing was mutated";
  EXPECT_FALSE(report.ok()) << "the mutant survives";
  EXPECT_NE(report.finding().find(expected), std::string::npos) << report.finding() << '\n' << report.trace();
}

template <class W>
void an_event_lets_two_go() {
  trine::Event<W> event;
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

template <class W>
void a_lock_is_handed_on() {
  trine::Lock<W> lock;
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
template <class W>
void two_permits_serve_two() {
  trine::Semaphore<W> permits(0);
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

// One gives its permit after the other has taken the mark and before that one wakes: who is served wakes the next.
template <class W>
void two_release() {
  trine::Semaphore<W> permits(0);
  const auto acquire = [&] { permits.acquire(); };
  const auto release = [&] { permits.release(); };
  Thread waiter(acquire);
  Thread one(release);
  Thread other(release);
  acquire();
  waiter.join();
  one.join();
  other.join();
  model::check_that(permits.value() == 0);
}

// A limit comes at any moment: the permit is taken by one of the two, or is left.
template <class W>
void a_waiter_that_gives_up_passes_its_wake_on() {
  trine::Semaphore<W> permits(0);
  bool first = false;
  Thread impatient([&] { first = permits.acquire(a_while); });
  Thread releaser([&] { permits.release(); });
  releaser.join();
  impatient.join();
  model::check_that(permits.value() == (first ? 0 : 1));
}

template <class W>
void the_patient_is_served_whether_or_not_the_impatient_gives_up() {
  trine::Semaphore<W> permits(0);
  Thread impatient([&] {
    if (permits.acquire(a_while)) permits.release();
  });
  Thread releaser([&] { permits.release(); });
  permits.acquire();
  impatient.join();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// One is woken for a permit that another has taken before, and its limit comes while it is put back.
template <class W>
void one_is_late() {
  trine::Semaphore<W> permits(0);
  bool served = false;
  Thread impatient([&] { served = permits.acquire(a_while); });
  Thread releaser([&] { permits.release(); });
  const bool stolen = permits.try_acquire();
  releaser.join();
  impatient.join();
  model::check_that(permits.value() + (stolen ? 1 : 0) + (served ? 1 : 0) == 1);
}

TEST(WaitTable, AnEventLetsTwoGo) { prove("an event", an_event_lets_two_go<B>, 1); }
TEST(WaitTable, ALockIsHandedOn) { prove("a lock", a_lock_is_handed_on<B>, 2); }
TEST(WaitTable, TwoPermitsServeTwo) { prove("two permits", two_permits_serve_two<B>, 1); }
TEST(WaitTable, AWaiterThatGivesUpPassesItsWakeOn) { prove("giving up", a_waiter_that_gives_up_passes_its_wake_on<B>, 2); }
TEST(WaitTable, ThePatientIsServed) { prove("the patient", the_patient_is_served_whether_or_not_the_impatient_gives_up<B>, 1); }

TEST(WaitTable, OneIsLate) { prove("one is late", one_is_late<B>, 2); }

// ---- mutants ----

constexpr const char* table_file = "/wait_table.hpp";

// Two threads, of which one waits for the other.
template <class W>
void one_permit_serves_one() {
  trine::Semaphore<W> permits(0);
  Thread releaser([&] { permits.release(); });
  permits.acquire();
  releaser.join();
  model::check_that(permits.value() == 0);
}

// The word is not compared again with the list locked.
TEST(WaitTableMutant, NotComparedUnderTheLock) {
  caught({.file = table_file, .function = "::insert(", .op = Op::load, .order = relaxed, .said = [](std::uint32_t) { return 1U; }},
         one_permit_serves_one<Mutated>, 2, "deadlock");
}

// Who wakes looks before it has changed the word: the change comes too late for the comparison.
TEST(WaitTableMutant, WokenBeforePublished) {
  caught({.file = "/semaphore.hpp", .function = "::give(", .op = Op::compare_exchange, .written = unchanged},
         one_permit_serves_one<Mutated>, 2, "deadlock");
}

// In the list, and whether it is called off was looked at before others could see that.
TEST(WaitTableMutant, InTheListAfterTheLook) {
  caught({.file = table_file, .function = "::enqueue_unless_called_off(", .op = Op::store, .order = seq_cst, .weakened = relaxed},
         one_is_late<Mutated>, 2, "deadlock");
}

TEST(WaitTableMutant, CallingOffNotSeen) {
  caught({.file = table_file, .function = "::enqueue_unless_called_off(", .op = Op::load, .order = seq_cst, .said = [](std::uint32_t) { return 0U; }},
         one_is_late<Mutated>, 2, "deadlock");
}

// Who takes one permit of two does not wake the next.
TEST(WaitTableMutant, ServedAndNotPassedOn) {
  caught({.file = "/semaphore.hpp", .function = "::announce(", .op = Op::wake, .woken = nobody}, two_release<Mutated>, 1,
         "deadlock");
}

// Who sleeps compares the word with a mark that is not there, again and again.
TEST(WaitTableMutant, NotMarked) {
  caught({.file = "/semaphore.hpp", .function = "::announce(", .op = Op::compare_exchange, .written = without<1>},
         one_permit_serves_one<Mutated>, 2, "does not end");
}

TEST(WaitTableMutant, NotWoken) {
  caught({.file = "/semaphore.hpp", .function = "::give(", .op = Op::wake, .woken = nobody}, one_permit_serves_one<Mutated>, 2,
         "deadlock");
}

}  // namespace
