// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <source_location>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <trine/backend/blocking.hpp>
#include <trine/model/explorer.hpp>
#include <trine/model/report.hpp>
#include <trine/sleep.hpp>
#include <trine/until.hpp>
#include <type_traits>
#include <utility>

namespace trine::modelling {

/// The low half of a variable of 64 bits, as one of its own.
struct LowHalf {
  std::size_t location;
};

/// An atomic variable of a checked body, with the interface of std::atomic. Every operation is a step at which another
/// thread may go first, and behaves as the memory model of C++ allows.
template <class T> class Atomic {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>,
                "model::Atomic holds up to eight trivially copyable bytes");

 public:
  Atomic() : Atomic(T{}) {}
  Atomic(T value) : location_(Explorer::current().add_location(pack(value))) {}
  explicit Atomic(LowHalf of) noexcept requires(sizeof(T) == 4) : location_(of.location), is_half_(true) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
  ~Atomic() {
    if (!is_half_ && Explorer::running()) Explorer::current().remove_location(location_);
  }

  [[nodiscard]] T load(std::memory_order order = std::memory_order_seq_cst, const Where& where = Where::current()) const {
    return unpack(Explorer::current().load(location_, order, where));
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst, const Where& where = Where::current()) {
    Explorer::current().store(location_, pack(value), order, where);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst, const Where& where = Where::current()) {
    return update(order, where, "exchange", [value](T) { return value; });
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure,
                               const Where& where = Where::current()) {
    std::uint64_t bits = pack(expected);
    const bool done = Explorer::current().compare_exchange(location_, bits, pack(desired), success, failure, where);
    if (!done) expected = unpack(bits);
    return done;
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                               const Where& where = Where::current()) {
    return compare_exchange_strong(expected, desired, order, failing(order), where);
  }
  /// As strong: a failure for no reason would only repeat the loop that it stands in.
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure,
                             const Where& where = Where::current()) {
    return compare_exchange_strong(expected, desired, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                             const Where& where = Where::current()) {
    return compare_exchange_strong(expected, desired, order, failing(order), where);
  }
  /// For an Os whose words can do that.
  bool exchange_between_fences(T& expected, T desired, std::memory_order order, const Where& where = Where::current()) {
    std::uint64_t bits = pack(expected);
    const bool done = Explorer::current().exchange_between_fences(location_, bits, pack(desired), order, where);
    expected = unpack(bits);
    return done;
  }
  T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst,
              const Where& where = Where::current()) requires std::integral<T> {
    return update(order, where, "fetch_add", [by](T value) { return static_cast<T>(value + by); });
  }
  T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst,
              const Where& where = Where::current()) requires std::integral<T> {
    return update(order, where, "fetch_sub", [by](T value) { return static_cast<T>(value - by); });
  }
  T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst,
             const Where& where = Where::current()) requires std::integral<T> {
    return update(order, where, "fetch_or", [bits](T value) { return static_cast<T>(value | bits); });
  }
  T fetch_and(T bits, std::memory_order order = std::memory_order_seq_cst,
              const Where& where = Where::current()) requires std::integral<T> {
    return update(order, where, "fetch_and", [bits](T value) { return static_cast<T>(value & bits); });
  }

  [[nodiscard]] std::size_t location() const noexcept { return location_; }

 private:
  static std::uint64_t pack(T value) noexcept {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T unpack(std::uint64_t bits) noexcept {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
  static constexpr std::memory_order failing(std::memory_order order) noexcept {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    return order == std::memory_order_release ? std::memory_order_relaxed : order;
  }
  template <class Change> T update(std::memory_order order, const Where& where, const char* name, Change&& change) {
    return unpack(Explorer::current().update(location_, order, where, name,
                                             [&](std::uint64_t bits) { return pack(change(unpack(bits))); }));
  }

  std::size_t location_;
  bool is_half_ = false;
};

/// Plain data of a checked body: two accesses of which one writes must be ordered by happens-before, or it is a data race,
/// and found whatever the order in which they happened to be made.
template <class T> class Cell {
 public:
  Cell() : Cell(T{}) {}
  explicit Cell(T value) : value_(std::move(value)) { be_written(Explorer::current()); }
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  [[nodiscard]] const T& read(const Where& where = Where::current()) const {
    Explorer& explorer = Explorer::current();
    explorer.say_plain("reads", this, where);
    check_write(explorer);
    reads_[explorer.self()] = explorer.moment();
    return value_;
  }
  [[nodiscard]] T& write(const Where& where = Where::current()) {
    Explorer& explorer = Explorer::current();
    explorer.say_plain("writes", this, where);
    check_write(explorer);
    for (std::size_t i = 0; i < most_threads; ++i) {
      if (i != explorer.self() && reads_[i] > explorer.known().clock(i)) {
        explorer.find("data race: plain data are written while thread " + std::to_string(i) + " reads them");
      }
    }
    be_written(explorer);
    return value_;
  }
  [[nodiscard]] T get(const Where& where = Where::current()) const { return read(where); }
  void set(T value, const Where& where = Where::current()) { write(where) = std::move(value); }

 private:
  void check_write(Explorer& explorer) const {
    if (writer_ != explorer.self() && written_ > explorer.known().clock(writer_)) {
      explorer.find("data race: plain data are used while thread " + std::to_string(writer_) + " writes them");
    }
    explorer.note(written_ * most_threads + writer_);  // so the histories tell in which order it was written
  }
  void be_written(Explorer& explorer) {
    writer_ = explorer.self();
    written_ = explorer.moment();
  }

  T value_;
  std::size_t writer_ = 0;
  std::uint16_t written_ = 0;
  mutable std::array<std::uint16_t, most_threads> reads_{};
};

/// A thread of a checked body, as std::thread. One that is not joined is a finding.
class Thread {
 public:
  Thread() = default;
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, Thread>) explicit Thread(F&& function,
                                                                          const Where& where = Where::current())
      : id_(Explorer::current().spawn(std::make_unique<Running<std::remove_cvref_t<F>>>(std::forward<F>(function)), where)),
        joinable_(true) {}
  Thread(Thread&& other) noexcept : id_(other.id_), joinable_(std::exchange(other.joinable_, false)) {}
  Thread& operator=(Thread&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(joinable_, other.joinable_);
    return *this;
  }
  ~Thread() {
    if (joinable_ && Explorer::running()) Explorer::current().leak(id_);
  }

  void join(const Where& where = Where::current()) {
    if (!joinable_) throw std::logic_error("trine: model: a thread is joined that is not joinable");
    Explorer::current().join(id_, where);
    joinable_ = false;
  }
  [[nodiscard]] bool joinable() const noexcept { return joinable_; }

 private:
  template <class F> struct Running final : Runnable {
    template <class G> explicit Running(G&& given) : function(std::forward<G>(given)) {}
    void run() override { std::invoke(function); }
    F function;
  };

  std::size_t id_ = 0;
  bool joinable_ = false;
};

/// How a modelled thread sleeps.
struct ModelledSleep {
  using Word = modelling::Atomic<std::uint32_t>;
  template <class T> using Atomic = modelling::Atomic<T>;
  template <class T> using Cell = modelling::Cell<T>;

  /// A limit that is reached may be reached at any time, or never, while the caller sleeps; one of zero at once.
  class Limit {
   public:
    explicit Limit(const Until& until)
        : stop_(until.stop_token()), never_(until.never_but_for_stop()), passed_(until.passed()) {
      if (stop_.stop_possible()) Explorer::current().hidden_from_here();
      Explorer::current().note(passed_ ? 7 : 9);
    }

    [[nodiscard]] bool passed() const {
      const bool stopped = stop_.stop_requested();
      Explorer::current().note(stopped ? 3 : 5);
      return passed_ || stopped;
    }
    [[nodiscard]] const std::stop_token& stop_token() const noexcept { return stop_; }
    [[nodiscard]] bool never() const noexcept { return never_; }
    void pass() noexcept { passed_ = true; }

   private:
    std::stop_token stop_;
    bool never_;
    bool passed_;
  };

  static constexpr bool spins = false;
  static void pause() noexcept {}
  static void yield(const Where& where = Where::current()) noexcept { Explorer::current().yield(where); }
  static constexpr std::size_t turn() noexcept { return 0; }
  static constexpr bool fences_others() noexcept { return true; }
  static void fence_others(const Where& where = Where::current()) { Explorer::current().fence_all(where); }
  static void fence_others_or_wait(const Where& where = Where::current()) { fence_others(where); }
  static constexpr bool steps_between_fences() noexcept { return true; }
  static bool exchange_between_fences(Word& word, std::uint32_t& expected, std::uint32_t desired,
                                      const Where& where = Where::current()) {
    return word.exchange_between_fences(expected, desired, std::memory_order_release, where);
  }

  static void sleep(std::span<const Sleep<Word>> words, Limit& limit, const Where& where = Where::current()) {
    Explorer& explorer = Explorer::current();
    auto& watched = explorer.watched();
    for (const auto& each : words) watched.push_back({each.word, each.word->location(), each.value});
    if (explorer.sleep(!limit.never(), where)) limit.pass();
  }
  /// In one step with whatever made the request: the standard library is not modelled, and must not be interrupted.
  static void set_and_wake(Word& word, std::uint32_t value) {
    Explorer::current().set_and_rouse(word.location(), &word, value);
  }
  static void wake(Word& word, std::uint32_t count, const Where& where = Where::current()) {
    Explorer::current().wake(&word, count, where);
  }
};

}  // namespace trine::modelling

namespace trine {

/// The backend that is checked instead of run: `X<model>` inside a body given to model::check().
///
///     auto report = trine::model::check({}, [] {
///       trine::Lock<trine::model> lock;
///       trine::model::Cell<int> data;
///       trine::model::thread other([&] { auto held = lock.guard(); data.set(data.get() + 1); });
///       { auto held = lock.guard(); data.set(data.get() + 1); }
///       other.join();
///       trine::model::check_that(data.get() == 2);
///     });
///     if (!report.ok()) std::puts(report.trace().c_str());
///
/// Every order in which the threads can go on, and every outcome that the memory model of C++ allows, is looked at, within
/// the bounds of the Options. Found are failed checks, exceptions that leave a thread, data races on Cell, deadlocks and
/// lost wake-ups, executions that do not end, objects used after their destruction, and leaked threads. The body must do the
/// same in each execution but for the choices that the model makes: no clocks, no random numbers, no real threads.
/// docs/verification.md says what the model can't see.
struct model : Blocking<modelling::ModelledSleep> {
  using Options = modelling::Options;
  using Report = modelling::Report;
  using thread = modelling::Thread;
  using Worker = modelling::Thread;

  /// Runs `body` in every way that it can go.
  static Report check(const Options& options, std::function<void()> body) {
    return modelling::Explorer().check(options, std::move(body));
  }

  /// What must hold in every execution.
  static void check_that(bool condition, const std::source_location& where = std::source_location::current()) {
    if (!condition) {
      modelling::Explorer::current().find(std::string("check failed at line ") + std::to_string(where.line()));
    }
  }

  /// An atomic fence of the model.
  static void fence(std::memory_order order, const std::source_location& where = std::source_location::current()) {
    modelling::Explorer::current().fence(order, where);
  }

  /// Lets others go on: for loops that wait by looking again and again.
  static void yield(const std::source_location& where = std::source_location::current()) {
    modelling::Explorer::current().yield(where);
  }

  static std::uint32_t self() { return static_cast<std::uint32_t>(modelling::Explorer::current().self()) + 1; }
};

}  // namespace trine
