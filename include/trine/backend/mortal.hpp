// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include <trine/backend.hpp>
#include <trine/backend/blocking.hpp>
#include <trine/backend/short_lock.hpp>

namespace trine {

/// A backend whose parties may die at any instruction, given how they sleep and who notices a death. docs/backend.md says
/// what `Os` must have beside what Blocking needs. What the record of an owner says and what a thing is taken by are one
/// word, so there is no moment at which something is taken and nobody knows by whom; `Os` marks the words of the dead.
template <class Os>
struct Mortal : Blocking<Os> {
  using Word = typename Os::Word;
  static constexpr bool mortal = true;

  /// A word whose owner's death is noticed.
  using Owned = typename Os::Owned;

  /// The calling thread, as the owner of locks and of anything else.
  static std::uint32_t self() { return Os::me().id; }
  static std::uint32_t holder() { return Os::me().id; }

  static bool claim(Owned& owned, std::uint32_t& expected, std::uint32_t desired, std::memory_order order) {
    auto& self = Os::me();
    Os::make_room(self);
    typename Os::Noted noted(self, owned);
    if (!owned.word.compare_exchange_strong(expected, desired, order, std::memory_order_relaxed)) return false;
    Os::link(self, owned);
    noted.stay();
    return true;
  }

  static std::uint32_t vacate(Owned& owned, std::uint32_t me, std::uint32_t sleepers, std::uint32_t count) {
    auto& self = Os::me();
    if (!Os::owns(self, owned)) [[unlikely]]
      return not_mine(owned, me);
    const typename Os::Noted noted(self, owned);
    Os::unlink(self, owned);
    // Release: pairs with the acquire of the next claim; what the owner did is visible to the next owner.
    std::uint32_t held = me;
    if (!owned.word.compare_exchange_strong(held, 0, std::memory_order_release, std::memory_order_relaxed)) [[unlikely]] {
      if ((held & sleepers) != 0) {
        Os::clear_and_wake(owned.word, count);
      } else {
        owned.word.store(0, std::memory_order_release);
      }
    }
    return me;
  }

  // Threads' numbers come again: one that is the caller's by number alone is a dead one's.
  [[gnu::noinline, gnu::cold]] static std::uint32_t not_mine(Owned& owned, std::uint32_t me) {
    const std::uint32_t owner = owner_word::owner_of(owned.word.load(std::memory_order_relaxed));
    return owner == me ? 0 : owner;
  }

  /// Whether `me`, the caller, has taken it: its number alone may be a dead one's.
  static bool owns(const Owned& owned, std::uint32_t me) {
    return owner_word::owner_of(owned.word.load(std::memory_order_relaxed)) == me && Os::owns(Os::me(), owned);
  }

  static void abandon(Owned& owned) {
    auto& self = Os::me();
    const typename Os::Noted noted(self, owned);
    Os::unlink(self, owned);
    owned.word.store(0, std::memory_order_release);
  }

  static void look_after(Owned& owned) { Os::look_after(owned); }

  using ShortLock = ShortLockWithLimits<Mortal, Os>;

  /// Where a thread begins to look for a place of its own: not all at the first one.
  static constexpr std::uint32_t spread = 16;

  static void raise(typename Os::template Atomic<std::uint32_t>& top, std::uint32_t to) {
    std::uint32_t seen = top.load(std::memory_order_relaxed);
    while (seen < to && !top.compare_exchange_weak(seen, to, std::memory_order_seq_cst, std::memory_order_relaxed)) {
    }
  }

  /// Makes a free place the caller's own, for which `free` is true of the word that it holds. Returns which one, or where the
  /// places end.
  template <class Places, class Free>
  static std::uint32_t take_place(Places& places, typename Os::template Atomic<std::uint32_t>& top, std::memory_order order,
                                  Free free) {
    const std::uint32_t me = holder();
    const auto most = static_cast<std::uint32_t>(places.size());
    for (std::uint32_t i = 0; i < most; ++i) {
      const std::uint32_t at = (me % spread + i) % most;
      raise(top, at + 1);
      std::uint32_t seen = 0;
      if (claim(places[at].owned, seen, me, order) || (free(seen) && claim(places[at].owned, seen, me, order))) return at;
    }
    return most;
  }

  /// How many are inside, with a word for each of them, which its death marks. At most `most` at a time.
  class Tally {
   public:
    static constexpr std::uint32_t most = Os::most_parties;

    /// Only those count who entered with the tag that is asked for: so all are out at once when another is asked for. Throws
    /// std::system_error if as many as there can be are inside.
    void enter(std::uint32_t tag = 0) {
      // One who died may still have to be noticed: the places of such are taken last.
      if (enter_where(tag, [](std::uint32_t word) { return word == 0; })) return;
      if (enter_where(tag, [](std::uint32_t word) { return owner_word::owner_of(word) == 0; })) return;
      throw std::system_error(std::make_error_code(std::errc::no_buffer_space),
                              "trine: more parties at a time than an object between processes has room for");
    }

    bool leave() {
      const std::uint32_t me = holder();
      for (std::uint32_t i = 0; i < most; ++i) {
        Owned& owned = places_[(me % spread + i) % most].owned;
        if (!owns(owned, me)) continue;
        // Sequentially consistent by the claim and the count around it; one who watches this place hears of it.
        vacate(owned, me, watched, everyone);
        return true;
      }
      return false;
    }

    [[nodiscard]] std::uint32_t count(std::uint32_t tag = 0) const {
      std::uint32_t count = 0;
      for_each(tag, [&count](std::uint32_t word) { count += owner_word::owner_of(word) != 0; });
      return count;
    }

    [[nodiscard]] bool lost(std::uint32_t tag = 0) {
      bool lost = false;
      for (std::uint32_t i = 0; i < top_.load(std::memory_order_relaxed) && i < most; ++i) Os::look_after(places_[i].owned);
      for_each(tag, [&lost](std::uint32_t word) { lost |= (word & owner_word::died) != 0; });
      return lost;
    }

    void clear() noexcept {}
    void dismissed() { leave(); }

    /// Where to sleep until one of those who are inside has left; needless: nobody is.
    Sleep<Word> watch() {
      const std::uint32_t top = top_.load(std::memory_order_seq_cst);
      for (std::uint32_t i = 0; i < top && i < most; ++i) {
        Owned& owned = places_[i].owned;
        Os::look_after(owned);
        std::uint32_t seen = owned.word.load(std::memory_order_seq_cst);
        while (owner_word::owner_of(seen) != 0) {
          if ((seen & watched) != 0 ||
              owned.word.compare_exchange_weak(seen, seen | watched, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
            return {&owned.word, seen | watched};
          }
        }
      }
      return {};
    }

    void unwatch() noexcept {}

   private:
    static constexpr std::uint32_t watched = 1U << 31;

    struct Place {
      Owned owned;
      typename Os::template Atomic<std::uint32_t> tag{0};
    };

    template <class Free>
    bool enter_where(std::uint32_t tag, Free free) {
      // Sequentially consistent: a reader enters and then looks for a writer, a writer comes and then counts the readers.
      const std::uint32_t at = take_place(places_, top_, std::memory_order_seq_cst, free);
      if (at == most) return false;
      // Those who count read it after the word. Where there are several tags, a lock keeps them out until it is written.
      places_[at].tag.store(tag, std::memory_order_seq_cst);
      return true;
    }

    template <class Use>
    void for_each(std::uint32_t tag, Use use) const {
      const std::uint32_t top = top_.load(std::memory_order_seq_cst);
      for (std::uint32_t i = 0; i < top && i < most; ++i) {
        const std::uint32_t word = places_[i].owned.word.load(std::memory_order_seq_cst);
        if (word != 0 && places_[i].tag.load(std::memory_order_seq_cst) == tag) use(word);
      }
    }

    typename Os::template Atomic<std::uint32_t> top_{0};  // the places from here on have never been used
    std::array<Place, most> places_;
  };

  /// Permits that come back when their holder dies. Each has a place, which its holder owns, and a count of turns there: odd
  /// while a permit is held. A permit is taken or given by one step in the word of the semaphore, which changes the count
  /// and names the place; then somebody, whoever comes first, turns the place and takes the name out of the word again. So
  /// there is no moment at which the word and the places together do not tell who holds what.
  ///
  /// | bits of the word | meaning |
  /// | 1-7  | the place that is to be turned, plus one; 0: none |
  /// | 8-15 | the count that it is to be turned to, modulo 256: odd held, even free |
  /// One who looks at the word and goes on only when the same place has been turned exactly a multiple of 256 times more, and
  /// the word is the same, may take the name out too early; that does harm only if the place's owner dies at that moment.
  class Escrow {
   public:
    static constexpr std::uint32_t bits = 15;
    static constexpr std::uint32_t most = Os::most_permits;

    class Ticket {
     public:
      /// A place of the caller's, for a permit that it is about to take. Throws std::system_error if there is none.
      void reserve(Escrow& escrow, Word& word, std::uint32_t one) {
        if (place_ != 0 || find(escrow)) return;
        if (escrow.bring_back(word, one) && find(escrow)) return;
        throw std::system_error(std::make_error_code(std::errc::no_buffer_space),
                                "trine: more permits held at a time than a semaphore between processes has room for");
      }
      void free(Escrow& escrow) {
        if (place_ != 0) vacate(escrow.places_[place_ - 1].owned, holder(), 0, 0);
        place_ = 0;
      }
      [[nodiscard]] bool mine(Escrow& escrow) const {
        return Os::owns(Os::me(), escrow.places_[place_ - 1].owned);
      }
      [[nodiscard]] std::uint32_t taking() const noexcept { return turning(place_, turn_); }
      [[nodiscard]] std::uint32_t giving() const noexcept { return turning(place_, turn_ + 1); }

     private:
      bool find(Escrow& escrow) {
        // Acquire: pairs with the release by which it was freed, so that its turns are seen.
        const std::uint32_t at =
            take_place(escrow.places_, escrow.top_, std::memory_order_acquire, [](std::uint32_t) { return false; });
        if (at == most) return false;
        place_ = at + 1;
        turn_ = escrow.places_[at].turns.load(std::memory_order_relaxed) | 1;
        return true;
      }

      std::uint32_t place_ = 0;  // plus one
      std::uint32_t turn_ = 0;   // while the permit is held
    };

    /// Turns the place that the word names, if it does. Returns what the word held without a name.
    std::uint32_t settle(Word& word, std::uint32_t seen) {
      if ((seen & named) == 0) return seen;
      // Acquire, here and below: who sees a name sees all earlier turns of that place.
      seen = word.load(std::memory_order_acquire);
      while ((seen & named) != 0) {
        auto& turns = places_[((seen & named) / name_of(1) - 1) % most].turns;
        // Acquire, so that the word is looked at again after it: if it names the place then, and the place has not been
        // turned yet, what was read is from before the turn, and the exchange below fails if anybody turns it meanwhile.
        std::uint32_t turn = turns.load(std::memory_order_acquire);
        const std::uint32_t now = word.load(std::memory_order_acquire);
        if (now != seen) {
          seen = now;
          continue;
        }
        if (turned_to(seen) == (turn + 1) % turn_count) {
          turns.compare_exchange_strong(turn, turn + 1, std::memory_order_acq_rel, std::memory_order_acquire);
        }
        // Release: whoever finds no name in the word finds the place turned.
        const std::uint32_t settled = seen & ~(named | all_turns);
        if (word.compare_exchange_weak(seen, settled, std::memory_order_acq_rel, std::memory_order_acquire)) seen = settled;
      }
      return seen;
    }

    /// Gives the permits back that the dead held, `one` each in the word. false: there were none.
    bool bring_back(Word& word, std::uint32_t one) {
      const std::uint32_t top = std::min(top_.load(std::memory_order_relaxed), most);
      bool any = false;
      for (std::uint32_t i = 0; i < top; ++i) {
        Os::look_after(places_[i].owned);
        any |= dead(places_[i]);
      }
      if (!any) return false;
      any = false;
      gate_.lock();  // who dies in here has done part of it, and the next does the rest
      for (std::uint32_t i = 0; i < top; ++i) {
        if (dead(places_[i])) any |= bring_back(word, one, i);
      }
      gate_.unlock();
      return any;
    }

    /// How many permits the dead hold that nobody has given back yet, when the word holds `seen`, which may name a place that
    /// has not been turned.
    [[nodiscard]] std::uint32_t held_by_dead(std::uint32_t seen) const {
      const std::uint32_t top = std::min(top_.load(std::memory_order_relaxed), most);
      std::uint32_t count = 0;
      for (std::uint32_t i = 0; i < top; ++i) {
        if (!dead(places_[i])) continue;
        const bool to_be_turned = (seen & named) == name_of(i + 1);
        count += (to_be_turned ? turned_to(seen) : places_[i].turns.load(std::memory_order_relaxed)) & 1;
      }
      return count;
    }

   private:
    static constexpr std::uint32_t name_of(std::uint32_t place) noexcept { return place << 1; }
    static constexpr std::uint32_t named = name_of(127);
    static constexpr std::uint32_t turn_count = 256;
    static constexpr std::uint32_t first_turn = named + name_of(1);
    static constexpr std::uint32_t all_turns = first_turn * (turn_count - 1);
    static constexpr std::uint32_t turning(std::uint32_t place, std::uint32_t turn) noexcept {
      return place == 0 ? 0 : name_of(place) | first_turn * (turn % turn_count);
    }
    static constexpr std::uint32_t turned_to(std::uint32_t word) noexcept { return (word & all_turns) / first_turn; }
    static_assert(most <= 127 && all_turns + first_turn == 2U << bits);

    struct Place {
      Owned owned;
      typename Os::template Atomic<std::uint32_t> turns{0};
    };

    static bool dead(const Place& place) {
      return (place.owned.word.load(std::memory_order_acquire) & owner_word::died) != 0;
    }

    bool bring_back(Word& word, std::uint32_t one, std::uint32_t place) {
      std::uint32_t seen = settle(word, word.load(std::memory_order_acquire));
      const std::uint32_t turn = places_[place].turns.load(std::memory_order_acquire);
      const bool held = (turn & 1) != 0;
      if (held) {
        // Nobody else gives this one back: the holder is dead, and the gate keeps others like us out.
        while (!word.compare_exchange_weak(seen, (seen + one) | turning(place + 1, turn + 1),
                                           std::memory_order_acq_rel, std::memory_order_acquire)) {
          seen = settle(word, seen);
        }
        settle(word, word.load(std::memory_order_acquire));
      }
      places_[place].owned.word.store(0, std::memory_order_release);
      return held;
    }

    ShortLock gate_;
    typename Os::template Atomic<std::uint32_t> top_{0};  // the places from here on have never been used
    std::array<Place, most> places_;
  };
};

}  // namespace trine
