// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend.hpp>
#include <trine/backend/blocking.hpp>
#include <trine/coroutine/here.hpp>
#include <trine/os/word_watch.hpp>

namespace trine::coroutine {

/// The words of other backends on which a scheduler sleeps for its coroutines. Each has a word of its own beside, on which
/// the coroutine sleeps; that is changed when the other has.
class WatchList {
 public:
  struct Entry {
    // Written by who announces the operation; read by who looks. The three need not fit together: who finds a change that is
    // none only makes the operation look again, and who announces sees to it that all sleepers look again.
    std::atomic<const os::Native::Word*> word{nullptr};
    std::atomic<std::uint32_t> value{0};
    bool shared = false;
    Table::Word proxy{0};
    Entry* next = nullptr;
    Entry* previous = nullptr;

    [[nodiscard]] os::WatchedWord watched() const noexcept {
      return {word.load(std::memory_order_relaxed), value.load(std::memory_order_relaxed), shared};
    }
  };

  void add(Entry& entry) noexcept {
    const Hold hold(gate_);
    entry.next = first_;
    if (first_ != nullptr) first_->previous = &entry;
    first_ = &entry;
    count_.fetch_add(1, std::memory_order_relaxed);
  }

  void remove(Entry& entry) noexcept {
    const Hold hold(gate_);
    (entry.previous != nullptr ? entry.previous->next : first_) = entry.next;
    if (entry.next != nullptr) entry.next->previous = entry.previous;
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

  /// Lets those try whose words have changed, or all: true if there were any. A wake needs the address alone, so it is made
  /// with the list unlocked, when the entry may be gone.
  bool look(bool at_all) {
    if (empty()) return false;
    std::vector<Table::Word*> rouse;
    {
      const Hold hold(gate_);
      for (Entry* entry = first_; entry != nullptr; entry = entry->next) {
        if (!at_all && !entry->watched().changed()) continue;
        entry->proxy.fetch_add(1, std::memory_order_relaxed);
        rouse.push_back(&entry->proxy);
      }
    }
    for (Table::Word* const proxy : rouse) table().wake(*proxy, 1);
    return !rouse.empty();
  }

  void collect(std::vector<os::WatchedWord>& into) {
    if (empty()) return;
    const Hold hold(gate_);
    for (const Entry* entry = first_; entry != nullptr; entry = entry->next) into.push_back(entry->watched());
  }

 private:
  using Gate = Blocking<os::PrivateFutex>::ShortLock;
  struct Hold {
    explicit Hold(Gate& locked) : gate(locked) { gate.lock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { gate.unlock(); }
    Gate& gate;
  };

  Gate gate_;
  Entry* first_ = nullptr;
  std::atomic<std::size_t> count_{0};
};

WatchList& watch_list_of(Scheduler& scheduler) noexcept;
void rouse_all(Scheduler& scheduler) noexcept;

#if defined(__linux__)
template <os::FutexScope Scope>
std::integral_constant<bool, Scope == os::FutexScope::machine> shared_words(const Blocking<os::LinuxFutex<Scope>>*);
#else
std::false_type shared_words(const Blocking<os::PrivateFutex>*);
#endif

/// Whether an operation belongs to whichever thread began it, so that no other may end it.
template <class O>
inline constexpr bool owned_by_thread = [] {
  if constexpr (requires { O::owned_by_thread; }) {
    return static_cast<bool>(O::owned_by_thread);
  } else {
    return false;
  }
}();

/// The operations that a scheduler can watch: their callers sleep in the system on words that it can sleep on too, and it
/// does not matter which thread they are tried by.
template <class O>
concept Watchable = Operation<O> && !owned_by_thread<O> && requires(const typename O::Backend* backend) {
  shared_words(backend);
};

/// An operation of a backend that blocks, as one on coroutines.
template <Watchable O, class B>
class Watched {
 public:
  using Backend = B;
  using Result = typename O::Result;
  static constexpr bool selectable = O::selectable;

  Watched(Scheduler& scheduler, O operation) : scheduler_(&scheduler), operation_(std::move(operation)) {}
  Watched(Watched&& other) noexcept(std::is_nothrow_move_constructible_v<O>)
      : scheduler_(other.scheduler_), operation_(std::move(other.operation_)) {}
  Watched& operator=(Watched&&) = delete;
  ~Watched() { unlist(); }

  bool attempt() { return operation_.attempt(); }

  // The proxy is read before the operation looks: who finds a later change changes it.
  Sleep<Table::Word> announce() {
    const std::uint32_t seen = entry_.proxy.load(std::memory_order_relaxed);
    const auto sleep = operation_.announce();
    if (sleep.needless()) return {};
    const os::WatchedWord before = entry_.watched();
    entry_.word.store(sleep.word, std::memory_order_relaxed);
    entry_.value.store(sleep.value, std::memory_order_relaxed);
    if (!listed_) {
      listed_ = true;
      entry_.shared = decltype(shared_words(static_cast<const typename O::Backend*>(nullptr)))::value;
      watch_list_of(*scheduler_).add(entry_);
    }
    // Threads that sleep do so on what was there before.
    if (before.word != sleep.word || before.value != sleep.value) rouse_all(*scheduler_);
    return {&entry_.proxy, seen};
  }

  bool give_up() {
    if (!operation_.give_up()) return false;
    // What woke the scheduler may have been meant for another.
    if (listed_) O::Backend::wake(const_cast<os::Native::Word&>(*entry_.word.load(std::memory_order_relaxed)), 1);
    unlist();
    return true;
  }

  Result result() {
    unlist();
    return operation_.result();
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
