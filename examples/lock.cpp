// SPDX-License-Identifier: BSL-1.0
//
// Lock: money moves between two accounts from several threads, and none is lost.
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include <trine/lock.hpp>

struct Account {
  trine::Lock<> lock;
  int balance = 1000;
};

void deposit(Account& account, int amount) {
  auto held = account.lock.guard();  // unlocked at the end of the scope
  account.balance += amount;
}

void transfer(Account& from, Account& to, int amount) {
  const std::scoped_lock both(from.lock, to.lock);  // the standard's way to take two without a deadlock
  from.balance -= amount;
  to.balance += amount;
}

int main() {
  Account savings;
  Account wallet;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (int n = 0; n < 250; ++n) i < 2 ? transfer(savings, wallet, 2) : transfer(wallet, savings, 1);
        deposit(wallet, 10);
      });
    }
  }
  std::cout << "savings " << savings.balance << ", wallet " << wallet.balance << '\n';
}
