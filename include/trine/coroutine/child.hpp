// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <stop_token>
#include <utility>

#include <trine/coroutine/task.hpp>

namespace trine::coroutine {

/// Before an end is told: the scheduler's destructor waits until poke() has returned, if the caller's thread is none of its.
bool hold_on_to(Scheduler& scheduler) noexcept;
/// What its run() may wait for has happened. `held`: what hold_on_to() said.
void poke(Scheduler& scheduler, bool held) noexcept;

/// A task that runs by the side of the one to which this belongs, which waits for its end.
template <class T, class B>
class Child : public Root, private Ready {
 public:
  static void* operator new(std::size_t size) { return Frames::take(size); }
  static void operator delete(void* child, std::size_t size) noexcept { Frames::give_back(child, size); }

  explicit Child(Task<T, B> task, std::stop_token cancel = {})
      : Root(std::move(cancel)), Ready(perform), task_(std::in_place, std::move(task)), coroutine_(task_->begin()) {}
  virtual ~Child() {
    if (scheduler_ != nullptr && !finished()) take_back_from(*scheduler_, *this);
  }

  void start(Scheduler& scheduler) noexcept {
    scheduler_ = &scheduler;
    post_to(scheduler, *this);
  }

  [[nodiscard]] Ended<B> end_op() noexcept { return {&ended_}; }
  [[nodiscard]] bool finished() const noexcept { return Ended<B>::has_come(ended_); }
  /// Whether it came to its end, and was not cancelled.
  [[nodiscard]] bool completed() const noexcept {
    return ended_.load(std::memory_order_acquire) == Ended<B>::completed_itself;
  }

  T take() { return task_->take(); }

 protected:
  void ended() noexcept override { finish(Ended<B>::completed_itself); }
  [[nodiscard]] std::exception_ptr failure() const noexcept { return task_->failure(); }

 private:
  static void perform(Ready& item) {
    Child& self = static_cast<Child&>(item);
    if (self.cancel().stop_requested()) return self.cancelled();
    Here& at = here();
    Root* const outer = std::exchange(at.root, &self);
    drive(self.coroutine_);
    at.root = outer;
  }

  void cancelled() noexcept override {
    task_.reset();
    finish(Ended<B>::was_cancelled);
  }

  // Who waits for the end may destroy this at once.
  void finish(std::uint32_t how) noexcept {
    Scheduler& scheduler = *scheduler_;
    const bool held = hold_on_to(scheduler);
    Ended<B>::set_for_good(ended_, how);
    poke(scheduler, held);
  }

  Scheduler* scheduler_ = nullptr;
  Table::Word ended_{0};
  std::optional<Task<T, B>> task_;
  std::coroutine_handle<> coroutine_;
};

class Spawned;

/// Those that one thread of several has spawned, the latest first.
struct SpawnedList {
  Blocking<os::PrivateFutex>::ShortLock gate;
  Spawned* first = nullptr;
};

/// A task that nobody waits for: the scheduler has it in a list, and it destroys itself at its end.
class Spawned : public Root, public Ready {
 public:
  virtual ~Spawned() = default;

  static void* operator new(std::size_t size) { return Frames::take(size); }
  static void operator delete(void* spawned, std::size_t size) noexcept { Frames::give_back(spawned, size); }
  // What a function has captured may ask for more than the memory of frames has.
  static void* operator new(std::size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }
  // Without the size: so it is also called where the constructor throws.
  static void operator delete(void* spawned, std::align_val_t alignment) noexcept { ::operator delete(spawned, alignment); }

  Spawned* after = nullptr;
  Spawned* before = nullptr;
  // With several threads; the scheduler says so when it has it.
  SpawnedList* list;   // in which it is, or nullptr: in that of the scheduler
  std::size_t number;  // of two the later one has the greater

 protected:
  Spawned(Scheduler& scheduler, void (*first)(Ready&)) noexcept : Ready(first), scheduler_(scheduler) {}

  Scheduler& scheduler_;

 private:
  void cancelled() noexcept override {}
};

/// Puts a task into its scheduler's list and at the end of its line.
void begin_on(Scheduler& scheduler, Spawned& spawned) noexcept;
/// Takes a spawned task that has ended, or is destroyed, out of its scheduler's list.
void end_of(Scheduler& scheduler, Spawned& spawned, std::exception_ptr failure) noexcept;

template <class T, class B>
class Detached final : public Spawned {
 public:
  Detached(Scheduler& scheduler, Task<T, B> task)
      : Spawned(scheduler, perform), coroutine_(task.begin()), task_(std::move(task)) {}

 private:
  static void perform(Ready& item) {
    Detached& self = static_cast<Detached&>(item);
    Here& at = here();
    Root* const outer = std::exchange(at.root, &self);
    drive(self.coroutine_);
    at.root = outer;
  }

  void ended() noexcept override {
    std::exception_ptr failure = task_.failure();
    Scheduler& scheduler = scheduler_;
    // The frame is destroyed before the task counts as ended.
    end_of(scheduler, *this, std::move(failure));
  }

  std::coroutine_handle<> coroutine_;
  Task<T, B> task_;
};

}  // namespace trine::coroutine
