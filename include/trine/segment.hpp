// SPDX-License-Identifier: BSL-1.0
#pragma once

#if !__has_include(<boost/interprocess/creation_tags.hpp>)
#error "trine/segment.hpp needs the headers of Boost.Interprocess"
#endif
#include <array>
#include <boost/interprocess/creation_tags.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trine/error.hpp>
#include <trine/os/shared_mapping.hpp>
#include <trine/segment_header.hpp>
#include <utility>
#include <vector>

namespace trine {

using boost::interprocess::create_only;
using boost::interprocess::create_only_t;
using boost::interprocess::open_only;
using boost::interprocess::open_only_t;
using boost::interprocess::open_or_create;
using boost::interprocess::open_or_create_t;

/// The name of a segment: where its file is, and what is wrong with it.
struct SegmentName {
  static constexpr std::string_view prefix = "trine.";
  static constexpr std::size_t longest = 200;

  static bool valid(std::string_view name) noexcept {
    const auto allowed = [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return !name.empty() && name.size() <= longest && name.front() != '.' && std::all_of(name.begin(), name.end(), allowed);
  }

  /// Throws std::invalid_argument.
  static std::string file(std::string_view name) {
    if (!valid(name)) {
      throw std::invalid_argument("trine: name: '" + std::string(name) +
                                  "' is not 1 to 200 of A-Z a-z 0-9 . _ - with no dot at the beginning");
    }
    return std::string(prefix) + std::string(name);
  }
};

/// Memory that processes share: anonymous, for this process and its children, or by a name.
///
/// Named: it is complete before anybody can see it, and its memory is reserved when it is made. Whoever opens it gets a
/// LayoutMismatch, which names both sides, unless it is what was expected: a regular file of this user's, with one name,
/// with no more permissions than `mode`, as long as its header says, made since the machine's last start, in the same PID
/// namespace, by a program that agrees on the Layout. A name is 1 to 200 of A-Z a-z 0-9 . _ - and does not begin with a dot,
/// else std::invalid_argument. A failing system call is a std::system_error that names the call and the file. Lifetime: the
/// memory goes when it has no name and nobody has it mapped. The destructor unmaps and leaves the name. What was opened is
/// trusted from then on: whoever may write to it (this user's own programs) may break it. `Calls`: the system calls that it
/// makes; a test lets them fail.
template <class Calls>
class BasicSegment {
 public:
  /// Fills new memory before anybody else can see it. Called again, on other memory, if somebody else's was there first and
  /// then was removed.
  using Construct = std::function<void(std::byte* data)>;
  /// Looks at the data of a segment that is being opened; throws what it likes, best a LayoutMismatch.
  using Check = std::function<void(const std::byte* data, std::size_t bytes)>;

  /// Owns nothing.
  BasicSegment() noexcept = default;

  /// At least `bytes` of zeros which the children of this process share with it. Throws std::system_error.
  static BasicSegment anonymous(std::size_t bytes) {
    BasicSegment made;
    made.mapping_ = os::Mapping<Calls>::anonymous(rounded("bytes", bytes, 0));
    return made;
  }

  /// Makes a segment that is not there: with at least `bytes` of data. std::system_error (file_exists): it is there.
  BasicSegment(create_only_t, std::string_view name, const Layout& layout, std::size_t bytes, const Construct& construct,
               std::uint32_t mode = 0600)
      : BasicSegment(name) {
    if (!create(layout, bytes, construct, mode)) os::fail_call("linkat", path_, EEXIST);
  }

  /// Opens a segment. std::system_error (no_such_file_or_directory): there is none of that name.
  BasicSegment(open_only_t, std::string_view name, const Layout& layout, const Check& check = {}, std::uint32_t mode = 0600)
      : BasicSegment(name) {
    if (!open(layout, check, mode, false)) os::fail_call("open", path_, ENOENT);
  }

  /// Opens the segment, or makes it; of several that do so at once, one makes it and the others open that. What is left from
  /// before the machine's last start is replaced.
  BasicSegment(open_or_create_t, std::string_view name, const Layout& layout, std::size_t bytes, const Construct& construct,
               const Check& check = {}, std::uint32_t mode = 0600)
      : BasicSegment(name) {
    // Whenever neither succeeds, somebody else has made or removed one in between.
    while (!open(layout, check, mode, true) && !create(layout, bytes, construct, mode)) {
    }
  }

  BasicSegment(BasicSegment&&) noexcept = default;
  BasicSegment& operator=(BasicSegment&&) noexcept = default;

  /// The size() of a named segment that was asked for so many bytes.
  static std::size_t room_for(std::size_t bytes) {
    return rounded("bytes", bytes, sizeof(SegmentHeader)) - sizeof(SegmentHeader);
  }

  /// Aligned to 64 bytes and more. nullptr: owns nothing.
  [[nodiscard]] std::byte* data() const noexcept {
    return mapping_.data() == nullptr ? nullptr : mapping_.data() + offset();
  }
  [[nodiscard]] std::size_t size() const noexcept { return mapping_.size() - (mapping_.data() == nullptr ? 0 : offset()); }

  /// Whether this object has made the segment, rather than opened it.
  [[nodiscard]] bool created() const noexcept { return created_; }

  /// Removes the name; those who have the segment keep it. false: there was none. Whatever has the name goes, also what
  /// can't be opened. Throws std::system_error.
  static bool remove(std::string_view name) { return os::remove_shared<Calls>(path_of(name)); }

  static std::string path_of(std::string_view name) { return os::shared_path<Calls>(SegmentName::file(name)); }

 private:
  explicit BasicSegment(std::string_view name) : path_(path_of(name)) {}

  [[nodiscard]] std::size_t offset() const noexcept { return path_.empty() ? 0 : sizeof(SegmentHeader); }

  static std::size_t rounded(const char* argument, std::size_t bytes, std::size_t header) {
    const std::size_t page = os::page_size();
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() / 2;
    if (bytes == 0 || bytes > most) {
      throw std::invalid_argument("trine: " + std::string(argument) + ": " + std::to_string(bytes) + " is not from 1 to " +
                                  std::to_string(most));
    }
    return (bytes + header + page - 1) / page * page;
  }

  // false: something has the name.
  bool create(const Layout& layout, std::size_t bytes, const Construct& construct, std::uint32_t mode) {
    if (bytes < layout.size) throw std::invalid_argument("trine: bytes: less than the layout's size");
    const std::size_t whole = rounded("bytes", bytes, sizeof(SegmentHeader));
    os::NewSharedFile<Calls> file(path_, whole, mode);
    auto* const header = new (file.data()) SegmentHeader{};
    describe(*header, layout, whole);
    if (construct) construct(file.data() + sizeof(SegmentHeader));
    // Release: whoever finds the magic finds the rest.
    header->magic.store(SegmentHeader::magic_value, std::memory_order_release);
    if (!file.publish()) return false;
    mapping_ = std::move(file).mapping();
    created_ = true;
    return true;
  }

  static void describe(SegmentHeader& header, const Layout& layout, std::size_t whole) {
    const auto here = SegmentSurroundings::here<Calls>();
    const auto creator = os::this_process<Calls>();
    header.version = SegmentHeader::current_version;
    header.machine = machine_kind();
    header.bytes = whole;
    header.boot = here.boot;
    header.pid_namespace = here.pid_namespace;
    header.creator_start = creator.start;
    header.creator_pid = creator.pid;
    header.owner_kind = layout.owner_kind;
    header.page_bytes = os::page_size();
    header.layout_hash = layout.hash;
    header.state_bytes = layout.size;
    header.state_align = layout.align;
    layout.type.copy(header.type.data(), header.type.size() - 1);
  }

  // false: nothing has the name, or had, if `replace` says to remove what is from before the machine's last start.
  bool open(const Layout& layout, const Check& check, std::uint32_t mode, bool replace) {
    const auto file = os::open_shared<Calls>(path_, os::Access::write);
    if (!file) return false;
    const os::FileStatus status = os::status_of(file, path_);
    refuse(file_fault(status, mode));
    std::array<std::byte, sizeof(SegmentHeader)> bytes{};
    os::read_at(file, path_, bytes.data(), bytes.size(), 0);
    const auto claims = SegmentClaims::parse(bytes);
    const auto here = SegmentSurroundings::here<Calls>();
    if (replace && claims.magic == SegmentHeader::magic_value && claims.boot != here.boot) {
      os::remove_if_same(path_, file);
      return false;
    }
    refuse(segment_fault(claims, status.bytes, here));
    refuse(layout_fault(claims, layout));
    mapping_ = os::Mapping<Calls>::of(file, path_, static_cast<std::size_t>(status.bytes));
    if (check) check(data(), size());
    return true;
  }

  // Why a file is none that this user's programs have made for each other.
  static std::string file_fault(const os::FileStatus& status, std::uint32_t mode) {
    if (!status.regular) return "it is not a regular file";
    if (const auto me = os::effective_user(); status.owner != me) {
      return "it belongs to user " + std::to_string(status.owner) + ", and this is user " + std::to_string(me);
    }
    if ((status.mode & ~mode) != 0) return "its mode is " + octal(status.mode) + " there, at most " + octal(mode) + " here";
    if (status.links > 1) return "it has " + std::to_string(status.links) + " names there, 1 here";
    if (status.bytes < sizeof(SegmentHeader)) {
      return "it has " + std::to_string(status.bytes) + " bytes there, at least " + std::to_string(sizeof(SegmentHeader)) +
             " here";
    }
    return {};
  }

  static std::string octal(std::uint32_t mode) {
    std::array<char, 16> text;
    std::snprintf(text.data(), text.size(), "0%o", mode);
    return text.data();
  }

  void refuse(const std::string& fault) const {
    if (!fault.empty()) throw LayoutMismatch(path_ + ": " + fault);
  }

  std::string path_;  // empty: anonymous
  os::Mapping<Calls> mapping_;
  bool created_ = false;
};

using Segment = BasicSegment<os::Calls>;

}  // namespace trine
