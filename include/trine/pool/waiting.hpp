// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <trine/backend.hpp>
#include <trine/pool/result.hpp>
#include <trine/until.hpp>

namespace trine {

/// Waits until `ready()`, which changes when a result is settled, and then calls `finish(ready)` in the waiting party: what that
/// returned. The crew says where to sleep by raise(), and sees to its workers by see_to_all(closely).
template <class B, class Crew, class Ready, class Finish>
class PoolWait : public OperationOf<std::invoke_result_t<Finish&, bool>, B> {
 public:
  PoolWait(Crew& crew, Ready ready, Finish finish) : crew_(&crew), ready_(std::move(ready)), finish_(std::move(finish)) {}

  bool attempt() { return look(false); }

  Sleep<typename B::Word> announce() {
    const auto sleep = crew_->raise();
    return look(true) ? Sleep<typename B::Word>{} : sleep;
  }

  auto result() { return finish_(done_); }

 private:
  bool look(bool closely) {
    done_ = ready_();
    if (done_) return true;
    crew_->see_to_all(closely);
    done_ = ready_();
    return done_;
  }

  Crew* crew_;
  Ready ready_;
  Finish finish_;
  bool done_ = false;
};

/// Waits until the workers have ended and are buried. The crew says where to sleep, and sees to its workers: all in one operation,
/// for which one limit holds.
template <class B, class Crew>
class PoolEnd : public OperationOf<bool, B> {
 public:
  PoolEnd(Crew& crew, bool with_tasks) : crew_(&crew), with_tasks_(with_tasks) {}

  bool attempt() { return look(false); }

  Sleep<typename B::Word> announce() {
    const auto sleep = crew_->raise();
    return look(true) ? Sleep<typename B::Word>{} : crew_->until_the_end(sleep);
  }

  bool result() { return done_; }

 private:
  bool look(bool closely) {
    done_ = crew_->has_ended(closely, with_tasks_);
    return done_;
  }

  Crew* crew_;
  bool with_tasks_;  // which are to be done before
  bool done_ = false;
};

/// Whether a wait on B returns its result itself, and not something to await.
template <class B>
concept Blocks = std::same_as<typename B::template Result<bool>, bool>;

/// How the results of a pool's tasks are waited for by a caller that blocks, whatever the pool's backend.
class PoolWaiting {
 public:
  /// Until it is ready: true, or false when it gave up.
  virtual bool wait_for(const PoolOutcome& outcome, const Until& until) = 0;
  /// Whether it is ready, after a look at the workers.
  virtual bool look(const PoolOutcome& outcome) = 0;
  /// From now on somebody sees to results while nobody waits for them.
  virtual void attend() = 0;

  template <class Finish>
  auto when_ready(const PoolOutcome& outcome, const Until& until, Finish finish) {
    return finish(outcome.ready() || wait_for(outcome, until));
  }

 protected:
  ~PoolWaiting() = default;
};

/// A crew whose callers block.
template <class Crew>
class BlockingCrew final : public Crew, public PoolWaiting {
 public:
  using Crew::Crew;

  bool wait_for(const PoolOutcome& outcome, const Until& until) override {
    return Crew::wait([&outcome] { return outcome.ready(); }, until, [](bool ready) { return ready; });
  }
  bool look(const PoolOutcome& outcome) override {
    Crew::see_to_all(true);
    return outcome.ready();
  }
  void attend() override { Crew::attend(); }
};

/// A crew whose callers are given something to await.
template <class Crew>
class AwaitedCrew final : public Crew {
 public:
  using Crew::Crew;

  bool look(const PoolOutcome& outcome) const noexcept { return outcome.ready(); }

  template <class Finish>
  auto when_ready(const PoolOutcome& outcome, const Until& until, Finish finish) {
    return Crew::wait([&outcome] { return outcome.ready(); }, until, std::move(finish));
  }
};

template <class B>
class ThreadCrew;

/// What a Future has of its pool: the same for all backends that block.
template <class B>
struct PoolWaitingOf {
  using type = AwaitedCrew<ThreadCrew<B>>;
};
template <Blocks B>
struct PoolWaitingOf<B> {
  using type = PoolWaiting;
};

}  // namespace trine
