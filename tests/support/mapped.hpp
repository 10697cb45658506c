// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace trine_test {

/// An S in memory without a name that is mapped as often as one likes, each time at another address.
template <class S>
class Mapped {
 public:
  Mapped() : Mapped(::memfd_create("trine-test", 0)) {
    if (::ftruncate(file_, sizeof(S)) != 0) throw std::system_error(errno, std::system_category(), "ftruncate");
    std::construct_at(&again());
    made_ = true;
  }

  /// One that another program has made.
  explicit Mapped(int file) : file_(file) {
    if (file_ < 0) throw std::system_error(errno, std::system_category(), "memfd_create");
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (made_) std::destroy_at(static_cast<S*>(places_.front()));
    for (void* place : places_) ::munmap(place, sizeof(S));
    ::close(file_);
  }

  /// The file, which is inherited by the programs that this one starts.
  [[nodiscard]] int file() const noexcept { return file_; }

  /// Where it was mapped for the first time.
  S& first() { return *static_cast<S*>(places_.front()); }

  /// Maps it once more.
  S& again() {
    void* const place = ::mmap(nullptr, sizeof(S), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (place == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
    places_.push_back(place);
    return *static_cast<S*>(place);
  }

  /// Takes all the others away: for a child, which has inherited them.
  void keep_last() {
    while (places_.size() > 1) {
      ::munmap(places_.front(), sizeof(S));
      places_.erase(places_.begin());
    }
    made_ = false;
  }

 private:
  int file_;
  std::vector<void*> places_;
  bool made_ = false;
};

}  // namespace trine_test
