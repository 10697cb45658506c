// SPDX-License-Identifier: BSL-1.0
//
// How the words are counted: a walker looks for files while workers count those that it has found; when there are no
// more, the workers divide all words among themselves and add up what each of them has counted.
//
// Everything here is written once for every backend: each wait is a `co_await`.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

#include "board.hpp"
#include "words.hpp"

struct Settings {
  std::vector<std::string> paths;
  std::size_t workers = 1;
  bool progress = false;
};

template <class B>
struct Job {
  static constexpr std::size_t most_waiting_names = 1024;
  static constexpr std::ptrdiff_t most_open_files = 16;

  explicit Job(const Settings& from)
      : settings(from), counted(static_cast<std::ptrdiff_t>(from.workers)), board(from.workers) {}

  const Settings& settings;
  trine::Event<B> start;
  trine::Queue<std::string, B> names{most_waiting_names};
  trine::Semaphore<B> open_files{most_open_files};
  trine::Barrier<B> counted;    // parts the counting from the adding up
  trine::Lock<B> lock;          // guards the totals
  trine::Condition<B> changed;  // the totals
  Board<B> board;
};

inline void complain(const Settings& settings, const std::string& path, const std::error_code& error) {
  const char* const over_the_bar = settings.progress ? "\r\033[K" : "";
  std::fprintf(stderr, "%sword_count: %s: %s\n", over_the_bar, path.c_str(), error.message().c_str());
}

/// Changes the totals, and tells the reporter.
template <class B, class Change>
trine::Task<void, B> update(Job<B>& job, Change change) {
  {
    auto held = co_await job.lock.guard();
    change(job.board.totals());
  }
  job.changed.notify_all();
}

/// Puts the names of all files into the queue, while others already count them.
template <class B>
trine::Task<void, B> find_files(Job<B>& job) {
  std::vector<std::filesystem::path> folders;
  for (const std::string& path : job.settings.paths) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
      folders.emplace_back(path);
    } else {  // a file, or something of which a worker will say what is wrong with it
      co_await update(job, [](Totals& totals) { ++totals.found; });
      co_await job.names.put(path);
    }
    while (!folders.empty()) {
      const std::filesystem::path folder = std::move(folders.back());
      folders.pop_back();
      std::error_code error;
      std::filesystem::directory_iterator entry(folder, error);
      for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        // Links inside a folder are not followed: they may lead in circles.
        const auto type = entry->symlink_status(ignored).type();
        if (type == std::filesystem::file_type::directory) folders.push_back(entry->path());
        if (type != std::filesystem::file_type::regular) continue;
        co_await update(job, [](Totals& totals) { ++totals.found; });
        co_await job.names.put(entry->path().string());
      }
      if (error) {
        complain(job.settings, folder.string(), error);
        co_await update(job, [](Totals& totals) { ++totals.failures; });
      }
    }
  }
  job.names.shutdown();  // what is in the queue will still be taken
}

struct FileTally {
  std::uint64_t bytes = 0;
  std::uint64_t words = 0;
  std::error_code error;
};

inline FileTally count_file(const std::string& name, WordFinder& find_words, WordCounts& counts) {
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  FileTally tally;
  const std::unique_ptr<std::FILE, Close> file(std::fopen(name.c_str(), "rb"));
  if (!file) {
    tally.error.assign(errno, std::generic_category());
    return tally;
  }
  std::setvbuf(file.get(), nullptr, _IONBF, 0);  // the blocks are big enough
  const auto read = [&](char* to, std::size_t size) {
    const std::size_t got = std::fread(to, 1, size, file.get());
    if (got < size && std::ferror(file.get()) != 0) tally.error.assign(errno, std::generic_category());
    tally.bytes += got;
    return got;
  };
  find_words(read, [&](std::string_view word) {
    ++tally.words;
    counts.add(word);
  });
  return tally;
}

/// Counts the files of the queue until there are no more.
template <class B>
trine::Task<void, B> count_files(Job<B>& job, WordCounts& counts) {
  WordFinder find_words;
  try {
    for (;;) {
      const std::string name = co_await job.names.get();
      FileTally tally;
      {
        auto permit = co_await job.open_files.permit();
        tally = count_file(name, find_words, counts);
      }
      if (tally.error) complain(job.settings, name, tally.error);
      co_await update(job, [&](Totals& totals) {
        ++(tally.error ? totals.failures : totals.files);
        totals.bytes += tally.bytes;
        totals.words += tally.words;
      });
    }
  } catch (const trine::QueueShutdown&) {
    // all names have been taken
  }
}

/// One worker: counts files, and then adds up its share of the words.
template <class B>
trine::Task<void, B> count_and_add(Job<B>& job, std::size_t me) {
  co_await job.start.wait();
  const std::size_t shares = job.settings.workers;
  {
    WordCounts counts;
    co_await count_files(job, counts);
    std::vector<WordList> parts(shares);
    for (const auto& [word, times] : counts) parts[WordCounts::share_of(word, shares)].append(word, times);
    for (std::size_t share = 0; share < shares; ++share) job.board.put_counted(me, share, parts[share]);
  }
  co_await job.counted.wait();
  WordCounts sum;
  for (std::size_t worker = 0; worker < shares; ++worker) {
    WordList::each(job.board.counted(worker, me), [&](std::string_view word, std::uint64_t times) { sum.add(word, times); });
  }
  WordList result;
  for (const auto& [word, times] : sum) result.append(word, times);
  job.board.put_result(me, result);
  co_await update(job, [&](Totals& totals) {
    totals.distinct += sum.distinct();
    ++totals.shares;
  });
}

/// Draws a bar, each time when another hundredth of the files is done.
template <class B>
trine::Task<void, B> report(Job<B>& job) {
  Totals now;
  std::uint64_t next = 1;
  while (!now.aborted && now.shares < job.settings.workers) {
    {
      auto held = co_await job.lock.guard();
      co_await job.changed.wait(held, [&] {
        now = job.board.totals();
        return now.aborted || now.shares == job.settings.workers || now.files >= next;
      });
    }
    next = now.files + std::max<std::uint64_t>(1, now.found / 100);
    constexpr std::uint64_t width = 40;
    const auto done = static_cast<std::size_t>(now.found == 0 ? width : width * now.files / now.found);
    const std::string bar = std::string(done, '#') + std::string(width - done, '.');
    std::fprintf(stderr, "\r[%s] %ju of %ju files", bar.c_str(), std::uintmax_t{now.files}, std::uintmax_t{now.found});
  }
  std::fputs("\r\033[K", stderr);
}

/// Lets everyone go who takes part in a job that can't be finished.
template <class B>
trine::Task<void, B> abort(Job<B>& job) {
  job.names.shutdown(true);
  job.counted.abort();
  job.start.set();
  co_await update(job, [](Totals& totals) { totals.aborted = true; });
}

/// Runs a part of the job. If it fails, the others end as well; the failure comes out of TaskGroup::join().
template <class B>
trine::Task<void, B> run_part(Job<B>& job, trine::Task<void, B> part) {
  std::exception_ptr failure;
  try {
    co_await std::move(part);
  } catch (const trine::BrokenBarrier&) {
    // another part has failed, and says why
  } catch (const trine::QueueShutdown&) {
    // the same
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await abort(job);
    std::rethrow_exception(failure);
  }
}

template <class B>
trine::Task<void, B> walker(Job<B>& job) {
  return run_part(job, find_files(job));
}

template <class B>
trine::Task<void, B> worker(Job<B>& job, std::size_t me) {
  return run_part(job, count_and_add(job, me));
}

/// The whole job.
template <class B>
trine::Task<void, B> count_words(Job<B>& job) {
  trine::TaskGroup<B> group;
  std::exception_ptr failure;
  try {
    for (std::size_t i = 0; i < job.settings.workers; ++i) group.spawn(worker<B>, std::ref(job), i);
    group.spawn(walker<B>, std::ref(job));
    if (job.settings.progress) group.spawn(report<B>, std::ref(job));
    job.start.set();
  } catch (...) {
    failure = std::current_exception();  // the system has no more threads to give
  }
  if (failure) co_await abort(job);
  co_await group.join();
  if (failure) std::rethrow_exception(failure);
}
