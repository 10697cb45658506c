// SPDX-License-Identifier: BSL-1.0
// requires: boost
// requires: cereal
//
// An object goes to another process through a queue.
#include <iostream>
#include <string>

#include <trine/codec.hpp>
#include <trine/process.hpp>
#include <trine/queue.hpp>

struct FancyClass {
  std::string name;

  void do_something() const {
    std::cout << "Doing something fancy in " << trine::current_process().name << " for " << name << "!\n";
  }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name);
  }
};

int main() {
  trine::Queue<FancyClass, trine::processes> queue;
  trine::Process worker([&] { queue.get().do_something(); });
  queue.put({"Fancy Dan"});
  worker.join();
}
