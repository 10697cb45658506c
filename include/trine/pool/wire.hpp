// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <trine/child.hpp>
#include <trine/error.hpp>
#include <trine/process/message.hpp>
#include <trine/task.hpp>

namespace trine {

/// How a call travels to a worker of the same program, and its result back: what is trivially copyable as it is, strings, vectors,
/// pairs and tuples by their parts, everything else by its Codec.
namespace wire {

/// What a void function returns on the wire.
template <class R>
using Value = std::conditional_t<std::is_void_v<R>, std::monostate, std::decay_t<R>>;

template <class T>
inline constexpr bool refers = std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>;

template <class T>
struct Owner {
  static_assert(
      !refers<T>,
      "a pointer means nothing in another process: give the object, or std::ref(object) if the workers have had it since "
      "the pool was made");
  using type = T;
};
template <>
struct Owner<const char*> {
  using type = std::string;
};
template <>
struct Owner<char*> {
  using type = std::string;
};
template <>
struct Owner<std::string_view> {
  using type = std::string;
};

/// What an argument of type T is for the function that is called elsewhere: text is a std::string there.
template <class T>
using Sent = typename Owner<std::decay_t<T>>::type;

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_tuple = false;
template <class... T>
inline constexpr bool is_tuple<std::tuple<T...>> = true;
template <class A, class B>
inline constexpr bool is_tuple<std::pair<A, B>> = true;

class Writer {
 public:
  explicit Writer(std::vector<std::byte>& bytes) noexcept : bytes_(bytes) {}

  void raw(const void* data, std::size_t size) {
    const auto* const from = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }

  void text(std::string_view text) {
    put(text.size());
    raw(text.data(), text.size());
  }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      raw(&value, sizeof(T));
    } else if constexpr (std::is_same_v<T, std::string>) {
      text(value);
    } else if constexpr (is_vector<T>) {
      items(value);
    } else if constexpr (is_tuple<T>) {
      std::apply([this](const auto&... each) { (this->put(each), ...); }, value);
    } else {
      static_assert(
          requires { sizeof(Codec<T>); },
          "include <trine/codec.hpp> for arguments and results of a pool that are not trivially copyable");
      const std::vector<std::byte> bytes = Message<T>::encode(value);
      put(bytes.size());
      raw(bytes.data(), bytes.size());
    }
  }

 private:
  template <class T>
  void items(const std::vector<T>& values) {
    put(values.size());
    if constexpr (std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>) {
      raw(values.data(), values.size() * sizeof(T));
    } else {
      for (const auto& each : values) put(static_cast<const T&>(each));
    }
  }

  std::vector<std::byte>& bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : left_(bytes) {}

  [[nodiscard]] std::span<const std::byte> raw(std::size_t size) {
    if (size > left_.size()) throw Error("trine: a message of a pool is damaged: it ends before all of it was read");
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

  template <class T>
  T get() {
    if constexpr (std::is_trivially_copyable_v<T>) {
      alignas(T) std::byte copy[sizeof(T)];
      std::memcpy(copy, raw(sizeof(T)).data(), sizeof(T));
      return *reinterpret_cast<const T*>(copy);
    } else if constexpr (std::is_same_v<T, std::string>) {
      const auto bytes = raw(get<std::size_t>());
      return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    } else if constexpr (is_vector<T>) {
      return items<typename T::value_type>();
    } else if constexpr (is_tuple<T>) {
      return parts(std::type_identity<T>());
    } else {
      return Message<T>::decode(raw(get<std::size_t>()));
    }
  }

 private:
  template <class T>
  std::vector<T> items() {
    const auto count = get<std::size_t>();
    std::vector<T> values;
    if constexpr (std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T> && !std::is_same_v<T, bool>) {
      if (count > left_.size() / sizeof(T)) (void)raw(left_.size() + 1);
      values.resize(count);
      if (count != 0) std::memcpy(values.data(), raw(count * sizeof(T)).data(), count * sizeof(T));
    } else {
      for (std::size_t i = 0; i < count; ++i) values.push_back(get<T>());
    }
    return values;
  }

  // In braces the parts are read from left to right.
  template <class... T>
  std::tuple<T...> parts(std::type_identity<std::tuple<T...>>) {
    return std::tuple<T...>{get<T>()...};
  }
  template <class A, class B>
  std::pair<A, B> parts(std::type_identity<std::pair<A, B>>) {
    return std::pair<A, B>{get<A>(), get<B>()};
  }

  std::span<const std::byte> left_;
};

/// The function that does a request: found at the same address in all processes that come of one program by fork().
using Entry = void (*)(Reader& request, Writer& answer);

template <class F>
constexpr void require_sendable() {
  static_assert(
      std::is_trivially_copyable_v<F>,
      "what a pool of processes calls is a function, or a lambda or an object whose captures or members are trivially "
      "copyable; give it everything else as arguments");
}

/// Calls an F with arguments A.
template <class F, class R, class... A>
void call(Reader& request, Writer& answer) {
  F function = request.get<F>();
  auto arguments = request.get<std::tuple<A...>>();
  if constexpr (std::is_void_v<R>) {
    perform(function, std::move(arguments));
    answer.put(std::monostate());
  } else {
    answer.put<Value<R>>(perform(function, std::move(arguments)));
  }
}

/// Calls an F with each of several items. R: what it returns, or Value<void>.
template <class F, class R, class T>
void call_each(Reader& request, Writer& answer) {
  F function = request.get<F>();
  auto items = request.get<std::vector<T>>();
  std::vector<R> results;
  results.reserve(items.size());
  for (auto&& each : items) {
    if constexpr (std::is_void_v<task::Returned<std::invoke_result_t<F&, T>>>) {
      perform(function, std::forward_as_tuple(static_cast<T&&>(each)));
      results.emplace_back();
    } else {
      results.push_back(perform(function, std::forward_as_tuple(static_cast<T&&>(each))));
    }
  }
  answer.put(results);
}

template <class F>
[[nodiscard]] std::vector<std::byte> request(Entry entry, const F& function) {
  require_sendable<F>();
  std::vector<std::byte> bytes;
  bytes.reserve(sizeof entry + sizeof function);
  Writer to(bytes);
  to.put(entry);
  to.put(function);
  return bytes;
}

}  // namespace wire

}  // namespace trine
