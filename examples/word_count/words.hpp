// SPDX-License-Identifier: BSL-1.0
//
// Finding words in text and counting them. A word is a run of ASCII letters; upper and lower case are the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Finds the words of a text that comes in blocks.
class WordFinder {
 public:
  /// `read(to, size)` fetches up to `size` bytes and returns how many there were, 0 at the end. `found(word)` gets each
  /// word, in lower case; the view is good for that call.
  template <class Read, class Found>
  void operator()(Read read, Found found) {
    std::size_t kept = 0;  // the bytes in front of the buffer: a word that may go on in the next block
    for (;;) {
      if (kept == buffer_.size()) buffer_.resize(2 * kept);
      char* const begin = buffer_.data();
      char* at = begin + kept;
      char* const end = at + read(at, buffer_.size() - kept);
      const bool last = at == end;
      char* word = begin;
      for (; at != end; ++at) {
        const char lower = lower_case[static_cast<unsigned char>(*at)];
        if (lower != 0) {
          *at = lower;
        } else {
          if (at != word) found(std::string_view(word, at));
          word = at + 1;
        }
      }
      kept = static_cast<std::size_t>(end - word);
      if (last) {
        if (kept != 0) found(std::string_view(word, end));
        return;
      }
      std::memmove(begin, word, kept);
    }
  }

 private:
  // The letter in lower case, or 0 for what is not a letter.
  static constexpr std::array<char, 256> lower_case = [] {
    std::array<char, 256> table{};
    for (std::size_t i = 0; i < 26; ++i) table['A' + i] = table['a' + i] = static_cast<char>('a' + i);
    return table;
  }();

  std::vector<char> buffer_ = std::vector<char>(std::size_t{256} * 1024);
};

/// How often each word came.
class WordCounts {
  struct Hash {
    using is_transparent = void;  // looks up a string_view without making a string of it
    std::size_t operator()(std::string_view word) const noexcept { return std::hash<std::string_view>()(word); }
  };
  using Map = std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>>;

 public:
  void add(std::string_view word, std::uint64_t times = 1) {
    if (const auto known = counts_.find(word); known != counts_.end()) {
      known->second += times;
    } else {
      counts_.emplace(word, times);
    }
  }

  [[nodiscard]] std::size_t distinct() const noexcept { return counts_.size(); }
  [[nodiscard]] Map::const_iterator begin() const noexcept { return counts_.begin(); }
  [[nodiscard]] Map::const_iterator end() const noexcept { return counts_.end(); }

  /// Which of `shares` the word belongs to: each worker adds up one share of all words.
  [[nodiscard]] static std::size_t share_of(std::string_view word, std::size_t shares) { return Hash()(word) % shares; }

 private:
  Map counts_;
};

/// Words and their counts, one after the other, as bytes without a pointer, so that they can lie in shared memory.
class WordList {
 public:
  void append(std::string_view word, std::uint64_t times) {
    for (const std::uint64_t number : {times, static_cast<std::uint64_t>(word.size())}) {
      bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    bytes_.append(word);
  }

  /// What it consists of.
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

  /// Calls `use(word, times)` for each word in such bytes.
  template <class Use>
  static void each(std::string_view bytes, Use use) {
    for (const char *at = bytes.data(), *const end = at + bytes.size(); at != end;) {
      std::array<std::uint64_t, 2> numbers;
      std::memcpy(numbers.data(), at, sizeof numbers);
      at += sizeof numbers;
      const std::string_view word(at, static_cast<std::size_t>(numbers[1]));
      at += word.size();
      use(word, numbers[0]);
    }
  }

 private:
  std::string bytes_;
};
