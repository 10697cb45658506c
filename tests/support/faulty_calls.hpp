// SPDX-License-Identifier: BSL-1.0
//
// The system calls of named memory, any of which can be made to fail, or to be the last thing that its caller does.
#pragma once

#include <csignal>
#include <cstring>
#include <map>
#include <string_view>
#include <trine/os/calls.hpp>
#include <vector>

namespace trine_test {

/// What is to happen, and what has: the calls are numbered from 1 in the order in which they are made.
struct Faults {
  int at = 0;            ///< the call that fails; 0: none
  int error = 0;         ///< how
  bool kill = false;     ///< kill -9 instead, before the call
  bool stop = false;     ///< SIGSTOP instead, before the call; then it goes on
  bool nameless = true;  ///< whether the system knows files without a name
  int count = 0;
  const char* call = "";  ///< the one that failed

  static Faults& now() {
    static Faults faults;
    return faults;
  }
};

/// Whether this call is to fail; errno is set then.
inline bool fails(const char* call) {
  Faults& faults = Faults::now();
  if (++faults.count != faults.at) return false;
  faults.call = call;
  if (faults.kill) ::kill(::getpid(), SIGKILL);
  if (faults.stop) {
    ::raise(SIGSTOP);
    return false;
  }
  errno = faults.error;
  return true;
}

/// What each call may say, by its manual and the source of tmpfs.
inline const std::vector<int>& plausible_errors(std::string_view call) {
  static const std::map<std::string_view, std::vector<int>> errors = {
      {"open", {EINTR, EACCES, EMFILE, ENFILE, ENOMEM, ENOSPC, EPERM, EROFS, ENOENT, EOPNOTSUPP, EISDIR, ELOOP}},
      {"close", {EINTR, EIO}},
      {"fstat", {ENOMEM, EOVERFLOW}},
      {"stat", {EACCES, ENOMEM, ENOENT}},
      {"lstat", {EACCES, ENOMEM, ENOENT}},
      {"pread", {EINTR, EIO, EISDIR, ESRCH}},
      {"readlink", {EACCES, ENOENT, ENOMEM}},
      {"fallocate", {EINTR, ENOSPC, EFBIG, ENOMEM, EPERM, EOPNOTSUPP}},
      {"mmap", {ENOMEM, EPERM, EACCES, EAGAIN, ENFILE, EOVERFLOW}},
      {"munmap", {ENOMEM}},
      {"linkat", {ENOENT, EACCES, EPERM, ENOSPC, ENOMEM, EROFS, EMLINK, EXDEV}},
      {"rename", {ENOSYS, EINVAL, EACCES, EPERM, ENOSPC, EROFS}},
      {"unlink", {EACCES, EPERM, EBUSY, EROFS, ENOENT}},
      {"flock", {EINTR, ENOLCK, EWOULDBLOCK}},
      {"opendir", {EACCES, EMFILE, ENFILE, ENOENT, ENOMEM}},
      {"readdir", {EBADF}},
      {"closedir", {EBADF}},
      {"tkill", {EPERM, EAGAIN}},
  };
  return errors.at(call);
}

/// The real calls, except where Faults::now() says otherwise. close, munmap and closedir do what they are to do all the same, as
/// the real ones would.
struct FaultyCalls : trine::os::Calls {
  using Real = trine::os::Calls;

  static int open(const char* path, int flags, mode_t mode) noexcept {
    if (fails("open")) return -1;
    if (!Faults::now().nameless && (flags & O_TMPFILE) == O_TMPFILE) {
      errno = EOPNOTSUPP;
      return -1;
    }
    return Real::open(path, flags, mode);
  }
  static int close(int file) noexcept {
    const int done = Real::close(file);
    return fails("close") ? -1 : done;
  }
  static int fstat(int file, struct stat* status) noexcept { return fails("fstat") ? -1 : Real::fstat(file, status); }
  static int stat(const char* path, struct stat* status) noexcept { return fails("stat") ? -1 : Real::stat(path, status); }
  static int lstat(const char* path, struct stat* status) noexcept {
    return fails("lstat") ? -1 : Real::lstat(path, status);
  }
  static ssize_t pread(int file, void* to, std::size_t bytes, off_t at) noexcept {
    return fails("pread") ? -1 : Real::pread(file, to, bytes, at);
  }
  static ssize_t readlink(const char* path, char* to, std::size_t bytes) noexcept {
    return fails("readlink") ? -1 : Real::readlink(path, to, bytes);
  }
  static int fallocate(int file, off_t bytes) noexcept { return fails("fallocate") ? -1 : Real::fallocate(file, bytes); }
  static void* mmap(std::size_t bytes, int protection, int flags, int file) noexcept {
    return fails("mmap") ? MAP_FAILED : Real::mmap(bytes, protection, flags, file);
  }
  static int munmap(void* at, std::size_t bytes) noexcept {
    const int done = Real::munmap(at, bytes);
    return fails("munmap") ? -1 : done;
  }
  static int linkat(const char* from, const char* to) noexcept { return fails("linkat") ? -1 : Real::linkat(from, to); }
  static int rename_to_new(const char* from, const char* to) noexcept {
    return fails("rename") ? -1 : Real::rename_to_new(from, to);
  }
  static int unlink(const char* path) noexcept { return fails("unlink") ? -1 : Real::unlink(path); }
  static int flock(int file, int operation) noexcept { return fails("flock") ? -1 : Real::flock(file, operation); }
  static DIR* opendir(const char* path) noexcept { return fails("opendir") ? nullptr : Real::opendir(path); }
  static dirent* readdir(DIR* folder) noexcept { return fails("readdir") ? nullptr : Real::readdir(folder); }
  static int closedir(DIR* folder) noexcept {
    const int done = Real::closedir(folder);
    return fails("closedir") ? -1 : done;
  }
  static int tkill(std::uint32_t thread, int signal) noexcept { return fails("tkill") ? -1 : Real::tkill(thread, signal); }
};

}  // namespace trine_test
