// SPDX-License-Identifier: BSL-1.0
//
// What there is of named segments, for those who look after them: nothing is opened for use, nothing is changed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <trine/segment.hpp>
#include <vector>

namespace trine {

/// A named segment, as it was found. It may be another one, or gone, a moment later.
struct SegmentInfo {
  enum class State {
    usable,   ///< by this program, if it agrees on the layout
    foreign,  ///< by others perhaps: of another user, another PID namespace, another version
    stale,    ///< by nobody any more: from before the machine's last start, cut off, or left half made by a dead process
  };

  std::string name;  ///< as remove() takes it; that of the file, if it is one that was left half made
  std::string path;
  State state = State::foreign;
  std::string fault;        ///< why it is not usable
  std::string type;         ///< empty: not known
  std::uint64_t bytes = 0;  ///< of the file
  std::uint64_t user = 0;
  std::uint32_t mode = 0;
  os::ProcessIdentity creator;
  os::Life creator_life = os::Life::unknown;
  std::uint32_t owner_kind = 0;
  std::vector<std::byte> data;  ///< the first bytes of the data, up to the size of the state and 64 KiB
};

/// Reads what the segments of this machine say of themselves.
template <class Calls> class BasicSegmentList {
 public:
  /// All segments that there are, sorted by name. What can't be read is listed with the reason. Throws std::system_error if
  /// the names can't be had at all.
  static std::vector<SegmentInfo> read() {
    const auto here = SegmentSurroundings::here<Calls>();
    std::vector<SegmentInfo> list;
    for (const std::string& file : os::shared_files<Calls>()) {
      if (!is_segment(file)) continue;
      SegmentInfo info;
      if (look(file, here, info)) list.push_back(std::move(info));
    }
    std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return list;
  }

  /// Removes it if it is still there and stale. false: it is not. Throws std::system_error.
  static bool remove_stale(const SegmentInfo& info) {
    const auto file = os::open_shared<Calls>(info.path, os::Access::read);
    if (!file) return false;
    SegmentInfo now;
    describe(file, info.path.substr(info.path.rfind('/') + 1), SegmentSurroundings::here<Calls>(), now);
    return now.state == SegmentInfo::State::stale && os::remove_if_same(info.path, file);
  }

 private:
  static bool is_segment(std::string_view file) {
    return is_temporary(file) ||
           (file.starts_with(SegmentName::prefix) && SegmentName::valid(file.substr(SegmentName::prefix.size())));
  }

  static bool is_temporary(std::string_view file) { return file.starts_with(os::TemporaryName::prefix); }

  // false: it is gone.
  static bool look(const std::string& name, const SegmentSurroundings& here, SegmentInfo& info) {
    info.path = os::shared_path<Calls>(name);
    info.name = is_temporary(name) ? name : name.substr(SegmentName::prefix.size());
    try {
      const auto file = os::open_shared<Calls>(info.path, os::Access::read);
      if (!file) return false;
      describe(file, name, here, info);
    } catch (const std::system_error& error) {
      info.state = SegmentInfo::State::foreign;
      info.fault = error.code().message();
    }
    return true;
  }

  static void describe(const os::File<Calls>& file, const std::string& name, const SegmentSurroundings& here,
                       SegmentInfo& info) {
    info.path = os::shared_path<Calls>(name);
    const os::FileStatus status = os::status_of(file, info.path);
    info.bytes = status.bytes;
    info.user = status.owner;
    info.mode = status.mode;
    if (!status.regular) {
      info.fault = "it is not a regular file";
      return;
    }
    std::array<std::byte, sizeof(SegmentHeader)> bytes{};
    os::read_at(file, info.path, bytes.data(), bytes.size(), 0);
    const auto claims = SegmentClaims::parse(bytes);
    judge(claims, status, name, here, info);
    if (claims.magic == SegmentHeader::magic_value && claims.version == SegmentHeader::current_version) {
      describe(file, claims, here, info);
    }
  }

  static void judge(const SegmentClaims& claims, const os::FileStatus& status, const std::string& name,
                    const SegmentSurroundings& here, SegmentInfo& info) {
    using State = SegmentInfo::State;
    if (is_temporary(name)) {
      const bool stale = os::TemporaryName::is_stale<Calls>(name);
      info.state = stale ? State::stale : State::foreign;
      info.fault = stale ? "its creator died before it was complete" : "it is being made";
      return;
    }
    info.fault = segment_fault(claims, status.bytes, here);
    const bool known = claims.magic == SegmentHeader::magic_value;
    if (!known || claims.boot != here.boot || claims.bytes != status.bytes) {
      info.state = State::stale;
    } else if (!info.fault.empty()) {
      info.state = State::foreign;
    } else if (const auto me = os::effective_user(); status.owner != me) {
      info.fault = "it belongs to user " + std::to_string(status.owner) + ", and this is user " + std::to_string(me);
    } else {
      info.state = State::usable;
    }
  }

  static void describe(const os::File<Calls>& file, const SegmentClaims& claims, const SegmentSurroundings& here,
                       SegmentInfo& info) {
    static constexpr std::uint64_t most = 64 * 1024;
    info.type = claims.layout.type;
    info.creator = claims.creator;
    info.owner_kind = claims.owner_kind;
    if (claims.boot != here.boot) {
      info.creator_life = os::Life::dead;
    } else if (claims.pid_namespace == here.pid_namespace) {
      info.creator_life = os::life_of<Calls>(claims.creator);
    }
    info.data.resize(static_cast<std::size_t>(std::min(claims.layout.size, most)));
    info.data.resize(os::read_at(file, info.path, info.data.data(), info.data.size(), sizeof(SegmentHeader)));
  }
};

using SegmentList = BasicSegmentList<os::Calls>;

}  // namespace trine
