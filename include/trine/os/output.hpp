// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdio>
#include <iostream>
#include <typeinfo>

#if __has_include(<stdio_ext.h>)
#include <stdio_ext.h>
#define TRINE_HAS_PENDING 1
#endif
#if defined(__GLIBCXX__) && __has_include(<ext/stdio_sync_filebuf.h>)
#include <ext/stdio_sync_filebuf.h>
#define TRINE_HAS_SYNCED_BUFFER 1
#endif

namespace trine::os {

/// Writes what std::cout, stdout and stderr hold. A stream that holds nothing is not touched, as far as the libraries tell: around
/// a fork() each page that is touched is copied for the other side.
///
/// Not all streams of C: somebody may read from one at this moment, and keeps it locked as long as nothing comes.
class Output {
 public:
  static void flush() {
    if (buffers()) std::cout.flush();
    flush(stdout);
    flush(stderr);
  }

 private:
  static void flush(std::FILE* stream) noexcept {
#ifdef TRINE_HAS_PENDING
    if (::__fpending(stream) == 0) return;
#endif
    std::fflush(stream);
  }

  // false: it gives all to stdout at once, as it does by default.
  static bool buffers() noexcept {
#ifdef TRINE_HAS_SYNCED_BUFFER
    using Synced = __gnu_cxx::stdio_sync_filebuf<char>;
    auto* const buffer = std::cout.rdbuf();
    if (buffer == nullptr) return false;
    return typeid(*buffer) != typeid(Synced) || static_cast<Synced*>(buffer)->file() != stdout;
#else
    return true;
#endif
  }
};

}  // namespace trine::os
#undef TRINE_HAS_PENDING
#undef TRINE_HAS_SYNCED_BUFFER
