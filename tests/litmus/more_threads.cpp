// SPDX-License-Identifier: BSL-1.0
//
// Programs of three and four threads, release sequences, and sequentially consistent operations among others.
#include "litmus/outcomes.hpp"

namespace {

using namespace trine_test;
using std::memory_order;

Outcomes independent_reads(memory_order write, memory_order read, bool fences = false) {
  const auto reader = [=](std::size_t at, bool x_first) {
    return [=](Litmus& l) {
      l.r[at] = (x_first ? l.x : l.y).load(read);
      if (fences) model::fence(seq_cst);
      l.r[at + 1] = (x_first ? l.y : l.x).load(read);
    };
  };
  return outcomes_of(
      4, what_was_read,
      {[=](Litmus& l) { l.x.store(1, write); }, [=](Litmus& l) { l.y.store(1, write); }, reader(0, true), reader(2, false)});
}
Outcomes all_fours() {
  Outcomes all;
  for (int i = 0; i < 16; ++i) all.insert({i & 1, i >> 1 & 1, i >> 2 & 1, i >> 3 & 1});
  return all;
}
TEST(IndependentReads, may_disagree_with_acquire) { EXPECT_EQ(independent_reads(release, acquire), all_fours()); }
TEST(IndependentReads, agree_when_sequential) {
  EXPECT_EQ(independent_reads(seq_cst, seq_cst), without(all_fours(), {1, 0, 1, 0}));
}
TEST(IndependentReads, agree_with_fences) {
  EXPECT_EQ(independent_reads(relaxed, relaxed, true), without(all_fours(), {1, 0, 1, 0}));
}

// x = 1 || r0 = x; y = 1 || r1 = y; r2 = x
Outcomes write_to_read_causality(memory_order write, memory_order read) {
  return outcomes_of(3, what_was_read,
                     {[=](Litmus& l) { l.x.store(1, write); },
                      [=](Litmus& l) {
                        l.r[0] = l.x.load(read);
                        l.y.store(1, write);
                      },
                      [=](Litmus& l) {
                        l.r[1] = l.y.load(read);
                        l.r[2] = l.x.load(relaxed);
                      }});
}
Outcomes all_threes() {
  Outcomes all;
  for (int i = 0; i < 8; ++i) all.insert({i & 1, i >> 1 & 1, i >> 2 & 1});
  return all;
}
TEST(WriteToReadCausality, relaxed) { EXPECT_EQ(write_to_read_causality(relaxed, relaxed), all_threes()); }
TEST(WriteToReadCausality, release_acquire) {
  EXPECT_EQ(write_to_read_causality(release, acquire), without(all_threes(), {1, 1, 0}));
}

// x = 1; y =rel 1 || (y: 1 -> 2 in the middle) || r0 =acq y; r1 = x
Outcomes release_sequence(const std::function<void(Litmus&)>& middle) {
  return outcomes_of(2, what_was_read,
                     {[](Litmus& l) {
                        l.x.store(1, relaxed);
                        l.y.store(1, release);
                      },
                      middle,
                      [](Litmus& l) {
                        l.r[0] = l.y.load(acquire);
                        l.r[1] = l.x.load(relaxed);
                      }});
}
TEST(ReleaseSequence, goes_on_through_a_read_modify_write) {
  const Outcomes all = release_sequence([](Litmus& l) {
    int expected = 1;
    l.y.compare_exchange_strong(expected, 2, relaxed);
  });
  EXPECT_EQ(all, (Outcomes{{0, 0}, {0, 1}, {1, 1}, {2, 1}}));
}
TEST(ReleaseSequence, ends_at_a_store_of_another_thread) {
  const Outcomes all = release_sequence([](Litmus& l) { l.y.store(2, relaxed); });
  EXPECT_EQ(all, (Outcomes{{0, 0}, {0, 1}, {1, 1}, {2, 0}, {2, 1}}));
}
// C++20 ends it there; C++11 did not.
TEST(ReleaseSequence, ends_at_a_later_store_of_the_same_thread) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) {
                                      l.x.store(1, relaxed);
                                      l.y.store(1, release);
                                      l.y.store(2, relaxed);
                                    },
                                    [](Litmus& l) {
                                      l.r[0] = l.y.load(acquire);
                                      l.r[1] = l.x.load(relaxed);
                                    }});
  EXPECT_EQ(all, (Outcomes{{0, 0}, {0, 1}, {1, 1}, {2, 0}, {2, 1}}));
}

TEST(Fence, release_fence_with_acquire_load_and_the_other_way_round) {
  const auto with = [](bool writer_fences) {
    return outcomes_of(2, what_was_read,
                       {[=](Litmus& l) {
                          l.x.store(1, relaxed);
                          if (writer_fences) model::fence(release);
                          l.y.store(1, writer_fences ? relaxed : release);
                        },
                        [=](Litmus& l) {
                          l.r[0] = l.y.load(writer_fences ? acquire : relaxed);
                          if (!writer_fences) model::fence(acquire);
                          l.r[1] = l.x.load(relaxed);
                        }});
  };
  EXPECT_EQ(with(true), without(all_pairs(), {1, 0}));
  EXPECT_EQ(with(false), without(all_pairs(), {1, 0}));
}
TEST(Fence, a_fence_in_all_threads_stands_for_one_in_each) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) {
                                      l.x.store(1, relaxed);
                                      l.r[0] = l.y.load(relaxed);
                                    },
                                    [](Litmus& l) {
                                      l.y.store(1, relaxed);
                                      trine::modelling::ModelledSleep::fence_others();
                                      l.r[1] = l.x.load(relaxed);
                                    }});
  EXPECT_EQ(all, without(all_pairs(), {0, 0}));
}

// What another changes between the load and the store of such a step is lost; a fence in all threads does not come between.
TEST(Fence, comes_before_or_after_a_step_between_fences) {
  const auto outcomes = [](bool with_fence) {
    return outcomes_of(2, what_was_read,
                       {[](Litmus& l) {
                          int expected = 0;
                          l.r[0] = l.x.exchange_between_fences(expected, 2, release) ? 1 : 0;
                        },
                        [=](Litmus& l) {
                          int expected = 0;
                          if (!l.x.compare_exchange_strong(expected, 1, relaxed, relaxed)) return;
                          if (with_fence) trine::modelling::ModelledSleep::fence_others();
                          l.r[1] = l.x.load(relaxed);
                        }});
  };
  // The second found 2 there; its 1 was overwritten, before it looks or after; the first found the 1.
  const Outcomes lost_later = {{1, 1}};
  const Outcomes others = {{1, 0}, {1, 2}, {0, 1}};
  Outcomes all = others;
  all.insert(lost_later.begin(), lost_later.end());
  EXPECT_EQ(outcomes(false), all);
  EXPECT_EQ(outcomes(true), others);
}

// Two sequentially consistent loads of one variable by two threads, of a relaxed store: the later in their order may not
// read older. Which is later is open.
TEST(Sequential, loads_of_one_variable_in_both_orders) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) { l.x.store(1, relaxed); }, [](Litmus& l) { l.r[0] = l.x.load(seq_cst); },
                                    [](Litmus& l) { l.r[1] = l.x.load(seq_cst); }});
  EXPECT_EQ(all, all_pairs());
}
// P0668: a fence between relaxed operations restores sequential consistency even where they are mixed.
TEST(Sequential, fences_between_relaxed_reads_of_sequential_stores) {
  EXPECT_EQ(independent_reads(seq_cst, relaxed, true), without(all_fours(), {1, 0, 1, 0}));
}
// A sequentially consistent read-modify-write in the middle of the modification order is not after what came before it.
TEST(Sequential, stores_and_relaxed_loads_may_be_reordered) {
  const Outcomes all = outcomes_of(2, what_was_read,
                                   {[](Litmus& l) {
                                      l.x.store(1, seq_cst);
                                      l.r[0] = l.y.load(relaxed);
                                    },
                                    [](Litmus& l) {
                                      l.y.store(1, seq_cst);
                                      l.r[1] = l.x.load(seq_cst);
                                    }});
  EXPECT_EQ(all, all_pairs());
}

}  // namespace
