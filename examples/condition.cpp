// SPDX-License-Identifier: BSL-1.0
//
// Condition: withdrawals wait until the account holds enough.
#include <iostream>
#include <thread>
#include <vector>

#include <trine/condition.hpp>
#include <trine/lock.hpp>

struct Account {
  trine::Lock<> lock;
  trine::Condition<> changed;  // says that the balance has changed
  int balance = 0;
};

void deposit(Account& account, int amount) {
  auto held = account.lock.guard();
  account.balance += amount;
  held.unlock();                 // so that those who wake find it free
  account.changed.notify_all();  // amounts differ: each waiter has to look whether there is enough for it
}

void withdraw(Account& account, int amount) {
  auto held = account.lock.guard();
  account.changed.wait(held, [&] { return account.balance >= amount; });  // unlocked while it sleeps
  account.balance -= amount;
}

int main() {
  Account account;
  {
    std::vector<std::jthread> customers;
    for (int amount : {50, 30, 20}) customers.emplace_back([&account, amount] { withdraw(account, amount); });
    for (int i = 0; i < 11; ++i) deposit(account, 10);
  }
  std::cout << "left in the account: " << account.balance << '\n';
}
