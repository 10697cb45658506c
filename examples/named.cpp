// SPDX-License-Identifier: BSL-1.0
//
// Objects with names, for programs that know nothing of each other but these: here two openings of each in one program.
// requires: boost

#include <unistd.h>
#include <boost/interprocess/containers/vector.hpp>
#include <chrono>
#include <cstdio>
#include <trine/trine.hpp>

using namespace std::chrono_literals;
using trine::processes;

int main() {
  const std::string name = "example-named-" + std::to_string(::getpid());
  const std::string jobs_name = name + "-jobs";
  const std::string memory_name = name + "-memory";

  // Whoever comes first makes it, the others open it.
  trine::Event<processes> go(trine::open_or_create, name);
  trine::Event<processes> same(trine::open_or_create, name);
  same.set();
  std::printf("set: %d\n", go.wait(1s));

  // create_only and open_only insist.
  trine::Queue<int, processes> jobs(trine::create_only, jobs_name, 100);
  jobs.put(7);
  std::printf("job: %d\n", (trine::Queue<int, processes>(trine::open_only, jobs_name).get()));
  try {
    trine::Queue<double, processes> wrong(trine::open_only, jobs_name);
  } catch (const trine::LayoutMismatch& error) {
    std::puts("a Queue<double> is not what has that name");
  }

  // Memory in which objects are made and found by name, Boost.Interprocess's containers among them.
  using Numbers = boost::interprocess::vector<int, trine::SharedMemory::Allocator<int>>;
  trine::SharedMemory memory(trine::open_or_create, memory_name, 1 << 20);
  auto* const lock = memory.find_or_construct<trine::Lock<trine::shared_memory>>("lock")();
  auto* const numbers = memory.find_or_construct<Numbers>("numbers")(memory.get_allocator<int>());
  {
    const auto held = lock->guard();
    numbers->push_back(42);
  }
  std::printf("number: %d\n", trine::SharedMemory(trine::open_only, memory_name).find<Numbers>("numbers")->back());

  // A name lasts until it is removed, or the machine is started anew; the object, as long as somebody has it.
  trine::SharedMemory::remove(memory_name);
  trine::Queue<int, processes>::remove(jobs_name);
  std::printf("removed: %d\n", trine::Event<processes>::remove(name));
}
