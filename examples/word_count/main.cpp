// SPDX-License-Identifier: BSL-1.0
//
// word_count: counts the words of files and folders with many workers, on any backend. `word_count --help` says how.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../command_line.hpp"
#include "job.hpp"

namespace {

constexpr std::string_view help =
    "usage: word_count [options] FILE|FOLDER...\n"
    "\n"
    "Counts the words of files, and of all files in folders. A word is a run of the letters A to Z;\n"
    "upper and lower case are the same. Links inside a folder are not followed.\n"
    "\n"
    "  --backend NAME  threads (default), portable_threads, processes or coroutines\n"
    "  --workers N     how many count at the same time, 1 to 1024 (default: one for each processor)\n"
    "  --top N         how many of the most frequent words to show (default: 10)\n"
    "  --quiet         show these words alone, without statistics and progress\n"
    "  --totals        show every word with its count, in alphabetical order, and nothing else\n"
    "  --help          show this\n"
    "\n"
    "Exit code: 0; 1 if something could not be read (the rest is counted); 2 for a wrong option.\n";

struct Outcome {
  Totals totals;
  std::vector<std::string> shares;  // each a WordList's bytes
};

/// Coroutines on as many threads as there are processors.
struct coroutines : trine::coroutines {
  inline static const unsigned scheduler_threads = std::max(1U, std::thread::hardware_concurrency());
};

template <class B>
Outcome run_on(const Settings& settings) {
  Job<B> job(settings);
  trine::run(count_words(job));
  Outcome outcome{job.board.totals(), {}};
  for (std::size_t i = 0; i < settings.workers; ++i) outcome.shares.emplace_back(job.board.result(i));
  return outcome;
}

struct Backend {
  std::string_view name;
  Outcome (*run)(const Settings&);
};

constexpr std::array backends{Backend{"threads", run_on<trine::threads>},
                              Backend{"portable_threads", run_on<trine::portable_threads>},
                              Backend{"processes", run_on<trine::processes>},
                              Backend{"coroutines", run_on<coroutines>}};

struct Options {
  Settings settings;
  Backend backend = backends[0];
  std::size_t top = 10;
  bool quiet = false;
  bool totals = false;
  bool help = false;
};

Backend backend_named(std::string_view name) {
  for (const Backend& backend : backends) {
    if (backend.name == name) return backend;
  }
  throw UsageError("--backend: there is no backend '" + std::string(name) + "'");
}

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  options.settings.workers = std::clamp(std::thread::hardware_concurrency(), 1U, 1024U);
  CommandLine line(arguments);
  options.settings.paths = line.read([&](const std::string& option) {
    if (option == "--backend") {
      options.backend = backend_named(line.value());
    } else if (option == "--workers") {
      options.settings.workers = line.number<std::size_t>(1, 1024);
    } else if (option == "--top") {
      options.top = line.number<std::size_t>(0, 1'000'000'000);
    } else if (option == "--quiet") {
      options.quiet = true;
    } else if (option == "--totals") {
      options.totals = true;
    } else if (option == "--help") {
      options.help = true;
    } else {
      return false;
    }
    return true;
  });
  if (options.settings.paths.empty() && !options.help) throw UsageError("no file or folder is given");
  options.settings.progress = !options.quiet && !options.totals && isatty(STDERR_FILENO) != 0;
  return options;
}

struct Entry {
  std::string_view word;
  std::uint64_t times;
};

std::vector<Entry> entries(const std::vector<std::string>& shares) {
  std::vector<Entry> all;
  for (const std::string& share : shares) {
    WordList::each(share, [&](std::string_view word, std::uint64_t times) { all.push_back({word, times}); });
  }
  return all;
}

void print_totals(std::vector<Entry> all) {
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.word < b.word; });
  for (const Entry& entry : all) std::cout << entry.times << ' ' << entry.word << '\n';
}

void print_statistics(const Options& options, const Totals& totals, double seconds) {
  const double speed = 1e-6 / std::max(seconds, 1e-9);
  const auto line = [](const char* name) -> std::ostream& { return std::cout << std::left << std::setw(12) << name; };
  line("files") << totals.files << '\n';
  if (totals.failures != 0) line("failures") << totals.failures << '\n';
  line("words") << totals.words << '\n';
  line("distinct") << totals.distinct << '\n';
  line("bytes") << totals.bytes << '\n';
  line("seconds") << std::fixed << std::setprecision(3) << seconds << '\n';
  line("throughput") << std::setprecision(1) << static_cast<double>(totals.bytes) * speed << " MB/s, "
                     << static_cast<double>(totals.words) * speed << " million words/s\n";
  line("backend") << options.backend.name << '\n';
  line("workers") << options.settings.workers << '\n';
}

void print_top(std::vector<Entry> all, std::size_t top) {
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(top, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const Entry& a, const Entry& b) {
    return a.times != b.times ? a.times > b.times : a.word < b.word;
  });
  for (auto entry = all.begin(); entry != end; ++entry) {
    std::cout << std::right << std::setw(10) << entry->times << ' ' << entry->word << '\n';
  }
}

int run(const Options& options) {
  if (options.help) {
    std::cout << help;
    return 0;
  }
  const auto began = std::chrono::steady_clock::now();
  const Outcome outcome = options.backend.run(options.settings);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - began;
  if (options.totals) {
    print_totals(entries(outcome.shares));
  } else {
    if (!options.quiet) print_statistics(options, outcome.totals, time.count());
    print_top(entries(outcome.shares), options.top);
  }
  return outcome.totals.failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  try {
    const int code = run(parse(std::vector<std::string>(argv + 1, argv + argc)));
    if (!std::cout.flush()) throw std::runtime_error("the output could not be written");
    return code;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "word_count: %s (--help says more)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "word_count: %s\n", error.what());
    return 1;
  }
}
