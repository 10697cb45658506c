// SPDX-License-Identifier: BSL-1.0
//
// Manager: a kill after each instruction of a call. A container holds what it held before or what it was to hold, or throws
// OwnerDied until recover() gives it back empty; no other object of the segment suffers.

#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>
#include <trine/codec.hpp>
#include <trine/error.hpp>
#include <trine/manager.hpp>

#include "process/killing/kill.hpp"

namespace {

using namespace trine_test;
using trine::Manager;
using trine::OwnerDied;

constexpr std::size_t segment_bytes = std::size_t{1} << 17;
constexpr std::size_t container_bytes = std::size_t{1} << 14;

std::string text_of(int n) { return std::to_string(n) + std::string(40, 'x'); }

/// How each kind of container is made, filled, looked at and used.
struct OfDict {
  using Type = trine::Dict<int, std::string>;
  static constexpr const char* name = "dict";
  static Type make(Manager& manager, const char* called) { return manager.dict<int, std::string>(called, container_bytes); }
  static void fill(Type& dict) {
    for (int n = 0; n < 4; ++n) dict.set(n, text_of(n));
  }
  static auto content(const Type& dict) { return dict.items(); }
  static void use(Type& dict) {
    dict.set(77, text_of(77));
    require(dict.at(77) == text_of(77), "what was set is not there");
    require(dict.erase(77) && !dict.contains(77), "what was erased is there");
  }
};
struct OfList {
  using Type = trine::List<std::string>;
  static constexpr const char* name = "list";
  static Type make(Manager& manager, const char* called) { return manager.list<std::string>(called, container_bytes); }
  static void fill(Type& list) {
    for (int n = 0; n < 4; ++n) list.append(text_of(n));
  }
  static auto content(const Type& list) { return list.items(); }
  static void use(Type& list) {
    list.append(text_of(77));
    require(list.pop() == text_of(77), "what was appended is not there");
    list.insert(0, text_of(78));
    require(list.pop(0) == text_of(78), "what was inserted is not there");
  }
};
struct OfNamespace {
  using Type = trine::Namespace;
  static constexpr const char* name = "Namespace";
  static Type make(Manager& manager, const char* called) { return manager.ns(called, container_bytes); }
  static void fill(Type& space) {
    for (int n = 0; n < 4; ++n) space.set("attribute" + std::to_string(n), text_of(n));
  }
  static auto content(const Type& space) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const std::string& each : space.names()) all.emplace_back(each, space.get<std::string>(each));
    return all;
  }
  static void use(Type& space) {
    space.set("mine", text_of(77));
    require(space.get<std::string>("mine") == text_of(77), "what was set is not there");
    require(space.erase("mine") && !space.contains("mine"), "what was erased is there");
  }
};

template <class Of>
class KillContainer : public Kills {
 protected:
  using C = typename Of::Type;
  using Content = decltype(Of::content(std::declval<const C&>()));
  static constexpr std::size_t usual = 8;

  /// What the container holds, after recover() if a death is told: then all, or nothing.
  static Content after_death(C& container, const Content& before, const Content& after, bool done) {
    try {
      const Content found = Of::content(container);
      require(found == before || found == after, "half changed, and nobody was told of a death");
      require(!done || found == after, "a change that was done is lost");
      return found;
    } catch (const OwnerDied&) {
    }
    require(!done, "a death was told of one who had let go");
    refuses(container);
    const bool kept = container.recover();
    const Content found = Of::content(container);
    require(kept ? found == before || found == after : found.empty(), "recover() gave back something half changed");
    return found;
  }

  /// Every call throws until recover().
  static void refuses(C& container) {
    for (int i = 0; i < 2; ++i) {
      try {
        (void)Of::content(container);
        require(false, "it went on although nobody has recovered it");
      } catch (const OwnerDied&) {
      }
    }
  }

  static void sweep_call(const char* call, const std::function<void(C&)>& operation) {
    sweep(
        (std::string(Of::name) + ": " + call).c_str(),
        [&](Trial& trial) {
          Manager manager(segment_bytes);
          C other = Of::make(manager, "another");
          C container = Of::make(manager, "it");
          C model = Of::make(manager, "model");
          for (C* each : {&other, &container, &model}) Of::fill(*each);
          const Content before = Of::content(container);
          operation(model);
          const Content after = Of::content(model);
          trial.victim([&] {
            trap();
            operation(container);
          });
          trial.step();
          trial.survivor([&] {
            try {
              (void)Of::content(container);
            } catch (const OwnerDied&) {
            }
          });
          trial.kill();
          trial.all_go_on();
          const bool done = trial.done();
          trial.newcomer([&] {
            require(Of::content(other) == before, "another container suffered");
            after_death(container, before, after, done);
            for (C* each : {&other, &container}) Of::use(*each);
            Of::fill(container);
            (void)manager.event("one more");
          });
        },
        usual);
  }
};

using Containers = ::testing::Types<OfDict, OfList, OfNamespace>;
struct ContainerName {
  template <class Of>
  static std::string GetName(int) {
    return Of::name;
  }
};
TYPED_TEST_SUITE(KillContainer, Containers, ContainerName);

TYPED_TEST(KillContainer, EachCall) {
  if constexpr (std::is_same_v<TypeParam, OfDict>) {
    this->sweep_call("set, a new key", [](auto& dict) { dict.set(9, text_of(9)); });
    this->sweep_call("set, a key that is there", [](auto& dict) { dict.set(2, text_of(22)); });
    this->sweep_call("erase", [](auto& dict) { dict.erase(1); });
    this->sweep_call("clear", [](auto& dict) { dict.clear(); });
    this->sweep_call("get", [](auto& dict) { (void)dict.get(3); });
    this->sweep_call("items", [](auto& dict) { (void)dict.items(); });
  } else if constexpr (std::is_same_v<TypeParam, OfList>) {
    this->sweep_call("append", [](auto& list) { list.append(text_of(9)); });
    this->sweep_call("pop", [](auto& list) { (void)list.pop(); });
    this->sweep_call("pop(1)", [](auto& list) { (void)list.pop(1); });
    this->sweep_call("insert", [](auto& list) { list.insert(1, text_of(9)); });
    this->sweep_call("set", [](auto& list) { list.set(1, text_of(9)); });
    this->sweep_call("remove", [](auto& list) { list.remove(text_of(2)); });
    this->sweep_call("clear", [](auto& list) { list.clear(); });
    this->sweep_call("at", [](auto& list) { (void)list.at(3); });
  } else {
    this->sweep_call("set, a new attribute", [](auto& space) { space.set("new", text_of(9)); });
    this->sweep_call("set, one that is there", [](auto& space) { space.set("attribute2", text_of(9)); });
    this->sweep_call("set, to another type", [](auto& space) { space.set("attribute2", text_of(9) + "longer"); });
    this->sweep_call("erase", [](auto& space) { space.erase("attribute1"); });
    this->sweep_call("get", [](auto& space) { (void)space.template get<std::string>("attribute1"); });
  }
}

TYPED_TEST(KillContainer, SeveralCallsWithTheLock) {
  sweep(
      (std::string(TypeParam::name) + ": with_lock, and two calls in it").c_str(),
      [](Trial& trial) {
        Manager manager(segment_bytes);
        auto container = TypeParam::make(manager, "it");
        TypeParam::fill(container);
        const auto before = TypeParam::content(container);
        trial.victim([&] {
          trap();
          container.with_lock([&] {
            TypeParam::use(container);
            (void)TypeParam::content(container);
          });
        });
        trial.step();
        trial.kill();
        trial.newcomer([&] {
          try {
            require(TypeParam::content(container) == before, "changed, and nobody was told of a death");
          } catch (const OwnerDied&) {
            container.recover();
          }
          TypeParam::use(container);
        });
      },
      6);
}

class KillManager : public Kills {
 protected:
  // Made by the test, not by a child, whose number is another.
  void SetUp() override {
    name() = own_name();
    Kills::SetUp();
  }
  static std::string& name() {
    static std::string name;
    return name;
  }

  /// A victim does it, another does the same meanwhile, and whoever comes finds it whole.
  static void sweep_making(const char* what, const std::function<void(Manager&)>& use) {
    sweep(
        (std::string("Manager: makes ") + what).c_str(),
        [&](Trial& trial) {
          Manager manager(segment_bytes);
          auto before = manager.dict<int, int>("before", container_bytes);
          before.set(1, 1);
          trial.victim([&] {
            trap();
            use(manager);
          });
          trial.step();
          trial.survivor([&] { use(manager); });
          trial.kill();
          trial.all_go_on();
          trial.newcomer([&] { use(manager); });
          trial.newcomer([&] {
            require(before.at(1) == 1, "an object that was there suffered");
            (void)manager.list<int>("after", container_bytes);
          });
        },
        10);
  }
};

TEST_F(KillManager, MakesObjects) {
  sweep_making("a dict", [](Manager& manager) {
    auto dict = manager.dict<int, int>("new", container_bytes);
    try {
      dict.set(1, 2);
      require(dict.at(1) == 2, "half made");
    } catch (const OwnerDied&) {
      dict.recover();
    }
  });
  sweep_making("an Event", [](Manager& manager) {
    manager.event("new").set();
    require(manager.event("new").is_set(), "half made");
  });
  sweep_making("a Queue", [](Manager& manager) {
    auto& queue = manager.queue<int, 4>("new");
    (void)queue.try_put(5);
    require(queue.try_get().value_or(5) == 5, "half made");
  });
  sweep_making("a Semaphore", [](Manager& manager) {
    auto permit = manager.semaphore(2, "new").permit(hang);
    require(static_cast<bool>(permit), "half made");
  });
  sweep_making("a Value", [](Manager& manager) {
    auto& value = manager.value<int>(7, "new");
    try {
      value.store(7);
    } catch (const OwnerDied&) {
      value.get_lock().recover().unlock();
    }
    require(value.load() == 7, "half made");
  });
}

/// A number whose comparison kills who compares, if it is told so.
struct Deadly {
  static inline bool armed = false;
  int number = 0;
  friend bool operator<(const Deadly& a, const Deadly& b) {
    if (armed) ::raise(SIGKILL);
    return a.number < b.number;
  }
};

TEST_F(KillManager, WhoRecoversIsKilledToo) {
  sweep(
      "Manager: recover of a dict that somebody half changed",
      [](Trial& trial) {
        Manager manager(segment_bytes);
        auto dict = manager.dict<Deadly, int>("it", container_bytes);
        for (int n = 0; n < 4; ++n) dict.set({n}, n);
        {
          Report*& mine = trial.make<Report*>();
          Child& first = trial.bystander(
              [&] {
                Deadly::armed = true;
                dict.set({9}, 9);
              },
              mine);
          first.ends_before(Clock::now() + hang);
        }
        trial.victim([&] {
          trap();
          dict.recover();
        });
        trial.step();
        trial.kill();
        const bool done = trial.done();
        trial.newcomer([&] {
          try {
            require(dict.size() == 0, "a death was not told");
          } catch (const OwnerDied&) {
            require(!done, "recover() was done, and a death is told again");
            dict.recover();
          }
          require(dict.size() == 0, "it is not empty");
          for (int n = 0; n < 10; ++n) dict.set({n}, n);
          require(dict.at({9}) == 9, "it does not work");
        });
      },
      24);
}

TEST_F(KillManager, Named) {
  const auto use = [] {
    Manager manager(trine::open_or_create, name(), segment_bytes);
    auto dict = manager.dict<int, int>("it", container_bytes);
    try {
      dict.set(1, 2);
    } catch (const OwnerDied&) {
      dict.recover();
      dict.set(1, 2);
    }
    require(dict.at(1) == 2, "it does not work");
  };
  const auto sweep_named = [&](const char* scenario, const std::function<void()>& operation, bool there, std::size_t usual) {
    sweep(
        scenario,
        [&](Trial& trial) {
          if (there) use();
          trial.victim([&] {
            trap();
            operation();
          });
          trial.step();
          trial.survivor(use);
          trial.kill();
          trial.all_go_on();
          trial.newcomer(use);
          trial.check(Manager::remove(name()), "it was not there in the end");
          trial.check(!Manager::remove(name()), "it was there twice");
        },
        usual);
  };
  sweep_named("Manager: create_only", [] { Manager manager(trine::create_only, name(), segment_bytes); }, false, 3);
  sweep_named("Manager: open_or_create, a dict and a value in it", use, false, 3);
  sweep_named("Manager: open_only", [] { Manager manager(trine::open_only, name()); }, true, 16);
  sweep_named("Manager: open, and a value set", use, true, 16);
  sweep_named("Manager: remove", [] { Manager::remove(name()); }, true, 16);
}

}  // namespace
