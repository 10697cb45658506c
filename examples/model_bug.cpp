// SPDX-License-Identifier: BSL-1.0
//
// A mailbox for one letter, from a writer to a reader, as somebody might write it with the seam of trine. It has two bugs that
// hardly any test would show. model::check() tries every order of the steps and every outcome that the memory model of C++
// allows; it finds both, shows how they come about, and proves the corrected mailbox.

#include <atomic>
#include <cstdio>
#include <sstream>
#include <string>

#include <trine/backend/model.hpp>

namespace {

using trine::model;

struct Mailbox {
  std::memory_order publish;  // how put() says that the letter is there: release is right
  bool looks_again;           // whether a reader looks once more after it has said that it sleeps: it must

  model::Cell<int> letter{};
  model::Word full{0};
  model::Word sleeper{0};

  void put(int text) {
    letter.set(text);
    full.store(1, publish);
    if (sleeper.exchange(0, std::memory_order_acq_rel) == 1) model::wake(sleeper, 1);
  }

  int get() { return model::run(Get(*this), {}); }

  struct Get : trine::OperationOf<int, model> {
    explicit Get(Mailbox& mailbox) : box(&mailbox) {}

    bool attempt() { return box->full.load(std::memory_order_acquire) == 1; }
    trine::Sleep<model::Word> announce() {
      if (attempt()) return {};
      box->sleeper.exchange(1, std::memory_order_acq_rel);
      if (box->looks_again && attempt()) return {};
      return {&box->sleeper, 1};
    }
    int result() { return box->letter.get(); }

    Mailbox* box;
  };
};

model::Report check(std::memory_order publish, bool looks_again, const model::Options& options = {}) {
  return model::check(options, [=] {
    Mailbox box{.publish = publish, .looks_again = looks_again};
    model::thread writer([&] { box.put(42); });
    model::check_that(box.get() == 42);
    writer.join();
  });
}

// Without places in the source and in memory, which this program's test does not want to know.
void tell(const char* what, const model::Report& report) {
  std::printf("%s:\n", what);
  if (report.ok()) {
    std::puts(report.complete() ? "    every execution is right" : "    nothing was found, but not everything was seen");
    return;
  }
  std::istringstream steps(report.trace());
  for (std::string step; std::getline(steps, step);) {
    if (step.find("***") != std::string::npos) break;
    if (step.ends_with("times out") || step.ends_with("for no reason")) {
      std::puts(step.c_str());
      continue;
    }
    step.resize(step.rfind("  "));
    if (const auto data = step.find("plain data"); data != std::string::npos) step.resize(data + 10);
    std::puts(step.c_str());
  }
  std::printf("    found: %s\n", report.finding().substr(0, report.finding().find(':')).c_str());
}

}  // namespace

int main() {
  tell("published without release", check(std::memory_order_relaxed, true));
  tell("no second look, and that even without weak memory",
       check(std::memory_order_release, false, {.spurious_wakes = 0, .weak_memory = false}));
  tell("corrected", check(std::memory_order_release, true));
}
