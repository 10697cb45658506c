// SPDX-License-Identifier: BSL-1.0
//
// Value and Array: on threads and between processes, whose deaths they report.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <support/children.hpp>
#include <support/leaks.hpp>
#include <trine/array.hpp>
#include <trine/backend/processes.hpp>
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/select.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>
#include <trine/value.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;
using P = processes;

constexpr auto patience = 20s;

int die() { return ::kill(::getpid(), SIGKILL); }

template <class B>
class ValueTest : public Leakless {};
using Backends = ::testing::Types<threads, processes>;
TYPED_TEST_SUITE(ValueTest, Backends);

TYPED_TEST(ValueTest, StaysWhereItIs) {
  using V = Value<int, TypeParam>;
  static_assert(!std::is_copy_constructible_v<V> && !std::is_move_constructible_v<V>);
  static_assert(!std::is_copy_assignable_v<V> && !std::is_move_assignable_v<V>);
}

struct Ratio {
  Ratio(int over, int under) : above(over), below(under) {}
  int above;
  int below;
};

TYPED_TEST(ValueTest, OfATypeThatHasToBeMadeOfSomething) {
  Value<Ratio, TypeParam> value(Ratio(1, 2));
  value.update([](Ratio& r) { ++r.above; });
  const auto& look = value;
  EXPECT_EQ(look.load().above, 2);
}

TYPED_TEST(ValueTest, ArraysAreStoredAndChangedAsAWhole) {
  Array<bool, TypeParam> flags(3);
  flags[1] = true;
  EXPECT_EQ(flags.load(), (std::vector{false, true, false}));
  Array<int, TypeParam> array{1, 2, 3};
  array.store({4, 5, 6});
  EXPECT_TRUE(array.update([](int& each) { each *= 2; }));
  EXPECT_THROW(array.store({1}), std::invalid_argument);
  const auto& look = array;
  EXPECT_EQ(look.size(), 3U);
  EXPECT_EQ(look[2], 12);
  EXPECT_EQ(look.load(1), 10);
  EXPECT_EQ(std::accumulate(look.begin(), look.end(), 0), 30);
}

// The lock is recursive, so a function may use the value that it changes.
TYPED_TEST(ValueTest, CallsWithinACallAreAPartOfIt) {
  Value<int, TypeParam> value(10);
  value.update([&](int& v) {
    value.update([&](int& same) {
      same += 100;
      EXPECT_EQ(value.load(), 110);
    });
    EXPECT_EQ(v, 110);
    v += 1;
  });
  EXPECT_EQ(value.load(), 111);
  value.with_lock([&](int& v) {
    value.update([](int& same) { ++same; });
    value.with_lock([](int& same) { ++same; });
    v += 1;
  });
  EXPECT_EQ(value.load(), 114);
  value.update([&](int& v) {
    value.store(5);
    EXPECT_THROW(value.update([](int& same) {
      same = 99;
      throw std::runtime_error("on purpose");
    }), std::runtime_error);
    v += 1;
  });
  EXPECT_EQ(value.load(), 6);
  EXPECT_THROW(value.update([&](int&) {
    value.store(7);
    throw std::runtime_error("on purpose");
  }), std::runtime_error);
  EXPECT_EQ(value.load(), 6);
  Value<int, TypeParam> other(1);
  value.update([&](int& v) { v += other.update([](int& o) { return ++o; }); });
  EXPECT_EQ(value.load(), 8);
  EXPECT_EQ(other.load(), 2);
}

TYPED_TEST(ValueTest, LoadsWhatWasStored) {
  Value<int, TypeParam> value(7);
  EXPECT_EQ(value.load(), 7);
  EXPECT_TRUE(value.store(8));
  EXPECT_EQ(value.load(), 8);
  EXPECT_EQ((Value<double, TypeParam>().load()), 0.0);
}

TYPED_TEST(ValueTest, UpdateReturnsWhatTheFunctionReturned) {
  Value<int, TypeParam> value(1);
  EXPECT_EQ(value.update([](int& v) { return std::to_string(v++); }), "1");
  EXPECT_TRUE(value.update([](int& v) { v += 10; }));
  EXPECT_EQ(value.with_lock([](int& v) { return v * 2; }), 24);
  EXPECT_TRUE(value.with_lock([](int& v) { v = 3; }));
  EXPECT_EQ(value.load(), 3);
}

TYPED_TEST(ValueTest, AnUpdateThatThrowsChangesNothing) {
  Value<int, TypeParam> value(1);
  EXPECT_THROW(value.update([](int& v) {
    v = 2;
    throw std::runtime_error("on purpose");
  }),
               std::runtime_error);
  EXPECT_EQ(value.load(), 1);
  EXPECT_FALSE(value.get_lock().locked());
}

TYPED_TEST(ValueTest, AnUpdateInADestructorDuringAnExceptionCounts) {
  Value<int, TypeParam> value(1);
  struct Last {
    Value<int, TypeParam>& value;
    ~Last() { value.store(5); }
  };
  try {
    const Last last{value};
    throw std::runtime_error("on purpose");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(value.load(), 5);
}

TYPED_TEST(ValueTest, TheLockIsHeldOverSeveralCalls) {
  Value<int, TypeParam> value(1);
  {
    const auto held = value.get_lock().guard();
    value.store(value.load() + 1);
    EXPECT_TRUE(value.get_lock().locked());
    std::thread other([&] { EXPECT_FALSE(value.get_lock().guard(0s)); });
    other.join();
  }
  EXPECT_EQ(value.load(), 2);
}

TYPED_TEST(ValueTest, NoUpdateIsLost) {
  using B = TypeParam;
  Value<int, B> sum(0);
  TaskGroup<B> group;
  for (int i = 0; i < 4; ++i) {
    group.spawn(
        [](Value<int, B>& to) -> Task<void, B> {
          for (int j = 0; j < 5000; ++j) co_await to.update([](int& s) { ++s; });
        },
        std::ref(sum));
  }
  group.join();
  EXPECT_EQ(sum.load(), 20'000);
}

TYPED_TEST(ValueTest, OperationsAreSelected) {
  Value<int, TypeParam> value(1);
  const auto done = select(value.update_op([](int& v) { return ++v; }), Until(patience));
  EXPECT_EQ(done.template get<0>(), 2);
  EXPECT_EQ(select(value.load_op(), Until(patience)).template get<0>(), 2);
  EXPECT_EQ(select(value.store_op(9), Until(patience)).index(), 0U);
  const auto held = value.get_lock().guard();
  std::thread other([&] { EXPECT_EQ(select(value.load_op(), 1ms).index(), Selected<int>::none); });
  other.join();
}

TYPED_TEST(ValueTest, ArrayHasElements) {
  Array<int, TypeParam> array(5);
  EXPECT_EQ(array.size(), 5U);
  EXPECT_EQ(array.load(), std::vector<int>(5));
  array[2] = 7;
  array.store(3, 8);
  EXPECT_EQ(array.load(2), 7);
  EXPECT_EQ(array.update(3, [](int& each) { return ++each; }), 9);
  EXPECT_EQ(array.with_lock([](auto& all) { return std::accumulate(all.begin(), all.end(), 0); }), 16);
  EXPECT_THROW((void)array.load(5), std::out_of_range);
  EXPECT_THROW(array.store(5, 1), std::out_of_range);
  EXPECT_FALSE(array.get_lock().locked());
  EXPECT_EQ((Array<int, TypeParam>{1, 2, 3}.load()), (std::vector{1, 2, 3}));
  EXPECT_THROW((Array<int, TypeParam>(0)), std::invalid_argument);
}

TYPED_TEST(ValueTest, NoUpdateOfAnElementIsLost) {
  using B = TypeParam;
  Array<int, B> array(3);
  TaskGroup<B> group;
  for (int i = 0; i < 3; ++i) {
    group.spawn([&array] {
      for (std::size_t j = 0; j < 6000; ++j) array.update(j % 3, [](int& each) { ++each; });
    });
  }
  group.join();
  EXPECT_EQ(array.load(), std::vector<int>(3, 6000));
}

TEST(ValueOfAnyType, OnThreads) {
  Value<std::string> text("a");
  text.update([](std::string& t) { t += "b"; });
  EXPECT_EQ(text.load(), "ab");
}

TEST(ValueOfAnyType, OnSharedMemory) {
  Value<long, shared_memory> value(4);
  value.update([](long& v) { v *= 2; });
  EXPECT_EQ(value.load(), 8);
}

TEST(ArrayOfAGivenSize, OnSharedMemory) {
  Array<long, shared_memory, 4> array;
  static_assert(std::is_trivially_destructible_v<decltype(array)>);
  EXPECT_EQ(array.load(), std::vector<long>(4));
  array[2] = 7;
  array.update(3, [](long& each) { each = 8; });
  EXPECT_EQ(array.load(), (std::vector<long>{0, 0, 7, 8}));
  EXPECT_THROW((void)array.load(4), std::out_of_range);
}

TEST(ArrayOfAGivenSize, OnOtherBackends) {
  Array<int, trine::threads, 3> here;
  here.store(2, 5);
  EXPECT_EQ(here.load(), (std::vector{0, 0, 5}));
  Array<int, P, 3> shared;
  EXPECT_EQ(in_child([&] { return shared.update(1, [](int& each) { each = 6; }) ? 0 : 1; }), 0);
  EXPECT_EQ(shared.load(), (std::vector{0, 6, 0}));
}

class ValueBetweenProcesses : public Leakless {};

TEST_F(ValueBetweenProcesses, HasAName) {
  const std::string name = unique_name();
  Value<int, P> value(create_only, name, 3);
  Array<long, P> array(create_only, name + ".array", 10);
  EXPECT_EQ(in_child([&] {
              Value<int, P> same(open_only, name);
              Array<long, P> all(open_or_create, name + ".array", 99);
              all[9] = 5;
              return same.update([](int& v) { return v++; }) == 3 && all.size() == 10 ? 0 : 1;
            }),
            0);
  EXPECT_EQ(value.load(), 4);
  EXPECT_EQ(array.load(9), 5);
  EXPECT_THROW((Value<double, P>(open_only, name)), LayoutMismatch);
  EXPECT_THROW((Array<int, P>(open_only, name + ".array")), LayoutMismatch);
  EXPECT_TRUE((Value<int, P>::remove(name)));
  EXPECT_TRUE((Array<long, P>::remove(name + ".array")));
}

struct Large {
  std::int64_t parts[64] = {};
  [[nodiscard]] bool whole() const { return std::ranges::all_of(parts, [this](auto each) { return each == parts[0]; }); }
};

TEST_F(ValueBetweenProcesses, AHolderThatIsKilledIsReported) {
  Value<int, P> value(1);
  EXPECT_EQ(in_child([&] { return value.update([](int& v) { return v = 2, die(); }); }), -SIGKILL);
  EXPECT_THROW((void)value.load(), OwnerDied);
  EXPECT_THROW(value.store(1), OwnerDied);
  EXPECT_THROW(value.update([](int&) {}), OwnerDied);
  EXPECT_THROW(value.with_lock([](int&) {}), OwnerDied);
  {
    const auto held = value.get_lock().recover();
    EXPECT_EQ(value.load(), 1);
  }
  EXPECT_EQ(value.load(), 1);
}

TEST_F(ValueBetweenProcesses, AWaiterHearsOfADeath) {
  Value<int, P> value(1);
  Event<P> held;
  Child holder([&] {
    value.get_lock().lock();
    held.set();
    Event<P>().wait();
    return 0;
  });
  ASSERT_TRUE(held.wait(patience));
  std::thread waiter([&] { EXPECT_THROW((void)value.load(), OwnerDied); });
  holder.signal(SIGKILL);
  waiter.join();
  holder.join();
}

TEST_F(ValueBetweenProcesses, KilledAnywhereInAnUpdateItIsOldOrNew) {
  Value<Large, P> value;
  Value<std::int64_t, P> done(0);
  std::int64_t died = 0;
  for (int round = 0; round < 60; ++round) {
    Event<P> begun;
    Child writer([&] {
      begun.set();
      for (;;) value.update([](Large& large) { std::ranges::for_each(large.parts, [](auto& each) { ++each; }); });
      return 0;
    });
    ASSERT_TRUE(begun.wait(patience));
    const auto end = std::chrono::steady_clock::now() + round * 7us;
    while (std::chrono::steady_clock::now() < end) {
    }
    writer.signal(SIGKILL);
    EXPECT_EQ(writer.join(), -SIGKILL);
    try {
      EXPECT_TRUE(value.load().whole());
    } catch (const OwnerDied&) {
      ++died;
      const auto held = value.get_lock().recover();
      EXPECT_TRUE(value.load().whole());
    }
    EXPECT_TRUE(value.load().whole());
  }
  EXPECT_GT(value.load().parts[0], 0);
  RecordProperty("died with the lock", static_cast<int>(died));
}

TEST_F(ValueBetweenProcesses, AnArrayReportsAHolderThatIsKilled) {
  Array<int, P> array(4);
  EXPECT_EQ(in_child([&] { return array.update(1, [](int& each) { return each = 2, die(); }); }), -SIGKILL);
  EXPECT_THROW((void)array.load(), OwnerDied);
  EXPECT_THROW(array.store(0, 1), OwnerDied);
  EXPECT_EQ(array[1], 2);
  array.get_lock().recover().unlock();
  EXPECT_EQ(array.load(), (std::vector{0, 2, 0, 0}));
}

}  // namespace
