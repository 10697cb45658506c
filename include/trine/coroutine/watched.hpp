// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend.hpp>
#include <trine/backend/blocking.hpp>
#include <trine/coroutine/here.hpp>
#include <trine/coroutine/one.hpp>
#include <trine/os/futex.hpp>
#include <trine/sleep.hpp>

namespace trine::coroutine {

/// The words of other backends on which a scheduler sleeps for its coroutines. Each has a word of its own beside, on which
/// the coroutine sleeps; that is changed when the other has.
class WatchList {
 public:
  using Word = os::Native::Word;
  using Clock = std::chrono::steady_clock;

  struct Entry {
    // Written by who announces the operation; read by who looks. They need not fit together: who finds a change that is
    // none only makes the operation look again, and who announces sees to it that all sleepers look again.
    std::atomic<Word*> word{nullptr};
    std::atomic<std::uint32_t> value{0};
    std::atomic<bool> soon{false};
    bool shared = false;
    Table::Word proxy{0};
    Entry* next = nullptr;
    Entry* previous = nullptr;

    [[nodiscard]] Sleep<Word> watched() const noexcept {
      return {word.load(std::memory_order_relaxed), value.load(std::memory_order_relaxed), shared,
              soon.load(std::memory_order_relaxed)};
    }
  };

  void add(Entry& entry) noexcept {
    const Hold hold(gate_);
    entry.next = first_;
    if (first_ != nullptr) first_->previous = &entry;
    first_ = &entry;
    shared_ += entry.shared;
    count_.fetch_add(1, std::memory_order_relaxed);
  }

  void remove(Entry& entry) noexcept {
    const Hold hold(gate_);
    (entry.previous != nullptr ? entry.previous->next : first_) = entry.next;
    if (entry.next != nullptr) entry.next->previous = entry.previous;
    shared_ -= entry.shared;
    count_.fetch_sub(1, std::memory_order_relaxed);
  }

  [[nodiscard]] bool empty() const noexcept { return count_.load(std::memory_order_relaxed) == 0; }

  /// Whether there is one that has changed.
  [[nodiscard]] bool changed() noexcept {
    if (empty()) return false;
    const Hold hold(gate_);
    for (const Entry* entry = first_; entry != nullptr; entry = entry->next) {
      if (entry->watched().changed()) return true;
    }
    return false;
  }

  /// Lets those try whose words have changed, or all: true if there were any. All from time to time where words are shared
  /// with other processes: one who was to change such a word, or to wake, may have died. A wake needs the address alone, so
  /// it is made with the list unlocked, when the entry may be gone.
  bool look(bool at_all) {
    if (empty()) return false;
    std::vector<Table::Word*> rouse;
    {
      const Hold hold(gate_);
      rouse.reserve(count_.load(std::memory_order_relaxed));  // before a proxy is changed: it may throw
      at_all = overdue() || at_all;
      for (Entry* entry = first_; entry != nullptr; entry = entry->next) {
        const Sleep<Word> watched = entry->watched();
        if (!at_all && !watched.soon && !watched.changed()) continue;
        entry->proxy.fetch_add(1, std::memory_order_relaxed);
        rouse.push_back(&entry->proxy);
      }
    }
    for (Table::Word* const proxy : rouse) table().wake_among_others(*proxy, 1);
    return !rouse.empty();
  }

  /// Adds where to sleep for all of them; until when at most. A time that has come: only to let other threads run.
  Clock::time_point collect(std::vector<Sleep<Word>>& into) {
    if (empty()) return Clock::time_point::max();
    const Hold hold(gate_);
    bool soon = false;
    for (const Entry* entry = first_; entry != nullptr; entry = entry->next) {
      into.push_back(entry->watched());
      soon = soon || into.back().soon;
    }
    if (!std::exchange(soon_, soon) && soon) soon_since_ = Clock::now();
    return soon ? again_soon() : Clock::time_point::max();
  }

 private:
  static constexpr std::chrono::microseconds moment{200};
  static constexpr std::chrono::milliseconds slice{40};

  // No sleep at first; then sleeps that grow, so that no more than a part of what takes long is lost.
  [[nodiscard]] Clock::time_point again_soon() const {
    const auto now = Clock::now();
    const auto passed = now - soon_since_;
    return passed < moment ? now : now + passed / 4;
  }

  using Gate = Blocking<os::PrivateFutex>::ShortLock;
  struct Hold {
    explicit Hold(Gate& locked) : gate(locked) { gate.lock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { gate.unlock(); }
    Gate& gate;
  };

  bool overdue() noexcept {
    if (shared_ == 0) return false;
    const auto now = Clock::now();
    if (now < look_at_all_) return false;
    look_at_all_ = now + slice;
    return true;
  }

  Gate gate_;  // guards the following
  Entry* first_ = nullptr;
  std::size_t shared_ = 0;           // how many words other processes wake
  Clock::time_point look_at_all_{};  // when they are next looked at though they have not changed
  bool soon_ = false;                // whether there was one, when somebody was about to sleep, that nobody will wake
  Clock::time_point soon_since_{};
  std::atomic<std::size_t> count_{0};
};

WatchList& watch_list_of(Scheduler& scheduler) noexcept;
void rouse_all(Scheduler& scheduler) noexcept;

/// The operations that a scheduler can watch: their callers sleep in the system on words that it can sleep on too, and it
/// does not matter which thread they are tried by.
template <class O>
concept Watchable = Operation<O> && !O::owned_by_thread && os::SleptOnTogether<typename O::Backend::System>;

/// announce(), for one whose thread has others to run: some operations have one that never blocks.
template <class O>
auto announce_at_once(O& operation) {
  if constexpr (requires { operation.announce_at_once(); }) {
    return operation.announce_at_once();
  } else {
    return operation.announce();
  }
}

/// An operation of a backend that blocks, as one on coroutines.
template <Watchable O, class B>
class Watched {
 public:
  using Backend = B;
  using Result = typename O::Result;
  static constexpr bool selectable = O::selectable;
  static constexpr bool gives_up_late = coroutine::gives_up_late<O>;

  Watched(Scheduler& scheduler, O operation) : scheduler_(&scheduler), operation_(std::move(operation)) {}
  Watched(Watched&& other) noexcept(std::is_nothrow_move_constructible_v<O>)
      : scheduler_(other.scheduler_), operation_(std::move(other.operation_)) {}
  Watched& operator=(Watched&&) = delete;
  ~Watched() { unlist(); }

  bool attempt() { return operation_.attempt(); }

  // The proxy is read before the operation looks: who finds a later change changes it.
  Sleep<Table::Word> announce() {
    const std::uint32_t seen = entry_.proxy.load(std::memory_order_relaxed);
    const auto sleep = announce_at_once(operation_);
    if (sleep.needless()) return {};
    const Sleep<WatchList::Word> before = entry_.watched();
    entry_.soon.store(sleep.soon, std::memory_order_relaxed);
    entry_.word.store(sleep.word, std::memory_order_relaxed);
    entry_.value.store(sleep.value, std::memory_order_relaxed);
    if (!listed_) {
      listed_ = true;
      entry_.shared = O::Backend::System::shared;
      watch_list_of(*scheduler_).add(entry_);
    }
    // Threads that sleep do so on what was there before.
    if (before.word != sleep.word || before.value != sleep.value) rouse_all(*scheduler_);
    return {&entry_.proxy, seen};
  }

  bool give_up() {
    if (!operation_.give_up()) return false;
    // What woke the scheduler may have been meant for another.
    if (listed_) O::Backend::wake(*entry_.word.load(std::memory_order_relaxed), 1);
    unlist();
    return true;
  }

  Result result() {
    unlist();
    return operation_.result();
  }

  void forgo() noexcept {
    unlist();
    forgo_result(operation_);
  }

 private:
  void unlist() noexcept {
    if (std::exchange(listed_, false)) watch_list_of(*scheduler_).remove(entry_);
  }

  Scheduler* scheduler_;
  O operation_;
  WatchList::Entry entry_;
  bool listed_ = false;
};

}  // namespace trine::coroutine
