// SPDX-License-Identifier: BSL-1.0
//
// Pipe between coroutines: what tests/process/pipe.cpp asks of one between threads and processes, awaited.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <trine/trine.hpp>

#include "support/coroutines.hpp"

namespace {

using namespace std::chrono_literals;
using trine::Connection;
using trine::EndOfStream;
using trine::Event;
using trine::Pipe;
using trine::Task;

constexpr auto patience = 20s;

template <class B>
class CoroutinePipeTest : public ::testing::Test {};
TYPED_TEST_SUITE(CoroutinePipeTest, trine_test::CoroutineBackends, trine_test::BackendName);

// What an operation throws, as a value: g++ 12 can't await inside of EXPECT_THROW.
template <class B, class Awaited>
Task<bool, B> meets_the_end(Awaited awaited) {
  try {
    co_await awaited();
  } catch (const EndOfStream&) {
    co_return true;
  }
  co_return false;
}

template <class B>
Task<void, B> answers(Connection<std::string, B> end) {
  for (;;) {
    std::optional<std::string> message;
    try {
      message = co_await end.recv();
    } catch (const EndOfStream&) {
      co_return;
    }
    co_await end.send(*message + "!");
  }
}

TYPED_TEST(CoroutinePipeTest, SendsBothWays) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    auto [a, b] = Pipe<int, B>();
    EXPECT_TRUE(co_await a.send(1));
    EXPECT_TRUE(co_await a.send(2));
    EXPECT_TRUE(co_await b.send(3));
    EXPECT_EQ(co_await b.recv(), 1);
    EXPECT_EQ(co_await b.recv(patience), std::optional(2));
    EXPECT_EQ(co_await a.recv(), 3);
    EXPECT_EQ(co_await a.recv(0s), std::nullopt);
    EXPECT_EQ(co_await b.recv(1ms), std::nullopt);
    EXPECT_FALSE(co_await b.poll());
    EXPECT_FALSE(co_await b.poll(1ms));
  };
  trine::run(body());
}

TYPED_TEST(CoroutinePipeTest, OneWay) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    auto [receiver, sender] = Pipe<int, B>(false);
    co_await sender.send(1);
    EXPECT_TRUE(co_await receiver.poll());
    EXPECT_EQ(co_await receiver.recv(), 1);
    EXPECT_THROW(static_cast<void>(receiver.send_op(1)), trine::Error);
    EXPECT_THROW(static_cast<void>(sender.recv_op()), trine::Error);
  };
  trine::run(body());
}

TYPED_TEST(CoroutinePipeTest, AQuestionAndItsAnswerUntilTheEnd) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    auto [here, there] = Pipe<std::string, B>();
    trine::TaskGroup<B> group;
    group.spawn(answers<B>, std::move(there));
    for (int n = 0; n < 1000; ++n) {
      const std::string question = std::to_string(n);
      co_await here.send(question);
      const std::string answer = co_await here.recv();
      EXPECT_EQ(answer, question + "!");
    }
    here.close();
    EXPECT_TRUE(co_await group.join(patience));
  };
  trine::run(body());
}

TYPED_TEST(CoroutinePipeTest, WhoWaitsHearsOfAClose) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    auto [a, b] = Pipe<int, B>();
    auto& from = a;
    const auto receives = [&from] { return from.recv(); };
    const auto receives_in_time = [&from] { return from.recv(patience); };
    const auto polls = [](Connection<int, B>& end) -> Task<bool, B> { co_return co_await end.poll(patience); };
    const auto closes = [](Connection<int, B>& end) -> Task<bool, B> {
      end.close();
      co_return true;
    };
    const auto all = co_await trine::gather(meets_the_end<B>(receives), meets_the_end<B>(receives_in_time), polls(a), closes(b));
    EXPECT_TRUE(std::get<0>(all));
    EXPECT_TRUE(std::get<1>(all));
    EXPECT_TRUE(std::get<2>(all));
    EXPECT_TRUE(co_await meets_the_end<B>([&from] { return from.send(1); }));
  };
  trine::run(body());
}

TYPED_TEST(CoroutinePipeTest, WhatWasSentBeforeACloseIsReceived) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    auto [a, b] = Pipe<int, B>();
    auto& from = b;
    co_await a.send(1);
    a.close();
    EXPECT_EQ(co_await b.recv(), 1);
    EXPECT_TRUE(co_await meets_the_end<B>([&from] { return from.recv(); }));
    EXPECT_TRUE(co_await meets_the_end<B>([&from] { return from.recv(1ms); }));
  };
  trine::run(body());
}

TYPED_TEST(CoroutinePipeTest, ASenderWaitsForRoomAndHearsOfAClose) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    auto [a, b] = Pipe<int, B>(true, 2);
    EXPECT_TRUE(co_await a.send(1));
    EXPECT_TRUE(co_await a.send(2));
    EXPECT_FALSE(co_await a.send(3, 1ms));
    const auto sends = [](Connection<int, B>& to) -> Task<int, B> {
      int sent = 2;
      try {
        for (;; ++sent) co_await to.send(sent + 1);
      } catch (const EndOfStream&) {
      }
      co_return sent;
    };
    const auto receives = [](Connection<int, B>& from) -> Task<int, B> {
      int last = 0;
      while (last < 3) last = co_await from.recv();
      from.close();
      co_return last;
    };
    const auto both = co_await trine::gather(sends(a), receives(b));
    EXPECT_GE(std::get<0>(both), 3);
    EXPECT_EQ(std::get<1>(both), 3);
  };
  trine::run(body());
}

TYPED_TEST(CoroutinePipeTest, IsSelectable) {
  using B = TypeParam;
  const auto body = []() -> Task<void, B> {
    auto [a, b] = Pipe<int, B>();
    auto [c, d] = Pipe<std::string, B>();
    const auto none = co_await trine::select(b.recv_op(), d.recv_op(), 1ms);
    EXPECT_EQ(none.index(), (trine::Selected<int, std::string>::none));
    co_await c.send("hello");
    auto got = co_await trine::select(b.recv_op(), d.recv_op(), trine::Until(patience));
    EXPECT_EQ(got.index(), 1U);
    EXPECT_EQ(got.template get<1>(), "hello");
  };
  trine::run(body());
}

}  // namespace
