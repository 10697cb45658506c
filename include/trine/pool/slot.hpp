// SPDX-License-Identifier: BSL-1.0
//
// What a pool shares with its workers where these are processes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include <trine/backend.hpp>
#include <trine/process/places.hpp>
#include <trine/until.hpp>

namespace trine {

/// Where one worker after the other gets its tasks, one at a time. The caller gives tasks to places, not to workers: whatever
/// instruction a worker is killed at, the word says whether a task had been begun.
///
/// | phase | who stores it | meaning |
/// | idle | caller | no task |
/// | given | caller | a task's request, or its first piece, is here; no worker has begun with it |
/// | begun | worker | its worker has it: if it dies from here to done, the task fails, and no other |
/// | asks | worker | the next piece of the request, please |
/// | continued | caller | it is here |
/// | answered | worker | a piece of the answer is here, and there are more |
/// | taken | caller | the next, please |
/// | done | worker | the last piece of the answer is here |
/// | died | nursery | the worker has died between begun and done |
/// | leave | caller | the worker is to end |
///
/// From begun to taken the worker, the caller and the nursery may change it, and the nursery only when the worker is dead: each but
/// the worker by comparing. Bit 31: the worker sleeps on it.
template <class B>
struct PoolSlot {
  enum Phase : std::uint32_t { idle, given, begun, asks, continued, answered, taken, done, died, leave };
  static constexpr std::uint32_t sleeps = 1U << 31;
  static constexpr std::size_t room = std::size_t{1} << 20;  // the system gives what is used of it

  using Word = typename B::Word;
  template <class T>
  using Atomic = typename B::template Atomic<T>;

  // Acquire: pairs with the release of whoever stored the phase; what is in the buffer is visible.
  [[nodiscard]] std::uint32_t phase() const noexcept { return word.load(std::memory_order_acquire) & ~sleeps; }

  /// The caller's step from any phase in which the worker waits and is not between begun and done.
  void give(std::uint32_t phase) {
    // Sequentially consistent: the nursery says that the place is empty and then looks for a task.
    if ((word.exchange(phase, std::memory_order_seq_cst) & sleeps) != 0) B::wake(word, 1);
  }

  /// The caller's answer to a worker that waits in phase `from`. Nothing if it has died meanwhile.
  void reply(std::uint32_t from, std::uint32_t to) {
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    do {
      if ((seen & ~sleeps) != from) return;
    } while (!word.compare_exchange_weak(seen, to, std::memory_order_release, std::memory_order_relaxed));
    if ((seen & sleeps) != 0) B::wake(word, 1);
  }

  /// The nursery's: the worker is dead. true: a task failed with it. `begins`: it had come so far as to take tasks, or the next may;
  /// else it takes the waiting task along, or a worker that can't begin would be made again and again.
  bool bury(bool begins) {
    std::uint32_t seen = word.load(std::memory_order_seq_cst);
    for (;;) {
      const std::uint32_t phase = seen & ~sleeps;
      const bool lost = (phase >= begun && phase <= taken) || (phase == given && !begins);
      if (!lost) return false;
      if (word.compare_exchange_weak(seen, died, std::memory_order_seq_cst, std::memory_order_seq_cst)) return true;
    }
  }

  /// Puts the next piece of `whole` into the buffer; returns how much has been put then.
  std::size_t put(std::span<const std::byte> whole, std::size_t sent) {
    const std::size_t count = std::min(whole.size() - sent, room);
    if (count != 0) std::memcpy(buffer, whole.data() + sent, count);
    total = whole.size();
    piece = count;
    return sent + count;
  }

  /// All of a message that is a single piece; empty, if there are more.
  [[nodiscard]] std::span<const std::byte> whole() const noexcept {
    return {buffer, total <= room && piece == total ? static_cast<std::size_t>(total) : 0};
  }

  /// Takes the piece out of it. true: it was the last one.
  bool take(std::vector<std::byte>& whole) {
    const std::size_t count = std::min<std::size_t>(piece, room);
    whole.insert(whole.end(), buffer, buffer + count);
    return whole.size() >= total;
  }

  Word word{idle};
  Atomic<std::uint32_t> empty{1};  // there is no worker
  Atomic<std::uint32_t> ready{0};  // the worker has been initialized
  std::int32_t code = 0;           // of the worker that died
  std::uint64_t total = 0;
  std::uint64_t piece = 0;
  alignas(64) std::byte buffer[room];
};

/// All of it. `news` is raised by the caller before it sleeps.
template <class B>
struct PoolState {
  static constexpr std::string_view type_name = "Pool";
  enum Ending : std::uint32_t { no, closing, terminating };

  explicit PoolState(std::size_t count) noexcept : slots(count) {
    static_assert(alignof(PoolSlot<B>) >= alignof(PoolState));
    place.lie_at(reinterpret_cast<std::byte*>(this + 1), static_cast<std::uint32_t>(count));
    for (std::uint32_t i = 0; i < count; ++i) new (&place[i]) PoolSlot<B>;
  }

  static std::size_t extra(std::size_t count) noexcept { return Places<PoolSlot<B>, 0>::bytes(count); }

  PoolSlot<B>& operator[](std::size_t i) noexcept { return place[static_cast<std::uint32_t>(i)]; }

  const std::size_t slots;
  typename B::Flag news;
  typename B::template Atomic<std::uint32_t> ending{no};
  typename B::template Atomic<std::uint32_t> leaving{0};  // the nursery has nothing left to do
  Places<PoolSlot<B>, 0> place;
};

/// A worker waits on its place until the phase is one of two.
template <class B>
class PoolPhaseOperation : public OperationOf<std::uint32_t, B> {
  using Slot = PoolSlot<B>;

 public:
  PoolPhaseOperation(Slot& slot, std::uint32_t wanted) noexcept : slot_(&slot), wanted_(wanted) {}

  bool attempt() noexcept {
    phase_ = slot_->phase();
    return phase_ == wanted_ || phase_ == Slot::leave;
  }

  Sleep<typename B::Word> announce() noexcept {
    while (!attempt()) {
      std::uint32_t seen = phase_;
      if (slot_->word.compare_exchange_strong(seen, phase_ | Slot::sleeps, std::memory_order_acq_rel,
                                              std::memory_order_acquire) ||
          seen == (phase_ | Slot::sleeps)) {
        return {&slot_->word, phase_ | Slot::sleeps};
      }
    }
    return {};
  }

  std::uint32_t result() const noexcept { return phase_; }

 private:
  Slot* slot_;
  std::uint32_t wanted_;
  std::uint32_t phase_ = 0;
};

}  // namespace trine
