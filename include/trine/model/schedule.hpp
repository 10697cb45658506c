// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <trine/model/memory.hpp>
#include <trine/model/report.hpp>
#include <trine/model/thread.hpp>
#include <vector>

namespace trine::modelling {

enum class How : std::uint8_t { goes_on, times_out, wakes_for_nothing, looks_again, dies, is_buried };

/// One way in which an execution can go on.
struct Transition {
  std::uint8_t thread;
  How how;
};

/// The threads of an execution, and who may go on.
///
/// The sleep set (P. Godefroid) holds threads whose next step has been looked at before others that commute with it: to do
/// it after them leads to nothing new. A thread leaves the set when a step is done that does not commute with its own.
class Schedule {
 public:
  using Transitions = std::array<Transition, 4 * most_threads>;

  void clear() noexcept {
    count_ = 0;
    sleepers_.clear();
    sleep_set_ = 0;
    preemptions_ = spurious_ = killed_ = 0;
    changes_ = 0;
    quiet_ = 0;
    looked_again_ = 0;
    deaths_ = false;
  }

  std::size_t add(void (*entry)(), std::size_t stack_size) {
    const std::size_t id = count_++;
    threads_[id].begin_anew(id);
    threads_[id].context.prepare(entry, stack_size);
    return id;
  }

  ThreadState& operator[](std::size_t id) noexcept { return threads_[id]; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t running() const noexcept { return running_; }
  ThreadState& me() noexcept { return threads_[running_]; }
  [[nodiscard]] const ThreadState& me() const noexcept { return threads_[running_]; }
  void run(std::size_t id) noexcept { running_ = id; }
  void changed() noexcept { ++changes_; }
  [[nodiscard]] const std::vector<std::size_t>& sleepers() const noexcept { return sleepers_; }
  [[nodiscard]] std::uint32_t sleep_set() const noexcept { return sleep_set_; }

  [[nodiscard]] bool others_alive() const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      if (i != running_ && threads_[i].state != State::done) return true;
    }
    return false;
  }

  void fall_asleep(bool may_time_out) {
    me().state = State::asleep;
    me().may_time_out = may_time_out;
    me().timed_out = false;
    me().next = Step::start;  // when it is woken it goes on to its next step, which others can't tell
    me().touches = 0;
    me().sequential = false;
    sleepers_.push_back(running_);
  }
  void get_up(std::size_t id) {
    threads_[id].state = State::ready;
    std::erase(sleepers_, id);
  }

  /// A thread is done: who waits for it may go on.
  void finish(std::size_t id) {
    threads_[id].state = State::done;
    threads_[id].next = Step::start;
    threads_[id].touches = 0;
    threads_[id].sequential = false;
    changed();
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].state == State::joining && threads_[i].joins == id) threads_[i].state = State::ready;
    }
  }

  /// There are threads that may die, or sleep in slices.
  void expect_deaths() noexcept { deaths_ = true; }
  [[nodiscard]] bool expects_deaths() const noexcept { return deaths_; }
  [[nodiscard]] int killed() const noexcept { return killed_; }

  /// A thread does nothing more. Nothing of it is left but what it did to memory and to plain data.
  void kill(std::size_t id) {
    ThreadState& thread = threads_[id];
    ++killed_;
    if (thread.state == State::asleep) std::erase(sleepers_, id);
    if (thread.plain) ++thread.knows.view.clock(id);
    thread.plain = thread.mortal = thread.keeps_fences_out = false;
    thread.killed = true;
    thread.history = thread.told;
    changed();
  }

  /// The system goes through what it owned, or it is done.
  void lay_out(std::size_t id, const Kernel& kernel) {
    Owner& owner = threads_[id].owner;
    if (!kernel.watches) {
      owner.list.clear();
      owner.noted.reset();
    }
    if (owner.has_nothing()) return finish(id);
    threads_[id].state = State::dying;
    deaths_ = true;
  }

  std::optional<std::size_t> dying() const noexcept {
    for (std::size_t i = 0; i < count_ && deaths_; ++i) {
      if (threads_[i].state == State::dying) return i;
    }
    return {};
  }

  /// Adds what has to do with deaths: the system sees to what a dead thread owned, a sleeper is killed, and, when nobody else
  /// can go on, one looks again whose slice of sleep is over. Each does so once; then something must have changed.
  std::size_t collect_deaths(Transitions& possible, std::size_t count, const Options& options, const Memory& memory) {
    const auto add = [&](std::size_t i, How how) { possible[count++] = {static_cast<std::uint8_t>(i), how}; };
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].state == State::dying) add(i, How::is_buried);
    }
    if (options.slices && !sleepers_.empty() && all_wait()) {
      const std::uint64_t now = newest_values(memory);
      if (now != quiet_) looked_again_ = 0;
      quiet_ = now;
      for (const std::size_t i : sleepers_) {
        if (threads_[i].in_slices && (looked_again_ >> i & 1U) == 0) add(i, How::looks_again);
      }
    }
    if (count == 0) return 0;  // no death need come
    for (const std::size_t i : sleepers_) {
      if (threads_[i].mortal && killed_ < options.kills) add(i, How::dies);
    }
    return count;
  }

  /// From here on no thread may put a fence into all: the running one is amid something that they come before or after.
  void keep_fences_out(bool out) noexcept { me().keeps_fences_out = out; }

  /// The running thread yields, and what it will see from here on is as new as now: it may yield again when something has
  /// changed since.
  [[nodiscard]] std::uint32_t changes() const noexcept { return changes_; }
  void yield_is_over(std::uint32_t changes) noexcept { me().round = changes; }

  /// All ways to go on, that of the running thread first and those of sleepers last. `pruned`: there were others, which lead
  /// to nothing new.
  std::size_t collect(Transitions& possible, const Options& options, bool reduce, bool& pruned) {
    std::size_t count = 0;
    const auto add = [&](std::size_t i) {
      if (reduce && (sleep_set_ >> i & 1U) != 0) {
        pruned = true;
      } else {
        possible[count++] = {static_cast<std::uint8_t>(i), How::goes_on};
      }
    };
    const bool stays = can_stay();
    if (stays) add(running_);
    if (stays && options.preemptions != Options::unbounded && preemptions_ >= options.preemptions) return count;
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].state == State::ready && !waits_for_change(i) && !is_kept_out(i) && !(i == running_ && stays)) add(i);
    }
    if (count == 0 && !pruned) {  // those that look again and again, if nobody else can go on
      for (std::size_t i = 0; i < count_; ++i) {
        if (threads_[i].state == State::ready && !is_kept_out(i)) add(i);
      }
    }
    for (const std::size_t i : sleepers_) {
      if (threads_[i].may_time_out) possible[count++] = {static_cast<std::uint8_t>(i), How::times_out};
      if (spurious_ < options.spurious_wakes && (count != 0 || pruned)) {
        possible[count++] = {static_cast<std::uint8_t>(i), How::wakes_for_nothing};
      }
    }
    return count;
  }

  /// Goes the way number `taken`, after those before it.
  std::size_t take(const Transitions& possible, std::size_t taken, const Memory& memory, bool reduce) {
    const Transition& transition = possible[taken];
    const std::size_t next = transition.thread;
    if (next != running_ && can_stay()) ++preemptions_;
    if (transition.how != How::goes_on) {
      threads_[next].timed_out = transition.how == How::times_out;
      if (transition.how == How::wakes_for_nothing) ++spurious_;
      if (transition.how == How::looks_again) look_again(next, memory);
      get_up(next);
      sleep_set_ = 0;
    }
    if (!reduce || transition.how != How::goes_on) return next;
    for (std::size_t i = 0; i < taken; ++i) sleep_set_ |= 1U << possible[i].thread;
    for (std::size_t i = 0; i < count_ && sleep_set_ != 0; ++i) {
      if ((sleep_set_ >> i & 1U) != 0 && (i == next || !commute(threads_[i], threads_[next], memory)))
        sleep_set_ &= ~(1U << i);
    }
    return next;
  }

  /// Who goes on when there is nothing to choose: all in turn, and sleepers when nobody else is left.
  std::optional<std::size_t> any() {
    if (me().state == State::ready && me().next != Step::yield) return running_;
    for (std::size_t k = 1; k <= count_; ++k) {
      const std::size_t i = (running_ + k) % count_;
      if (threads_[i].state == State::ready) return i;
    }
    for (const std::size_t i : sleepers_) {
      if (!threads_[i].may_time_out) continue;
      threads_[i].timed_out = true;
      get_up(i);
      return i;
    }
    for (const std::size_t i : sleepers_) {
      if (!threads_[i].in_slices) continue;
      get_up(i);
      return i;
    }
    return {};
  }

  /// All steps look at all threads again.
  void wake_up_all_steps() noexcept { sleep_set_ = 0; }

  /// All that decides how the execution can go on, but for memory and what has no part in it: who runs, if it costs nothing
  /// to let another run; how an object of plain data is used, which the histories tell.
  [[nodiscard]] std::uint64_t hash(const Options& options, std::size_t locations) const noexcept {
    std::uint64_t state = static_cast<std::uint64_t>(spurious_);
    if (options.preemptions != Options::unbounded)
      state = mix(state, static_cast<std::uint64_t>(preemptions_) * 8 + running_);
    for (std::size_t i = 0; i < count_; ++i) {
      const ThreadState& thread = threads_[i];
      state = mix(state, thread.knows.view.hash(locations));
      state = mix(state, thread.history + static_cast<std::uint64_t>(thread.state) * 0x9ddfea08eb382d69U);
      if (thread.state == State::done) continue;
      state = mix(state, (static_cast<std::uint64_t>(thread.next) << 56U) ^ thread.touches ^
                             (thread.timed_out ? 1ULL << 63U : 0) ^ (thread.plain ? 1ULL << 62U : 0) ^
                             (thread.round == changes_ ? 1ULL << 61U : 0));
      View learnt = thread.knows.acquired;
      learnt.join(thread.knows.view);
      state = mix(state, learnt.hash(locations));
      state = mix(state, thread.knows.released.hash(locations));
      if (thread.round != ~0U || thread.had_slice) state = mix(mix(state, thread.knows.fresh.hash(locations)), thread.looked);
    }
    for (const std::size_t i : sleepers_) state = mix(state, i);
    return deaths_ ? hash_deaths(state) : state;
  }

  /// Stores that no thread can read any more tell states apart that are the same.
  void forget_the_unreadable(Memory& memory) noexcept {
    for (std::size_t location = 0; location < memory.size(); ++location) {
      std::size_t oldest = memory[location].newest();
      for (std::size_t i = 0; i < count_ && memory[location].alive; ++i) {
        if (threads_[i].state != State::done) oldest = std::min<std::size_t>(oldest, threads_[i].knows.view.seen(location));
      }
      if (oldest == 0) continue;
      memory.drop(location, oldest);
      for (std::size_t i = 0; i < count_; ++i) {
        Knowledge& knows = threads_[i].knows;
        for (View* view : {&knows.view, &knows.acquired, &knows.released, &knows.fresh}) {
          Memory::drop_from(*view, location, oldest);
        }
      }
    }
  }

 private:
  // A thread that yields says that it has looked in vain: it need not look again before something has changed since it began
  // to.
  [[nodiscard]] bool waits_for_change(std::size_t id) const noexcept {
    return threads_[id].next == Step::yield && threads_[id].round == changes_;
  }
  [[nodiscard]] bool can_stay() const noexcept {
    return me().state == State::ready && me().next != Step::yield && !is_kept_out(running_);
  }

  // Its next step is a fence in all threads, which has to wait for one of them.
  [[nodiscard]] bool is_kept_out(std::size_t id) const noexcept {
    if (threads_[id].next != Step::fence_all) return false;
    return std::any_of(threads_.begin(), threads_.begin() + static_cast<std::ptrdiff_t>(count_),
                       [](const ThreadState& thread) { return thread.keeps_fences_out; });
  }

  [[nodiscard]] bool all_wait() const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].state == State::dying) return false;
      if (threads_[i].state == State::ready && !waits_for_change(i)) return false;
    }
    return true;
  }

  [[nodiscard]] static std::uint64_t newest_values(const Memory& memory) noexcept {
    std::uint64_t result = 1;
    for (std::size_t i = 0; i < memory.size(); ++i) {
      if (memory[i].alive) result = mix(result, memory[i].stores.back().value);
    }
    return result;
  }

  // What was written while it slept for so long is visible to it.
  void look_again(std::size_t id, const Memory& memory) noexcept {
    looked_again_ |= 1U << id;
    threads_[id].had_slice = true;
    for (std::size_t i = 0; i < memory.size(); ++i) {
      std::uint16_t& fresh = threads_[id].knows.fresh.seen(i);
      fresh = std::max(fresh, static_cast<std::uint16_t>(memory[i].newest()));
    }
  }

  [[nodiscard]] std::uint64_t hash_deaths(std::uint64_t state) const noexcept {
    if (looked_again_ != 0) state = mix(mix(state, looked_again_), quiet_);
    for (std::size_t i = 0; i < count_; ++i) {
      if (threads_[i].killed) state = mix(state, i + 64);
      if (threads_[i].state == State::dying) state = mix(state, threads_[i].owner.hash());
    }
    return state;
  }

  std::array<ThreadState, most_threads> threads_;
  std::size_t count_ = 0;
  std::size_t running_ = 0;
  std::vector<std::size_t> sleepers_;  // in the order in which they fell asleep
  std::uint32_t sleep_set_ = 0;
  std::uint32_t changes_ = 0;  // of memory, and of who is done
  int preemptions_ = 0;
  int spurious_ = 0;
  int killed_ = 0;
  std::uint64_t quiet_ = 0;         // memory when last nobody could go on
  std::uint32_t looked_again_ = 0;  // who has looked at that again, a bit each
  bool deaths_ = false;
};

}  // namespace trine::modelling
