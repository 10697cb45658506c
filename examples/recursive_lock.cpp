// SPDX-License-Identifier: BSL-1.0
//
// RecursiveLock: a member that holds the lock calls others that take it as well.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <thread>

#include <trine/recursive_lock.hpp>

class Stock {
 public:
  void add(int& item, int count) {
    auto held = lock_.guard();
    item += count;
    deepest = std::max(deepest, lock_.depth());
  }

  void exchange(int& out, int& in, int count) {
    auto held = lock_.guard();  // nobody sees the stock between the two steps
    add(out, -count);           // locks again, one level deeper
    add(in, count);
  }

  int apples = 100;
  int pears = 100;
  std::uint32_t deepest = 0;

 private:
  trine::RecursiveLock<> lock_;
};

int main() {
  Stock stock;
  std::thread giver([&] { stock.exchange(stock.apples, stock.pears, 5); });
  stock.exchange(stock.pears, stock.apples, 3);
  giver.join();
  std::cout << stock.apples << " apples, " << stock.pears << " pears; locked " << stock.deepest << " deep\n";
}
