// SPDX-License-Identifier: BSL-1.0
//
// stranger ROLE NAME: a program of its own that attaches to objects by their names, for tests/process/strangers.cpp. It shares no
// code with the test but the library.
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include <trine/codec.hpp>
#include <trine/trine.hpp>

namespace {

using namespace trine;
using P = processes;

/// Takes part in everything once: 7 if all was as expected.
int take_part(const std::string& name) {
  Event<P> go(open_only, name + ".go");
  Lock<P> lock(open_only, name + ".lock");
  Semaphore<P> permits(open_only, name + ".permits");
  Barrier<P> barrier(open_only, name + ".barrier", 2);
  Queue<std::string, P> texts(open_only, name + ".texts");
  Queue<std::vector<int>, P> numbers(open_only, name + ".numbers");
  Value<long, P> value(open_only, name + ".value");
  Array<int, P> array(open_only, name + ".array");
  Manager manager(open_only, name + ".manager");

  if (!go.wait()) return 1;
  texts.put(texts.get() + " and back");
  std::vector<int> received = numbers.get();
  received.push_back(static_cast<int>(received.size()));
  numbers.put(received);
  {
    const auto held = lock.guard();
    value.update([](long& v) { v += 5; });
  }
  array.store(2, 9);
  auto dict = manager.dict<std::string, std::map<int, std::string>>("dict");
  dict.set("from the stranger", {{1, "one"}});
  manager.ns("ns").set("state", 3.5);
  permits.release(2);
  barrier.wait();
  return 7;
}

int die_with_the_lock(const std::string& name) {
  Lock<P> lock(open_only, name + ".lock");
  lock.lock();
  return std::raise(SIGKILL);
}

/// Opens what is something else: 0 if each is refused.
int open_others(const std::string& name) {
  const auto refused = [](auto open) {
    try {
      open();
    } catch (const LayoutMismatch&) {
      return true;
    }
    return false;
  };
  if (!refused([&] { Event<P> event(open_only, name + ".lock"); })) return 1;
  if (!refused([&] { Value<int, P> value(open_only, name + ".value"); })) return 2;
  if (!refused([&] { Queue<double, P> queue(open_only, name + ".texts"); })) return 3;
  if (!refused([&] { (void)Manager(open_only, name + ".manager").dict<int, int>("dict"); })) return 4;
  Queue<std::map<int, int>, P> queue(open_only, name + ".numbers");  // encoded as well
  if (!refused([&] { (void)queue.get(); })) return 5;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  main_hook(argc, argv);
  const std::map<std::string, int (*)(const std::string&)> roles{
      {"take_part", take_part}, {"die_with_the_lock", die_with_the_lock}, {"open_others", open_others}};
  if (argc != 3 || !roles.contains(argv[1])) return 98;
  try {
    return roles.at(argv[1])(argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stranger: %s\n", error.what());
    return 99;
  }
}
