// SPDX-License-Identifier: BSL-1.0
//
// Children of a test: what they do, how they went, whether they sleep, and that nothing of them is left behind.
#pragma once

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <trine/backend/processes.hpp>

namespace trine_test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

using Clock = std::chrono::steady_clock;

/// After so long without going on, a survivor hangs.
inline constexpr std::chrono::milliseconds hang{sanitized ? 10'000 : 1'000};

/// The number in an environment variable, or `otherwise`.
inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Gives other processes a little time, between two looks at what they have done.
inline void look_again_soon() { ::usleep(50); }

/// True as soon as the condition holds, false if it does not before `end`.
template <class Condition>
bool holds_before(Clock::time_point end, Condition condition) {
  while (!condition()) {
    if (Clock::now() > end) return false;
    look_again_soon();
  }
  return true;
}

/// Ends a child, with a text for the test, unless `holds`.
inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// What a child tells the test.
struct Report {
  std::atomic<std::int64_t> finished_at{0};  // in ticks of Clock; 0: it has not
  std::atomic<int> stage{0};
  std::array<char, 160> text{};
};

/// Memory that the test shares with its children: reports, and whatever the test makes in it.
class SharedPlace {
 public:
  explicit SharedPlace(std::size_t size = std::size_t{1} << 16) : size_(size) {
    begin_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (begin_ == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
    next_ = static_cast<std::byte*>(begin_);
  }
  SharedPlace(const SharedPlace&) = delete;
  SharedPlace& operator=(const SharedPlace&) = delete;
  ~SharedPlace() {
    trine::os::Robust::forget(begin_, static_cast<std::byte*>(begin_) + size_);
    ::munmap(begin_, size_);
  }

  template <class T, class... Arguments>
  T& make(Arguments&&... arguments) {
    std::size_t room = size_ - static_cast<std::size_t>(next_ - static_cast<std::byte*>(begin_));
    void* at = next_;
    if (std::align(std::max<std::size_t>(alignof(T), 64), sizeof(T), at, room) == nullptr) throw std::bad_alloc();
    next_ = static_cast<std::byte*>(at) + sizeof(T);
    return *new (at) T(std::forward<Arguments>(arguments)...);
  }

  /// Memory full of zeros.
  void* raw(std::size_t size) { return std::exchange(next_, next_ + size); }

  /// A report, perhaps one that is no longer used.
  Report& report() {
    if (unused_.empty()) return make<Report>();
    Report& again = *unused_.back();
    unused_.pop_back();
    return *new (&again) Report();
  }
  void unused(Report& report) { unused_.push_back(&report); }

 private:
  std::size_t size_;
  void* begin_;
  std::byte* next_;
  std::vector<Report*> unused_;
};

/// The system call in which a process sleeps, or -1.
inline long sleeps_in(pid_t id) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/syscall", id);
  std::FILE* const file = std::fopen(path.data(), "re");
  if (file == nullptr) return -1;
  long number = -1;
  if (std::fscanf(file, "%ld", &number) != 1) number = -1;
  std::fclose(file);
  return number;
}

inline bool sleeps_on_futex(pid_t id) {
  const long number = sleeps_in(id);
  return number == SYS_futex || number == SYS_futex_waitv;
}

/// A forked process that does something and says how it went. Killed, if it still runs, and buried at the end of the scope.
class Child {
 public:
  Child(Report& report, const std::function<void()>& body) : report_(&report) {
    std::fflush(nullptr);
    id_ = ::fork();
    if (id_ < 0) throw std::system_error(errno, std::system_category(), "fork");
    if (id_ == 0) be(report, body);
  }
  /// One that somebody else has started, and this process traces.
  Child(Report& report, pid_t id) noexcept : id_(id), report_(&report) {}
  Child(Child&& other) noexcept : id_(std::exchange(other.id_, 0)), report_(other.report_), status_(other.status_) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (id_ == 0) return;
    kill();
    bury();
  }

  [[nodiscard]] pid_t id() const noexcept { return id_; }
  [[nodiscard]] bool finished() const noexcept { return report_->finished_at.load() != 0; }
  [[nodiscard]] Clock::time_point finished_at() const {
    return Clock::time_point(Clock::duration(report_->finished_at.load()));
  }
  [[nodiscard]] Report& report() const noexcept { return *report_; }

  /// What went wrong with one that has ended; empty: nothing.
  [[nodiscard]] std::string trouble() const {
    if (report_->text[0] != '\0') return report_->text.data();
    if (id_ == 0 && WIFSIGNALED(status_)) return "killed by signal " + std::to_string(WTERMSIG(status_));
    return {};
  }

  void kill() const { ::kill(id_, SIGKILL); }

  /// Waits for its end, which must have been caused.
  void bury() {
    do {
      if (::waitpid(id_, &status_, __WALL) < 0 && errno != EINTR) break;
    } while (!WIFEXITED(status_) && !WIFSIGNALED(status_));
    id_ = 0;
  }

  /// Somebody else has buried it.
  void is_gone() { id_ = 0; }

  /// Whether it has ended by itself before `end`; then it is buried.
  bool ends_before(Clock::time_point end) {
    return holds_before(end, [this] {
      if (id_ == 0) return true;
      if (::waitpid(id_, &status_, __WALL | WNOHANG) != id_ || (!WIFEXITED(status_) && !WIFSIGNALED(status_))) return false;
      id_ = 0;
      return true;
    });
  }

  /// Waits until it sleeps on a futex: true; or false, if it has ended or does not before long.
  [[nodiscard]] bool falls_asleep() const {
    bool asleep = false;
    holds_before(Clock::now() + hang, [&] { return (asleep = sleeps_on_futex(id_)) || finished(); });
    return asleep;
  }

  [[nodiscard]] bool reaches(int stage) const {
    return holds_before(Clock::now() + hang, [&] { return report_->stage.load() >= stage || finished(); });
  }

 private:
  [[noreturn]] static void be(Report& report, const std::function<void()>& body) {
    int code = 0;
    try {
      body();
    } catch (const std::exception& e) {
      std::snprintf(report.text.data(), report.text.size(), "%s", e.what());
      code = 1;
    }
    report.finished_at.store(Clock::now().time_since_epoch().count());
    std::fflush(nullptr);
    ::_exit(code);
  }

  pid_t id_ = 0;
  Report* report_;
  int status_ = 0;
};

/// Checks that a test leaves nothing behind: no child, no descriptor, no shared mapping, no file for shared memory.
class LeavesNothing : public ::testing::Test {
 protected:
  void SetUp() override { before_ = count(); }
  void TearDown() override {
    EXPECT_TRUE(::waitpid(-1, nullptr, WNOHANG | __WALL) == -1 && errno == ECHILD) << "a child is left";
    const Counted after = count();
    EXPECT_EQ(after.descriptors, before_.descriptors) << "descriptors are left";
    EXPECT_EQ(after.mappings, before_.mappings) << "mappings are left";
    for (const std::string& name : after.files) {
      EXPECT_TRUE(before_.files.contains(name)) << "left in /dev/shm: " << name;
    }
  }

  /// What the names of a test's shared objects begin with.
  static std::string own_name() { return "trine-test-" + std::to_string(::getpid()); }

 private:
  struct Counted {
    std::size_t descriptors;
    std::size_t mappings;
    std::set<std::string> files;  // other programs make some too: those with this one's number
  };

  static Counted count() {
    return {names("/proc/self/fd", "").size(), mappings(), names("/dev/shm", std::to_string(::getpid()))};
  }

  static std::set<std::string> names(const char* folder, const std::string& part) {
    std::set<std::string> found;
    DIR* const open = ::opendir(folder);
    if (open == nullptr) return found;
    while (const dirent* each = ::readdir(open)) {
      const std::string name = each->d_name;
      if (name.find(part) != std::string::npos) found.insert(name);
    }
    ::closedir(open);
    return found;
  }

  static std::size_t mappings() {
    std::ifstream maps("/proc/self/maps");
    std::size_t shared = 0;
    for (std::string line; std::getline(maps, line);) {
      shared += line.find("/dev/zero") != std::string::npos || line.find("/dev/shm") != std::string::npos;
    }
    return shared - trine::os::ChildMemory::kept();  // but for that which is there for the next child
  }

  Counted before_{};
};

}  // namespace trine_test
