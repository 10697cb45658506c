// SPDX-License-Identifier: BSL-1.0
//
// Random kills of processes that make, open, use and remove objects of one name: whoever comes finds it whole, or not at all.

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>

#include <trine/backend/processes.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>
#include <trine/semaphore.hpp>

#include "process/killing/kill_storm.hpp"

namespace {

using namespace trine_test;
using trine::processes;
using Lock = trine::Lock<processes>;
using Semaphore = trine::Semaphore<processes>;

class NamedStorm : public KillStorm {
 protected:
  // Made by the test, not by a child, whose number is another.
  void SetUp() override {
    KillStorm::SetUp();
    name_ = own_name();
  }

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Opens an object or makes it, opens it if it is there, makes it if it is not, or removes it: each worker one of them.
  template <class Make, class Use>
  void turn(std::size_t worker, Make make, Use use) const {
    try {
      switch (worker % 4) {
        case 0: return use(*make(trine::open_or_create));
        case 1: return use(*make(trine::open_only));
        case 2: return use(*make(trine::create_only));
        default: Semaphore::remove(name());
      }
    } catch (const std::system_error& error) {
      const bool was_not_there = worker % 4 == 1 && error.code() == std::errc::no_such_file_or_directory;
      const bool was_there = worker % 4 == 2 && error.code() == std::errc::file_exists;
      require(was_not_there || was_there, error.what());
    }
  }

  /// The name is as good as any in the end.
  template <class Make, class Use>
  void works_after_all(Make make, Use use) const {
    use(*make(trine::open_or_create));
    use(*make(trine::open_only));
    require(Semaphore::remove(name()) && !Semaphore::remove(name()), "not removed once");
    use(*make(trine::create_only));
    require(Semaphore::remove(name()), "it was not there in the end");
  }

 private:
  std::string name_;
};

TEST_F(NamedStorm, Semaphore) {
  const auto make = [this](auto how) {
    if constexpr (std::is_same_v<decltype(how), trine::open_only_t>) {
      return std::make_unique<Semaphore>(how, name());
    } else {
      return std::make_unique<Semaphore>(how, name(), 3, 3);
    }
  };
  const auto use = [](Semaphore& semaphore) { require(static_cast<bool>(semaphore.permit(hang)), "a permit is lost"); };
  storm({.name = "storm: named Semaphore",
         .turn = [&](std::size_t worker) { turn(worker, make, use); },
         .check = [&] { works_after_all(make, use); }});
}

TEST_F(NamedStorm, Lock) {
  const auto make = [this](auto how) { return std::make_unique<Lock>(how, name()); };
  const auto use = [](Lock& lock) {
    try {
      require(static_cast<bool>(lock.guard(hang)), "not free");
    } catch (const trine::OwnerDied&) {
      lock.recover().unlock();
    }
  };
  storm({.name = "storm: named Lock",
         .turn = [&](std::size_t worker) { turn(worker, make, use); },
         .check = [&] { works_after_all(make, use); }});
}

}  // namespace
