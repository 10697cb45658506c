// SPDX-License-Identifier: BSL-1.0
//
// Condition: withdrawals wait until the account holds enough.
#include <iostream>
#include <thread>
#include <vector>

#include <trine/condition.hpp>
#include <trine/lock.hpp>

class Account {
 public:
  void deposit(int amount) {
    auto held = lock_.guard();
    balance_ += amount;
    changed_.notify_all();  // amounts differ: each waiter has to look whether there is enough for it
  }

  void withdraw(int amount) {
    auto held = lock_.guard();
    changed_.wait(held, [&] { return balance_ >= amount; });  // unlocked while it sleeps
    balance_ -= amount;
  }

  int balance() const { return balance_; }  // for when all threads are done

 private:
  trine::Lock<> lock_;
  trine::Condition<> changed_;
  int balance_ = 0;
};

int main() {
  Account account;
  {
    std::vector<std::jthread> customers;
    for (int amount : {50, 30, 20}) customers.emplace_back([&account, amount] { account.withdraw(amount); });
    for (int i = 0; i < 11; ++i) account.deposit(10);
  }
  std::cout << "left in the account: " << account.balance() << '\n';
}
