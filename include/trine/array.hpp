// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/backend.hpp>
#include <trine/backend/threads.hpp>
#include <trine/locked_call.hpp>
#include <trine/type_text.hpp>
#include <trine/until.hpp>

namespace trine {

/// The elements of an Array, where the backend does not say how it keeps them.
template <class T>
class ElementsOnHeap {
 public:
  explicit ElementsOnHeap(std::size_t count) : elements_(std::make_unique<T[]>(count)), count_(count) {}
  [[nodiscard]] std::span<T> all() noexcept { return {elements_.get(), count_}; }

 private:
  std::unique_ptr<T[]> elements_;
  std::size_t count_;
};

template <class T, class B, std::size_t N>
struct ElementsOf {
  using type = ElementsOnHeap<T>;
};
template <class T, class B, std::size_t N>
  requires requires { typename B::template Elements<T, 1>; }
struct ElementsOf<T, B, N> {
  using type = typename B::template Elements<T, N>;
};

/// So many shared values of a type, with one lock for all of them.
///
///     trine::Array<double, trine::processes> samples(1000);
///     samples[7] = 1.5;                                        // takes no lock
///     samples.update(7, [](double& each) { each *= 2; });
///     double sum = samples.with_lock([](auto& all) { return std::accumulate(all.begin(), all.end(), 0.0); });
///
/// All but [], begin(), end() and size() wait for the lock, as long as others hold it, and throw OwnerDied if one died with it,
/// until somebody calls get_lock().recover(). The lock is recursive: who holds it may use the members.
/// Deaths: a process killed while it writes an element may leave a part of it written, which OwnerDied tells of; what it does by
/// [] tells nobody.
/// Lifetime: it may be destroyed when no call is in progress. Not copyable, not movable. On backends whose parties are processes
/// T is trivially copyable and holds no pointers. Elements begin as T(). N: how many there are, if the type says so: in memory that
/// is shared anyway it must, `Array<double, trine::shared_memory, 1000>`.
template <class T, class B = threads, std::size_t N = 0>
class Array {
  struct State {
    using Elements = typename ElementsOf<T, B, N>::type;
    static constexpr bool shareable = std::is_trivially_copyable_v<T>;
    static std::string type_text() { return "Array<" + trine::type_text<T>() + ">"; }

    static std::size_t extra(std::size_t count)
      requires requires { Elements::extra(count); }
    {
      return Elements::extra(count);
    }
    [[nodiscard]] bool sound(std::size_t bytes) const noexcept
      requires requires(const Elements& some) { some.sound(nullptr, nullptr); }
    {
      const auto* const begin = reinterpret_cast<const std::byte*>(this);
      return elements.sound(begin + sizeof(State), begin + bytes);
    }

    explicit State(std::size_t count) : elements(count) {
      if constexpr (requires { elements.lie_at(this + 1); }) elements.lie_at(this + 1);
      std::ranges::fill(elements.all(), T());
    }

    OwnLock<B> lock;
    Elements elements;
  };

 public:
  using value_type = T;
  using Lock = OwnLock<B>;

  /// Throws std::invalid_argument if there are none, or 2^30 or more.
  explicit Array(std::size_t count)
    requires(N == 0)
      : state_(checked(count)) {}
  Array(std::initializer_list<T> values)
    requires(N == 0)
      : Array(values.size()) {
    std::ranges::copy(values, begin());
  }
  Array()
    requires(N != 0)
      : state_(checked(N)) {}
  /// By a name, where the backend knows names: `tag` is create_only, open_only or open_or_create. Whoever opens it finds it with
  /// the elements that it has; `count` is for the one who makes it.
  template <NameTagOf<B> Tag>
  Array(Tag tag, std::string_view name, std::size_t count = N == 0 ? 1 : N) : state_(tag, name, checked(count)) {}
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  /// Without the lock.
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return all()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return all()[i]; }
  [[nodiscard]] std::size_t size() const noexcept { return all().size(); }
  [[nodiscard]] T* begin() noexcept { return all().data(); }
  [[nodiscard]] T* end() noexcept { return begin() + size(); }
  [[nodiscard]] const T* begin() const noexcept { return all().data(); }
  [[nodiscard]] const T* end() const noexcept { return begin() + size(); }

  /// A copy of all elements.
  [[nodiscard]] auto load() const {
    return run(locked_call_op(get_lock(), [this] { return std::vector<T>(begin(), end()); }));
  }

  /// Stores all elements: true. Throws std::invalid_argument if there are more or fewer than the array has.
  auto store(std::vector<T> values) {
    if (values.size() != size()) {
      throw std::invalid_argument("trine: array: " + std::to_string(values.size()) + " values for " + std::to_string(size()) +
                                  " elements");
    }
    return with_lock([values = std::move(values)](Array& array) { std::ranges::copy(values, array.begin()); });
  }

  /// Calls `function(T&)` on every element: true.
  template <std::invocable<T&> F>
  auto update(F function) {
    return with_lock([function = std::move(function)](Array& array) mutable {
      for (T& each : array) static_cast<void>(std::invoke(function, each));
    });
  }

  /// A copy of one. This and those below throw std::out_of_range if there is none of that number.
  [[nodiscard]] auto load(std::size_t i) const {
    return run(locked_call_op(get_lock(), [this, i] { return T(at(i)); }));
  }

  /// True.
  auto store(std::size_t i, const T& value) {
    return with_lock([i, value](Array& array) { array.at(i) = value; });
  }

  /// Calls `function(T&)` on an element: what the function returned, or true if nothing.
  template <std::invocable<T&> F>
  auto update(std::size_t i, F function) {
    return with_lock([i, function = std::move(function)](Array& array) mutable -> decltype(auto) {
      return std::invoke(function, array.at(i));
    });
  }

  /// Calls `function(Array&)`: what the function returned, or true if nothing.
  template <std::invocable<Array&> F>
  auto with_lock(F function) {
    return run(with_lock_op(std::move(function)));
  }

  template <std::invocable<Array&> F>
  [[nodiscard]] auto with_lock_op(F function) {
    return locked_call_op(get_lock(), [this, function = std::move(function)]() mutable -> decltype(auto) {
      return std::invoke(function, *this);
    });
  }

  /// The lock, to be held over several calls, or with a limit.
  [[nodiscard]] Lock& get_lock() const noexcept { return state_->lock; }

  /// Removes a name; those who have the array keep it. false: there was none.
  static bool remove(std::string_view name) requires NamingBackend<B> { return B::remove(name); }

 private:
  static std::size_t checked(std::size_t count) {
    if (count == 0 || count >= std::size_t{1} << 30) {
      throw std::invalid_argument("trine: array: count: " + std::to_string(count) + " is not from 1 to 2^30 - 1");
    }
    return count;
  }

  template <class O>
  static auto run(O operation) {
    return O::Backend::run(std::move(operation), Until::forever());
  }

  [[nodiscard]] std::span<T> all() const noexcept { return state_->elements.all(); }

  T& at(std::size_t i) const {
    if (i >= size()) throw std::out_of_range("trine: array: " + std::to_string(i) + " is not below its size");
    return all()[i];
  }

  mutable typename B::template Storage<State> state_;  // whoever looks takes the lock
};

}  // namespace trine
