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
    if (!Mortal::exchange_as_owner(owned.word, held, 0)) [[unlikely]] {
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
        for (;;) {
          const std::uint32_t seen = owned.word.load(std::memory_order_seq_cst);
          if (owner_word::owner_of(seen) == 0) break;
          const auto sleep = Mortal::mark(owned.word, seen, watched, std::memory_order_seq_cst, everyone);
          if (!sleep.needless()) return sleep;
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
  /// while a permit is held. A permit is taken or given by one step in the state of the semaphore, which changes the count
  /// and names the place; then somebody, whoever comes first, turns the place and takes the name out of the state again. So
  /// there is no moment at which the state and the places together do not tell who holds what.
  ///
  /// | bits of the state | meaning |
  /// | 0-31  | the semaphore's own, on which its sleepers sleep |
  /// | 32-38 | the place that is to be turned, plus one; 0: none, and then the bits above are 0 as well |
  /// | 39-   | as many as Os has: the lowest bits of the count that it is to be turned to: odd held, even free |
  /// One who looks at the state and is stopped before it takes the name out does harm only if meanwhile this place is turned
  /// so often that these bits come again, 2^25 times or a multiple of that, and is to be turned just then, with as many permits
  /// as there were; and if then its owner dies before it gives back.
  class Escrow {
   public:
    using Count = typename Os::WideWord;
    using Number = std::uint64_t;
    static constexpr std::uint32_t most = Os::most_permits;

    /// Touches nothing: the semaphore may be gone.
    static Word& word(Count& count) noexcept { return count.low(); }

    class Ticket {
     public:
      /// A place of the caller's, for a permit that it is about to take. Throws std::system_error if there is none.
      void reserve(Escrow& escrow, Count& count, Number one, std::uint32_t max) {
        if (place_ != 0 || find(escrow)) return;
        if (escrow.bring_back(count, one, max) && find(escrow)) return;
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
      [[nodiscard]] Number taking() const noexcept { return turning(place_, turn_); }
      [[nodiscard]] Number giving() const noexcept { return turning(place_, turn_ + 1); }

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

    /// Turns the place that the state names, if it does. Returns what the state held without a name.
    Number settle(Count& count, Number seen) {
      if (seen < first_name) return seen;
      // Acquire, here and below: who sees a name sees all earlier turns of that place.
      seen = count.load(std::memory_order_acquire);
      while (seen >= first_name) {
        auto& turns = places_[(named(seen) + most - 1) % most].turns;
        // Acquire, so that the state is looked at again after it: if it names the place then, and the place has not been
        // turned yet, what was read is from before the turn, and the exchange below fails if anybody turns it meanwhile.
        std::uint32_t turn = turns.load(std::memory_order_acquire);
        const Number now = count.load(std::memory_order_acquire);
        if (now != seen) {
          seen = now;
          continue;
        }
        if (turned_to(seen) == (turn + 1) % turn_count) {
          turns.compare_exchange_strong(turn, turn + 1, std::memory_order_acq_rel, std::memory_order_acquire);
        }
        // Release: whoever finds no name in the state finds the place turned.
        const Number settled = seen % first_name;
        if (count.compare_exchange_weak(seen, settled, std::memory_order_acq_rel, std::memory_order_acquire)) seen = settled;
      }
      return seen;
    }

    /// Gives the permits back that the dead held, `one` each in the state, but no more than there may be at most. false: no
    /// place is a dead one's.
    bool bring_back(Count& count, Number one, std::uint32_t max) {
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
        if (!dead(places_[i])) continue;
        bring_back(count, one, max, i);
        any = true;
      }
      gate_.unlock();
      return any;
    }

    /// How many permits the dead hold that nobody has given back yet, when the state is `seen`, which may name a place that
    /// has not been turned.
    [[nodiscard]] std::uint32_t held_by_dead(Number seen) const {
      const std::uint32_t top = std::min(top_.load(std::memory_order_relaxed), most);
      std::uint32_t held = 0;
      for (std::uint32_t i = 0; i < top; ++i) {
        if (!dead(places_[i])) continue;
        held += (named(seen) == i + 1 ? turned_to(seen) : places_[i].turns.load(std::memory_order_relaxed)) & 1;
      }
      return held;
    }

   private:
    static constexpr Number first_name = Number{1} << 32;
    static constexpr std::uint32_t names = 128;
    static constexpr std::uint32_t turn_count = 1U << Os::turn_bits;
    static_assert(most < names && Os::turn_bits > 0 && Os::turn_bits <= 25);

    static constexpr Number turning(std::uint32_t place, std::uint32_t turn) noexcept {
      return place == 0 ? 0 : first_name * (place + Number{names} * (turn % turn_count));
    }
    static constexpr std::uint32_t named(Number seen) noexcept { return static_cast<std::uint32_t>(seen / first_name) % names; }
    static constexpr std::uint32_t turned_to(Number seen) noexcept {
      return static_cast<std::uint32_t>(seen / first_name) / names;
    }

    struct Place {
      Owned owned;
      typename Os::template Atomic<std::uint32_t> turns{0};
    };

    static bool dead(const Place& place) {
      return (place.owned.word.load(std::memory_order_acquire) & owner_word::died) != 0;
    }

    void bring_back(Count& count, Number one, std::uint32_t max, std::uint32_t place) {
      Number seen = settle(count, count.load(std::memory_order_acquire));
      const std::uint32_t turn = places_[place].turns.load(std::memory_order_acquire);
      if ((turn & 1) != 0) {
        // Nobody else gives this one back: the holder is dead, and the gate keeps others like us out. There may be no room
        // for it, if another was released in its stead.
        while (!count.compare_exchange_weak(seen, (seen + (seen / one < max ? one : 0)) | turning(place + 1, turn + 1),
                                            std::memory_order_acq_rel, std::memory_order_acquire)) {
          seen = settle(count, seen);
        }
        settle(count, count.load(std::memory_order_acquire));
      }
      places_[place].owned.word.store(0, std::memory_order_release);
    }

    ShortLock gate_;
    typename Os::template Atomic<std::uint32_t> top_{0};  // the places from here on have never been used
    std::array<Place, most> places_;
  };
};

}  // namespace trine
