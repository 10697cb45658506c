// SPDX-License-Identifier: BSL-1.0
//
// The table in which coroutines wait as a backend whose callers are modelled threads: each suspends once for a wait, by
// sleeping on a word of its own, and goes on when it was delivered.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <source_location>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <support/model.hpp>
#include <support/sole_word.hpp>
#include <trine/coroutine/several.hpp>
#include <trine/coroutine/wait_table.hpp>
#include <trine/coroutine/words.hpp>
#include <trine/select.hpp>
#include <trine/sleep.hpp>
#include <trine/until.hpp>

namespace checking {

using trine::Sleep;

/// What locks a list: where words are changed by locked instructions alone, a lock.
template <class Os>
struct GateOf {
  bool lock() {
    locked.lock();
    return false;
  }
  void unlock(bool /*sole*/) { locked.unlock(); }
  static bool lock_alone() { return false; }
  static void unlock_alone() {}
  static bool hold() { return false; }
  static void let_go() {}
  typename trine::Blocking<Os>::ShortLock locked;
};
template <class Os>
struct GateOf<SleepOnSole<Os>>
    : trine::coroutine::SoleGate<Modelled<Os>, typename trine::Blocking<SleepOnSole<Os>>::ShortLock> {};

template <class Os_>
struct Tabled {
  using Os = Os_;
  using Table = trine::coroutine::WaitTable<Tabled>;
  static constexpr std::size_t bucket_bits = 1;  // so that words share a list
  using Gate = GateOf<Os>;
  static std::uintptr_t address(const typename Os::Word& word) { return word.location() * 4; }
  static typename Table::Work& work();
  static void deliver(typename Table::Sleeper& sleeper) noexcept { sleeper.deliver(); }
  static bool deliver_to_this_thread(typename Table::Sleeper&) noexcept { return false; }
  static void delivered() noexcept {}
};

/// The table, in which a mutation sees whose call it is.
template <class Os>
class SeenTable : public Tabled<Os>::Table {
  using Base = typename Tabled<Os>::Table;
  using Where = std::source_location;

 public:
  void wake(typename Os::Word& word, std::uint32_t count, const Where& where = Where::current()) noexcept {
    if (const Mutation* const found = concerns(Op::wake, where); found != nullptr) {
      ++mutated_operations;
      count = found->woken(count);
    }
    if (count != 0) Base::wake(word, count);
  }

  bool remove(typename Base::Node& node, const Where& where = Where::current()) noexcept {
    if (concerns(Op::take_out, where) == nullptr) return Base::remove(node);
    ++mutated_operations;
    return false;
  }
};

/// One that waits for several.
template <class Os>
struct InSeveral {
  /// Whether somebody has it, and it stands in the list of the word.
  virtual bool in_hand_at(const typename Os::Word& word) = 0;

 protected:
  ~InSeveral() = default;
};

/// What an execution has: the table, what each thread has in hand, and those who wait for several. Their memory stays until the
/// end, so that a mutant which leaves a node in a list does not use what was freed.
template <class Os>
struct TableWorld {
  TableWorld() { current = this; }
  static void go_on(typename Os::Word& word) { Os::set_and_wake(word, 1); }

  SeenTable<Os> table;
  std::array<typename Tabled<Os>::Table::Work, 8> works{};
  std::vector<std::unique_ptr<std::byte[]>> memory;
  std::vector<InSeveral<Os>*> choosing;
  typename Os::Word* resumes = nullptr;  // if there: one that waits for several goes on only when this is 1
  static inline TableWorld* current = nullptr;
};

template <class Os>
auto Tabled<Os>::work() -> typename Table::Work& {
  return TableWorld<Os>::current->works[model::self()];
}

/// One who waits, whatever for.
template <class Os>
class TabledWaiting : public Tabled<Os>::Table::Sleeper {
 protected:
  explicit TabledWaiting(bool limited = false) { this->may_be_called_off_ = limited; }
  ~TabledWaiting() = default;

  static SeenTable<Os>& table() { return TableWorld<Os>::current->table; }

  virtual void call_off() noexcept = 0;
  virtual bool seize() noexcept = 0;
  void deliver() noexcept override { Os::set_and_wake(delivered_, 1); }

  bool delivered() { return delivered_.load(std::memory_order_acquire) != 0; }

  // Until it is delivered. Its limit may come meanwhile.
  void suspend() {
    const Sleep<typename Os::Word> asleep{&delivered_, 0};
    typename Os::Limit limit(this->may_be_called_off_ ? trine::Until(a_while) : trine::Until());
    typename Os::Limit never{trine::Until()};
    bool called_off = false;
    while (!delivered()) {
      Os::sleep({&asleep, 1}, called_off ? never : limit);
      if (called_off || !limit.passed()) continue;
      called_off = true;
      call_off();
    }
  }

  typename Os::Word delivered_{0};
  bool over_ = false;
};

/// One wait, as trine::coroutine::One does it for a coroutine.
template <class Os, class O>
class Suspended final : public TabledWaiting<Os> {
  using Table = typename Tabled<Os>::Table;
  using Placed = typename Table::Placed;

 public:
  Suspended(O operation, bool limited) : TabledWaiting<Os>(limited), operation_(std::move(operation)) { node_.sleeper = this; }

  typename O::Result wait() {
    while (!announce()) {
      const Placed placed = settle(this->table(), false);
      if (placed == Placed::changed) continue;
      if (placed == Placed::asleep) this->suspend();
      break;
    }
    if (!this->over_) leave();
    return operation_.result();
  }

 private:
  bool rouse() noexcept override {
    if constexpr (O::only_looks) {
      this->over_ = operation_.attempt();
      if (this->over_) return true;
    }
    return announce();
  }

  bool announce() noexcept {
    const auto sleep = operation_.announce();
    this->over_ = sleep.needless();
    if (!this->over_) node_.sleep_on(sleep);
    return this->over_;
  }

  Placed settle(Table& in, bool front) noexcept override {
    slept_on_ = node_.where;
    return in.enqueue(node_, front, this->may_be_called_off_, *this);
  }

  void call_off() noexcept override {
    this->state_.fetch_or(this->calling_off, std::memory_order_seq_cst);
    while (node_.word.load(std::memory_order_seq_cst) != nullptr) {
      if (this->table().remove(node_)) return this->deliver();
    }
  }

  bool seize() noexcept override { return this->table().remove(node_); }

  void leave() {
    if (operation_.attempt()) return;
    operation_.give_up();
    this->table().wake(*slept_on_, 1);
  }

  typename Table::Node node_;
  O operation_;
  typename Os::Word* slept_on_ = nullptr;
};

/// One wait for several, as trine::coroutine::First does it: what it does in the table is the same code.
template <class Os, class... O>
class Choosing final : public trine::coroutine::Several<typename Tabled<Os>::Table, TabledWaiting<Os>, sizeof...(O)>,
                       public InSeveral<Os> {
  static constexpr std::size_t count = sizeof...(O);
  using Table = typename Tabled<Os>::Table;
  using Word = typename Os::Word;
  using Placed = typename Table::Placed;

 public:
  Choosing(std::tuple<O...>& operations, bool limited) : operations_(operations) {
    this->may_be_called_off_ = limited;
    TableWorld<Os>::current->choosing.push_back(this);
  }

  /// Which was done, or `count`.
  std::size_t wait() {
    if (begin()) {
      this->suspend();
      if (Word* const resumes = TableWorld<Os>::current->resumes) sleep_until_set(*resumes);
    }
    if (!this->over_) leave();
    tidy();
    return this->first_;
  }

  /// Begins to wait, and is destroyed at any moment thereafter: the same.
  std::size_t be_destroyed() {
    if (begin()) {
      // Looks before it tries: a thread that writes again and again would never let the others go on.
      while (!this->delivered()) {
        if ((this->state_.load(std::memory_order_relaxed) & this->owned) == 0 && this->seize()) break;
        model::yield();
      }
    }
    if (!this->over_) this->first_ = count;
    tidy();
    return this->first_;
  }

 private:
  // true: asleep. Else it is over, or called off.
  bool begin() {
    while (!rouse()) {
      const Placed placed = this->settle(this->table(), false);
      if (placed != Placed::changed) return placed == Placed::asleep;
    }
    return false;
  }

  static void sleep_until_set(Word& word) {
    const Sleep<Word> unset{&word, 0};
    typename Os::Limit never{trine::Until()};
    while (word.load(std::memory_order_acquire) == 0) Os::sleep({&unset, 1}, never);
  }

  template <class Call>
  void visit(std::size_t which, Call call) {
    [&]<std::size_t... I>(std::index_sequence<I...>) { ((which == I ? call(std::get<I>(operations_)) : void()), ...); }
    (std::index_sequence_for<O...>());
  }

  bool rouse() noexcept override {
    this->over_ = this->announce_each([this](std::size_t which) {
      Sleep<Word> sleep;
      visit(which, [&sleep](auto& operation) { sleep = operation.announce(); });
      return sleep;
    });
    if (this->over_) this->leave_lists(this->table(), true);
    return this->over_;
  }

  void leave() {
    bool done = false;
    for (this->first_ = 0; this->first_ < count; ++this->first_) {
      visit(this->first_, [&done](auto& operation) { done = operation.attempt(); });
      if (done) break;
    }
  }

  void tidy() {
    this->leave_lists(this->table(), true);
    for (std::size_t i = 0; i < count; ++i) {
      if (i != this->first_) visit(i, [](auto& operation) { operation.give_up(); });
    }
  }

  bool in_hand_at(const Word& word) override {
    if ((this->state_.load(std::memory_order_relaxed) & this->owned) == 0) return false;
    bool there = false;
    for (auto& node : this->nodes_) there = there || node.word.load(std::memory_order_relaxed) == &word;
    return there;
  }

  std::tuple<O...>& operations_;
};

/// A mutant: one that is in hand uses up a wake that comes by.
inline bool in_hand_uses_up_wakes = false;

template <class Os>
struct Wakes : Os {
  static void steps_between_fences() = delete;  // as for coroutine::Words

  static void wake(typename Os::Word& word, std::uint32_t count) {
    TableWorld<Os>& world = *TableWorld<Os>::current;
    if (in_hand_uses_up_wakes && count != trine::everyone) {
      for (InSeveral<Os>* const chooser : world.choosing) {
        if (count != 0 && chooser->in_hand_at(word)) ++mutated_operations, --count;
      }
    }
    if (count != 0) world.table.wake(word, count);
  }
};

/// The backend: the words of coroutines, with modelled threads in their place.
template <class Os>
struct tabled : trine::coroutine::CoroutineWords<Wakes<Os>, Os> {
  using World = TableWorld<Os>;
  template <class R>
  using Result = R;

  // The caller's place is seen by a mutation.
  static void wake(typename Os::Word& word, std::uint32_t count,
                   const std::source_location& where = std::source_location::current()) {
    if (const Mutation* const found = concerns(Op::wake, where); found != nullptr) {
      ++mutated_operations;
      count = found->woken(count);
    }
    if (count != 0) Wakes<Os>::wake(word, count);
  }
  static std::uint32_t self() { return model::self(); }

  template <class O>
  static typename O::Result run(O operation, const trine::Until& until) {
    if (operation.attempt()) return operation.result();
    const auto waiting = std::make_unique<Suspended<Os, O>>(std::move(operation), !until.never());
    return waiting->wait();
  }

  template <class S, class... O>
  [[gnu::noinline]] static S run_first(std::tuple<O...> operations, const trine::Until& until) {
    const std::size_t first = choose(operations, until, [](auto& chooser) { return chooser.wait(); });
    return S(first, operations);
  }

  /// Waits for the first of several, and is destroyed at any moment: which was done, or as many as there are.
  template <class... O>
  static std::size_t choose_and_be_destroyed(O... operations) {
    std::tuple<O...> all(std::move(operations)...);
    return choose(all, trine::Until(), [](auto& chooser) { return chooser.be_destroyed(); });
  }

 private:
  template <class... O, class Wait>
  static std::size_t choose(std::tuple<O...>& operations, const trine::Until& until, Wait wait) {
    using Chooser = Choosing<Os, O...>;
    static_assert(alignof(Chooser) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    auto& memory = World::current->memory;
    memory.push_back(std::make_unique<std::byte[]>(sizeof(Chooser)));
    const std::unique_ptr<Chooser, void (*)(Chooser*)> chooser(::new (memory.back().get()) Chooser(operations, !until.never()),
                                                               [](Chooser* gone) {
                                                                 // That mutant looks at all there ever were.
                                                                 if (!in_hand_uses_up_wakes) std::destroy_at(gone);
                                                               });
    return wait(*chooser);
  }
};

/// A body explored as those of other tests are, in a world of its own; without merging, for the lists are plain data, which a
/// state does not show.
inline model::Options tabled_options(int preemptions, bool weak_memory) {
  model::Options options = bounded_by(preemptions);
  options.spurious_wakes = 0;
  options.weak_memory = weak_memory;
  options.merge_states = false;
  return options;
}

template <class Os = trine::modelling::ModelledSleep>
void prove_tabled(int threads, void (*body)(), int preemptions, bool weak_memory = true) {
  const auto report = model::check(tabled_options(preemptions, weak_memory), [body] {
    const TableWorld<Os> world;
    body();
  });
  record(test_name() + (weak_memory ? "" : ", all sequentially consistent"), threads, preemptions, report,
         report.complete() ? "proved" : "FAILED: " + (report.ok() ? "out of time" : report.finding()));
  EXPECT_TRUE(report.ok()) << report.trace();
  EXPECT_TRUE(report.complete()) << "out of time after " << report.executions() << " executions";
}

inline void caught_tabled(const Mutation& mutant, int threads, void (*body)(), int preemptions, std::string_view expected,
                          bool weak_memory = true) {
  mutation = &mutant;
  mutated_operations = 0;
  const auto report = model::check(tabled_options(preemptions, weak_memory), [body] {
    const TableWorld<MutableSleep> world;
    body();
  });
  mutation = nullptr;
  const std::string finding = report.finding();
  record(test_name(), threads, preemptions, report, report.ok() ? "SURVIVES" : "caught: " + finding.substr(0, finding.find(':')));
  EXPECT_GT(mutated_operations, 0U) << "nothing was mutated";
  EXPECT_FALSE(report.ok()) << "the mutant survives";
  EXPECT_NE(finding.find(expected), std::string::npos) << finding << '\n' << report.trace();
}

}  // namespace checking
