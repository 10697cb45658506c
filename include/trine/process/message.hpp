// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include <trine/error.hpp>
#include <trine/os/fnv1a.hpp>

namespace trine {

/// How a T becomes bytes and the bytes a T again: <trine/codec.hpp>.
template <class T>
struct Codec;

/// A T as its Codec makes it, and behind it a number that says that it is a T: who takes it for something else is told so, whatever
/// Codec would make of the bytes. The number comes of the type's name, which one compiler's programs spell alike; of text, which all
/// do.
template <class T>
class Message {
 public:
  static std::vector<std::byte> encode(const T& value) {
    std::vector<std::byte> bytes = Codec<T>::encode(value);
    const auto* const type = reinterpret_cast<const std::byte*>(&number());
    bytes.insert(bytes.end(), type, type + sizeof(number()));
    return bytes;
  }

  /// Throws LayoutMismatch if they are of another type, and what Codec throws.
  static T decode(std::span<const std::byte> bytes) {
    std::uint64_t type = 0;
    if (bytes.size() < sizeof(type)) throw Error("trine: an item is damaged: it does not say of what type it is");
    std::memcpy(&type, bytes.data() + bytes.size() - sizeof(type), sizeof(type));
    if (type != number()) mismatch(type);
    return Codec<T>::decode(bytes.first(bytes.size() - sizeof(type)));
  }

 private:
  static const std::uint64_t& number() {
    static const std::uint64_t number = [] {
      os::Fnv1a hash;
      hash.add(std::is_same_v<T, std::string> ? std::string_view("string") : std::string_view(typeid(T).name()));
      return hash.value();
    }();
    return number;
  }

  static std::string hexadecimal(std::uint64_t number) {
    std::array<char, 16> digits;
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr};
  }

  [[noreturn, gnu::cold, gnu::noinline]] static void mismatch(std::uint64_t type) {
    throw LayoutMismatch("an item is of another type: the reader's is " + std::string(typeid(T).name()) + " (" +
                         hexadecimal(number()) + "), the item's is " + hexadecimal(type));
  }
};

}  // namespace trine
