// SPDX-License-Identifier: BSL-1.0
//
// What a program is asked for on its command line; word_count and map_reduce have it in common.
#pragma once

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

/// A mistake of the one who started the program.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Goes through arguments: `--option`, `--option value` or `--option=value`, and operands, which begin with no dash or come after `--`.
class CommandLine {
 public:
  explicit CommandLine(std::vector<std::string> arguments) : arguments_(std::move(arguments)), at_(arguments_.begin()) {}

  /// Calls `use(option)` for each option, which says whether there is one of that name; returns the operands.
  template <class Use>
  std::vector<std::string> read(Use use) {
    std::vector<std::string> operands;
    bool only_operands = false;  // after --
    for (; at_ != arguments_.end(); ++at_) {
      if (only_operands || at_->size() < 2 || at_->front() != '-') {
        operands.push_back(*at_);
      } else if (*at_ == "--") {
        only_operands = true;
      } else {
        option_ = at_->substr(0, at_->find('='));
        joined_ = option_.size() < at_->size();
        if (!use(option_)) throw UsageError("there is no option '" + option_ + "'");
        if (joined_) throw UsageError("the option '" + option_ + "' has no value");
      }
    }
    return operands;
  }

  /// The value of the option that is being used.
  std::string value() {
    if (std::exchange(joined_, false)) return at_->substr(option_.size() + 1);
    if (at_ + 1 == arguments_.end()) throw UsageError(option_ + ": a value is missing");
    return *++at_;
  }

  /// The same as a number.
  template <class N>
  N number(N least, N most) {
    const std::string text = value();
    N number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
      throw UsageError(option_ + ": '" + text + "' is not a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
  }

 private:
  std::vector<std::string> arguments_;
  std::vector<std::string>::iterator at_;
  std::string option_;
  bool joined_ = false;
};
