// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <trine/os/calls.hpp>
#include <trine/os/fnv1a.hpp>

namespace trine::os {

/// A process, as no other one has been since the machine started: process numbers come again, with another start.
struct ProcessIdentity {
  std::uint32_t pid = 0;
  std::uint64_t start = 0;  ///< in clock ticks since the machine started

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

enum class Life { alive, dead, unknown };

/// What a text file of the system says, up to a size that all those that are read here keep. Throws std::system_error.
template <class Calls> std::string read_text(const std::string& path) {
  const auto file = open_file<Calls>(path, O_RDONLY);
  if (!file) fail_call("open", path);
  std::array<char, 1024> text;
  return std::string(text.data(), read_at(file, path, text.data(), text.size(), 0));
}

/// The `number`th word of /proc/PID/stat, counted from 1 as its manual does; from the third on, for the second may hold
/// anything.
inline std::string_view stat_word(std::string_view text, int number) {
  const auto name_end = text.rfind(')');
  text.remove_prefix(name_end == std::string_view::npos ? text.size() : name_end + 1);
  for (int at = 2;; ++at) {
    const auto begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {};
    text.remove_prefix(begin);
    const auto word = text.substr(0, text.find(' '));
    if (at + 1 == number) return word;
    text.remove_prefix(word.size());
  }
}

inline std::uint64_t to_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

inline constexpr int stat_state = 3;
inline constexpr int stat_threads = 20;
inline constexpr int stat_start = 22;

/// The calling process. Throws std::system_error where /proc is not mounted.
template <class Calls = os::Calls> ProcessIdentity this_process() {
  const std::string text = read_text<Calls>("/proc/self/stat");
  return {.pid = static_cast<std::uint32_t>(::getpid()), .start = to_number(stat_word(text, stat_start))};
}

/// What /proc tells of a thread, or of a process by the number of its first.
struct ThreadStat {
  int error = 0;              ///< of the call that failed; the rest says nothing then
  bool ended = false;         ///< it is dead and only not buried yet
  std::uint64_t threads = 0;  ///< how many its process has
  std::uint64_t start = 0;    ///< in clock ticks since the machine started
};

template <class Calls = os::Calls> ThreadStat thread_stat(std::uint32_t id) noexcept {
  std::array<char, 32> path;
  std::snprintf(path.data(), path.size(), "/proc/%u/stat", id);
  const File<Calls> file(uninterrupted([&] { return Calls::open(path.data(), O_RDONLY | O_CLOEXEC, 0); }));
  if (!file) return {.error = errno};
  std::array<char, 1024> text;
  const auto read = uninterrupted([&] { return Calls::pread(file.number(), text.data(), text.size(), 0); });
  if (read < 0) return {.error = errno};
  const std::string_view words(text.data(), static_cast<std::size_t>(read));
  const std::string_view state = stat_word(words, stat_state);
  const std::string_view start = stat_word(words, stat_start);
  if (start.empty()) return {.error = EIO};
  return {.ended = state == "Z" || state == "X",
          .threads = to_number(stat_word(words, stat_threads)),
          .start = to_number(start)};
}

/// Whether /proc is mounted, and its numbers are those that the calling process knows others by.
template <class Calls = os::Calls> bool proc_is_ours() noexcept {
  std::array<char, 32> self;
  const auto length = Calls::readlink("/proc/self", self.data(), self.size());
  return length > 0 && to_number({self.data(), static_cast<std::size_t>(length)}) == static_cast<std::uint64_t>(::getpid());
}

/// Whether that process still runs; unknown where /proc does not show the processes that this one sees.
template <class Calls = os::Calls> Life life_of(const ProcessIdentity& process) noexcept {
  if (!proc_is_ours<Calls>()) return Life::unknown;
  const ThreadStat stat = thread_stat<Calls>(process.pid);
  if (stat.error != 0) return stat.error == ENOENT || stat.error == ESRCH ? Life::dead : Life::unknown;
  if (stat.start != process.start) return Life::dead;
  // A dead process that nobody has waited for; but the first thread of a living one may have ended as well.
  return stat.ended && stat.threads <= 1 ? Life::dead : Life::alive;
}

/// Whether the thread of that number still runs, and, unless `start` is 0, is the one that started then. Dead only if the
/// system says so: a file that can't be read, or is hidden, tells nothing.
template <class Calls = os::Calls> Life life_of_thread(std::uint32_t id, std::uint64_t start) noexcept {
  if (Calls::tkill(id, 0) != 0 && errno == ESRCH) return Life::dead;
  if (!proc_is_ours<Calls>()) return Life::unknown;
  const ThreadStat stat = thread_stat<Calls>(id);
  if (stat.error != 0) return Life::unknown;
  return stat.ended || (start != 0 && stat.start != start) ? Life::dead : Life::alive;
}

/// The PID namespace of the calling process: the numbers of threads mean something within it alone. 0, and errno, if the
/// system does not tell.
template <class Calls = os::Calls> std::uint64_t known_pid_namespace() noexcept {
  struct stat status;
  return Calls::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

/// The same; throws std::system_error if the system does not tell.
template <class Calls = os::Calls> std::uint64_t pid_namespace() {
  const std::uint64_t found = known_pid_namespace<Calls>();
  if (found == 0) fail_call("stat", "/proc/self/ns/pid");
  return found;
}

/// This boot of the machine, as a number that no other boot has.
template <class Calls = os::Calls> std::uint64_t boot() {
  Fnv1a hash;
  hash.add(read_text<Calls>("/proc/sys/kernel/random/boot_id"));
  return hash.value();
}

}  // namespace trine::os
