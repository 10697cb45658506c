// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <stdexcept>
#include <string>

namespace trine {

/// What went wrong in a use of the library's objects. Giving up a wait is a return value, never one of these; a bad
/// argument is a std::invalid_argument that names it; a failed system call is a std::system_error that names the call.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A free lock was unlocked. The lock is unchanged.
class NotLocked : public Error {
 public:
  NotLocked() : Error("trine: unlock of a lock that is not locked") {}
};

/// A lock was unlocked by somebody who does not own it. The lock is unchanged.
class NotOwner : public Error {
 public:
  NotOwner() : Error("trine: unlock by a caller that does not own the lock") {}
};

/// The owner of a lock died while it held it. The lock is not held by the caller, and stays so until recover().
class OwnerDied : public Error {
 public:
  OwnerDied() : Error("trine: the owner of the lock died while it held it; call recover()") {}
};

/// A release would have left more permits than the semaphore's maximum. Nothing was released.
class ReleasedTooManyTimes : public Error {
 public:
  ReleasedTooManyTimes() : Error("trine: semaphore released too many times") {}
};

/// The barrier was aborted or reset, or one of its parties gave up, died, or threw from its action.
class BrokenBarrier : public Error {
 public:
  BrokenBarrier() : Error("trine: the barrier is broken") {}
};

/// The queue was shut down: for put at once, for get when nothing is left.
class QueueShutdown : public Error {
 public:
  QueueShutdown() : Error("trine: the queue was shut down") {}
};

/// An item is larger than all the memory that a queue between processes has for its items. The queue is unchanged.
class ItemTooLarge : public Error {
 public:
  ItemTooLarge() : Error("trine: the item is larger than the memory that the queue has for its items") {}
};

/// task_done() was called more often than items were put. The count is unchanged.
class TaskDoneTooOften : public Error {
 public:
  TaskDoneTooOften() : Error("trine: task_done() called more often than items were put") {}
};

/// The other end was closed, or everyone who had it died, and all that was sent has been received.
class EndOfStream : public Error {
 public:
  EndOfStream() : Error("trine: the other end was closed and nothing is left") {}
};

/// The worker that had the task died before it had finished. The task may have been done in part.
class WorkerDied : public Error {
 public:
  WorkerDied() : Error("trine: the worker died while it had the task") {}
  explicit WorkerDied(const std::string& how) : Error("trine: the worker died while it had the task: " + how) {}
};

/// An exception left a task in another process: its type and what it said.
class RemoteError : public Error {
 public:
  RemoteError(const std::string& type, const std::string& text) : Error(type + ": " + text), type_(type) {}

  /// The name of the exception's type, as the compiler spells it.
  [[nodiscard]] const std::string& type() const noexcept { return type_; }

 private:
  std::string type_;
};

/// What has the name is not what was to be opened: made by another program or version, by another user, for another machine,
/// or damaged. The text names both sides.
class LayoutMismatch : public Error {
 public:
  explicit LayoutMismatch(const std::string& why) : Error("trine: " + why) {}
};

/// The namespace has no attribute of that name.
class NoSuchAttribute : public Error {
 public:
  explicit NoSuchAttribute(const std::string& name) : Error("trine: no attribute '" + name + "'") {}
};

/// The limit came before the result. The task goes on.
class TimedOut : public Error {
 public:
  TimedOut() : Error("trine: the result did not come in time") {}
};

/// Throws an E, away from the code that is run when nothing is wrong.
template <class E> [[noreturn, gnu::noinline, gnu::cold]] void fail() { throw E(); }

}  // namespace trine
