// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <trine/lock.hpp>
#include <trine/os/process_linux.hpp>

namespace trine {

/// What a process is called.
struct ProcessInformation {
  int pid = 0;
  std::string name;
  bool daemon = false;

  friend bool operator==(const ProcessInformation&, const ProcessInformation&) = default;
};

/// What the calling process knows of itself and of the processes that it started. A child that was forked, by whomever, finds
/// one of its own: whatever threads of its parent did with theirs at that moment is of no concern to it.
class ProcessTable {
 public:
  using Entries = std::list<ProcessInformation>;
  using Entry = Entries::iterator;

  static ProcessTable& here() {
    auto* const table = current().load(std::memory_order_acquire);
    if (table != nullptr && table->information_.pid == os::process_id()) [[likely]]
      return *table;
    return begin(table);
  }

  /// In a process that has just begun: what it is called, which stays where it is for as long as the process. Most need no
  /// table, and it makes none.
  static void name(const ProcessInformation& information) noexcept {
    // Release: pairs with the acquire of begin().
    named().store(&information, std::memory_order_release);
    current().store(nullptr, std::memory_order_release);
  }
  [[nodiscard]] const ProcessInformation& information() const noexcept { return information_; }

  /// A process that is to be started: names are counted, with the number of this process before them.
  ProcessInformation describe(std::string name, bool daemon) {
    const int number = started_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (name.empty()) {
      const auto digits = information_.name.rfind("Process-");
      name = digits == 0 ? information_.name + ":" : "Process-";
      name += std::to_string(number);
    }
    return {.pid = 0, .name = std::move(name), .daemon = daemon};
  }

  [[nodiscard]] std::vector<ProcessInformation> running() {
    const auto held = lock_.guard();
    std::vector<ProcessInformation> all;
    for (const auto& each : entries_) {
      if (os::child_runs(each.pid)) all.push_back(each);
    }
    return all;
  }

  Entry enter(ProcessInformation information) {
    const auto held = lock_.guard();
    return entries_.insert(entries_.end(), std::move(information));
  }
  void leave(Entry entry) {
    const auto held = lock_.guard();
    entries_.erase(entry);
  }

 private:
  ProcessTable(ProcessInformation information, ProcessTable* before)
      : information_(std::move(information)), before_(before) {}

  static ProcessTable& begin(ProcessTable* seen) {
    const auto* const name = named().load(std::memory_order_acquire);
    ProcessInformation information{.name = "MainProcess"};
    if (seen != nullptr) {
      information = seen->information_;
    } else if (name != nullptr) {
      information = *name;
    }
    information.pid = os::process_id();
    auto* const made = new ProcessTable(std::move(information), seen);  // for as long as the process
    do {
      if (seen != made->before_ && seen->information_.pid == made->information_.pid) {
        delete made;
        return *seen;
      }
    } while (!current().compare_exchange_weak(seen, made, std::memory_order_acq_rel, std::memory_order_acquire));
    return *made;
  }

  static std::atomic<const ProcessInformation*>& named() {
    static constinit std::atomic<const ProcessInformation*> information{nullptr};
    return information;
  }
  static std::atomic<ProcessTable*>& current() {
    static constinit std::atomic<ProcessTable*> table{nullptr};
    return table;
  }

  const ProcessInformation information_;
  ProcessTable* const before_;  // that of the process that this one was forked from
  std::atomic<int> started_{0};
  Lock<> lock_;
  Entries entries_;
};

/// A child of this process, in its table from enter() to gone().
class RunningProcess {
 public:
  RunningProcess() : table_(&ProcessTable::here()) {}
  RunningProcess(const RunningProcess&) = delete;
  RunningProcess& operator=(const RunningProcess&) = delete;

  /// Whether the calling process is the one that started it.
  [[nodiscard]] bool is_mine() const { return table_ == &ProcessTable::here(); }
  void require_parent() const {
    if (!is_mine()) throw std::logic_error("trine: Process: only the process that started it can ask for its end");
  }

  void enter() {
    entry_ = table_->enter(information);
    entered_ = true;
  }
  void gone() {
    if (std::exchange(entered_, false)) table_->leave(entry_);
  }

  ProcessInformation information;

 private:
  ProcessTable* table_;
  ProcessTable::Entry entry_;
  bool entered_ = false;
};

}  // namespace trine
