// SPDX-License-Identifier: BSL-1.0
//
// Data races on Cell: found whichever access is made first, and not where the accesses are ordered.
#include <optional>

#include "litmus/outcomes.hpp"

namespace {

using namespace trine_test;
using std::memory_order;

bool races(const std::function<void()>& body) {
  const auto report = model::check({}, body);
  EXPECT_TRUE(report.ok() || report.finding().starts_with("data race")) << report.finding();
  return !report.ok();
}

bool publication_races(memory_order write, memory_order read, bool before = true) {
  return races([=] {
    Atomic flag{0};
    model::Cell<int> data{0};
    model::thread other([&] {
      if (before) data.set(1);
      flag.store(1, write);
      if (!before) data.set(1);
    });
    if (flag.load(read) == 1) model::check_that(data.get() == 1 || !before);
    other.join();
    model::check_that(data.get() == 1);
  });
}
TEST(PlainData, published_by_release_and_acquire) { EXPECT_FALSE(publication_races(release, acquire)); }
TEST(PlainData, published_by_less) {
  EXPECT_TRUE(publication_races(relaxed, acquire));
  EXPECT_TRUE(publication_races(release, relaxed));
}
// The write comes right after the release, with no step between.
TEST(PlainData, written_after_the_release) { EXPECT_TRUE(publication_races(release, acquire, false)); }

TEST(PlainData, written_by_two) {
  EXPECT_TRUE(races([] {
    model::Cell<int> data{0};
    model::thread other([&] { data.set(1); });
    data.set(2);
    other.join();
  }));
}
TEST(PlainData, read_by_one_and_written_by_the_other) {
  for (const bool main_writes : {false, true}) {
    EXPECT_TRUE(races([=] {
      model::Cell<int> data{0};
      model::thread other([&] { main_writes ? static_cast<void>(data.get()) : data.set(1); });
      main_writes ? data.set(1) : static_cast<void>(data.get());
      other.join();
    }));
  }
}
TEST(PlainData, read_by_two) {
  EXPECT_FALSE(races([] {
    model::Cell<int> data{3};
    model::thread other([&] { model::check_that(data.get() == 3); });
    model::check_that(data.get() == 3);
    other.join();
  }));
}
TEST(PlainData, ordered_by_start_and_join) {
  EXPECT_FALSE(races([] {
    model::Cell<int> data{0};
    data.set(1);
    model::thread other([&] { data.set(data.get() + 1); });
    other.join();
    data.set(data.get() + 1);
    model::check_that(data.get() == 3);
  }));
}
TEST(PlainData, made_by_one_thread_and_used_by_another_without_order) {
  EXPECT_TRUE(races([] {
    std::optional<model::Cell<int>> room;
    trine::modelling::Atomic<model::Cell<int>*> shared{nullptr};
    model::thread other([&] {
      room.emplace(1);
      shared.store(&*room, relaxed);
    });
    if (auto* const data = shared.load(acquire)) static_cast<void>(data->get());
    other.join();
  }));
}
TEST(PlainData, sequential_fences_do_not_order_it) {
  EXPECT_TRUE(races([] {
    model::Cell<int> data{0};
    model::thread other([&] {
      data.set(1);
      model::fence(seq_cst);
    });
    model::fence(seq_cst);
    static_cast<void>(data.get());
    other.join();
  }));
}

}  // namespace
