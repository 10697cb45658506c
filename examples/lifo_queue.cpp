// SPDX-License-Identifier: BSL-1.0
//
// LifoQueue: a pool of connections, of which the one used last, still warm, is lent first.
#include <iostream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <trine/lifo_queue.hpp>

struct Connection {
  int number;
  int uses = 0;
};

using Pool = trine::LifoQueue<std::unique_ptr<Connection>>;

void query(Pool& pool) {
  auto connection = pool.get();  // waits while all are lent
  ++connection->uses;
  pool.put(std::move(connection));
}

int main() {
  Pool pool;
  for (int number = 3; number >= 1; --number) pool.put(std::make_unique<Connection>(Connection{number}));
  for (int i = 0; i < 5; ++i) query(pool);  // one after the other: the same connection each time
  auto warm = pool.get();
  std::cout << "connection " << warm->number << " was used " << warm->uses << " times\n";
  pool.put(std::move(warm));

  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 8; ++i) clients.emplace_back([&] { query(pool); });
  }
  int uses = 0;
  while (auto connection = pool.try_get()) uses += (*connection)->uses;
  std::cout << "all together: " << uses << " times\n";
}
