// SPDX-License-Identifier: BSL-1.0
//
// Every primitive of a struct in shared memory, between programs that were started on their own: this one starts itself again,
// and all that the two have in common is a file of memory.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <support/mapped.hpp>
#include <support/scenarios.hpp>
#include <trine/trine.hpp>

namespace {

using namespace trine_test;
using B = trine::shared_memory;

template <class S>
int play_second(int file) {
  Mapped<S> mapped(file);
  mapped.again().second();
  return 0;
}

template <class... S>
std::map<std::string, int (*)(int)> roles_of(::testing::Types<S...>) {
  return {{S::name, play_second<S>}...};
}

/// A program of its own that plays the second party of a scenario.
class Program : public Child {
 public:
  Program(const char* scenario, int file)
      : Child([&] {
          ::execl("/proc/self/exe", "unrelated", scenario, std::to_string(file).c_str(), nullptr);
          return 98;
        }) {}
};

template <class S>
class Unrelated : public Leakless {};
TYPED_TEST_SUITE(Unrelated, Scenarios<B>, ScenarioName);

TYPED_TEST(Unrelated, Programs) {
  Mapped<TypeParam> mapped;
  Program other(TypeParam::name, mapped.file());
  EXPECT_NO_THROW(mapped.first().first());
  EXPECT_EQ(other.join(), 0);
}

// The one that made it need not be there.
TEST(UnrelatedPrograms, OutliveTheMaker) {
  using S = QueueScenario<B>;
  Mapped<S> mapped;
  Program second(S::name, mapped.file());
  EXPECT_EQ(in_child([&] {
              mapped.first().first();
              return 0;
            }),
            0);
  EXPECT_EQ(second.join(), 0);
}

}  // namespace

int main(int count, char** arguments) {
  const auto roles = roles_of(Scenarios<B>());
  if (count == 3 && roles.contains(arguments[1])) {
    try {
      return roles.at(arguments[1])(std::atoi(arguments[2]));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in %s: %s\n", arguments[1], error.what());
      return 99;
    }
  }
  ::testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
