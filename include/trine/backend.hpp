// SPDX-License-Identifier: BSL-1.0
//
// The seam between the primitives and the backends. A primitive says which values its words can have, which transitions
// there are, and when its caller must sleep; a backend says how that caller sleeps and how it is woken. docs/backend.md
// is the contract for those who write a backend.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include <trine/sleep.hpp>
#include <trine/until.hpp>

namespace trine {

/// A waiting operation, not yet started: what x_op() returns and select() takes. It may be moved until it is announced;
/// from then until it is done or given up it must stay where it is.
///
/// attempt()   tries; true when done. The first attempt starts the operation. A false one may have registered something
///             (a party has arrived, a writer keeps new readers out) that give_up() undoes. One that throws has undone it.
/// announce()  tries once more, as one who is about to sleep or has slept: it leaves its mark in the object, so that whoever
///             changes it wakes the sleeper, and says where to sleep.
/// give_up()   ends an operation that is not done, without taking anything. false: it can't leave yet (a condition must
///             lock again first): go on without a limit.
/// result()    what the operation came to, once it is done or given up; called once, by the one who waits. Throws the
///             errors of the operation. Everything that runs the user's code is here, and not in an attempt, which on some
///             backends the waker makes.
/// only_looks  optional: whether attempt() takes nothing, so that one who was woken, and finds it true, need not announce.
/// forgo()     optional: in place of result() where the waiting party is gone, if that can be left to others.
/// selectable  whether giving up has no effect, so that select() may choose another operation instead.
///
/// A scheduler of coroutines watches those that also say `owned_by_thread == false`: it does not matter which thread attempts.
template <class O>
concept Operation = std::move_constructible<O> && requires(O& operation) {
  typename O::Backend;
  typename O::Result;
  requires !std::is_void_v<typename O::Result>;
  { operation.attempt() } -> std::same_as<bool>;
  { operation.announce() } -> std::same_as<Sleep<typename O::Backend::Word>>;
  { operation.give_up() } -> std::same_as<bool>;
  { operation.result() } -> std::same_as<typename O::Result>;
  { O::selectable } -> std::convertible_to<bool>;
};

/// What most operations have in common: nothing to undo, and a choice among others is harmless.
template <class R, class B>
struct OperationOf {
  using Backend = B;
  using Result = R;
  static constexpr bool selectable = true;
  static constexpr bool owned_by_thread = false;
  static constexpr bool only_looks = false;

  bool give_up() noexcept { return true; }
};

/// What the word of an owner holds, on every backend.
///
/// | bits | meaning |
/// | 0-29 | the owner's number; 0: nobody's |
/// | 30   | died: the owner died; it is nobody's then |
/// | 31   | for the primitive: somebody may sleep on the word |
namespace owner_word {

inline constexpr std::uint32_t died = 1U << 30;

[[nodiscard]] constexpr std::uint32_t owner_of(std::uint32_t word) noexcept { return word & (died - 1); }

}  // namespace owner_word

/// An atomic variable as the backends supply it: the interface of std::atomic<std::uint32_t>.
template <class W>
concept AtomicWord = requires(W& word, const W& view, std::uint32_t value, std::memory_order order) {
  { view.load(order) } -> std::convertible_to<std::uint32_t>;
  word.store(value, order);
  { word.exchange(value, order) } -> std::convertible_to<std::uint32_t>;
  { word.compare_exchange_weak(value, value, order, order) } -> std::same_as<bool>;
  { word.compare_exchange_strong(value, value, order, order) } -> std::same_as<bool>;
  { word.fetch_add(value, order) } -> std::convertible_to<std::uint32_t>;
  { word.fetch_sub(value, order) } -> std::convertible_to<std::uint32_t>;
  { word.fetch_or(value, order) } -> std::convertible_to<std::uint32_t>;
  { word.fetch_and(value, order) } -> std::convertible_to<std::uint32_t>;
};

namespace archetype {

/// The smallest operation there is; the concept Backend asks whether it can be run.
template <class B>
struct Nothing : OperationOf<bool, B> {
  bool attempt() { return true; }
  Sleep<typename B::Word> announce() { return {}; }
  bool result() { return true; }
};

struct Step {
  bool operator()() const { return true; }
};

}  // namespace archetype

/// What a primitive needs of a backend. docs/backend.md says what each part must do.
template <class B>
concept Backend = requires(typename B::Word& word, typename B::Owned& owned, typename B::Tally& tally,
                           typename B::Escrow& escrow, typename B::Escrow::Count& permits,
                           typename B::Escrow::Number seen, typename B::ShortLock& gate, typename B::Flag& flag,
                           typename B::Patience& patience,
                           std::uint32_t number, const Until& until) {
  // data
  requires AtomicWord<typename B::Word>;
  requires AtomicWord<typename B::template Atomic<std::uint32_t>>;
  typename B::template Cell<int>;
  typename B::template Storage<int>;
  typename B::template Attached<int>;
  typename B::template Result<bool>;
  // waiting
  { B::run(archetype::Nothing<B>{}, until) } -> std::same_as<typename B::template Result<bool>>;
  B::wake(word, number);
  {B::repeat(archetype::Step{}, archetype::Step{})};
  { B::mortal } -> std::convertible_to<bool>;
  // identity and ownership
  { B::self() } -> std::same_as<std::uint32_t>;
  { B::holder() } -> std::same_as<std::uint32_t>;
  { owned.word } -> std::same_as<typename B::Word&>;
  { B::claim(owned, number, number, std::memory_order_acquire) } -> std::same_as<bool>;
  { B::vacate(owned, number, number, number) } -> std::same_as<std::uint32_t>;
  B::abandon(owned);
  { B::mark(word, number, number, std::memory_order_relaxed, number) } -> std::same_as<Sleep<typename B::Word>>;
  B::look_after(owned);
  // a count of participants
  tally.enter(number);
  { tally.leave() } -> std::same_as<bool>;
  { tally.count(number) } -> std::same_as<std::uint32_t>;
  { tally.lost(number) } -> std::same_as<bool>;
  tally.clear();
  tally.dismissed();
  { tally.watch() } -> std::same_as<Sleep<typename B::Word>>;
  tally.unwatch();
  // permits whose holders may die
  typename B::Escrow::Ticket;
  requires std::unsigned_integral<typename B::Escrow::Number>;
  { permits.load(std::memory_order_relaxed) } -> std::same_as<typename B::Escrow::Number>;
  { B::Escrow::word(permits) } -> std::same_as<typename B::Word&>;
  { escrow.settle(permits, seen) } -> std::same_as<typename B::Escrow::Number>;
  { escrow.bring_back(permits, seen, number) } -> std::same_as<bool>;
  { escrow.held_by_dead(seen) } -> std::same_as<std::uint32_t>;
  // a lock for a few instructions
  { gate.lock() } -> std::same_as<bool>;
  gate.unlock();
  // whether somebody waits for data that outlive the call
  { flag.raise() } -> std::same_as<Sleep<typename B::Word>>;
  flag.wake(number);
  flag.wake_all();
  // how long to look away between two looks
  { patience.pauses() } -> std::same_as<std::uint32_t>;
  patience.linger();
  { patience.found_nothing() } -> std::same_as<bool>;
  B::Patience::fetch(&number);
  B::Patience::fetch_to_write(&number);
  patience.found(number, true, number);
  patience.used_up();
};

/// Whether Tag says how an object of backend B gets a name: the backend has NameTag<Tag>, a Storage that takes the tag and the
/// name before the arguments of the state, and remove(name).
template <class Tag, class B>
concept NameTagOf = requires { typename B::template NameTag<Tag>; };
template <class B>
concept NamingBackend = requires(std::string_view name) {
  { B::remove(name) } -> std::same_as<bool>;
};

/// Whether T is an operation that select() takes.
template <class O>
concept Selectable = Operation<O> && O::selectable;

}  // namespace trine
