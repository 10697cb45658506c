// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>

#include <trine/backend.hpp>
#include <trine/spin.hpp>

namespace trine {

/// How a thread waits for the first of N operations: it looks on for a while, announces itself to each, sleeps on all their
/// words at once, and looks again. Limits, stop tokens and select are here, once for every primitive. The operations come
/// with their types erased: this is the slow path, and one copy of it serves all.
///
/// Whoever leaves, for whatever reason, gives up the operations that it does not do, and passes a wake-up on for each word it
/// slept on: the wake it may have swallowed was somebody's.
template <class Os, std::size_t N>
class WaitLoop {
 public:
  using Word = typename Os::Word;
  using Limit = typename Os::Limit;
  static constexpr std::size_t none = N;

  /// An operation without its type.
  struct Pending {
    void* operation;
    bool (*attempt)(void*);
    Sleep<Word> (*announce)(void*);
    bool (*give_up)(void*);
    std::uint32_t patience = 1;  // how many pauses it makes between two looks; see Spin
    bool shared = false;  // whether it sleeps on words of other processes
  };

  template <class O>
  static Pending pending(O& operation) noexcept {
    return {&operation, [](void* o) { return static_cast<O*>(o)->attempt(); },
            [](void* o) { return static_cast<O*>(o)->announce(); }, [](void* o) { return static_cast<O*>(o)->give_up(); },
            patience(operation), is_shared<typename O::Backend>()};
  }

  explicit WaitLoop(const std::array<Pending, N>& operations) noexcept : operations_(operations) {}
  WaitLoop(const WaitLoop&) = delete;
  WaitLoop& operator=(const WaitLoop&) = delete;

  // An exception that leaves an attempt ends that operation; the destructor sees to the others.
  ~WaitLoop() {
    for (std::size_t i = 0; i < N; ++i) {
      while (i != finished_ && !operations_[i].give_up(operations_[i].operation)) Os::yield();
      if (slept_ && (i != finished_ || !succeeded_)) pass_on(sleeps_[i]);
    }
  }

  /// Which operation was done, or none: all were given up. `tried`: the caller has just tried each of them.
  std::size_t wait(const Until& limit, bool tried) {
    if (!tried && try_each()) return finished_;
    if (!limit.passed()) {
      Limit until(limit);
      if (look_on(until) || sleep(until)) return finished_;
    }
    return leave();
  }

 private:
  struct Rouse {
    Word* word;
    void operator()() const { Os::set_and_wake(*word, 1); }
  };

  bool try_each() {
    const std::size_t first = N == 1 ? 0 : Os::turn() % N;
    for (std::size_t i = 0; i < N; ++i) {
      if (try_one((first + i) % N)) return true;
    }
    return false;
  }

  bool try_one(std::size_t i) {
    finished_ = i;
    succeeded_ = operations_[i].attempt(operations_[i].operation);
    if (!succeeded_) finished_ = none;
    return succeeded_;
  }

  bool look_on(const Limit& until) {
    Spin<Os> spin(N == 1 ? operations_[0].patience : 1);
    while (spin.again()) {
      if (try_each()) return true;
      if (spin.slow() && until.passed()) return false;
    }
    return false;
  }

  // A stop request changes no word of the objects: it has a word of its own, which the same sleep watches.
  bool sleep(Limit& until) {
    Word stopped{0};
    std::optional<std::stop_callback<Rouse>> on_stop;
    if (until.stop_token().stop_possible()) on_stop.emplace(until.stop_token(), Rouse{&stopped});
    sleeps_[N] = {&stopped, 0};
    const std::span watched(sleeps_.data(), on_stop ? N + 1 : N);
    for (;;) {
      if (announce_each()) return true;
      if (until.passed()) return false;
      Os::sleep(watched, until);
      slept_ = true;
    }
  }

  bool announce_each() {
    for (std::size_t i = 0; i < N; ++i) {
      finished_ = i;
      const Sleep<Word> sleep = operations_[i].announce(operations_[i].operation);
      succeeded_ = sleep.needless();
      if (succeeded_) return true;
      sleeps_[i] = sleep;
      sleeps_[i].shared = operations_[i].shared;
    }
    finished_ = none;
    return false;
  }

  std::size_t leave() {
    if (slept_ && try_each()) return finished_;
    if constexpr (N == 1) {
      finished_ = 0;
      if (operations_[0].give_up(operations_[0].operation)) return none;
      if (slept_) pass_on(sleeps_[0]);
      slept_ = false;
      // It can't leave yet: it goes on without a limit, and succeeds in the end.
      Limit never{Until()};
      if (!look_on(never)) sleep(never);
      return finished_;
    }
    return none;
  }

  static void pass_on(const Sleep<Word>& slept_on) {
    if constexpr (requires { Os::wake(slept_on); }) {
      Os::wake(slept_on);
    } else {
      Os::wake(*slept_on.word, 1);
    }
  }

  template <class O>
  static std::uint32_t patience(const O& operation) noexcept {
    if constexpr (requires { operation.patience(); }) {
      return operation.patience();
    } else {
      return 1;
    }
  }

  template <class B>
  static constexpr bool is_shared() noexcept {
    if constexpr (requires { B::System::shared; }) {
      return B::System::shared;
    } else {
      return false;
    }
  }

  const std::array<Pending, N>& operations_;
  std::array<Sleep<Word>, N + 1> sleeps_;
  std::size_t finished_ = none;  // the operation that must not be given up any more
  bool succeeded_ = false;
  bool slept_ = false;
};

}  // namespace trine
