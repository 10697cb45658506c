// SPDX-License-Identifier: BSL-1.0
//
// What the bodies of the behaviour tests share: they are Tasks, so that they run on every backend, and whatever waits
// here waits by the backend's own means and so holds up no other party.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "support/backends.hpp"

namespace trine_test {

/// A limit that is meant to be reached, in tests which reach many.
inline constexpr std::chrono::milliseconds moment{3};

/// Lets the other parties run for a moment. It makes an interleaving likely; no test may rely on it.
template <class B>
trine::Task<void, B> loiter(std::chrono::microseconds time = std::chrono::microseconds{300}) {
  trine::Event<B> never;
  co_await never.wait(time);
}

/// True as soon as the condition holds, false after `plenty`.
template <class B, class Condition>
trine::Task<bool, B> becomes(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + plenty;
  trine::Event<B> never;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) co_return false;
    co_await never.wait(std::chrono::microseconds{300});
  }
  co_return true;
}

/// Whether what `call` returns, awaited, throws an X.
template <class X, class B, class Call>
trine::Task<bool, B> throws(Call call) {
  bool thrown = false;
  try {
    co_await call();
  } catch (const X&) {
    thrown = true;
  }
  co_return thrown;
}

/// Whether `call` throws a std::invalid_argument whose text has `name` in it.
template <class Call>
::testing::AssertionResult names_argument(const std::string& name, Call call) {
  try {
    call();
  } catch (const std::invalid_argument& e) {
    if (std::string(e.what()).find(name) != std::string::npos) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "the text does not name " << name << ": " << e.what();
  }
  return ::testing::AssertionFailure() << "nothing was thrown";
}

/// What a wait returns when it gave up.
inline bool gave_up(bool done) { return !done; }
inline bool gave_up(std::size_t count) { return count == 0; }
template <class T>
bool gave_up(const std::vector<T>& items) {
  return items.empty();
}
template <class... R>
bool gave_up(const trine::Selected<R...>& selected) {
  return selected.index() == trine::Selected<R...>::none;
}
template <class R>
  requires std::is_class_v<R> && requires(const R& result) { static_cast<bool>(result); }
bool gave_up(const R& result) {
  return !result;
}

/// A kind of limit, by name: made when the wait begins, and how long that wait lasts at least.
struct Limit {
  const char* name;
  std::function<trine::Until()> make;
  std::chrono::microseconds at_least{0};
};

inline std::stop_token stopped_token() {
  std::stop_source source;
  source.request_stop();
  return source.get_token();
}

/// Limits that have been reached when the wait begins: it tries once.
inline std::vector<Limit> limits_that_have_come() {
  using namespace std::chrono;
  using trine::Until;
  std::vector<Limit> limits;
  limits.push_back({"zero", [] { return Until(0ms); }});
  limits.push_back({"a negative duration", [] { return Until(-1h); }});
  limits.push_back({"a past point of steady_clock", [] { return Until(steady_clock::now() - 1s); }});
  limits.push_back({"a past point of system_clock", [] { return Until(system_clock::now() - 1s); }});
  limits.push_back({"a stopped token", [] { return Until(stopped_token()); }});
  limits.push_back({"a long duration and a stopped token", [] { return Until(plenty, stopped_token()); }});
  return limits;
}

/// Limits that are reached during the wait.
inline std::vector<Limit> limits_that_come() {
  using namespace std::chrono;
  using trine::Until;
  // The wall clock may be slewed against the monotonic one, by which the tests measure.
  const microseconds slewed = moment - 100us;
  static std::stop_source unstopped;
  std::vector<Limit> limits;
  limits.push_back({"a duration", [] { return Until(moment); }, moment});
  limits.push_back({"a point of steady_clock", [] { return Until(steady_clock::now() + moment); }, moment});
  limits.push_back({"a point of system_clock", [] { return Until(system_clock::now() + moment); }, slewed});
  limits.push_back({"a token and a duration", [] { return Until(unstopped.get_token(), moment); }, moment});
  limits.push_back({"all kinds, the first a duration",
                    [] {
                      return Until(moment, steady_clock::now() + plenty, system_clock::now() + plenty,
                                   unstopped.get_token());
                    },
                    moment});
  return limits;
}

/// Limits that are never reached.
inline std::vector<Limit> limits_that_never_come() {
  using namespace std::chrono;
  using trine::Until;
  static std::stop_source unstopped;
  std::vector<Limit> limits;
  limits.push_back({"none", [] { return Until(); }});
  limits.push_back({"a long duration", [] { return Until(plenty); }});
  limits.push_back({"the longest duration", [] { return Until(hours::max()); }});
  limits.push_back({"the last point of steady_clock", [] { return Until(steady_clock::time_point::max()); }});
  limits.push_back({"the last point of system_clock", [] { return Until(system_clock::time_point::max()); }});
  limits.push_back({"a token that is not stopped", [] { return Until(unstopped.get_token()); }});
  return limits;
}

/// Checks that `wait(limit)`, which can't succeed, gives up at each kind of limit, and not before it.
template <class B, class Wait>
trine::Task<void, B> gives_up_at_each_limit(Wait wait) {
  std::vector<Limit> limits = limits_that_have_come();
  for (Limit& limit : limits_that_come()) limits.push_back(std::move(limit));
  for (const Limit& limit : limits) {
    const auto start = std::chrono::steady_clock::now();
    const trine::Until until = limit.make();
    const auto result = co_await wait(until);
    const auto lasted = std::chrono::steady_clock::now() - start;
    EXPECT_TRUE(gave_up(result)) << limit.name;
    EXPECT_GE(lasted.count(), std::chrono::nanoseconds(limit.at_least).count()) << limit.name;
  }
  // A token that is stopped, as far as can be arranged, while the wait sleeps.
  for (const bool with_duration : {false, true}) {
    std::stop_source source;
    trine::TaskGroup<B> others;
    others.spawn(
        [](std::stop_source& stop) -> trine::Task<void, B> {
          co_await loiter<B>(moment);
          stop.request_stop();
        },
        std::ref(source));
    const trine::Until until =
        with_duration ? trine::Until(plenty, source.get_token()) : trine::Until(source.get_token());
    const auto result = co_await wait(until);
    EXPECT_TRUE(gave_up(result)) << "a token that is stopped during the wait";
    EXPECT_TRUE(source.stop_requested());
    co_await others.join();
  }
}

/// Checks that `wait(limit)`, which can succeed at once, does so whatever the limit.
template <class B, class Wait>
trine::Task<void, B> succeeds_whatever_the_limit(Wait wait) {
  std::vector<Limit> limits = limits_that_have_come();
  for (Limit& limit : limits_that_come()) limits.push_back(std::move(limit));
  for (Limit& limit : limits_that_never_come()) limits.push_back(std::move(limit));
  for (const Limit& limit : limits) {
    const trine::Until until = limit.make();
    const auto result = co_await wait(until);
    EXPECT_FALSE(gave_up(result)) << limit.name;
  }
}

/// A case of a suite over backends and kinds of objects.
template <class B, class K>
struct Case {
  using Backend = B;
  using Kind = K;
};

template <class... Lists>
struct Joined;
template <class... T>
struct Joined<::testing::Types<T...>> {
  using Type = ::testing::Types<T...>;
};
template <class... T, class... U, class... More>
struct Joined<::testing::Types<T...>, ::testing::Types<U...>, More...>
    : Joined<::testing::Types<T..., U...>, More...> {};

template <class B, class... Kinds>
using CasesOf = ::testing::Types<Case<B, Kinds>...>;

template <class List, class... Kinds>
struct Crossed;
template <class... B, class... Kinds>
struct Crossed<::testing::Types<B...>, Kinds...> : Joined<CasesOf<B, Kinds...>...> {};

/// Every backend with every kind.
template <class... Kinds>
using CasesOver = typename Crossed<Backends, Kinds...>::Type;

struct CaseName {
  template <class C>
  static std::string GetName(int) {
    return BackendName::GetName<typename C::Backend>(0) + "_" + C::Kind::name;
  }
};

}  // namespace trine_test
