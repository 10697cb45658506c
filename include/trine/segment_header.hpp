// SPDX-License-Identifier: BSL-1.0
//
// What stands at the beginning of every named segment, so that nobody takes it for something else.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trine/error.hpp>
#include <trine/os/process_identity.hpp>
#include <type_traits>

namespace trine {

/// What all who use a segment must agree on. `hash` speaks for the rest, and for what the machine and the program add to it;
/// it is the same with every compiler.
struct Layout {
  std::string type;      ///< such as "Lock" or "Queue<int32, 100>": printable ASCII, the same with every compiler
  std::uint64_t hash{};  ///< made by of()
  std::uint64_t size{};
  std::uint64_t align{};
  std::uint32_t owner_kind{};  ///< how owners are told apart, if the type has any; a number of the caller's

  /// Throws std::invalid_argument: the type's text is empty, too long or not printable ASCII; a bad alignment.
  static Layout of(std::string type, std::uint64_t size, std::uint64_t align, std::uint32_t owner_kind = 0);

  template <class S> static Layout of(std::string type, std::uint32_t owner_kind = 0) {
    return of(std::move(type), sizeof(S), alignof(S), owner_kind);
  }
};

/// The first bytes of a segment: the data follow. All versions agree on what is before `boot` and on that itself.
///
/// `magic` is written last: a file with it is complete. Nothing is changed later.
struct SegmentHeader {
  static constexpr std::uint64_t magic_value = 0x656e697274'0d0a1aU;  // text that a conversion of line ends would destroy
  static constexpr std::uint32_t current_version = 4;
  static constexpr std::size_t type_bytes = 168;

  alignas(8) std::atomic<std::uint64_t> magic;
  std::uint32_t version;
  std::uint32_t machine;  ///< machine_kind() of the creator
  std::uint64_t bytes;    ///< of the whole file
  std::uint64_t boot;     ///< os::boot() of the creator
  std::uint64_t pid_namespace;
  std::uint64_t creator_start;
  std::uint32_t creator_pid;
  std::uint32_t owner_kind;
  std::uint64_t page_bytes;
  std::uint64_t layout_hash;
  std::uint64_t state_bytes;
  std::uint64_t state_align;
  std::array<char, type_bytes> type;  ///< ends with a NUL
};
static_assert(sizeof(SegmentHeader) == 256 && std::is_standard_layout_v<SegmentHeader>);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// The sizes of a program's words, and the order of their bytes.
constexpr std::uint32_t machine_kind() noexcept {
  return static_cast<std::uint32_t>(sizeof(void*) | sizeof(long) << 8 |
                                    static_cast<std::size_t>(std::endian::native == std::endian::little ? 1 : 2) << 16);
}

inline Layout Layout::of(std::string type, std::uint64_t size, std::uint64_t align, std::uint32_t owner_kind) {
  const auto printable = [](char each) { return each >= ' ' && each <= '~'; };
  if (type.empty() || type.size() >= SegmentHeader::type_bytes || !std::all_of(type.begin(), type.end(), printable)) {
    throw std::invalid_argument("trine: type: '" + type + "' is not 1 to " + std::to_string(SegmentHeader::type_bytes - 1) +
                                " printable ASCII characters");
  }
  if (!std::has_single_bit(align) || align > sizeof(SegmentHeader)) {
    throw std::invalid_argument("trine: align: " + std::to_string(align) + " is not a power of two up to 256");
  }
  os::Fnv1a hash;
  hash.add(type);
  hash.add(size);
  hash.add(align);
  hash.add(std::uint64_t{owner_kind});
  hash.add(std::uint64_t{machine_kind()});
  hash.add(os::page_size());
  return {.type = std::move(type), .hash = hash.value(), .size = size, .align = align, .owner_kind = owner_kind};
}

/// A header that was read: the segment itself may change at any time.
struct SegmentClaims {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t machine;
  std::uint64_t bytes;
  std::uint64_t boot;
  std::uint64_t pid_namespace;
  os::ProcessIdentity creator;
  std::uint32_t owner_kind;
  std::uint64_t page_bytes;
  Layout layout;  ///< its type is empty if the text is damaged

  static SegmentClaims parse(const std::array<std::byte, sizeof(SegmentHeader)>& bytes);
};

inline SegmentClaims SegmentClaims::parse(const std::array<std::byte, sizeof(SegmentHeader)>& bytes) {
  const auto number = [&](std::size_t offset, auto value) {
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
  };
  const auto u32 = [&](std::size_t offset) { return number(offset, std::uint32_t{}); };
  const auto u64 = [&](std::size_t offset) { return number(offset, std::uint64_t{}); };
  using H = SegmentHeader;
  const auto* const text = reinterpret_cast<const char*>(bytes.data() + offsetof(H, type));
  const char* const end = std::find(text, text + H::type_bytes, '\0');
  const bool good = end != text + H::type_bytes && std::all_of(text, end, [](char c) { return c >= ' ' && c <= '~'; });
  return {.magic = u64(offsetof(H, magic)),
          .version = u32(offsetof(H, version)),
          .machine = u32(offsetof(H, machine)),
          .bytes = u64(offsetof(H, bytes)),
          .boot = u64(offsetof(H, boot)),
          .pid_namespace = u64(offsetof(H, pid_namespace)),
          .creator = {.pid = u32(offsetof(H, creator_pid)), .start = u64(offsetof(H, creator_start))},
          .owner_kind = u32(offsetof(H, owner_kind)),
          .page_bytes = u64(offsetof(H, page_bytes)),
          .layout = {.type = good ? std::string(text, end) : std::string(),
                     .hash = u64(offsetof(H, layout_hash)),
                     .size = u64(offsetof(H, state_bytes)),
                     .align = u64(offsetof(H, state_align)),
                     .owner_kind = u32(offsetof(H, owner_kind))}};
}

/// What the program that looks at a segment has to compare it with.
struct SegmentSurroundings {
  std::uint64_t boot;
  std::uint64_t pid_namespace;

  template <class Calls> static SegmentSurroundings here() {
    return {.boot = os::boot<Calls>(), .pid_namespace = os::pid_namespace<Calls>()};
  }
};

/// Why a segment can't be used, whatever type one expects; empty: it can. `bytes`: of its file.
inline std::string segment_fault(const SegmentClaims& claims, std::uint64_t bytes, const SegmentSurroundings& here) {
  const auto versus = [](const std::string& what, auto there, auto wanted) {
    return what + " " + std::to_string(there) + " there, " + std::to_string(wanted) + " here";
  };
  if (claims.magic != SegmentHeader::magic_value) return "it is no segment of trine, or was not completed";
  if (claims.boot != here.boot) return "it was made before the machine's last start, and this is after it";
  if (claims.version != SegmentHeader::current_version) {
    return versus("the header has version", claims.version, SegmentHeader::current_version);
  }
  if (claims.machine != machine_kind()) return versus("the words have kind", claims.machine, machine_kind());
  if (claims.bytes != bytes) return versus("the size is", bytes, claims.bytes) + " (by its header)";
  if (claims.pid_namespace != here.pid_namespace) {
    return versus("the PID namespace is", claims.pid_namespace, here.pid_namespace) +
           ": the numbers of threads mean nothing in another";
  }
  if (claims.page_bytes != os::page_size()) return versus("pages have bytes:", claims.page_bytes, os::page_size());
  if (claims.layout.type.empty()) return "the text of its type is damaged";
  return {};
}

/// Why a segment is not what the caller expects; empty: it is.
inline std::string layout_fault(const SegmentClaims& claims, const Layout& expected) {
  const Layout& found = claims.layout;
  const auto versus = [](const std::string& what, auto there, auto wanted) {
    return "the " + what + " is " + std::to_string(there) + " there, " + std::to_string(wanted) + " here";
  };
  if (found.type != expected.type) return "the type is '" + found.type + "' there, '" + expected.type + "' here";
  if (found.size != expected.size) return versus("size of the state", found.size, expected.size);
  if (found.align != expected.align) return versus("alignment of the state", found.align, expected.align);
  if (found.owner_kind != expected.owner_kind) return versus("kind of owners", found.owner_kind, expected.owner_kind);
  if (found.hash != expected.hash) return versus("hash of the layout", found.hash, expected.hash);
  if (claims.bytes - sizeof(SegmentHeader) < expected.size) {
    return versus("room for the state", claims.bytes - sizeof(SegmentHeader), expected.size);
  }
  return {};
}

}  // namespace trine
