// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

namespace trine::os {

/// Every system call that named and shared memory makes, and that tells whether an owner of something in it lives. What makes them
/// is a template over this, so that a test can let any of them fail. Each is as the system's own: -1 and errno.
struct Calls {
  /// Where POSIX shared memory objects are files.
  static constexpr const char* folder() noexcept { return "/dev/shm"; }

  static int open(const char* path, int flags, mode_t mode) noexcept { return ::open(path, flags, mode); }
  static int close(int file) noexcept { return ::close(file); }
  static int fstat(int file, struct stat* status) noexcept { return ::fstat(file, status); }
  static int stat(const char* path, struct stat* status) noexcept { return ::stat(path, status); }
  static int lstat(const char* path, struct stat* status) noexcept { return ::lstat(path, status); }
  static ssize_t pread(int file, void* to, std::size_t bytes, off_t at) noexcept { return ::pread(file, to, bytes, at); }
  static ssize_t readlink(const char* path, char* to, std::size_t bytes) noexcept { return ::readlink(path, to, bytes); }
  static int fallocate(int file, off_t bytes) noexcept {
    errno = ::posix_fallocate(file, 0, bytes);
    return errno == 0 ? 0 : -1;
  }
  static void* mmap(std::size_t bytes, int protection, int flags, int file) noexcept {
    return ::mmap(nullptr, bytes, protection, flags, file, 0);
  }
  static int munmap(void* at, std::size_t bytes) noexcept { return ::munmap(at, bytes); }
  static int linkat(const char* from, const char* to) noexcept {
    return ::linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
  }
  static int rename_to_new(const char* from, const char* to) noexcept {
    static constexpr unsigned no_replace = 1;  // RENAME_NOREPLACE; <linux/fs.h> would bring macros as common as BLOCK_SIZE along
    return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, no_replace));
  }
  static int unlink(const char* path) noexcept { return ::unlink(path); }
  static int flock(int file, int operation) noexcept { return ::flock(file, operation); }
  static DIR* opendir(const char* path) noexcept { return ::opendir(path); }
  static dirent* readdir(DIR* folder) noexcept { return ::readdir(folder); }
  static int closedir(DIR* folder) noexcept { return ::closedir(folder); }
  static int tkill(std::uint32_t thread, int signal) noexcept { return static_cast<int>(::syscall(SYS_tkill, thread, signal)); }
};

/// Throws the std::system_error of a call that failed, which names the call and what it was about.
[[noreturn, gnu::noinline, gnu::cold]] inline void fail_call(const char* call, const std::string& object,
                                                             int error = errno) {
  throw std::system_error(error, std::system_category(), std::string("trine: ") + call + " " + object);
}

/// Makes a call again as long as a signal interrupts it.
template <class Call> auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

inline std::size_t page_size() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

inline void sleep_a_millisecond() noexcept {
  const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
  ::nanosleep(&pause, nullptr);
}

/// An open file, closed at the end.
template <class Calls> class File {
 public:
  File() noexcept = default;
  explicit File(int number) noexcept : number_(number) {}
  File(File&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  // What close() says changes nothing: the number is free afterwards in any case, and nothing was written through it.
  ~File() {
    if (number_ != -1) Calls::close(number_);
  }

  [[nodiscard]] explicit operator bool() const noexcept { return number_ != -1; }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_ = -1;
};

/// Opens, or leaves errno.
template <class Calls> File<Calls> open_file(const std::string& path, int flags, mode_t mode = 0) noexcept {
  return File<Calls>(uninterrupted([&] { return Calls::open(path.c_str(), flags | O_CLOEXEC, mode); }));
}

/// Reads up to `bytes` from a place in a file; fewer where the file ends. Throws std::system_error.
template <class Calls>
std::size_t read_at(const File<Calls>& file, const std::string& path, void* to, std::size_t bytes, std::uint64_t at) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t read = uninterrupted([&] {
      return Calls::pread(file.number(), static_cast<char*>(to) + done, bytes - done, static_cast<off_t>(at + done));
    });
    if (read < 0) fail_call("read", path);
    if (read == 0) break;
    done += static_cast<std::size_t>(read);
  }
  return done;
}

}  // namespace trine::os
