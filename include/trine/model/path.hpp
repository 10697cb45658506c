// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace trine::modelling {

/// The choices of one execution, in order. Going depth first through the tree of all choices means: replay all but the last
/// that has an alternative, take that one's next, and then always the first.
class Path {
 public:
  struct Choice {
    std::uint16_t taken;
    std::uint16_t count;
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
  std::optional<std::size_t> choose(std::size_t count, std::size_t first = 0) {
    if (position_ == choices_.size()) {
      choices_.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(count)});
    } else if (choices_[position_].count != count && choices_[position_].count != 0) {
      return {};
    }
    Choice& choice = choices_[position_++];
    choice.count = static_cast<std::uint16_t>(count);
    if (choice.taken >= count) return {};
    return choice.taken;
  }

  /// Goes on to the next path of the tree; false: there is none. Choices that this execution did not reach are dropped.
  bool advance() {
    choices_.resize(position_);
    while (!choices_.empty() && choices_.back().taken + 1U >= choices_.back().count) choices_.pop_back();
    if (choices_.empty()) return false;
    ++choices_.back().taken;
    return true;
  }

  /// As a string: the choices, runs of zeros as `n*`.
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
    return result + "$";
  }

  /// From such a string; false: it is none.
  bool parse(std::string_view text) {
    clear();
    if (!text.ends_with('$')) return false;
    text.remove_suffix(1);
    while (!text.empty()) {
      std::uint16_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end == text.data() + text.size()) return false;
      if (*end == '*') {
        choices_.insert(choices_.end(), number, Choice{0, 0});
      } else if (*end == '.') {
        choices_.push_back({number, 0});
      } else {
        return false;
      }
      text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    }
    return true;
  }

 private:
  std::vector<Choice> choices_;
  std::size_t position_ = 0;
};

}  // namespace trine::modelling
