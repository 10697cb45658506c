// SPDX-License-Identifier: BSL-1.0
//
// Until: each wait takes an optional limit: a duration, a time point, a stop token, or the first of several.
#include <chrono>
#include <iostream>
#include <stop_token>
#include <thread>

#include <trine/event.hpp>
#include <trine/queue.hpp>

using namespace std::chrono_literals;

int main() {
  trine::Event answer;
  const auto say = [](const char* what, bool came) { std::cout << what << (came ? "came" : "gave up") << '\n'; };

  say("a duration: ", answer.wait(5ms));
  say("a time point: ", answer.wait(std::chrono::steady_clock::now() + 5ms));
  say("zero tries once: ", answer.wait(0ms));

  trine::Queue<int> jobs;
  if (!jobs.get(5ms)) std::cout << "get with a limit: nothing\n";  // std::optional: an item or nothing

  // A stop token ends a wait from outside: a jthread has one, which its destructor stops.
  {
    std::jthread worker([&](std::stop_token stop) { say("a stop token: ", answer.wait(stop)); });
  }

  std::stop_source stop;
  say("the first of several: ", answer.wait({5ms, stop.get_token()}));
  answer.set();
  say("set: ", answer.wait({1h, stop.get_token()}));
}
