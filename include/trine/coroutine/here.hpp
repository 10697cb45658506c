// SPDX-License-Identifier: BSL-1.0
//
// What a thread knows about the coroutines that it runs.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stop_token>
#include <utility>
#include <vector>

#include <trine/backend/blocking.hpp>
#include <trine/coroutine/ready.hpp>
#include <trine/coroutine/sole_word.hpp>
#include <trine/coroutine/wait_table.hpp>
#include <trine/os/futex.hpp>

namespace trine {
class Scheduler;
}

namespace trine::coroutine {

class Root;
class Line;

/// The table in which all coroutines of the program wait.
struct Everywhere {
  using Os = SoleFutex;
  using Gate = SoleGate<EveryWord, Blocking<SoleFutex>::ShortLock>;
  static constexpr std::size_t bucket_bits = 12;
  static WaitTable<Everywhere>::Work& work() noexcept;
  static void deliver(WaitTable<Everywhere>::Sleeper& sleeper) noexcept;
  static bool deliver_to_this_thread(WaitTable<Everywhere>::Sleeper& sleeper) noexcept;
  static void delivered() noexcept;
  static std::uintptr_t address(const Os::Word& word) noexcept { return reinterpret_cast<std::uintptr_t>(&word); }
};
using Table = WaitTable<Everywhere>;

inline Table& table() noexcept {
  static constinit Table waiting;
  return waiting;
}

/// How coroutines sleep on words: as an `Os` for those parts of Blocking that only wake.
struct Words : os::Native {
  using Word = coroutine::Word;
  static void wake(Word& word, std::uint32_t count) noexcept { table().wake(word, count); }
  // A fence in other threads costs more than what it would save.
  static constexpr bool fences_others() noexcept { return false; }
  static void fence_others() noexcept {}
};

/// Stands where no scheduler does, and can be told from a null pointer.
inline constexpr char no_scheduler = 0;

struct Here {
  Scheduler* scheduler = nullptr;  // which runs on this thread
  const void* alone = &no_scheduler;  // the same, if it has no other thread
  Line* line = nullptr;            // this thread's, if that scheduler has several
  Root* root = nullptr;            // the task that runs on this thread
  std::coroutine_handle<> next;    // which goes on when the running one suspends
  Table::Work work;                // sleepers that this thread has in hand
  Ready* orphans = nullptr;        // coroutines that this thread woke and nobody else resumes, in order
  Ready* last_orphan = nullptr;
  bool resuming_orphans = false;
  int waits = 0;  // how many more waits of the running coroutine may be over at once

  void runs(Scheduler* now, bool by_one_thread) noexcept {
    scheduler = now;
    alone = by_one_thread ? static_cast<const void*>(now) : &no_scheduler;
  }
};

inline constinit thread_local Here this_thread;

inline Here& here() noexcept { return this_thread; }

inline Table::Work& Everywhere::work() noexcept { return here().work; }

/// Resumes those whom a coroutine that was resumed has named to go on, one after the other.
[[gnu::always_inline]] inline void drive_named() {
  Here& at = here();
  while (at.next) [[unlikely]]
    std::exchange(at.next, nullptr).resume();
}

/// Resumes a coroutine, and then the one that it named to go on, and so forth: however deep tasks await each other, and in
/// whichever way they are compiled, the stack does not grow.
inline void drive(std::coroutine_handle<> coroutine) {
  coroutine.resume();
  drive_named();
}

/// Lets one go on whose turn it is; then `root` runs again.
[[gnu::always_inline]] inline void run_ready(Ready& item, Root* root) {
  item.run(item);
  drive_named();
  here().root = root;
}

/// Resumes the coroutines that have no scheduler: after the waker's own work, and one after the other.
inline void Everywhere::delivered() noexcept {
  Here& at = here();
  if (at.orphans == nullptr || std::exchange(at.resuming_orphans, true)) return;
  Root* const root = at.root;
  while (Ready* const orphan = at.orphans) {
    at.orphans = std::exchange(orphan->next, nullptr);
    run_ready(*orphan, root);
  }
  at.resuming_orphans = false;
}

/// After so many waits that were over at once a coroutine lets the others of its scheduler run.
inline constexpr int most_waits = 256;

/// Numbers for those tasks that own something: under 2^30, each used once at a time.
class Numbers {
 public:
  static std::uint32_t take() {
    const Hold hold;
    auto& spare = numbers().spare;
    if (spare.empty()) {
      make_room(spare, numbers().last);
      return ++numbers().last;
    }
    const std::uint32_t number = spare.back();
    spare.pop_back();
    return number;
  }

  static void give_back(std::uint32_t number) noexcept {
    const Hold hold;
    auto& spare = numbers().spare;
    // Where there was no memory for it that number is not used again, of 2^30.
    if (spare.size() < spare.capacity()) spare.push_back(number);
  }

 private:
  // For all of them, so that giving one back can't fail, nor can this.
  static void make_room(std::vector<std::uint32_t>& spare, std::size_t made) noexcept {
    if (spare.capacity() > made) return;
    try {
      spare.reserve(2 * made + 16);
    } catch (const std::bad_alloc&) {
      // see give_back()
    }
  }

  struct State {
    Blocking<os::PrivateFutex>::ShortLock gate;
    std::vector<std::uint32_t> spare;
    std::uint32_t last = 0;
  };
  // Never destroyed: threads may run while the program ends.
  static State& numbers() {
    static State& state = *new State;
    return state;
  }
  struct Hold {
    Hold() { numbers().gate.lock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { numbers().gate.unlock(); }
  };
};

/// A number of one's own for as long as this lives; taken when it is asked for.
class OwnNumber {
 public:
  OwnNumber() = default;
  OwnNumber(const OwnNumber&) = delete;
  OwnNumber& operator=(const OwnNumber&) = delete;
  ~OwnNumber() {
    if (number_ != 0) Numbers::give_back(number_);
  }
  std::uint32_t get() {
    if (number_ == 0) [[unlikely]]
      number_ = Numbers::take();
    return number_;
  }

 private:
  std::uint32_t number_ = 0;
};

/// A task that no other task awaits: it was spawned. It and the tasks that it awaits, one within the other, are one owner.
class Root {
 public:
  explicit Root(std::stop_token cancel = {}) noexcept : cancel_(std::move(cancel)) {}
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  /// Its coroutine has come to its end and stands there. Destroys this.
  virtual void ended() noexcept = 0;

  /// It was asked to end, and is suspended: destroys its coroutine and this.
  virtual void cancelled() noexcept = 0;

  /// Stopped when it is to end at its next wait that would suspend it.
  [[nodiscard]] const std::stop_token& cancel() const noexcept { return cancel_; }

  [[nodiscard]] std::uint32_t number() { return number_.get(); }

 protected:
  ~Root() = default;

 private:
  std::stop_token cancel_;
  OwnNumber number_;
};

/// Who is running: the number of the task, or of the thread where there is none.
inline std::uint32_t self() {
  if (Root* const root = here().root) return root->number();
  static thread_local OwnNumber of_thread;
  return of_thread.get();
}

}  // namespace trine::coroutine
