// SPDX-License-Identifier: BSL-1.0
//
// What a test of processes must not leave behind.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <trine/os/spare_memory.hpp>

namespace trine_test {

/// A name for a segment that no other program running at the same time uses.
inline std::string unique_name(std::string_view what = "test") {
  return "test-" + std::string(what) + "-" + std::to_string(::getpid());
}

inline std::size_t open_files() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

/// The mappings that are shared with others, but for the one that is kept for the next child.
inline std::size_t shared_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    const auto permissions = line.find(' ') + 1;
    count += line.size() > permissions + 3 && line[permissions + 3] == 's';
  }
  return count - trine::os::ChildMemory::kept();
}

/// The files of segments that this program made: they have its process number in their names.
inline std::string segment_files() {
  const std::string mine = "-" + std::to_string(::getpid());
  std::string found;
  for (const auto& each : std::filesystem::directory_iterator("/dev/shm")) {
    const std::string name = each.path().filename().string();
    if (name.find("trine") != std::string::npos && name.find(mine) != std::string::npos) found += name + " ";
  }
  return found;
}

inline bool has_child() { return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD; }

/// A test after which nothing may be left: no segment, no open file, no shared mapping, no child.
class Leakless : public ::testing::Test {
 protected:
  void SetUp() override {
    files_ = open_files();
    mappings_ = shared_mappings();
  }
  void TearDown() override {
    EXPECT_EQ(segment_files(), "");
    EXPECT_EQ(open_files(), files_);
    EXPECT_EQ(shared_mappings(), mappings_);
    EXPECT_FALSE(has_child());
  }

 private:
  std::size_t files_ = 0;
  std::size_t mappings_ = 0;
};

}  // namespace trine_test
