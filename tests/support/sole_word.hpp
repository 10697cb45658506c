// SPDX-License-Identifier: BSL-1.0
//
// The words of coroutines, which one thread changes without locked instructions until another comes along, for modelled threads.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <support/model.hpp>
#include <trine/coroutine/sole_word.hpp>

namespace checking {

/// What an execution has of its own.
template <class P>
struct SoleWorld {
  SoleWorld() { current = this; }
  trine::coroutine::Sole<P> sole;
  std::array<bool, 8> mine{};  // of each thread
  static inline SoleWorld* current = nullptr;
};

/// For words that sleep by Os.
template <class Os_>
struct Modelled {
  using Os = Os_;
  using Sole = trine::coroutine::Sole<Modelled>;
  using World = SoleWorld<Modelled>;

  static Sole& sole() { return World::current->sole; }
  static bool& mine() { return World::current->mine.at(model::self()); }
  static constexpr std::uintptr_t number() { return 2; }
  static bool prepare() { return true; }
};

/// The same where threads are told apart by numbers, as for an object of which there may be many.
template <class Os_>
struct Numbered {
  using Os = Os_;
  using Sole = trine::coroutine::Sole<Numbered>;
  using World = SoleWorld<Numbered>;

  static Sole& sole() { return World::current->sole; }
  static std::uintptr_t number() { return 16 + 2 * model::self(); }
  static bool prepare() { return true; }
};

template <class Os>
struct SleepOnSole : Os {
  using Word = trine::coroutine::SoleWord<Modelled<Os>>;
  using typename Os::Limit;

  static void sleep(std::span<const trine::Sleep<Word>> words, Limit& limit) {
    const std::array<trine::Sleep<typename Os::Word>, 1> only{{{words.front().word, words.front().value}}};
    Os::sleep(only, limit);
  }
  static constexpr bool fences_others() noexcept { return false; }
  static void fence_others() noexcept {}
  static void steps_between_fences() = delete;
};

}  // namespace checking
