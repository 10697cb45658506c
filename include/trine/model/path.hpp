// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <trine/model/view.hpp>
#include <utility>
#include <vector>

namespace trine::modelling {

/// The choices of one execution, in order. Going depth first through the tree of all choices means: replay all but the last
/// that has an alternative, take that one's next, and then always the first.
class Path {
 public:
  struct Choice {
    std::uint16_t taken;
    std::uint16_t count;  // 0: not known, as the choice comes from a string
    std::uint32_t mark;   // where the choice is made: another there means that the execution is not the one it should be
  };

  void rewind() noexcept { position_ = 0; }
  void clear() noexcept {
    choices_.clear();
    position_ = 0;
  }

  /// Whether the choices from here on have never been made.
  [[nodiscard]] bool fresh() const noexcept { return position_ >= choices_.size(); }

  /// One of `count`; `first` where it has not been chosen before. Nothing if the execution differs from the one that is
  /// replayed.
  std::optional<std::size_t> choose(std::size_t count, std::uint32_t mark, std::size_t first = 0) {
    if (position_ == choices_.size()) {
      choices_.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(count), mark});
      ++position_;
      return first;
    }
    Choice& choice = choices_[position_];
    if (choice.count == 0) {
      choice.count = static_cast<std::uint16_t>(count);
      choice.mark = mark;
    }
    if (choice.count != count || choice.mark != mark || choice.taken >= count) return {};
    ++position_;
    return choice.taken;
  }

  /// The last `count` choices have no other alternatives that lead to anything new.
  void close(std::size_t count) noexcept {
    for (std::size_t i = position_ - count; i < position_; ++i) choices_[i].count = static_cast<std::uint16_t>(choices_[i].taken + 1);
  }

  /// Goes on to the next path of the tree; false: there is none. Choices that this execution did not reach are dropped.
  bool advance() {
    choices_.resize(position_);
    while (!choices_.empty() && choices_.back().taken + 1U >= choices_.back().count) choices_.pop_back();
    if (choices_.empty()) return false;
    ++choices_.back().taken;
    return true;
  }

  /// What the choices were between, and where.
  [[nodiscard]] std::uint32_t sum() const noexcept {
    std::uint64_t result = position_;
    for (std::size_t i = 0; i < position_; ++i)
      result = mix(result, choices_[i].mark + (std::uint64_t{choices_[i].count} << 32U));
    return static_cast<std::uint32_t>(result);
  }

  /// As a string: the choices, runs of zeros as `n*`, and the sum.
  [[nodiscard]] std::string text() const {
    std::string result;
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < position_; ++i) {
      if (choices_[i].taken == 0) {
        ++zeros;
        continue;
      }
      if (zeros != 0) result += std::to_string(std::exchange(zeros, 0)) + "*";
      result += std::to_string(choices_[i].taken) + ".";
    }
    if (zeros != 0) result += std::to_string(zeros) + "*";
    return result + "$" + std::to_string(sum());
  }

  /// From such a string: its sum; nothing: it is none.
  std::optional<std::uint32_t> parse(std::string_view text) {
    clear();
    const std::size_t dollar = text.find('$');
    if (dollar == std::string_view::npos) return {};
    const std::optional<std::uint32_t> sum = number(text.substr(dollar + 1));
    text = text.substr(0, dollar);
    while (!text.empty()) {
      const std::size_t end = text.find_first_of("*.");
      if (end == std::string_view::npos) return {};
      const std::optional<std::uint32_t> value = number(text.substr(0, end));
      if (!value || *value > most) return {};
      if (text[end] == '*') {
        if (choices_.size() + *value > most) return {};
        choices_.insert(choices_.end(), *value, Choice{0, 0, 0});
      } else {
        choices_.push_back({static_cast<std::uint16_t>(std::min<std::uint32_t>(*value, 0xffff)), 0, 0});
      }
      text.remove_prefix(end + 1);
    }
    return sum;
  }

  static std::optional<std::uint32_t> number(std::string_view text) noexcept {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return value;
  }

 private:
  static constexpr std::size_t most = 1'000'000;

  std::vector<Choice> choices_;
  std::size_t position_ = 0;
};

}  // namespace trine::modelling
