// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <optional>

#include <support/model.hpp>
#include <trine/error.hpp>
#include <trine/shared_lock.hpp>

namespace {

using namespace checking;

template <class L>
void write(L& lock, Cell<int>& data) {
  lock.lock();
  data.set(data.get() + 1);
  lock.unlock();
}
template <class L>
int read(L& lock, Cell<int>& data) {
  lock.lock_shared();
  const int seen = data.get();
  lock.unlock_shared();
  return seen;
}

template <class B>
void reader_and_writer() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread reader([&] { read(lock, data); });
  write(lock, data);
  reader.join();
  model::check_that(read(lock, data) == 1);
}

template <class B>
void two_readers_and_a_writer() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread one([&] { read(lock, data); });
  Thread other([&] { read(lock, data); });
  write(lock, data);
  one.join();
  other.join();
}

template <class B>
void reader_and_two_writers() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread one([&] { write(lock, data); });
  Thread other([&] { write(lock, data); });
  read(lock, data);
  one.join();
  other.join();
  model::check_that(data.get() == 2);
}

template <class B>
void two_writers() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread other([&] { write(lock, data); });
  write(lock, data);
  other.join();
  model::check_that(data.get() == 2);
}

// While the main thread reads, a writer waits and gives up; another reader gets in then.
template <class B>
void writer_gives_up() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  lock.lock_shared();
  Thread writer([&] {
    if (!lock.lock(a_while)) return;
    data.set(1);
    lock.unlock();
  });
  Thread reader([&] { read(lock, data); });
  reader.join();  // the main thread does not leave before: the writer has to give up, or comes later
  static_cast<void>(data.get());
  lock.unlock_shared();
  writer.join();
}

template <class B>
void reader_gives_up() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread reader([&] {
    if (!lock.lock_shared(a_while)) return;
    static_cast<void>(data.get());
    lock.unlock_shared();
  });
  write(lock, data);
  reader.join();
  model::check_that(lock.try_lock());
  lock.unlock();
}

template <class B>
void try_both() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  int wrote = 0;
  Thread writer([&] {
    if (!lock.try_lock()) return;
    wrote = 1;
    data.set(data.get() + 1);
    lock.unlock();
  });
  if (lock.try_lock_shared()) {
    static_cast<void>(data.get());
    lock.unlock_shared();
  }
  writer.join();
  model::check_that(data.get() == wrote);
  model::check_that(lock.try_lock() && !lock.try_lock_shared() && !lock.try_lock());
  lock.unlock();
}

// A writer that fails to get in at once lets those go on whom it has kept out meanwhile.
template <class B>
void try_lock_beside_a_reader() {
  trine::SharedLock<B> lock;
  lock.lock_shared();
  Thread writer([&] {
    if (lock.try_lock()) lock.unlock();
  });
  Thread reader([&] {
    lock.lock_shared();
    lock.unlock_shared();
  });
  reader.join();
  lock.unlock_shared();
  writer.join();
}

// The last one inside destroys it, though the unlock() before has not returned.
template <class B>
void destroyed_after_a_writer() {
  std::optional<trine::SharedLock<B>> lock(std::in_place);
  lock->lock();
  Thread writer([&] { lock->unlock(); });
  lock->lock_shared();
  lock->unlock_shared();
  lock.reset();
  writer.join();
}

template <class B>
void destroyed_after_a_reader() {
  std::optional<trine::SharedLock<B>> lock(std::in_place);
  lock->lock_shared();
  Thread reader([&] { lock->unlock_shared(); });
  lock->lock();
  lock->unlock();
  lock.reset();
  reader.join();
}

TEST(ModelSharedLock, ReaderAndWriter) { prove_two(reader_and_writer<model>); }
TEST(ModelSharedLock, TwoReadersAndAWriter) { prove_three(two_readers_and_a_writer<model>, 3, 0); }
TEST(ModelSharedLock, ReaderAndTwoWriters) { prove_three(reader_and_two_writers<model>, 3, 0); }
TEST(ModelSharedLock, TwoWriters) { prove_two(two_writers<model>); }
TEST(ModelSharedLock, WriterGivesUp) { prove_three(writer_gives_up<model>, 3, 0); }
TEST(ModelSharedLock, ReaderGivesUp) { prove_two(reader_gives_up<model>); }
TEST(ModelSharedLock, TryBoth) { prove_two(try_both<model>); }
TEST(ModelSharedLock, TryLockBesideAReader) { prove_three(try_lock_beside_a_reader<model>, 3, 0); }
TEST(ModelSharedLock, DestroyedAfterAWriter) { prove_two(destroyed_after_a_writer<model>); }
TEST(ModelSharedLock, DestroyedAfterAReader) { prove_two(destroyed_after_a_reader<model>); }

// ---- mutants ----

TEST(ModelSharedLockMutant, WriterNotSequential) {
  caught_two({.file = "/blocking.hpp", .function = "::claim(", .op = Op::compare_exchange, .order = seq_cst, .weakened = acq_rel},
             reader_and_writer<mutated>, "data race");
}
TEST(ModelSharedLockMutant, WriterCountsNotSequential) {
  caught_two({.file = "/blocking.hpp", .function = "Tally::count(", .op = Op::load, .order = seq_cst, .weakened = acquire},
             reader_and_writer<mutated>, "data race");
}
TEST(ModelSharedLockMutant, ReaderEntersNotSequential) {
  caught_two({.file = "/blocking.hpp", .function = "Tally::enter(", .op = Op::fetch_add, .order = seq_cst, .weakened = acq_rel},
             reader_and_writer<mutated>, "data race");
}
TEST(ModelSharedLockMutant, ReaderLooksNotSequential) {
  caught_two({.file = "/lock_word.hpp", .function = "::load(", .op = Op::load, .order = seq_cst, .weakened = acquire},
             reader_and_writer<mutated>, "data race");
}
TEST(ModelSharedLockMutant, ReaderLeavesWithoutRelease) {
  caught_two({.file = "/blocking.hpp", .function = "Tally::leave(", .op = Op::fetch_sub, .order = seq_cst, .weakened = relaxed},
             reader_and_writer<mutated>, "data race");
}
TEST(ModelSharedLockMutant, WriterLeavesWithoutRelease) {
  caught_two({.file = "/blocking.hpp", .function = "::vacate(", .op = Op::exchange, .order = release, .weakened = relaxed},
             reader_and_writer<mutated>, "data race");
}
TEST(ModelSharedLockMutant, ReadersWakeForgotten) {
  caught_two({.file = "/blocking.hpp", .function = "Tally::leave(", .op = Op::wake, .woken = nobody}, reader_and_writer<mutated>,
             "deadlock");
}
TEST(ModelSharedLockMutant, WatchForgotten) {
  caught_two({.file = "/blocking.hpp", .function = "Tally::watch(", .op = Op::fetch_or, .written = unchanged, .unmarked = 1},
             reader_and_writer<mutated>, "deadlock");
}
TEST(ModelSharedLockMutant, WriterWakesNobody) {
  caught_two({.file = "/blocking.hpp", .function = "::wake(", .op = Op::wake, .woken = nobody}, reader_and_writer<mutated>,
             "deadlock");
}
TEST(ModelSharedLockMutant, WriterWakesOneOnly) {
  caught_three({.file = "/blocking.hpp", .function = "::wake(", .op = Op::wake, .woken = one_only},
               two_readers_and_a_writer<mutated>, "deadlock");
}
// Another reader has gone to sleep by the mark of one whose mark was lost, and who has no need of it any more.
TEST(ModelSharedLockMutant, LostMarkToldToNobody) {
  caught_three({.file = "/blocking.hpp", .function = "::mark(", .op = Op::wake, .woken = nobody},
               two_readers_and_a_writer<mutated>, "deadlock");
}
TEST(ModelSharedLockMutant, MarkWithoutFence) {
  caught_two({.file = "/blocking.hpp", .function = "::mark(", .op = Op::fence, .dropped = true}, reader_and_writer<mutated>,
             "deadlock");
}
// It gives up, and stays the owner.
TEST(ModelSharedLockMutant, WriterGivesUpAndStays) {
  without_fences([] {
    caught_three({.file = "/blocking.hpp", .function = "::exchange_as_owner(", .op = Op::compare_exchange, .written = unchanged},
                 try_lock_beside_a_reader<mutated>, "deadlock");
  });
}

}  // namespace
