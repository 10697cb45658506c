// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <trine/os/robust_linux.hpp>
#include <trine/segment.hpp>

namespace trine {

/// Whether it is one of the tags that say how an object gets its name.
template <class T>
concept SegmentTag = std::same_as<T, create_only_t> || std::same_as<T, open_only_t> || std::same_as<T, open_or_create_t>;

/// For Layout::owner_kind: owners that the kernel watches can't use the same words as others.
inline std::uint32_t owner_kind() {
  os::Robust::self();
  return os::Robust::kernel_watches() ? 1 : 2;
}

/// The state of a primitive in shared memory: anonymous, for this process and its children, or in a segment with a name, which
/// lasts until it is removed. S says in `type_name` what it is.
template <class S>
class SharedState {
  static_assert(std::is_trivially_destructible_v<S>, "the state of an object between processes is never destroyed");
  static constexpr bool shareable = [] {
    if constexpr (requires { S::shareable; }) return S::shareable;
    return true;
  }();
  static_assert(shareable, "what processes share is trivially copyable");

 public:
  template <class... Arguments>
  explicit SharedState(Arguments&&... arguments) : segment_(Segment::anonymous(bytes(arguments...))) {
    ::new (segment_.data()) S(std::forward<Arguments>(arguments)...);
  }

  /// The arguments are for the one who makes it; whoever opens it finds it as it is.
  template <SegmentTag Tag, class... Arguments>
  SharedState(Tag tag, std::string_view name, Arguments&&... arguments)
      : segment_(made(tag, name, bytes(arguments...), [&](std::byte* data) { ::new (data) S(arguments...); })) {}

  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;

  S* operator->() noexcept { return state(); }
  const S* operator->() const noexcept { return state(); }
  S& operator*() noexcept { return *state(); }

 private:
  [[nodiscard]] S* state() const noexcept { return std::launder(reinterpret_cast<S*>(segment_.data())); }

  // With what lies behind the state.
  template <class... Arguments>
  static std::size_t bytes(const Arguments&... arguments) {
    if constexpr (requires { S::extra(arguments...); }) {
      return sizeof(S) + S::extra(arguments...);
    } else {
      return sizeof(S);
    }
  }

  static Layout layout() {
    if constexpr (requires { S::type_text(); }) {
      return Layout::of<S>(S::type_text(), owner_kind());
    } else {
      return Layout::of<S>(std::string(S::type_name), owner_kind());
    }
  }

  // Where a state holds offsets, it says whether they can be used.
  static void check(const std::byte* data, std::size_t bytes) {
    if constexpr (requires(const S& state) { state.sound(bytes); }) {
      if (!reinterpret_cast<const S*>(data)->sound(bytes)) {
        throw LayoutMismatch(layout().type + ": its state in shared memory is damaged");
      }
    }
  }

  template <class Tag, class Construct>
  static Segment made(Tag tag, std::string_view name, std::size_t bytes, const Construct& construct) {
    if constexpr (std::same_as<Tag, open_only_t>) {
      return Segment(tag, name, layout(), check);
    } else if constexpr (std::same_as<Tag, create_only_t>) {
      return Segment(tag, name, layout(), bytes, construct);
    } else {
      return Segment(tag, name, layout(), bytes, construct, check);
    }
  }

  Segment segment_;
};

}  // namespace trine
