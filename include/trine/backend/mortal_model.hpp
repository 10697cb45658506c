// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstdint>
#include <source_location>
#include <span>
#include <trine/backend.hpp>
#include <trine/backend/model.hpp>
#include <trine/backend/mortal.hpp>
#include <trine/model/explorer.hpp>
#include <trine/sleep.hpp>

namespace trine::modelling {

/// Threads that own words and may be killed, over the way `Sleeping` in which they sleep. Each change of what the system
/// knows of a thread is a step of its own: nobody else sees it, but the thread may be killed before.
template <class Sleeping>
struct Deadly : Sleeping {
  using Word = typename Sleeping::Word;

  struct Owned {
    Word word{0};
  };

  /// 64 bits that change in one step, with a word that is their low half.
  class WideWord : public Sleeping::template Atomic<std::uint64_t> {
    static_assert(std::endian::native == std::endian::little, "the model takes the low half for the first four bytes");

   public:
    explicit WideWord(std::uint64_t value)
        : Sleeping::template Atomic<std::uint64_t>(value), low_(LowHalf{this->location()}) {}
    [[nodiscard]] Word& low() noexcept { return low_; }

   private:
    Word low_;
  };

  /// Few, so that all that they can do can be looked at.
  static constexpr std::uint32_t most_parties = 3;
  static constexpr std::uint32_t most_permits = 3;
  static constexpr std::uint32_t turn_bits = 25;

  using Self = Owner;
  static Self& me() { return Explorer::current().owner(); }
  static void make_room(const Self& /*me*/) noexcept {}
  static bool owns(const Self& me, const Owned& owned) { return me.owns(owned.word.location()); }

  class Noted {
   public:
    Noted(Self& me, Owned& owned) : me_(me), before_(me.noted) {
      if (before_ && before_->location == owned.word.location()) {
        before_.reset();
        return;
      }
      Explorer::current().private_step();
      me_.noted = {&owned.word, owned.word.location()};
    }
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;
    ~Noted() {
      if (stays_ && !before_) return;
      Explorer::current().private_step();
      me_.noted = before_;
    }
    void stay() noexcept { stays_ = true; }

   private:
    Self& me_;
    std::optional<OwnedWord> before_;
    bool stays_ = false;
  };

  static void link(Self& me, Owned& owned) {
    Explorer::current().link(me, {&owned.word, owned.word.location()});
  }
  static void unlink(Self& me, Owned& owned) {
    Explorer::current().private_step();
    me.forget(owned.word.location());
  }

  /// Where the system does not watch: marks the word as it would, if the owner is dead.
  static void look_after(Owned& owned, const Where& where = Where::current()) {
    Explorer& explorer = Explorer::current();
    if (explorer.kernel().watches) return;
    std::uint32_t seen = owned.word.load(std::memory_order_relaxed, where);
    const std::uint32_t owner = owner_word::owner_of(seen);
    if (owner == 0 || !explorer.has_died(owner, where)) return;
    const std::uint32_t marked = (seen & ~(2 * owner_word::died - 1)) | owner_word::died;
    owned.word.compare_exchange_strong(seen, marked, std::memory_order_release, std::memory_order_relaxed, where);
  }

  static void clear_and_wake(Word& word, std::uint32_t count, const Where& where = Where::current()) {
    Explorer::current().store_and_wake(word.location(), &word, 0, count, where);
  }

  /// Sleeps for a slice: nobody depends on being woken.
  static void sleep(std::span<const Sleep<Word>> words, typename Sleeping::Limit& limit,
                    const Where& where = Where::current()) {
    Explorer::current().sleep_in_slices(true);
    Sleeping::sleep(words, limit, where);
    Explorer::current().sleep_in_slices(false);
  }
};

using ModelledDeath = Deadly<ModelledSleep>;

}  // namespace trine::modelling

namespace trine {

/// The backend that is checked in place of processes: its threads may be killed, at any step of any operation.
///
///     trine::model::Options options;
///     options.kills = 1;
///     auto report = trine::model::check(options, [] {
///       trine::Lock<trine::mortal_model> lock;
///       trine::mortal_model::thread victim([&] {
///         trine::mortal_model::be_mortal();
///         auto held = lock.guard();
///       });
///       { auto held = lock.recover(); }
///       victim.join();
///     });
///
/// A killed thread does nothing more, runs no destructors, and can be joined when the system has seen to the words that it
/// owned, as Linux does by the list of robust futexes: in each the owner's number gives way to the mark `died`, and one who
/// sleeps there is woken. What it tells others must be in Atomic, Cell or the primitives, also what is read after a join. Let
/// no mortal thread wait with a stop token.
/// All sleeps end after a while, as those of processes do, but only where nobody can go on otherwise; and only once until
/// something has changed: if all have looked again in vain, it is a deadlock.
struct mortal_model : Mortal<modelling::ModelledDeath> {
  using thread = modelling::Thread;
  using Worker = modelling::Thread;

  /// From here on the calling thread may be killed (Options::kills says how many are), or no more.
  static void be_mortal(bool mortal = true) { modelling::Explorer::current().be_mortal(mortal); }

  /// What the caller does from here on depends on none of what it has read so far: its variables all hold what they always
  /// hold here. `place`: where in the body that is. For bodies that are too large to be explored otherwise.
  static void forget(std::uint64_t place) { modelling::Explorer::current().forget(place); }

  /// A point at which the caller may be killed and nothing else can happen: between two uses of plain data, say.
  static void may_die_here() { modelling::Explorer::current().private_step(); }
};

}  // namespace trine
