// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>

namespace trine {

/// A type as all compilers and programs spell it: int32, uint8, float64, bool, string; trivial(24, 8) for any other that is
/// copied byte by byte (its size and alignment), encoded for what is not.
template <class T>
std::string type_text() {
  const std::string bits = std::to_string(sizeof(T) * 8);
  if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (std::is_enum_v<T>) {
    return type_text<std::underlying_type_t<T>>();
  } else if constexpr (std::integral<T>) {
    return (std::is_signed_v<T> ? "int" : "uint") + bits;
  } else if constexpr (std::floating_point<T>) {
    return "float" + bits;
  } else if constexpr (std::same_as<T, std::string>) {
    return "string";
  } else if constexpr (std::is_trivially_copyable_v<T>) {
    return "trivial(" + std::to_string(sizeof(T)) + ", " + std::to_string(alignof(T)) + ")";
  } else {
    return "encoded";
  }
}

}  // namespace trine
