// SPDX-License-Identifier: BSL-1.0
//
// Pipe: a kill after each instruction of both ends. What send() returned from comes out once, and in order; who is left hears
// that the other end is gone.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/codec.hpp>
#include <trine/error.hpp>
#include <trine/pipe.hpp>

#include "process/killing/kill.hpp"
#include "process/killing/queues.hpp"

namespace {

using namespace trine_test;
using trine::EndOfStream;

template <class T>
class KillPipe : public Kills {
 protected:
  using Pipe = trine::Pipe<T, processes_direct>;
  using Item = Numbered<T>;
  static constexpr std::size_t usual = 24;

  /// A pipe, from its second end to its first, and what came out.
  struct Line {
    Pipe pipe;
    Record& record;

    void send(int n) { require(pipe.second.send(Item::make(n)), "a send without a limit gave up"); }
    void recv() { record.came_out(Item::number(pipe.first.recv())); }
    void drain() {
      while (pipe.first.poll()) recv();
    }
    [[nodiscard]] int times(int n) const { return record.times(n); }

    void sends_only() { pipe.first.close(); }
    void receives_only() { pipe.second.close(); }
    void leave() {
      pipe.first.close();
      pipe.second.close();
    }

    /// Receives until nobody is left who sends.
    void recv_all() {
      receives_only();
      try {
        for (;;) recv();
      } catch (const EndOfStream&) {
      }
    }

    /// The one that takes the first of two messages, killed at its next step.
    void first_receiver_dies(Trial& trial) {
      trial.step();
      trial.kill();
      trial.newcomer([this] { drain(); });
      trial.check(times(1) <= 1, "a message came twice");
      trial.check(times(2) == 1, "a message that nobody took is lost");
      trial.newcomer([this] { works(); });
    }

    /// As a new one: both ways, and with room for as much.
    void works() {
      require(!pipe.first.poll() && !pipe.second.poll(), "there is something left");
      for (int n = 40; n < 42; ++n) send(n);
      for (int n = 40; n < 42; ++n) recv();
      require(times(40) == 1 && times(41) == 1, "what was sent did not come out once");
      pipe.first.send(Item::make(43));
      require(Item::number(pipe.second.recv()) == 43, "it does not work the other way");
    }

    /// What came out came out in the order of the numbers.
    [[nodiscard]] bool in_order() const {
      for (std::size_t i = 1; i < record.count; ++i) {
        if (record.order[i] < record.order[i - 1]) return false;
      }
      return true;
    }
  };

  static void sweep_as(const char* scenario, const std::function<void(Trial&, Line&)>& body) {
    const std::string name = std::string("Pipe of ") + (sizeof(T) == sizeof(int) ? "int: " : "string: ") + scenario;
    sweep(
        name.c_str(),
        [&body](Trial& trial) {
          Line line{Pipe(true, 2), trial.make<Record>()};
          body(trial, line);
        },
        usual);
  }
};

using Messages = ::testing::Types<int, std::string>;
TYPED_TEST_SUITE(KillPipe, Messages);

TYPED_TEST(KillPipe, Send) {
  this->sweep_as("send; nobody waits", [](Trial& trial, auto& line) {
    line.send(1);
    trial.victim([&] {
      trap();
      line.send(2);
    });
    trial.step();
    trial.kill();
    trial.newcomer([&] { line.drain(); });
    trial.check(line.times(1) == 1, "a message is lost, or came twice");
    trial.check(line.times(2) == 1 || (line.times(2) == 0 && !trial.done()), "a message that was sent is lost");
    trial.newcomer([&] { line.works(); });
  });
}

TYPED_TEST(KillPipe, LastSender) {
  this->sweep_as("send; a receiver sleeps, and nobody else sends", [](Trial& trial, auto& line) {
    trial.sleeper([&] { line.recv_all(); });
    trial.victim([&] {
      line.sends_only();
      trap();
      line.send(1);
      line.send(2);
    });
    line.leave();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.check(line.times(1) + line.times(2) == 2 || !trial.done(), "a message that was sent is lost");
    trial.check(line.times(1) >= line.times(2) && line.in_order(), "messages came out of order");
  });
}

TYPED_TEST(KillPipe, Receive) {
  this->sweep_as("recv; two messages are there", [](Trial& trial, auto& line) {
    line.send(1);
    line.send(2);
    trial.victim([&] {
      trap();
      line.recv();
    });
    line.first_receiver_dies(trial);
  });
}

TYPED_TEST(KillPipe, WokenReceiver) {
  this->sweep_as("recv; asleep, then two messages come", [](Trial& trial, auto& line) {
    trial.victim([&] {
      trap();
      line.recv();
    });
    trial.fall_asleep();
    line.send(1);
    line.send(2);
    line.first_receiver_dies(trial);
  });
}

TYPED_TEST(KillPipe, OneOfTwoReceivers) {
  this->sweep_as("recv; falls asleep, as another does", [](Trial& trial, auto& line) {
    trial.sleeper([&] { line.recv(); });
    trial.victim([&] {
      trap();
      line.recv();
    });
    trial.step_to_sleep();
    trial.kill();
    line.send(1);
    line.send(2);
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] { line.drain(); });
    trial.check(line.times(1) == 1 && line.times(2) == 1, "a message is lost, or came twice");
    trial.newcomer([&] { line.works(); });
  });
}

TYPED_TEST(KillPipe, LastReceiver) {
  this->sweep_as("recv; a sender waits for room, and nobody else receives", [](Trial& trial, auto& line) {
    line.send(1);
    line.send(2);
    auto& heard = trial.template make<std::atomic<bool>>(false);
    trial.sleeper([&] {
      line.sends_only();
      try {
        for (int n = 3; n < 10; ++n) line.send(n);
      } catch (const EndOfStream&) {
        heard = true;
      }
    });
    trial.victim([&] {
      line.receives_only();
      trap();
      line.recv();
    });
    line.leave();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.check(heard, "the sender was not told that nobody receives any more");
  });
}

TYPED_TEST(KillPipe, BlockedSender) {
  this->sweep_as("send; asleep, then there is room", [](Trial& trial, auto& line) {
    line.send(1);
    line.send(2);
    trial.victim([&] {
      trap();
      line.send(3);
    });
    trial.fall_asleep();
    line.recv();
    trial.step();
    trial.kill();
    trial.newcomer([&] { line.drain(); });
    trial.check(line.times(1) == 1 && line.times(2) == 1, "a message is lost, or came twice");
    trial.check(line.times(3) == 1 || (line.times(3) == 0 && !trial.done()), "a message that was sent is lost");
    trial.check(line.in_order(), "messages came out of order");
    trial.newcomer([&] { line.works(); });
  });
}

TYPED_TEST(KillPipe, OneOfTwoSenders) {
  this->sweep_as("send; falls asleep, as another does", [](Trial& trial, auto& line) {
    line.send(1);
    line.send(2);
    trial.sleeper([&] { line.send(4); });
    trial.victim([&] {
      trap();
      line.send(3);
    });
    trial.step_to_sleep();
    trial.kill();
    trial.newcomer([&] {
      line.recv();
      line.recv();
    });
    trial.now();
    trial.all_go_on();
    trial.newcomer([&] { line.drain(); });
    for (const int n : {1, 2, 4}) trial.check(line.times(n) == 1, "a message is lost, or came twice");
    trial.check(line.times(3) == 0, "a message that could not be sent came out");
    trial.newcomer([&] { line.works(); });
  });
}

TYPED_TEST(KillPipe, Poll) {
  this->sweep_as("poll; asleep, then a message comes", [](Trial& trial, auto& line) {
    trial.victim([&] {
      trap();
      line.pipe.first.poll(trine::Until::forever());
    });
    trial.fall_asleep();
    line.send(1);
    trial.step();
    trial.kill();
    trial.newcomer([&] { line.drain(); });
    trial.check(line.times(1) == 1, "poll took a message, or lost it");
    trial.newcomer([&] { line.works(); });
  });
}

TYPED_TEST(KillPipe, PollOfOthers) {
  this->sweep_as("send; one polls, and then receives", [](Trial& trial, auto& line) {
    trial.sleeper([&] {
      line.receives_only();
      require(line.pipe.first.poll(trine::Until::forever()), "a poll without a limit gave up");
      line.recv_all();
    });
    trial.victim([&] {
      line.sends_only();
      trap();
      line.send(1);
    });
    line.leave();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.check(line.times(1) == 1 || !trial.done(), "a message that was sent is lost");
  });
}

TYPED_TEST(KillPipe, Close) {
  this->sweep_as("close; one receives at the other end", [](Trial& trial, auto& line) {
    line.send(1);
    trial.sleeper([&] { line.recv_all(); });
    trial.victim([&] {
      line.sends_only();
      trap();
      line.pipe.second.close();
    });
    line.leave();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.check(line.times(1) == 1, "what was sent before is lost");
  });
}

TYPED_TEST(KillPipe, CloseOfOneCopy) {
  this->sweep_as("close; others have the end still", [](Trial& trial, auto& line) {
    trial.sleeper([&] { line.recv(); });
    trial.victim([&] {
      trap();
      line.leave();
    });
    trial.step();
    trial.kill();
    line.send(1);
    trial.now();
    trial.all_go_on();
    trial.check(line.times(1) == 1, "what was sent after it is lost");
    trial.newcomer([&] { line.works(); });
  });
}

TYPED_TEST(KillPipe, Echo) {
  this->sweep_as("recv and send back; one waits for the answer", [](Trial& trial, auto& line) {
    auto& heard = trial.template make<std::atomic<bool>>(false);
    trial.survivor([&] {
      line.receives_only();
      try {
        line.pipe.first.send(KillPipe<TypeParam>::Item::make(7));
        line.recv();
      } catch (const EndOfStream&) {
        heard = true;
      }
    });
    trial.victim([&] {
      line.sends_only();
      trap();
      line.pipe.second.send(line.pipe.second.recv());
    });
    line.leave();
    trial.step();
    trial.kill();
    trial.all_go_on();
    trial.check(line.times(7) == 1 || heard, "neither an answer nor an end");
  });
}

}  // namespace
