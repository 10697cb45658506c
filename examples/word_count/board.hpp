// SPDX-License-Identifier: BSL-1.0
//
// What the workers share beside trine's objects: plain memory for threads and coroutines, memory that they all see for processes.
#pragma once

#include <boost/interprocess/offset_ptr.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <trine/shared_memory.hpp>

#include "words.hpp"

struct Totals {
  std::uint64_t found = 0;     // files to count
  std::uint64_t files = 0;     // files counted
  std::uint64_t failures = 0;  // files and folders that could not be read
  std::uint64_t bytes = 0;
  std::uint64_t words = 0;
  std::uint64_t distinct = 0;
  std::size_t shares = 0;  // shares added up
  bool aborted = false;
};

/// What `worker` has counted of a share, and what all have counted of it. Each is put once, by one worker, before a barrier, and
/// read by others after it.
template <class B>
class Board {
 public:
  explicit Board(std::size_t workers) : workers_(workers), counted_(workers * workers), results_(workers) {}

  /// With the lock held.
  Totals& totals() noexcept { return totals_; }

  void put_counted(std::size_t worker, std::size_t share, const WordList& words) {
    counted_[worker * workers_ + share] = words.bytes();
  }
  [[nodiscard]] std::string_view counted(std::size_t worker, std::size_t share) const {
    return counted_[worker * workers_ + share];
  }

  void put_result(std::size_t share, const WordList& words) { results_[share] = words.bytes(); }
  [[nodiscard]] std::string_view result(std::size_t share) const { return results_[share]; }

 private:
  const std::size_t workers_;
  Totals totals_;
  std::vector<std::string> counted_;
  std::vector<std::string> results_;
};

/// The same where workers are processes.
template <class B>
  requires requires { typename B::Child; }
class Board<B> {
 public:
  explicit Board(std::size_t workers)
      : workers_(workers),
        memory_(most_bytes),
        totals_(memory_.construct<Totals>("totals")()),
        counted_(memory_.construct<Part>("counted")[workers * workers]()),
        results_(memory_.construct<Part>("results")[workers]()) {}

  Totals& totals() noexcept { return *totals_; }

  void put_counted(std::size_t worker, std::size_t share, const WordList& words) {
    put(counted_[worker * workers_ + share], words);
  }
  [[nodiscard]] std::string_view counted(std::size_t worker, std::size_t share) const {
    return counted_[worker * workers_ + share].view();
  }

  void put_result(std::size_t share, const WordList& words) { put(results_[share], words); }
  [[nodiscard]] std::string_view result(std::size_t share) const { return results_[share].view(); }

 private:
  static constexpr std::size_t most_bytes = std::size_t{1} << 30;  // the system gives what is used of it

  struct Part {
    boost::interprocess::offset_ptr<char> data;
    std::size_t size = 0;

    [[nodiscard]] std::string_view view() const { return {data.get(), size}; }
  };

  void put(Part& part, const WordList& words) {
    auto* const data = static_cast<char*>(memory_.get_segment_manager()->allocate(words.bytes().size() + 1));
    part.size = words.bytes().copy(data, words.bytes().size());
    part.data = data;
  }

  const std::size_t workers_;
  trine::SharedMemory memory_;
  Totals* totals_;  // the children have the memory at the same address
  Part* counted_;
  Part* results_;
};
