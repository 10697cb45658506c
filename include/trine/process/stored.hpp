// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/interprocess/containers/string.hpp>

#include <trine/process/encoded_items.hpp>

namespace trine {

/// How a T lies in a container between processes: as it is if a copy of its bytes will do; text as its characters; anything else
/// as the bytes that Codec makes of it. A Given is one that is to be stored or looked for; what lies there is looked at through
/// the same kind of view.
template <class T, template <class> class Allocator, bool AsItIs = std::is_trivially_copyable_v<T>>
struct Stored {
  using Type = boost::interprocess::basic_string<char, std::char_traits<char>, Allocator<char>>;

  class Given {
   public:
    explicit Given(const T& value) : bytes_(Codec<T>::encode(value)) {}
    [[nodiscard]] std::string_view view() const noexcept {
      return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }

   private:
    std::vector<std::byte> bytes_;
  };

  static std::string_view view(const Type& stored) noexcept { return {stored.data(), stored.size()}; }
  static T get(const Type& stored) { return Codec<T>::decode(std::as_bytes(std::span(stored.data(), stored.size()))); }

  template <class Any>
  static Type make(std::string_view view, const Allocator<Any>& allocator) {
    return Type(view.data(), view.size(), Allocator<char>(allocator));
  }
};

template <template <class> class Allocator>
struct Stored<std::string, Allocator, false> {
  using Type = boost::interprocess::basic_string<char, std::char_traits<char>, Allocator<char>>;

  class Given {
   public:
    explicit Given(std::string_view value) noexcept : view_(value) {}
    [[nodiscard]] std::string_view view() const noexcept { return view_; }

   private:
    std::string_view view_;
  };

  static std::string_view view(const Type& stored) noexcept { return {stored.data(), stored.size()}; }
  static std::string get(const Type& stored) { return std::string(view(stored)); }

  template <class Any>
  static Type make(std::string_view view, const Allocator<Any>& allocator) {
    return Type(view.data(), view.size(), Allocator<char>(allocator));
  }
};

template <class T, template <class> class Allocator>
struct Stored<T, Allocator, true> {
  using Type = T;

  class Given {
   public:
    explicit Given(const T& value) noexcept : value_(value) {}
    [[nodiscard]] const T& view() const noexcept { return value_; }

   private:
    const T& value_;
  };

  static const T& view(const T& stored) noexcept { return stored; }
  static T get(const T& stored) { return stored; }

  template <class Any>
  static T make(const T& value, const Any& /*allocator*/) {
    return value;
  }
};

/// Compares what is stored, and views; a type without an order of its own by its bytes.
template <class Way>
struct StoredLess {
  using is_transparent = void;

  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    const auto& left = view(a);
    const auto& right = view(b);
    if constexpr (requires { left < right; }) {
      return left < right;
    } else {
      using Key = std::remove_cvref_t<decltype(left)>;
      static_assert(std::has_unique_object_representations_v<Key>, "a key needs operator<, or bytes that say what it is");
      return std::memcmp(&left, &right, sizeof(Key)) < 0;
    }
  }

 private:
  using Type = typename Way::Type;
  template <class V>
  static decltype(auto) view(const V& value) {
    if constexpr (std::is_same_v<V, Type>) {
      return Way::view(value);
    } else {
      return value;
    }
  }
};

}  // namespace trine
