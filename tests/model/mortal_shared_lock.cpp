// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <support/mortal.hpp>
#include <trine/error.hpp>
#include <trine/shared_lock.hpp>

namespace {

using namespace checking;

template <class B>
void write(trine::SharedLock<B>& lock, Cell<int>& data) {
  try {
    lock.lock();
  } catch (const trine::OwnerDied&) {
    lock.recover().release();
  }
  data.set(data.get() + 1);
  mortal_model::may_die_here();
  lock.unlock();
}

template <class B>
void read(trine::SharedLock<B>& lock, const Cell<int>& data) {
  try {
    lock.lock_shared();
  } catch (const trine::OwnerDied&) {
    lock.recover().unlock();
    lock.lock_shared();
  }
  (void)data.get();
  mortal_model::may_die_here();
  lock.unlock_shared();
}

// A reader who died does not keep the writer out.
template <class B>
void reader_dies() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread victim([&] {
    be_mortal();
    read(lock, data);
  });
  write(lock, data);
  victim.join();
  write(lock, data);
}

template <class B>
void writer_dies() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread victim([&] {
    be_mortal();
    write(lock, data);
  });
  read(lock, data);
  victim.join();
}

template <class B>
void writers() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread victim([&] {
    be_mortal();
    write(lock, data);
  });
  write(lock, data);
  victim.join();
}

// A writer waits for two readers, of whom one dies.
template <class B>
void two_readers() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread victim([&] {
    be_mortal();
    read(lock, data);
  });
  Thread other([&] { read(lock, data); });
  write(lock, data);
  victim.join();
  other.join();
}

// Readers wait for a writer who dies.
template <class B>
void two_readers_of_the_dead() {
  trine::SharedLock<B> lock;
  Cell<int> data;
  Thread victim([&] {
    be_mortal();
    write(lock, data);
  });
  Thread other([&] { read(lock, data); });
  read(lock, data);
  victim.join();
  other.join();
}

constexpr Deaths unwatched{.bound = 2, .kernel = {.watches = false}};

TEST(ModelMortalSharedLock, ReaderDies) { prove_deaths({}, reader_dies<mortal_model>); }
TEST(ModelMortalSharedLock, WriterDies) { prove_deaths({}, writer_dies<mortal_model>); }
TEST(ModelMortalSharedLock, Writers) { prove_deaths({}, writers<mortal_model>); }
TEST(ModelMortalSharedLock, ReaderDiesUnwatched) { prove_deaths(unwatched, reader_dies<mortal_model>); }
TEST(ModelMortalSharedLock, WriterDiesUnwatched) { prove_deaths(unwatched, writer_dies<mortal_model>); }
TEST(ModelMortalSharedLock, TwoReaders) { prove_deaths({.threads = 3, .bound = 1}, two_readers<mortal_model>); }
TEST(ModelMortalSharedLock, TwoReadersOfTheDead) { prove_deaths({.threads = 3, .bound = 1}, two_readers_of_the_dead<mortal_model>); }

// ---- mutants ----

// Where the system does not watch, a writer does not look whether the readers are alive.
struct Careless : MutableDeath {
  static void look_after(Owned&) noexcept {}
};
struct careless : trine::Mortal<Careless> {};

TEST(ModelMortalSharedLockMutant, ReadersNotWatched) { caught_deaths(unwatched, reader_dies<careless>, "deadlock"); }
TEST(ModelMortalSharedLockMutant, ReaderEntersNotSequential) {
  caught_deaths({.file = "/mortal.hpp", .function = "::claim(", .op = Op::compare_exchange, .order = seq_cst, .weakened = acq_rel},
                {.kills = 0}, reader_dies<mutated_mortal>, "data race");
}
TEST(ModelMortalSharedLockMutant, WatchWithoutFence) {
  harmless({.file = "/blocking.hpp", .function = "::mark(", .op = Op::fence, .dropped = true}, {}, reader_dies<mutated_mortal>,
           "no sleep is longer than a slice");
}
// A place is taken before it is known in which round.
TEST(ModelMortalSharedLockMutant, PlacesFromHereOnNotRaised) {
  caught_deaths({.file = "/mortal.hpp", .function = "::raise(", .op = Op::compare_exchange, .written = unchanged},
                {.kills = 0}, reader_dies<mutated_mortal>, "");
}

}  // namespace
