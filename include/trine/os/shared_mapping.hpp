// SPDX-License-Identifier: BSL-1.0
//
// Memory that processes share: anonymous, or a file among the POSIX shared memory objects that nobody sees before it is
// complete.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <trine/os/calls.hpp>
#include <trine/os/process_identity.hpp>
#include <trine/os/robust_linux.hpp>
#include <utility>
#include <vector>

namespace trine::os {

/// Mapped memory, unmapped at the end. What the calling thread still owns in it is given up, as by its death: the kernel would
/// look for it in memory that is gone. Other threads must own nothing in it.
template <class Calls = os::Calls>
class Mapping {
 public:
  Mapping() noexcept = default;

  /// Shared with the children of this process. Zero. Throws std::system_error.
  static Mapping anonymous(std::size_t bytes) {
    return Mapping(bytes, MAP_SHARED | MAP_ANONYMOUS, -1, "anonymous shared memory");
  }

  static Mapping of(const File<Calls>& file, const std::string& path, std::size_t bytes) {
    return Mapping(bytes, MAP_SHARED, file.number(), path);
  }

  Mapping(Mapping&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping() {
    if (data_ == nullptr) return;
    Robust::forget(data(), data() + bytes_);
    Calls::munmap(data_, bytes_);
  }

  [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

  /// Has it no more, and leaves it mapped; adopt() has it then.
  void release() noexcept { data_ = nullptr; }
  static Mapping adopt(std::byte* data, std::size_t bytes) noexcept {
    Mapping adopted;
    adopted.data_ = data;
    adopted.bytes_ = bytes;
    return adopted;
  }

 private:
  Mapping(std::size_t bytes, int flags, int file, const std::string& object) : bytes_(bytes) {
    void* const mapped = Calls::mmap(bytes, PROT_READ | PROT_WRITE, flags, file);
    if (mapped == MAP_FAILED) fail_call("mmap", object);
    data_ = mapped;
  }

  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// What the system says about a file.
struct FileStatus {
  bool regular;
  std::uint64_t owner;
  std::uint32_t mode;  ///< the permissions alone
  std::uint64_t links;
  std::uint64_t bytes;
  std::uint64_t device;
  std::uint64_t inode;

  [[nodiscard]] bool same_file(const FileStatus& other) const noexcept {
    return device == other.device && inode == other.inode;
  }
};

inline FileStatus file_status(const struct stat& from) noexcept {
  return {.regular = S_ISREG(from.st_mode),
          .owner = from.st_uid,
          .mode = from.st_mode & 07777U,
          .links = from.st_nlink,
          .bytes = static_cast<std::uint64_t>(from.st_size),
          .device = from.st_dev,
          .inode = from.st_ino};
}

inline std::uint64_t effective_user() noexcept { return ::geteuid(); }

template <class Calls>
FileStatus status_of(const File<Calls>& file, const std::string& path) {
  struct stat status;
  if (Calls::fstat(file.number(), &status) != 0) fail_call("fstat", path);
  return file_status(status);
}

/// The names of files that are being made by processes on systems without files that have no name: hidden, and telling who
/// makes them, so that what a dead one left can be removed.
class TemporaryName {
 public:
  static constexpr std::string_view prefix = ".trine-";

  template <class Calls>
  static std::string next() {
    static constinit std::atomic<std::uint32_t> count{0};
    const ProcessIdentity me = this_process<Calls>();
    return std::string(prefix) + std::to_string(pid_namespace<Calls>()) + "-" + std::to_string(me.pid) + "-" +
           std::to_string(me.start) + "-" + std::to_string(count.fetch_add(1, std::memory_order_relaxed));
  }

  /// Whether a file of that name was left by a process that is dead.
  template <class Calls>
  static bool is_stale(std::string_view name) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    if (next_number(name) != pid_namespace<Calls>()) return false;
    const auto pid = static_cast<std::uint32_t>(next_number(name));
    const ProcessIdentity maker{.pid = pid, .start = next_number(name)};
    return pid != 0 && life_of<Calls>(maker) == Life::dead;
  }

 private:
  static std::uint64_t next_number(std::string_view& text) {
    const std::string_view digits = text.substr(0, text.find('-'));
    text.remove_prefix(std::min(digits.size() + 1, text.size()));
    return to_number(digits);
  }
};

/// The names of all files of the folder. Throws std::system_error.
template <class Calls = os::Calls>
std::vector<std::string> shared_files() {
  struct Close {
    DIR* folder;
    ~Close() { Calls::closedir(folder); }
  };
  DIR* const folder = Calls::opendir(Calls::folder());
  if (folder == nullptr) fail_call("opendir", Calls::folder());
  const Close close{folder};
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = Calls::readdir(folder);
    if (entry == nullptr) break;
    names.emplace_back(entry->d_name);
  }
  if (errno != 0) fail_call("readdir", Calls::folder());
  return names;
}

template <class Calls = os::Calls>
std::string shared_path(std::string_view file) {
  return std::string(Calls::folder()) + "/" + std::string(file);
}

/// A file that nobody else can see: reserved in full, mapped, zero. It vanishes with the object, or with the process where
/// the system knows files without a name (O_TMPFILE); elsewhere under a TemporaryName that is removed when its maker is
/// dead.
template <class Calls = os::Calls>
class NewSharedFile {
 public:
  /// Throws std::system_error; `path` is the one that it is meant for, and named in errors.
  NewSharedFile(const std::string& path, std::size_t bytes, std::uint32_t mode) : path_(path) {
    make(mode);
    try {
      if (uninterrupted([&] { return Calls::fallocate(file_.number(), static_cast<off_t>(bytes)); }) != 0) {
        fail_call("fallocate", path_);
      }
      mapping_ = Mapping<Calls>::of(file_, path_, bytes);
    } catch (...) {
      discard();
      throw;
    }
  }
  NewSharedFile(const NewSharedFile&) = delete;
  NewSharedFile& operator=(const NewSharedFile&) = delete;
  ~NewSharedFile() { discard(); }

  [[nodiscard]] std::byte* data() const noexcept { return mapping_.data(); }

  /// Gives the file its name, in one step. false: something has that name already. Throws std::system_error.
  bool publish() {
    const int done = uninterrupted([&] {
      if (!temporary_.empty()) return Calls::rename_to_new(temporary_.c_str(), path_.c_str());
      const std::string nameless = "/proc/self/fd/" + std::to_string(file_.number());
      return Calls::linkat(nameless.c_str(), path_.c_str());
    });
    if (done != 0 && errno == EEXIST) return false;
    if (done != 0) fail_call(temporary_.empty() ? "linkat" : "renameat2", path_);
    temporary_.clear();
    return true;
  }

  Mapping<Calls> mapping() && noexcept { return std::move(mapping_); }

 private:
  void make(std::uint32_t mode) {
    file_ = open_file<Calls>(Calls::folder(), O_TMPFILE | O_RDWR, mode);
    if (file_) return;
    // What systems and file systems say that don't know files without a name.
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL) fail_call("open", path_);
    remove_stale();
    do {
      temporary_ = shared_path<Calls>(TemporaryName::next<Calls>());
      file_ = open_file<Calls>(temporary_, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, mode);
    } while (!file_ && errno == EEXIST);
    if (!file_) {
      temporary_.clear();
      fail_call("open", path_);
    }
  }

  static void remove_stale() {
    for (const std::string& name : shared_files<Calls>()) {
      if (TemporaryName::is_stale<Calls>(name)) Calls::unlink(shared_path<Calls>(name).c_str());
    }
  }

  void discard() noexcept {
    if (!temporary_.empty()) Calls::unlink(temporary_.c_str());
  }

  std::string path_;
  std::string temporary_;
  File<Calls> file_;
  Mapping<Calls> mapping_;
};

enum class Access { read, write };

/// Opens what has that name, but never through a symbolic link, and never waiting for somebody; nothing: there is none.
/// Throws std::system_error.
template <class Calls = os::Calls>
File<Calls> open_shared(const std::string& path, Access access) {
  const int flags = access == Access::read ? O_RDONLY : O_RDWR;
  auto file = open_file<Calls>(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!file && errno != ENOENT) fail_call("open", path);
  return file;
}

/// Removes the name if it still is that of `file`: of several that find the same file to be removed, only one removes it,
/// and none removes another that was made since. false: it is not any more. Throws std::system_error, also after one second
/// in which somebody else was about to remove it, and did not.
template <class Calls = os::Calls>
bool remove_if_same(const std::string& path, const File<Calls>& file) {
  static constexpr int patience = 1000;
  for (int tries = 0; uninterrupted([&] { return Calls::flock(file.number(), LOCK_EX | LOCK_NB); }) != 0; ++tries) {
    if (errno != EWOULDBLOCK || tries == patience) fail_call("flock", path);
    sleep_a_millisecond();
  }
  struct stat now;
  if (Calls::lstat(path.c_str(), &now) != 0) {
    if (errno == ENOENT) return false;
    fail_call("lstat", path);
  }
  if (!file_status(now).same_file(status_of(file, path))) return false;
  if (Calls::unlink(path.c_str()) != 0) fail_call("unlink", path);
  return true;
}

/// Removes the name, whatever it is that of. false: there is none. Throws std::system_error.
template <class Calls = os::Calls>
bool remove_shared(const std::string& path) {
  for (;;) {
    const auto file = open_file<Calls>(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!file) break;
    if (remove_if_same(path, file)) return true;
  }
  if (errno == ENOENT) return false;
  // What can't be opened at all, a symbolic link for one, is no segment that others might be about to remove.
  if (errno != ELOOP && errno != ENXIO && errno != EACCES) fail_call("open", path);
  if (Calls::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  fail_call("unlink", path);
}

}  // namespace trine::os
