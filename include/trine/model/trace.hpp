// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <trine/model/memory.hpp>

namespace trine::modelling {

using Where = std::source_location;

inline std::string hexadecimal(std::uint64_t value) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
  return "0x" + std::string(text.data(), end);
}

inline std::string number(std::uint64_t value) { return value < 1000 ? std::to_string(value) : hexadecimal(value); }

inline std::string_view name(std::memory_order order) noexcept {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
    case std::memory_order_consume:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

/// An execution told step by step, when it is on.
class Trace {
 public:
  [[nodiscard]] bool on() const noexcept { return on_; }
  void begin() noexcept { on_ = true; }
  void at(const Where& where) noexcept { where_ = where; }

  void line(const std::string& text) {
    if (on_) text_ += "    " + text + "\n";
  }

  /// What a thread does, where it is written. `location`: or nowhere.
  void say(std::size_t thread, std::memory_order order, const std::string& what, std::size_t location,
           const std::string& how) {
    std::string text = "thread " + std::to_string(thread) + "  " + what;
    if (location != nowhere) text += " #" + std::to_string(location);
    text += how;
    if (order != std::memory_order_relaxed) text += "  (" + std::string(name(order)) + ")";
    std::string_view file = where_.file_name();
    if (const std::size_t slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
    if (!file.empty()) text += "  " + std::string(file) + ":" + std::to_string(where_.line());
    line(text);
  }

  /// The last line: what was found.
  std::string end(const std::string& finding) {
    line("*** " + finding);
    on_ = false;
    return text_;
  }

 private:
  bool on_ = false;
  std::string text_;
  Where where_;
};

}  // namespace trine::modelling
