// SPDX-License-Identifier: BSL-1.0
//
// Pipe: on threads and between processes, and what its ends hear of a death.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <support/children.hpp>
#include <support/leaks.hpp>
#include <trine/backend/processes.hpp>
#include <trine/codec.hpp>
#include <trine/event.hpp>
#include <trine/pipe.hpp>
#include <trine/select.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;
using P = processes;

constexpr auto patience = 20s;

int die() { return ::kill(::getpid(), SIGKILL); }

template <class B>
class PipeTest : public Leakless {};
using Backends = ::testing::Types<threads, processes>;
TYPED_TEST_SUITE(PipeTest, Backends);

TYPED_TEST(PipeTest, SendsBothWays) {
  auto [a, b] = Pipe<int, TypeParam>();
  static_assert(!std::is_copy_constructible_v<Connection<int, TypeParam>>);
  EXPECT_TRUE(a.send(1));
  EXPECT_TRUE(a.send(2));
  EXPECT_TRUE(b.send(3));
  EXPECT_EQ(b.recv(), 1);
  EXPECT_EQ(b.recv(patience), 2);
  EXPECT_EQ(a.recv(), 3);
  EXPECT_EQ(a.recv(0s), std::nullopt);
  EXPECT_EQ(b.recv(10ms), std::nullopt);
}

TYPED_TEST(PipeTest, OneWay) {
  auto [receiver, sender] = Pipe<int, TypeParam>(false);
  sender.send(1);
  EXPECT_EQ(receiver.recv(), 1);
  EXPECT_THROW(receiver.send(1), Error);
  EXPECT_THROW(sender.recv(), Error);
  EXPECT_THROW(sender.poll(), Error);
}

TYPED_TEST(PipeTest, MessagesOfAnyType) {
  auto [a, b] = Pipe<std::map<std::string, std::vector<int>>, TypeParam>();
  const std::map<std::string, std::vector<int>> message{{"one", {1}}, {"large", std::vector<int>(20'000, 7)}};
  a.send(message);
  EXPECT_EQ(b.recv(), message);
}

TYPED_TEST(PipeTest, Poll) {
  auto [a, b] = Pipe<int, TypeParam>();
  EXPECT_FALSE(b.poll());
  EXPECT_FALSE(b.poll(10ms));
  a.send(1);
  EXPECT_TRUE(b.poll());
  EXPECT_TRUE(b.poll(patience));
  EXPECT_EQ(b.recv(), 1);
  EXPECT_FALSE(b.poll());
  a.close();
  EXPECT_TRUE(b.poll(patience));
}

TYPED_TEST(PipeTest, PollWaits) {
  auto [a, b] = Pipe<int, TypeParam>();
  std::thread sender([&to = a] { to.send(5); });
  EXPECT_TRUE(b.poll(patience));
  EXPECT_EQ(b.recv(), 5);
  sender.join();
}

TYPED_TEST(PipeTest, AClosedEnd) {
  auto [a, b] = Pipe<int, TypeParam>();
  a.send(1);
  EXPECT_FALSE(a.closed());
  a.close();
  a.close();
  EXPECT_TRUE(a.closed());
  EXPECT_THROW(a.send(1), Error);
  EXPECT_THROW(a.recv(), Error);
  EXPECT_EQ(b.recv(), 1);
  EXPECT_THROW(b.recv(), EndOfStream);
  EXPECT_THROW(b.recv(10ms), EndOfStream);
  EXPECT_THROW(b.send(1), EndOfStream);
}

TYPED_TEST(PipeTest, ADestroyedEndIsClosed) {
  auto pipe = Pipe<int, TypeParam>();
  Connection<int, TypeParam> kept = std::move(pipe.first);
  EXPECT_TRUE(pipe.first.closed());
  { const auto gone = std::move(pipe.second); }
  EXPECT_THROW(kept.recv(), EndOfStream);
}

TYPED_TEST(PipeTest, AWaiterHearsOfAClose) {
  auto [a, b] = Pipe<int, TypeParam>();
  std::thread receiver([&from = b] { EXPECT_THROW(from.recv(), EndOfStream); });
  a.close();
  receiver.join();
}

TYPED_TEST(PipeTest, ASenderWaitsForRoomAndHearsOfAClose) {
  auto [a, b] = Pipe<int, TypeParam>(true, 2);
  EXPECT_TRUE(a.send(1));
  EXPECT_TRUE(a.send(2));
  EXPECT_FALSE(a.send(3, 10ms));
  std::thread sender([&to = a] {
    EXPECT_TRUE(to.send(3, patience));
    EXPECT_THROW(
        for (;;) to.send(4, patience), EndOfStream);
  });
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(b.recv(), i);
  b.close();
  sender.join();
}

TYPED_TEST(PipeTest, IsSelectable) {
  auto [a, b] = Pipe<int, TypeParam>();
  auto [c, d] = Pipe<std::string, TypeParam>();
  EXPECT_EQ(select(b.recv_op(), d.recv_op(), 5ms).index(), (Selected<int, std::string>::none));
  const std::string hello = "hello";
  EXPECT_EQ(select(c.send_op(hello), 1s).index(), 0U);
  auto got = select(b.recv_op(), d.recv_op(), Until(patience));
  EXPECT_EQ(got.index(), 1U);
  EXPECT_EQ(got.template get<1>(), "hello");
  c.close();
  EXPECT_THROW(select(b.recv_op(), d.recv_op(), Until(patience)), EndOfStream);
}

TYPED_TEST(PipeTest, PingPong) {
  using B = TypeParam;
  auto pipe = Pipe<int, B>();
  TaskGroup<B> group;
  group.spawn(
      [](Connection<int, B>& end) -> Task<void, B> {
        for (int i = 0; i < 1000; ++i) co_await end.send(co_await end.recv() + 1);
      },
      std::ref(pipe.second));
  for (int i = 0; i < 1000; ++i) {
    pipe.first.send(i);
    EXPECT_EQ(pipe.first.recv(), i + 1);
  }
  group.join();
}

class PipeBetweenProcesses : public Leakless {};

TEST_F(PipeBetweenProcesses, EndOfStreamWhenEveryCopyIsClosed) {
  auto pipe = Pipe<int, P>();
  auto& [a, b] = pipe;
  Event<P> closed;
  Event<P> end;
  Child child([&] {
    pipe.first.close();
    pipe.second.send(1);
    closed.wait();
    pipe.second.send(2);
    pipe.second.close();
    end.wait();
    return 0;
  });
  b.close();
  closed.set();
  EXPECT_EQ(a.recv(), 1);
  EXPECT_EQ(a.recv(), 2);
  EXPECT_THROW(a.recv(), EndOfStream);
  end.set();
  EXPECT_EQ(child.join(), 0);
}

TEST_F(PipeBetweenProcesses, ACopyElsewhereKeepsAnEndOpen) {
  auto pipe = Pipe<int, P>();
  Event<P> end;
  Child child([&] {
    end.wait();
    return 0;
  });
  pipe.second.close();
  EXPECT_EQ(pipe.first.recv(100ms), std::nullopt);
  EXPECT_TRUE(pipe.first.send(1));
  end.set();
  child.join();
  EXPECT_THROW(pipe.first.recv(), EndOfStream);
}

TEST_F(PipeBetweenProcesses, AReceiverHearsOfADeath) {
  std::vector<std::chrono::steady_clock::duration> waits;
  for (int i = 0; i < 10; ++i) {
    auto pipe = Pipe<int, P>();
    Child child([&] {
      pipe.second.send(7);
      Event<P>().wait();
      return 0;
    });
    pipe.second.close();
    EXPECT_EQ(pipe.first.recv(), 7);
    child.signal(SIGKILL);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THROW(pipe.first.recv(patience), EndOfStream);
    waits.push_back(std::chrono::steady_clock::now() - begin);
    child.join();
    EXPECT_THROW(pipe.first.send(1), EndOfStream);
  }
  std::sort(waits.begin(), waits.end());
  EXPECT_LT(waits[5], 150ms);
}

TEST_F(PipeBetweenProcesses, ASenderHearsOfADeath) {
  auto pipe = Pipe<int, P>(false, 4);
  Child child([&] {
    Event<P>().wait();
    return 0;
  });
  pipe.first.close();
  std::thread killer([&] { child.signal(SIGKILL); });
  EXPECT_THROW(
      for (;;) pipe.second.send(1), EndOfStream);
  killer.join();
  child.join();
}

TEST_F(PipeBetweenProcesses, ADeadPeerThatReadNothing) {
  auto pipe = Pipe<int, P>();
  EXPECT_EQ(in_child([] { return die(); }), -SIGKILL);
  Child child([&] { return die(); });
  pipe.second.close();
  child.join();
  EXPECT_THROW(pipe.first.poll() ? pipe.first.recv() : 0, EndOfStream);
  EXPECT_THROW(pipe.first.send(1), EndOfStream);
}

// What the survivor gets is a beginning of what was sent.
TEST_F(PipeBetweenProcesses, KilledAnywhereInSend) {
  for (int round = 0; round < 40; ++round) {
    auto pipe = Pipe<std::string, P>(false);
    Child sender([&] {
      pipe.first.close();
      for (int i = 0;; ++i) pipe.second.send(std::to_string(i) + std::string(static_cast<std::size_t>(i) % 300, 'x'));
      return 0;
    });
    pipe.second.close();
    int expected = 0;
    try {
      for (;; ++expected) {
        const std::string got = pipe.first.recv();
        EXPECT_EQ(got, std::to_string(expected) + std::string(static_cast<std::size_t>(expected) % 300, 'x'));
        if (expected == round * 5) sender.signal(SIGKILL);
      }
    } catch (const EndOfStream&) {
    }
    EXPECT_GE(expected, round * 5);
    EXPECT_EQ(sender.join(), -SIGKILL);
  }
}

// Another process that reads the same end gets the rest.
TEST_F(PipeBetweenProcesses, KilledAnywhereInRecv) {
  for (int round = 0; round < 40; ++round) {
    auto pipe = Pipe<std::string, P>(false);
    Event<P> begun;
    Child reader([&] {
      pipe.second.close();
      begun.set();
      for (;;) pipe.first.recv();
      return 0;
    });
    ASSERT_TRUE(begun.wait(patience));
    for (int i = 0; i < 200; ++i) {
      pipe.second.send(std::to_string(i));
      if (i == round * 4) reader.signal(SIGKILL);
    }
    EXPECT_EQ(reader.join(), -SIGKILL);
    pipe.second.close();
    int last = -1;
    try {
      for (;;) {
        const int next = std::stoi(pipe.first.recv(patience).value());
        EXPECT_TRUE(last == -1 || next == last + 1) << next << " after " << last;
        last = next;
      }
    } catch (const EndOfStream&) {
    }
    EXPECT_TRUE(last == -1 || last == 199) << last;
  }
}

TEST_F(PipeBetweenProcesses, TooLarge) {
  auto [a, b] = Pipe<std::string, P>();
  EXPECT_THROW(a.send(std::string(4'000'000, 'x')), ItemTooLarge);
  a.send("small");
  EXPECT_EQ(b.recv(), "small");
}

}  // namespace
