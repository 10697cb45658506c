// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <tuple>
#include <utility>
#include <variant>

#include <trine/backend.hpp>
#include <trine/until.hpp>

namespace trine {

/// What select() did: which operation, and what it came to.
template <class... R>
class Selected {
 public:
  /// The index when the limit came first: no operation was done.
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  template <class... O>
  Selected(std::size_t first, std::tuple<O...>& operations) {
    collect(first, operations, std::index_sequence_for<O...>());
  }

  /// The place among select()'s arguments of the operation that was done, or none.
  [[nodiscard]] std::size_t index() const noexcept { return result_.index() == 0 ? none : result_.index() - 1; }

  /// The result of operation I. Throws std::bad_variant_access if another was done.
  template <std::size_t I>
  [[nodiscard]] auto& get() & {
    return std::get<I + 1>(result_);
  }
  template <std::size_t I>
  [[nodiscard]] auto&& get() && {
    return std::get<I + 1>(std::move(result_));
  }
  template <std::size_t I>
  [[nodiscard]] const auto& get() const& {
    return std::get<I + 1>(result_);
  }

 private:
  template <class Operations, std::size_t... I>
  void collect(std::size_t first, Operations& operations, std::index_sequence<I...>) {
    ((first == I ? void(result_.template emplace<I + 1>(std::get<I>(operations).result())) : void()), ...);
  }

  std::variant<std::monostate, R...> result_;
};

/// The backend on which operations of the backends B are waited for.
template <class First, class... B>
struct WaitedTogether {
  static_assert((requires { typename B::Together; } && ...), "select() takes operations of backends that go together");
  static_assert((std::same_as<typename First::Together, typename B::Together> && ...),
                "select() takes operations of backends that go together");
  using Type = typename First::Together;
};
template <class First, class... B>
requires(std::same_as<First, B>&&...) struct WaitedTogether<First, B...> {
  using Type = First;
};

/// Waits for the first of several operations, and does exactly that one; the others have taken nothing.
///
///     auto done = trine::select(go.wait_op(), jobs.get_op(), slots.acquire_op(), trine::Until(1s));
///     if (done.index() == 1) work(done.get<1>());
///
/// The operations may be of any objects of one backend, or of `threads`, `processes` and `shared_memory` together. The last argument may be a limit (anything that is an Until); if it
/// comes first, index() is Selected::none. Among operations that can be done at once the choice is fair. An error of the
/// operation that was done (QueueShutdown, OwnerDied) is thrown. Operations whose giving up has an effect, those of
/// Condition and Barrier and Latch::arrive_and_wait, are refused by the compiler.
template <class... A>
requires(sizeof...(A) > 0) auto select(A... arguments) {
  constexpr std::size_t count = sizeof...(A);
  using Last = std::tuple_element_t<count - 1, std::tuple<A...>>;
  constexpr bool limited = !Operation<Last>;
  std::tuple<A&...> all(arguments...);
  const Until until = [&]() -> Until {
    if constexpr (limited) {
      static_assert(std::convertible_to<Last, Until>, "the last argument of select() is neither an operation nor a limit");
      return std::move(std::get<count - 1>(all));
    } else {
      return {};
    }
  }();
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    using First = std::tuple_element_t<0, std::tuple<A...>>;
    static_assert(sizeof...(I) > 0 && (Selectable<std::tuple_element_t<I, std::tuple<A...>>> && ...),
                  "select() takes operations whose giving up has no effect");
    using B = typename WaitedTogether<typename First::Backend,
                                      typename std::tuple_element_t<I, std::tuple<A...>>::Backend...>::Type;
    using S = Selected<typename std::tuple_element_t<I, std::tuple<A...>>::Result...>;
    return B::template run_first<S>(std::tuple<std::tuple_element_t<I, std::tuple<A...>>...>(std::move(std::get<I>(all))...),
                                    until);
  }
  (std::make_index_sequence<count - (limited ? 1 : 0)>());
}

}  // namespace trine
