// SPDX-License-Identifier: BSL-1.0

#include <gtest/gtest.h>

#include <boost/interprocess/containers/map.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/containers/vector.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <scoped_allocator>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <thread>
#include <trine/event.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_memory.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;

template <class T>
using Allocator = SharedMemory::Allocator<T>;
using Text = boost::interprocess::basic_string<char, std::char_traits<char>, Allocator<char>>;
using Numbers = boost::interprocess::vector<int, Allocator<int>>;
using Counts = boost::interprocess::map<int, Text, std::less<int>, Allocator<std::pair<const int, Text>>>;
using SharedLock = trine::Lock<shared_memory>;

constexpr std::size_t size = 1 << 20;

class SharedMemoryTest : public Leakless {
 protected:
  void SetUp() override {
    Leakless::SetUp();
    SharedMemory::remove(name);
  }
  void TearDown() override {
    SharedMemory::remove(name);
    Leakless::TearDown();
  }
  const std::string name = unique_name("memory");
};

TEST_F(SharedMemoryTest, ObjectsAreFoundByName) {
  SharedMemory memory(create_only, name, size);
  EXPECT_GE(memory.size(), size);
  const auto before = memory.free_memory();
  int* const made = memory.construct<int>("number")(7);
  EXPECT_EQ(memory.find<int>("number"), made);
  EXPECT_EQ(memory.find<int>("other"), nullptr);
  EXPECT_EQ(memory.find_or_construct<int>("number")(8), made);
  EXPECT_EQ(*made, 7);
  EXPECT_THROW(memory.construct<int>("number")(8), boost::interprocess::interprocess_exception);
  EXPECT_LT(memory.free_memory(), before);

  SharedMemory same(open_only, name);
  EXPECT_NE(same.data(), memory.data());
  EXPECT_EQ(same.size(), memory.size());
  ASSERT_NE(same.find<int>("number"), nullptr);
  *same.find<int>("number") = 9;
  EXPECT_EQ(*made, 9);
  EXPECT_TRUE(same.destroy<int>("number"));
  EXPECT_FALSE(memory.destroy<int>("number"));
  EXPECT_EQ(memory.free_memory(), before);
}

TEST_F(SharedMemoryTest, HoldsContainersAndPrimitives) {
  SharedMemory memory(open_or_create, name, size);
  auto* const lock = memory.find_or_construct<SharedLock>("lock")();
  auto* const counts = memory.construct<Counts>("counts")(std::less<int>(), memory.get_allocator<int>());
  auto* const go = memory.construct<trine::Event<shared_memory>>("go")();
  std::vector<Child> children;
  for (int child = 0; child < 3; ++child) {
    children.emplace_back([this, child] {
      SharedMemory mine(open_only, name);
      auto* const my_lock = mine.find<SharedLock>("lock");
      auto* const my_counts = mine.find<Counts>("counts");
      if (!mine.find<trine::Event<shared_memory>>("go")->wait(20s)) return 1;
      for (int i = 0; i < 200; ++i) {
        const auto held = my_lock->guard(20s);
        if (!held) return 2;
        my_counts->emplace(child * 1000 + i, Text(std::to_string(i).c_str(), mine.get_allocator<char>()));
      }
      return 0;
    });
  }
  go->set();
  for (auto& child : children) EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(counts->size(), 600U);
  EXPECT_EQ(counts->at(2042), "42");
  EXPECT_FALSE(lock->locked());
  EXPECT_TRUE(memory.destroy<Counts>("counts"));
}

TEST_F(SharedMemoryTest, AnonymousIsSharedWithChildren) {
  SharedMemory memory(size);
  auto* const numbers = memory.construct<Numbers>("numbers")(memory.get_allocator<int>());
  EXPECT_EQ(in_child([&] {
              for (int i = 0; i < 1000; ++i) numbers->push_back(i);
              return 0;
            }),
            0);
  ASSERT_EQ(numbers->size(), 1000U);
  EXPECT_EQ(numbers->back(), 999);
}

TEST_F(SharedMemoryTest, OneOfManyConstructs) {
  for (int round = 0; round < 30; ++round) {
    SharedMemory::remove(name);
    in_children(4, [&](int) {
      SharedMemory memory(open_or_create, name, size);
      auto* const count = memory.find_or_construct<trine::Semaphore<shared_memory>>("count")(0);
      count->release();
      return 0;
    });
    SharedMemory memory(open_only, name);
    EXPECT_EQ(memory.find<trine::Semaphore<shared_memory>>("count")->value(), 4);
  }
}

TEST_F(SharedMemoryTest, RefusesWhatItIsNot) {
  EXPECT_THROW(SharedMemory(create_only, name, 10), std::invalid_argument);
  EXPECT_THROW(SharedMemory(create_only, "a/b", size), std::invalid_argument);
  EXPECT_THROW(SharedMemory{10}, std::invalid_argument);
  EXPECT_THROW(SharedMemory(open_only, name), std::system_error);
  const trine::Event<processes> event(create_only, name);
  EXPECT_THROW(SharedMemory(open_only, name), LayoutMismatch);
  EXPECT_THROW(SharedMemory(open_or_create, name, size), LayoutMismatch);
  EXPECT_THROW(SharedMemory(create_only, name, size), std::system_error);
}

TEST_F(SharedMemoryTest, FullIsAnError) {
  SharedMemory memory(create_only, name, 64 * 1024);
  auto* const numbers = memory.construct<Numbers>("numbers")(memory.get_allocator<int>());
  EXPECT_THROW(for (;;) numbers->push_back(1), boost::interprocess::bad_alloc);
  EXPECT_TRUE(memory.destroy<Numbers>("numbers"));
  EXPECT_NO_THROW(memory.construct<Numbers>("numbers")(memory.get_allocator<int>()));
}

TEST_F(SharedMemoryTest, Moves) {
  SharedMemory memory(create_only, name, size);
  int* const number = memory.construct<int>("number")(7);
  SharedMemory moved = std::move(memory);
  EXPECT_EQ(moved.find<int>("number"), number);
  moved = SharedMemory(size);
  EXPECT_EQ(moved.find<int>("number"), nullptr);
}

TEST_F(SharedMemoryTest, ALockThatIsHeldInItMayGoWithIt) {
  SharedMemory memory(create_only, name, size);
  auto* const lock = memory.construct<SharedLock>("lock")();
  { SharedMemory(open_only, name).find<SharedLock>("lock")->lock(); }
  EXPECT_THROW(lock->lock(20s), OwnerDied);
  lock->recover().unlock();
  const auto held = lock->guard(20s);
  EXPECT_TRUE(held);
}

struct DiesHere {
  DiesHere() { ::kill(::getpid(), SIGKILL); }
};

TEST_F(SharedMemoryTest, ADeathInAConstructorIsReported) {
  SharedMemory memory(create_only, name, size);
  auto* const numbers = memory.construct<Numbers>("numbers")(memory.get_allocator<int>());
  EXPECT_EQ(in_child([&] { return memory.construct<DiesHere>("dies")() != nullptr; }), -SIGKILL);
  EXPECT_THROW(static_cast<void>(memory.find<int>("x")), OwnerDied);
  EXPECT_THROW(memory.construct<int>("x")(), OwnerDied);
  EXPECT_THROW(memory.find_or_construct<int>("x")(), OwnerDied);
  EXPECT_THROW(memory.destroy<int>("x"), OwnerDied);
  EXPECT_THROW(static_cast<void>(SharedMemory(open_only, name).find<int>("x")), OwnerDied);
  // The other half was not concerned.
  numbers->push_back(7);
  EXPECT_EQ(numbers->back(), 7);
}

// Children take and give memory as fast as they can and are killed; whatever they were at, nobody waits for them, and nothing
// that is not reported breaks.
TEST_F(SharedMemoryTest, DeathsAtAnyMomentHangNobody) {
  int torn = 0;
  for (int round = 0; round < 200; ++round) {
    SharedMemory::remove(name);
    SharedMemory memory(create_only, name, size);
    Child child([&] {
      for (;;) {
        const std::string key = std::to_string(std::rand() % 8);
        if (auto* const found = memory.find<Numbers>(key.c_str()); found != nullptr) memory.destroy<Numbers>(key.c_str());
        auto* const numbers = memory.find_or_construct<Numbers>(key.c_str())(memory.get_allocator<int>());
        for (int i = 0; i < 20; ++i) numbers->push_back(i);
      }
      return 0;
    });
    std::this_thread::sleep_for(std::chrono::microseconds(300 + 7 * round));
    child.signal(SIGKILL);
    EXPECT_EQ(child.join(), -SIGKILL);
    try {
      Numbers mine(memory.get_allocator<int>());
      for (int i = 0; i < 20; ++i) mine.push_back(i);
      for (int i = 0; i < 8; ++i) memory.destroy<Numbers>(std::to_string(i).c_str());
      EXPECT_TRUE(memory.get_segment_manager()->check_sanity());
    } catch (const OwnerDied&) {
      ++torn;
    }
  }
  RecordProperty("torn", torn);
  EXPECT_GT(torn, 0);
  EXPECT_LT(torn, 200);
}

// A container whose memory can't be given back any more is destroyed all the same.
TEST_F(SharedMemoryTest, MemoryOfATornSegmentStaysTaken) {
  SharedMemory memory(create_only, name, size);
  Numbers numbers(memory.get_allocator<int>());
  numbers.push_back(1);
  for (bool torn = false; !torn;) {
    Child child([&] {
      for (;;) memory.get_segment_manager()->deallocate(memory.get_segment_manager()->allocate(100));
      return 0;
    });
    std::this_thread::sleep_for(500us);
    child.signal(SIGKILL);
    child.join();
    try {
      memory.get_segment_manager()->deallocate(memory.get_segment_manager()->allocate(1));
    } catch (const OwnerDied&) {
      torn = true;
    }
  }
  EXPECT_THROW(numbers.resize(100000), OwnerDied);
  EXPECT_EQ(numbers.at(0), 1);
}

}  // namespace
