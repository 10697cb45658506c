// SPDX-License-Identifier: BSL-1.0
//
// What lists of contenders are made of.
#pragma once

#include <cstddef>
#include <optional>

#include <trine/backend/threads.hpp>

namespace bench {

/// Types to measure one after the other.
template <class... Contenders>
struct List {};

template <class... First, class... Second>
constexpr List<First..., Second...> operator+(List<First...>, List<Second...>) {
  return {};
}

/// A text as a template argument.
template <std::size_t Size>
struct Text {
  consteval Text(const char (&from)[Size]) {
    for (std::size_t i = 0; i < Size; ++i) text[i] = from[i];
  }
  char text[Size];
};

/// A primitive whose members are called as its kind wants them: it needs a name alone.
template <Text Name, class Primitive>
struct Named : Primitive {
  static constexpr const char* name = Name.text;
  using Primitive::Primitive;
};

template <class B>
inline constexpr const char* name_of = nullptr;
template <>
inline constexpr const char* name_of<trine::threads> = "trine";
template <>
inline constexpr const char* name_of<trine::portable_threads> = "trine_portable";

/// Tells the compiler that an item which is not initialized gets a value where it can't see it.
template <class T>
void to_be_filled(T& item) {
  asm volatile("" : "=m"(item));
}

/// An item as `fill` leaves it, for queues that read into an item of the caller's.
template <class T, class Fill>
T filled(Fill fill) {
  T item;
  to_be_filled(item);
  fill(item);
  return item;
}

/// The same, if `fill` says that there was one.
template <class T, class Fill>
std::optional<T> filled_if(Fill fill) {
  T item;
  to_be_filled(item);
  if (!fill(item)) return std::nullopt;
  return item;
}

}  // namespace bench
