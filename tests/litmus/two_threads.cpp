// SPDX-License-Identifier: BSL-1.0
//
// The classic programs of two threads, with the exact set of what C++ allows.
#include "litmus/outcomes.hpp"

namespace {

using namespace trine_test;
using std::memory_order;

// ---- store buffering ----

Outcomes store_buffering(memory_order write, memory_order read, bool fences = false, memory_order fence = seq_cst) {
  return outcomes_of(2, what_was_read,
                     {[=](Litmus& l) {
                        l.x.store(1, write);
                        if (fences) model::fence(fence);
                        l.r[0] = l.y.load(read);
                      },
                      [=](Litmus& l) {
                        l.y.store(1, write);
                        if (fences) model::fence(fence);
                        l.r[1] = l.x.load(read);
                      }});
}

TEST(StoreBuffering, relaxed) { EXPECT_EQ(store_buffering(relaxed, relaxed), all_pairs()); }
TEST(StoreBuffering, release_acquire) { EXPECT_EQ(store_buffering(release, acquire), all_pairs()); }
TEST(StoreBuffering, sequential) { EXPECT_EQ(store_buffering(seq_cst, seq_cst), without(all_pairs(), {0, 0})); }
TEST(StoreBuffering, sequential_stores_alone) { EXPECT_EQ(store_buffering(seq_cst, acquire), all_pairs()); }
TEST(StoreBuffering, sequential_loads_alone) { EXPECT_EQ(store_buffering(release, seq_cst), all_pairs()); }
TEST(StoreBuffering, sequential_fences) { EXPECT_EQ(store_buffering(relaxed, relaxed, true), without(all_pairs(), {0, 0})); }
TEST(StoreBuffering, weaker_fences) { EXPECT_EQ(store_buffering(relaxed, relaxed, true, acq_rel), all_pairs()); }
TEST(StoreBuffering, a_fence_on_one_side_and_sequential_operations_on_the_other) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) {
                                      l.x.store(1, relaxed);
                                      model::fence(seq_cst);
                                      l.r[0] = l.y.load(relaxed);
                                    },
                                    [](Litmus& l) {
                                      l.y.store(1, seq_cst);
                                      l.r[1] = l.x.load(seq_cst);
                                    }});
  EXPECT_EQ(all, without(all_pairs(), {0, 0}));
}
TEST(StoreBuffering, read_modify_writes) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) {
                                      l.x.fetch_add(1, acq_rel);
                                      l.r[0] = l.y.load(acquire);
                                    },
                                    [](Litmus& l) {
                                      l.y.fetch_add(1, acq_rel);
                                      l.r[1] = l.x.load(acquire);
                                    }});
  EXPECT_EQ(all, all_pairs());
}
TEST(StoreBuffering, without_weak_memory) {
  model::Options options;
  options.weak_memory = false;
  Outcomes all;
  const auto report = model::check(options, [&] {
    Litmus l;
    l.r.resize(2);
    model::thread other([&] {
      l.y.store(1, relaxed);
      l.r[1] = l.x.load(relaxed);
    });
    l.x.store(1, relaxed);
    l.r[0] = l.y.load(relaxed);
    other.join();
    all.insert(l.r);
  });
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(all, without(all_pairs(), {0, 0}));
}

// ---- message passing ----

Outcomes message_passing(memory_order write, memory_order read) {
  return outcomes_of(2, what_was_read,
                     {[=](Litmus& l) {
                        l.x.store(1, relaxed);
                        l.y.store(1, write);
                      },
                      [=](Litmus& l) {
                        l.r[0] = l.y.load(read);
                        l.r[1] = l.x.load(relaxed);
                      }});
}
Outcomes message_passing_with_fences(memory_order writer, memory_order reader) {
  return outcomes_of(2, what_was_read,
                     {[=](Litmus& l) {
                        l.x.store(1, relaxed);
                        model::fence(writer);
                        l.y.store(1, relaxed);
                      },
                      [=](Litmus& l) {
                        l.r[0] = l.y.load(relaxed);
                        model::fence(reader);
                        l.r[1] = l.x.load(relaxed);
                      }});
}
const Outcomes passed = without(all_pairs(), {1, 0});

TEST(MessagePassing, relaxed) { EXPECT_EQ(message_passing(relaxed, relaxed), all_pairs()); }
TEST(MessagePassing, release_alone) { EXPECT_EQ(message_passing(release, relaxed), all_pairs()); }
TEST(MessagePassing, acquire_alone) { EXPECT_EQ(message_passing(relaxed, acquire), all_pairs()); }
TEST(MessagePassing, release_acquire) { EXPECT_EQ(message_passing(release, acquire), passed); }
TEST(MessagePassing, sequential) { EXPECT_EQ(message_passing(seq_cst, seq_cst), passed); }
TEST(MessagePassing, fences) { EXPECT_EQ(message_passing_with_fences(release, acquire), passed); }
TEST(MessagePassing, sequential_fences) { EXPECT_EQ(message_passing_with_fences(seq_cst, seq_cst), passed); }
TEST(MessagePassing, fences_the_wrong_way_round) {
  EXPECT_EQ(message_passing_with_fences(acquire, acquire), all_pairs());
  EXPECT_EQ(message_passing_with_fences(release, release), all_pairs());
}

// ---- coherence ----

TEST(Coherence, two_reads_of_one_variable) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) { l.x.store(1, relaxed); },
                                    [](Litmus& l) {
                                      l.r[0] = l.x.load(relaxed);
                                      l.r[1] = l.x.load(relaxed);
                                    }});
  EXPECT_EQ(all, passed);
}
TEST(Coherence, a_read_and_then_a_write) {
  const Outcomes all = outcomes_of(1,
                                   [](Litmus& l) {
                                     return Outcome{l.r[0], l.x.load(relaxed)};
                                   },
                                   {[](Litmus& l) { l.x.store(2, relaxed); },
                                    [](Litmus& l) {
                                      l.r[0] = l.x.load(relaxed);
                                      l.x.store(1, relaxed);
                                    }});
  EXPECT_EQ(all, (Outcomes{{0, 1}, {0, 2}, {2, 1}}));
}
TEST(Coherence, a_write_and_then_a_read) {
  const Outcomes all = outcomes_of(1,
                                   [](Litmus& l) {
                                     return Outcome{l.r[0], l.x.load(relaxed)};
                                   },
                                   {[](Litmus& l) { l.x.store(2, relaxed); },
                                    [](Litmus& l) {
                                      l.x.store(1, relaxed);
                                      l.r[0] = l.x.load(relaxed);
                                    }});
  EXPECT_EQ(all, (Outcomes{{1, 1}, {1, 2}, {2, 2}}));
}
TEST(Coherence, two_writes) {
  const Outcomes all = outcomes_of(0, what_was_left, {[](Litmus& l) {
                                     l.x.store(1, relaxed);
                                     l.x.store(2, relaxed);
                                   }});
  EXPECT_EQ(all, (Outcomes{{2, 0}}));
}
TEST(Coherence, two_readers_agree_on_the_order_of_two_writes) {
  const auto reader = [](std::size_t at) {
    return [at](Litmus& l) {
      l.r[at] = l.x.load(relaxed);
      l.r[at + 1] = l.x.load(relaxed);
    };
  };
  const Outcomes all = outcomes_of(
      4, what_was_read,
      {[](Litmus& l) { l.x.store(1, relaxed); }, [](Litmus& l) { l.x.store(2, relaxed); }, reader(0), reader(2)});
  EXPECT_FALSE(all.contains({1, 2, 2, 1}));
  EXPECT_TRUE(all.contains({1, 2, 1, 2}));
  EXPECT_TRUE(all.contains({2, 1, 2, 1}));
  EXPECT_TRUE(all.contains({1, 1, 2, 2}));
}

// ---- two writes each, and mixtures ----

Outcomes two_and_two_writes(memory_order order) {
  return outcomes_of(0, what_was_left,
                     {[=](Litmus& l) {
                        l.x.store(1, order);
                        l.y.store(2, order);
                      },
                      [=](Litmus& l) {
                        l.y.store(1, order);
                        l.x.store(2, order);
                      }});
}
TEST(TwoAndTwoWrites, relaxed) { EXPECT_EQ(two_and_two_writes(relaxed), (Outcomes{{1, 1}, {1, 2}, {2, 1}, {2, 2}})); }
TEST(TwoAndTwoWrites, release) { EXPECT_EQ(two_and_two_writes(release), (Outcomes{{1, 1}, {1, 2}, {2, 1}, {2, 2}})); }
TEST(TwoAndTwoWrites, sequential) { EXPECT_EQ(two_and_two_writes(seq_cst), (Outcomes{{1, 2}, {2, 1}, {2, 2}})); }

// S: x = 2; y = 1 || r = y; x = 1
Outcomes shape_s(memory_order write, memory_order read) {
  return outcomes_of(1,
                     [](Litmus& l) {
                       return Outcome{l.r[0], l.x.load(relaxed)};
                     },
                     {[=](Litmus& l) {
                        l.x.store(2, relaxed);
                        l.y.store(1, write);
                      },
                      [=](Litmus& l) {
                        l.r[0] = l.y.load(read);
                        l.x.store(1, relaxed);
                      }});
}
TEST(ShapeS, relaxed) { EXPECT_EQ(shape_s(relaxed, relaxed), (Outcomes{{0, 1}, {0, 2}, {1, 1}, {1, 2}})); }
TEST(ShapeS, release_acquire) { EXPECT_EQ(shape_s(release, acquire), (Outcomes{{0, 1}, {0, 2}, {1, 1}})); }

// R: x = 1; y = 1 || y = 2; r = x
Outcomes shape_r(memory_order write, memory_order read) {
  return outcomes_of(1,
                     [](Litmus& l) {
                       return Outcome{l.r[0], l.y.load(relaxed)};
                     },
                     {[=](Litmus& l) {
                        l.x.store(1, write);
                        l.y.store(1, write);
                      },
                      [=](Litmus& l) {
                        l.y.store(2, write);
                        l.r[0] = l.x.load(read);
                      }});
}
TEST(ShapeR, release_acquire) { EXPECT_EQ(shape_r(release, acquire), (Outcomes{{0, 1}, {0, 2}, {1, 1}, {1, 2}})); }
TEST(ShapeR, sequential) { EXPECT_EQ(shape_r(seq_cst, seq_cst), (Outcomes{{0, 1}, {1, 1}, {1, 2}})); }

// ---- read-modify-writes ----

TEST(ReadModifyWrite, no_two_read_the_same) {
  const Outcomes all = outcomes_of(
      2,
      [](Litmus& l) {
        return Outcome{l.r[0], l.r[1], l.x.load(relaxed)};
      },
      {[](Litmus& l) { l.r[0] = l.x.fetch_add(1, relaxed); }, [](Litmus& l) { l.r[1] = l.x.fetch_add(1, relaxed); }});
  EXPECT_EQ(all, (Outcomes{{0, 1, 2}, {1, 0, 2}}));
}
TEST(ReadModifyWrite, nothing_comes_between) {
  const Outcomes all =
      outcomes_of(1,
                  [](Litmus& l) {
                    return Outcome{l.r[0], l.x.load(relaxed)};
                  },
                  {[](Litmus& l) { l.r[0] = l.x.exchange(5, relaxed); }, [](Litmus& l) { l.x.store(1, relaxed); }});
  EXPECT_EQ(all, (Outcomes{{0, 1}, {1, 5}}));
}
TEST(ReadModifyWrite, one_compare_exchange_wins) {
  const auto race = [](std::size_t at) {
    return [at](Litmus& l) {
      int expected = 0;
      l.r[at] = l.x.compare_exchange_strong(expected, static_cast<int>(at) + 1, relaxed) ? 9 : expected;
    };
  };
  EXPECT_EQ(outcomes_of(2, what_was_read, {race(0), race(1)}), (Outcomes{{9, 1}, {2, 9}}));
}
// A compare-exchange that fails is a load: it may read an old value, unless that is the expected one.
TEST(ReadModifyWrite, a_failing_compare_exchange_may_read_an_old_value) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) {
                                      l.x.store(1, relaxed);
                                      l.y.store(1, relaxed);
                                    },
                                    [](Litmus& l) {
                                      l.r[0] = l.y.load(relaxed);
                                      int expected = 7;
                                      EXPECT_FALSE(l.x.compare_exchange_strong(expected, 8, relaxed));
                                      l.r[1] = expected;
                                    }});
  EXPECT_EQ(all, all_pairs());
}
TEST(ReadModifyWrite, a_failing_compare_exchange_has_its_own_order) {
  for (const memory_order failure : {relaxed, acquire}) {
    const Outcomes all = outcomes_of(2, what_was_read,
                                     {[](Litmus& l) {
                                        l.x.store(1, relaxed);
                                        l.y.store(1, release);
                                      },
                                      [=](Litmus& l) {
                                        int expected = 7;
                                        l.y.compare_exchange_strong(expected, 8, acq_rel, failure);
                                        l.r[0] = expected;
                                        l.r[1] = l.x.load(relaxed);
                                      }});
    EXPECT_EQ(all, failure == acquire ? passed : all_pairs());
  }
}

}  // namespace
