// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <trine/os/begin_anew.hpp>
#include <trine/os/calls.hpp>
#include <trine/os/image_linux.hpp>
#include <trine/os/output.hpp>
#include <trine/os/shared_mapping.hpp>
#include <trine/os/spare_memory.hpp>

namespace trine::os {

/// What a program that was started anew is to do: a function of its image, and bytes for it. It lies behind what parent and
/// child share.
struct SpawnOrder {
  std::uint64_t image;
  std::uint64_t function;
  std::uint64_t bytes;
};

/// A child of the calling process, with memory that the two share. One thread at a time uses it, but for signal() and
/// sleep_a_moment().
class Child {
 public:
  /// The first argument of a program that Child::spawn started; the second is the number of the file of its memory.
  static constexpr const char* spawn_argument = "--trine-process";

  Child() = default;

  /// Calls `run(shared)` in a child made by fork(), which ends when it returns, with what it returns as its exit code: without
  /// the destructors of what the parent has, and after what it printed to stdout and stderr was written. `shared` is a new
  /// Shared in memory that both have. Throws std::system_error.
  template <class Shared, class Run>
  static Child fork(Run&& run) {
    Child child(ChildMemory::take(sizeof(Shared)));
    auto* const shared = new (child.memory_.data()) Shared;
    child.begin([&] { return run(*shared); });
    return child;
  }

  /// The same without memory that they share: calls `run()`.
  template <class Run>
  static Child start(Run&& run) {
    Child child;
    child.begin(std::forward<Run>(run));
    return child;
  }

  /// Writes what the standard streams of the calling process hold.
  static void flush() { Output::flush(); }

  /// In a child: calls `run()` in a thread of its own, which ends with the process.
  template <class Run>
  static void run_beside(Run run) {
    std::thread(std::move(run)).detach();
  }

  /// Starts the program of the calling process anew, which is to find `order` and `bytes` by Spawned. Throws std::system_error;
  /// std::logic_error in a program that was started so and has not looked for its own order, for that would go on for ever.
  template <class Shared>
  static Child spawn(std::uint64_t function, std::span<const std::byte> bytes) {
    if (!order_found && asked_by_command_line()) {
      throw std::logic_error("trine: spawn: main() must begin with trine::main_hook(argc, argv)");
    }
    const File<Calls> file(static_cast<int>(::syscall(SYS_memfd_create, "trine", 1U)));  // 1: closed by exec
    if (!file) fail_call("memfd_create", "trine");
    const std::size_t whole = order_at<Shared>() + sizeof(SpawnOrder) + bytes.size();
    if (uninterrupted([&] { return Calls::fallocate(file.number(), static_cast<off_t>(whole)); }) != 0) {
      fail_call("fallocate", "the arguments of a process");
    }
    Child child(ChildMemory(Mapping<>::of(file, "the arguments of a process", whole)));
    new (child.memory_.data()) Shared;
    auto* const order = child.memory_.data() + order_at<Shared>();
    new (order) SpawnOrder{.image = Image::here().identity(), .function = function, .bytes = bytes.size()};
    if (!bytes.empty()) std::memcpy(order + sizeof(SpawnOrder), bytes.data(), bytes.size());
    child.id_ = start_image(file.number());
    return child;
  }

  template <class Shared>
  [[nodiscard]] Shared& shared() const noexcept {
    return *std::launder(reinterpret_cast<Shared*>(memory_.data()));
  }

  [[nodiscard]] int id() const noexcept { return id_; }

  /// The calling process: a Child is of use to the one that made it alone.
  static int this_process() noexcept { return ::getpid(); }

  /// Its exit code, or the negative number of the signal that ended it; nothing while it runs. Once it has said so it is
  /// forgotten by the system.
  std::optional<int> ended() { return look(WNOHANG); }

  /// The same, and waits for that.
  int wait() { return *look(0); }

  /// It has ended, and the system does not know its exit code any more, which is EXIT_FAILURE then: somebody else has waited for
  /// it, or the process ignores SIGCHLD.
  [[nodiscard]] bool forgotten() const noexcept { return forgotten_; }

  /// Sleeps until it has ended, but for 2 ms at most.
  void sleep_a_moment() const noexcept {
    const File<Calls> own(sentinel_ ? -1 : open_sentinel());
    pollfd ended{.fd = own ? own.number() : sentinel_.number(), .events = POLLIN, .revents = 0};
    ::poll(&ended, 1, 2);
  }

  /// Sleeps until it has ended, `until` at most. sentinel() was called before; several threads may sleep. false: to go on at once
  /// makes sense, the time has come or a signal did; true: if it has not ended, that will take a moment.
  bool sleep(std::chrono::steady_clock::time_point until) const noexcept {
    using namespace std::chrono;
    pollfd ended{.fd = sentinel_.number(), .events = POLLIN, .revents = 0};
    timespec time{};
    const bool limited = until != steady_clock::time_point::max();
    if (limited) {
      const auto now = steady_clock::now();
      const nanoseconds left = until > now ? nanoseconds(until - now) : nanoseconds(0);  // until may be the earliest of all
      const auto whole = duration_cast<seconds>(left);
      time.tv_sec = static_cast<decltype(time.tv_sec)>(whole.count());
      time.tv_nsec = static_cast<decltype(time.tv_nsec)>((left - whole).count());
    }
    const int found = ::ppoll(&ended, 1, limited ? &time : nullptr, nullptr);
    return found > 0 || (found == -1 && errno != EINTR);
  }

  /// A file that can be read when the child has ended; it is this object's. Throws std::system_error.
  int sentinel() {
    if (!sentinel_) sentinel_ = File<Calls>(open_sentinel());
    // It has ended, and somebody else has waited for it: any file that can be read at once will do.
    if (!sentinel_ && errno == ESRCH) sentinel_ = File<Calls>(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!sentinel_) fail_call("pidfd_open", std::to_string(id_));
    return sentinel_.number();
  }

  /// Sends a signal, unless it has ended. sentinel() was called before. Throws std::system_error.
  void signal(int number) const {
    if (::syscall(SYS_pidfd_send_signal, sentinel_.number(), number, nullptr, 0) == 0) return;
    // EBADF: the sentinel is of one that had ended when it was made.
    if (errno != ESRCH && errno != EBADF) fail_call("pidfd_send_signal", std::to_string(id_));
  }
  void terminate() const { signal(SIGTERM); }
  void kill() const { signal(SIGKILL); }

  /// Ends it, and waits for that. One that somebody else has waited for is let be: its number may be another's by now.
  void destroy() noexcept {
    if (ended()) return;
    ::kill(id_, SIGKILL);
    look(0);
  }

  /// Where the order is, in memory that begins with a Shared.
  template <class Shared>
  static constexpr std::size_t order_at() noexcept {
    return (sizeof(Shared) + alignof(SpawnOrder) - 1) / alignof(SpawnOrder) * alignof(SpawnOrder);
  }

  /// Said by Spawned.
  static inline bool order_found = false;

 private:
  static bool asked_by_command_line() {
    std::array<char, 4096> line{};
    const File<Calls> file(::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
    if (!file || ::read(file.number(), line.data(), line.size() - 1) <= 0) return false;
    const std::size_t name = std::strlen(line.data()) + 1;
    return name < line.size() && std::strcmp(line.data() + name, spawn_argument) == 0;
  }

  template <class Run>
  void begin(Run&& run) {
    Output::flush();  // or both would print what is not written yet
    id_ = ::fork();
    if (id_ == -1) throw std::system_error(errno, std::system_category(), "trine: fork");
    if (id_ != 0) return;
    if (const auto forget = forget_what_the_thread_did.load(std::memory_order_relaxed)) forget();
    // What it throws must not get into the copy of the caller's code.
    const int code = [&run]() noexcept {
      const int said = run();
      Output::flush();
      return said;
    }();
    for (;;) leave(code);
  }

  // Found when the program begins: by its name it would be looked for in each child anew, which nobody calls in the parent.
  static inline void (*const volatile leave)(int) = &::_exit;

  explicit Child(ChildMemory&& memory) noexcept : memory_(std::move(memory)) {}

  static pid_t start_image(int file) {
    posix_spawn_file_actions_t keep;
    ::posix_spawn_file_actions_init(&keep);
    ::posix_spawn_file_actions_adddup2(&keep, file, file);  // which keeps it open there
    std::string number = std::to_string(file);
    std::string flag = spawn_argument;
    char* const arguments[] = {::program_invocation_name, flag.data(), number.data(), nullptr};
    pid_t id = -1;
    const int error = ::posix_spawn(&id, "/proc/self/exe", &keep, nullptr, arguments, ::environ);
    ::posix_spawn_file_actions_destroy(&keep);
    if (error != 0) fail_call("posix_spawn", "/proc/self/exe", error);
    return id;
  }

  [[nodiscard]] int open_sentinel() const noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)); }

  std::optional<int> look(int options) {
    if (code_) return code_;
    int status = 0;
    pid_t found = 0;
    do {
      found = uninterrupted([&] { return ::waitpid(id_, &status, options); });
    } while (found > 0 && !WIFEXITED(status) && !WIFSIGNALED(status));  // it only stopped, and is traced by the caller
    if (found == 0) return std::nullopt;
    if (found == -1) {
      code_ = EXIT_FAILURE;
      forgotten_ = true;
    } else {
      code_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }
    memory_.free();
    return code_;
  }

  ChildMemory memory_;
  File<Calls> sentinel_;
  pid_t id_ = 0;
  std::optional<int> code_;
  bool forgotten_ = false;
};

/// The other side of Child::spawn: what a new program shares with its parent, and its order.
class Spawned {
 public:
  /// Whether that is how this program was started.
  static bool asked(int count, char** arguments) noexcept {
    return count == 3 && std::strcmp(arguments[1], Child::spawn_argument) == 0;
  }

  /// Throws std::system_error, or std::invalid_argument if there is no sound order for this program.
  template <class Shared>
  static Spawned find(char** arguments, Shared*& shared) {
    const File<Calls> file(static_cast<int>(to_number(arguments[2])));
    const FileStatus status = status_of(file, "the arguments of a process");
    const std::size_t at = Child::order_at<Shared>() + sizeof(SpawnOrder);
    if (!status.regular || status.bytes < at) throw std::invalid_argument("trine: --trine-process: no arguments are there");
    Spawned found(Mapping<>::of(file, "the arguments of a process", static_cast<std::size_t>(status.bytes)));
    shared = std::launder(reinterpret_cast<Shared*>(found.memory_.data()));
    found.order_ = std::launder(reinterpret_cast<SpawnOrder*>(found.memory_.data() + Child::order_at<Shared>()));
    if (found.order_->image != Image::here().identity() || found.order_->bytes > status.bytes - at ||
        found.order_->function >= Image::here().size()) {
      throw std::invalid_argument("trine: --trine-process: started by another program");
    }
    found.bytes_ = {found.memory_.data() + at, found.order_->bytes};
    Child::order_found = true;
    return found;
  }

  [[nodiscard]] std::uint64_t function() const noexcept { return order_->function; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  explicit Spawned(Mapping<>&& memory) noexcept : memory_(std::move(memory)) {}

  Mapping<> memory_;
  SpawnOrder* order_ = nullptr;
  std::span<const std::byte> bytes_;
};

}  // namespace trine::os
