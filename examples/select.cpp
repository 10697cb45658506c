// SPDX-License-Identifier: BSL-1.0
//
// select: one thread serves two queues and a closing bell, whichever comes first.
#include <chrono>
#include <iostream>
#include <string>
#include <thread>

#include <trine/event.hpp>
#include <trine/queue.hpp>
#include <trine/select.hpp>

int main() {
  trine::Queue<std::string> letters;
  trine::Queue<int> parcels;
  trine::Event bell;
  int weight = 0;

  std::jthread clerk([&] {
    for (;;) {
      auto done = trine::select(letters.get_op(), parcels.get_op(), bell.wait_op());
      if (done.index() == 2) break;  // the bell
      weight += done.index() == 0 ? 1 : done.get<1>();
      done.index() == 0 ? letters.task_done() : parcels.task_done();
    }
  });

  for (const char* letter : {"a bill", "a card", "a bill"}) letters.put(letter);
  for (int parcel : {20, 30}) parcels.put(parcel);
  letters.join();
  parcels.join();
  bell.set();
  clerk.join();
  std::cout << "served a weight of " << weight << '\n';

  // A limit is the last argument. If it comes first, nothing was taken.
  const auto late = trine::select(letters.get_op(), parcels.get_op(), std::chrono::milliseconds(5));
  std::cout << (late.index() == late.none ? "nothing came\n" : "something came\n");
}
