// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace trine {

/// When a wait gives up: never (the default), after a duration, at a time point of steady_clock or system_clock, when a
/// std::stop_token is stopped, or at the first of several of these.
///
///     go.wait();  go.wait(200ms);  go.wait(steady_clock::now() + 1s);  go.wait(stop);  go.wait({200ms, stop});
///
/// A duration counts from the start of each wait, on the monotonic clock, and is rounded up. One too large to be counted
/// in nanoseconds means never; zero or a negative one, a time point that has passed, or a stopped token means that the
/// wait tries once. A wait for a time point of system_clock follows that clock when it is set, within 100 ms.
/// A NaN is a std::invalid_argument. Copying is cheap; an Until may be kept and used for any number of waits.
class Until {
 public:
  /// Never.
  constexpr Until() noexcept = default;

  /// Never, for a default argument: an object that is there for ever, so that a wait which need not wait builds none.
  static const Until& forever() noexcept;

  /// After a duration, counted from the start of the wait.
  template <class Rep, class Period>
  Until(std::chrono::duration<Rep, Period> after) : after_(nanoseconds(after)) {}

  /// At a time point of the monotonic clock.
  template <class Duration>
  Until(std::chrono::time_point<std::chrono::steady_clock, Duration> at) : steady_(nanoseconds(at.time_since_epoch())) {}

  /// At a time point of the wall clock.
  template <class Duration>
  Until(std::chrono::time_point<std::chrono::system_clock, Duration> at) : system_(nanoseconds(at.time_since_epoch())) {}

  /// When `stop` is stopped. Keeps a share of the token's state.
  Until(std::stop_token stop) noexcept : stop_(std::move(stop)) {}

  /// The first of several limits. At most one of them may be a stop token: a second one is a std::invalid_argument.
  template <class First, class Second, class... More>
    requires std::convertible_to<First, Until> && std::convertible_to<Second, Until> &&
             (std::convertible_to<More, Until> && ...)
  Until(First first, Second second, More... more) : Until(std::move(first)) {
    narrow(std::move(second));
    (narrow(std::move(more)), ...);
  }

  /// Whether no limit was given at all.
  [[nodiscard, gnu::always_inline]] bool never() const noexcept {
    return this == &forever() || (never_but_for_stop() && !stop_.stop_possible());
  }

  /// Whether no time limit was given, though perhaps a stop token.
  [[nodiscard, gnu::always_inline]] bool never_but_for_stop() const noexcept {
    return after_ == none && steady_ == none && system_ == none;
  }

  /// The token among the limits, or one that can't be stopped.
  [[nodiscard]] const std::stop_token& stop_token() const noexcept { return stop_; }

  /// The same limit with its duration counted from now on: for a wait that is made of several waits.
  [[nodiscard]] Until started() const {
    Until result = *this;
    if (after_ != none) {
      result.after_ = none;
      result.steady_ = std::min(steady_, later(now<std::chrono::steady_clock>(), after_));
    }
    return result;
  }

  /// Whether the limit has been reached. On a limit that was not started a duration has passed only if it is not positive.
  [[nodiscard]] bool passed() const {
    return stop_.stop_requested() || after_ <= 0 || (steady_ != none && now<std::chrono::steady_clock>() >= steady_) ||
           (system_ != none && now<std::chrono::system_clock>() >= system_);
  }

  /// How long a sleep that begins now may last: until the returned time point of the monotonic clock (max() is for ever).
  /// The caller asks passed() afterwards; a wait for the wall clock is cut into pieces, because that clock may be set.
  [[nodiscard]] std::chrono::steady_clock::time_point sleep_until() const {
    std::int64_t wake = steady_;
    if (system_ != none) {
      const std::int64_t today = now<std::chrono::system_clock>();
      if (system_ <= today) return {};  // long ago
      wake = std::min(wake, later(now<std::chrono::steady_clock>(), std::min(system_ - today, piece)));
    }
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(wake));
  }

 private:
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t piece = 100'000'000;

  template <class Clock>
  static std::int64_t now() {
    return nanoseconds(Clock::now().time_since_epoch());
  }

  static std::int64_t later(std::int64_t base, std::int64_t by) noexcept {
    return by > 0 && base > none - by ? none : base + by;
  }

  // Rounds up, so that no wait ends early; what does not fit means never (or, below zero, long ago).
  template <class Rep, class Period>
  static std::int64_t nanoseconds(std::chrono::duration<Rep, Period> time) {
    if constexpr (std::is_floating_point_v<Rep>) {
      if (std::isnan(time.count())) throw std::invalid_argument("trine: the limit of a wait is not a number");
    }
    if constexpr (std::is_same_v<std::chrono::duration<Rep, Period>, std::chrono::nanoseconds>) {
      return time.count();
    } else {
      using Wide = std::chrono::duration<long double, std::nano>;
      const long double wide = std::ceil(Wide(time).count());
      if (wide >= static_cast<long double>(none)) return none;
      if (wide <= static_cast<long double>(std::numeric_limits<std::int64_t>::min() / 2)) return none / -2;
      if constexpr (std::is_floating_point_v<Rep>) {
        return static_cast<std::int64_t>(wide);
      } else {
        return std::chrono::ceil<std::chrono::nanoseconds>(time).count();
      }
    }
  }

  void narrow(Until other) {
    after_ = std::min(after_, other.after_);
    steady_ = std::min(steady_, other.steady_);
    system_ = std::min(system_, other.system_);
    if (!other.stop_.stop_possible()) return;
    if (stop_.stop_possible()) throw std::invalid_argument("trine: two stop tokens in one limit");
    stop_ = std::move(other.stop_);
  }

  std::int64_t after_ = none;   // nanoseconds from the start of the wait
  std::int64_t steady_ = none;  // nanoseconds of steady_clock
  std::int64_t system_ = none;  // nanoseconds of system_clock
  std::stop_token stop_;
};

/// An Until that no program's end destroys.
union EternalUntil {
  constexpr EternalUntil() noexcept : until() {}
  ~EternalUntil() {}
  Until until;
};
inline constinit EternalUntil eternal_until;

inline const Until& Until::forever() noexcept { return eternal_until.until; }

}  // namespace trine
