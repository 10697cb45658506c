// SPDX-License-Identifier: BSL-1.0
// requires: boost
//
// map_reduce: counts the words of files by MapReduce over a pool of threads, processes or coroutines. `map_reduce --help` says
// how.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/backend/coroutines.hpp>
#include <trine/backend/processes.hpp>
#include <trine/backend/threads.hpp>

#include "../command_line.hpp"
#include "../word_count/words.hpp"
#include "map_reduce.hpp"

namespace {

constexpr std::string_view help =
    "usage: map_reduce [options] FILE|FOLDER...\n"
    "\n"
    "Counts the words of files, and of all files in folders. A word is a run of the letters A to Z;\n"
    "upper and lower case are the same. Links inside a folder are not followed.\n"
    "\n"
    "  --backend NAME  threads (default), portable_threads, processes or coroutines\n"
    "  --workers N     how many count at the same time, 1 to 1024 (default: one for each processor)\n"
    "  --top N         how many of the most frequent words to show (default: 10)\n"
    "  --totals        show every word with its count, in alphabetical order\n"
    "  --help          show this\n"
    "\n"
    "Exit code: 0; 1 if something could not be read; 2 for a wrong option.\n";

using Count = std::pair<std::string, std::uint64_t>;

/// The words of a file.
std::vector<Count> words_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": " + std::strerror(errno));
  WordCounts counts;
  WordFinder find;
  find(
      [&](char* to, std::size_t size) {
        file.read(to, static_cast<std::streamsize>(size));
        if (file.bad()) throw std::runtime_error(path + ": " + std::strerror(errno));
        return file.gcount();
      },
      [&](std::string_view word) { counts.add(word); });
  return {counts.begin(), counts.end()};
}

/// Of all files together.
Count sum(const std::string& word, const std::vector<std::uint64_t>& counts) {
  Count total(word, 0);
  for (const std::uint64_t each : counts) total.second += each;
  return total;
}

template <class B>
std::vector<Count> run_on(const std::vector<std::string>& files, std::ptrdiff_t workers) {
  MapReduce<B, decltype(&words_of), decltype(&sum)> count(words_of, sum, workers);
  return trine::run(count(files));
}

using Run = std::vector<Count> (*)(const std::vector<std::string>& files, std::ptrdiff_t workers);
const std::map<std::string, Run> backends{{"threads", run_on<trine::threads>},
                                          {"portable_threads", run_on<trine::portable_threads>},
                                          {"processes", run_on<trine::processes>},
                                          {"coroutines", run_on<trine::coroutines>}};

struct Options {
  Run run = run_on<trine::threads>;
  std::vector<std::string> paths;
  std::ptrdiff_t workers = trine::default_workers();
  std::ptrdiff_t top = 10;
  bool totals = false;
  bool help = false;
};

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  CommandLine line(arguments);
  options.paths = line.read([&](const std::string& option) {
    if (option == "--backend") {
      const std::string name = line.value();
      const auto backend = backends.find(name);
      if (backend == backends.end()) throw UsageError("--backend: there is no backend '" + name + "'");
      options.run = backend->second;
    } else if (option == "--workers") {
      options.workers = line.number<std::ptrdiff_t>(1, 1024);
    } else if (option == "--top") {
      options.top = line.number<std::ptrdiff_t>(0, 1'000'000'000);
    } else if (option == "--totals") {
      options.totals = true;
    } else if (option == "--help") {
      options.help = true;
    } else {
      return false;
    }
    return true;
  });
  if (options.paths.empty() && !options.help) throw UsageError("no file or folder is given");
  return options;
}

std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.symlink_status().type() == std::filesystem::file_type::regular) files.push_back(entry.path().string());
    }
  }
  return files;
}

int run(const Options& options) {
  if (options.help) {
    std::cout << help;
    return 0;
  }
  std::vector<Count> words = options.run(files_of(options.paths), options.workers);
  if (options.totals) {
    for (const auto& [word, count] : words) std::cout << count << ' ' << word << '\n';
    return 0;
  }
  const auto shown = words.begin() + std::min(options.top, std::ssize(words));
  std::partial_sort(words.begin(), shown, words.end(), [](const Count& a, const Count& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::for_each(words.begin(), shown,
                [](const Count& each) { std::cout << std::setw(10) << each.second << ' ' << each.first << '\n'; });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int code = run(parse(std::vector<std::string>(argv + 1, argv + argc)));
    if (!std::cout.flush()) throw std::runtime_error("the output could not be written");
    return code;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "map_reduce: %s (--help says more)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "map_reduce: %s\n", error.what());
    return 1;
  }
}
