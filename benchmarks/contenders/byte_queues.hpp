// SPDX-License-Identifier: BSL-1.0
//
// What the kernel passes on: pipes and POSIX message queues. Both work between threads and, once opened, in the processes that
// fork() starts.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>

#include "list.hpp"

#if __has_include(<mqueue.h>)
#define TRINE_HAVE_MQUEUE
#include <mqueue.h>
#endif

namespace bench {

/// As many items as its buffer has room for. One of at most PIPE_BUF bytes is written and read whole.
struct Pipe {
  static constexpr const char* name = "pipe";

  template <class T>
  struct Of {
    static_assert(sizeof(T) <= 4096);

    explicit Of(std::size_t) {
      if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::system_category(), "pipe");
    }
    Of(const Of&) = delete;
    Of& operator=(const Of&) = delete;
    ~Of() {
      for (const int end : ends) ::close(end);
    }

    void put(const T& item) {
      if (::write(ends[1], &item, sizeof item) != sizeof item)
        throw std::system_error(errno, std::system_category(), "write");
    }
    T get() {
      T item;
      to_be_filled(item);
      if (::read(ends[0], &item, sizeof item) != sizeof item) throw std::system_error(errno, std::system_category(), "read");
      return item;
    }

    std::array<int, 2> ends{};
  };
};

#ifdef TRINE_HAVE_MQUEUE
/// At most ten messages: more are not everybody's to have.
struct PosixMessages {
  static constexpr const char* name = "posix_mq";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) {
      const std::string own = "/trine_bench_" + std::to_string(::getpid());
      mq_attr attributes{};
      attributes.mq_maxmsg = static_cast<long>(std::min<std::size_t>(capacity, 10));
      attributes.mq_msgsize = sizeof(T);
      queue = ::mq_open(own.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
      if (queue == -1) throw std::system_error(errno, std::system_category(), "mq_open");
      ::mq_unlink(own.c_str());
    }
    Of(const Of&) = delete;
    Of& operator=(const Of&) = delete;
    ~Of() { ::mq_close(queue); }

    void put(const T& item) {
      if (::mq_send(queue, reinterpret_cast<const char*>(&item), sizeof item, 0) != 0)
        throw std::system_error(errno, std::system_category(), "mq_send");
    }
    T get() {
      T item;
      to_be_filled(item);
      if (::mq_receive(queue, reinterpret_cast<char*>(&item), sizeof item, nullptr) != sizeof item)
        throw std::system_error(errno, std::system_category(), "mq_receive");
      return item;
    }

    mqd_t queue;
  };
};
inline constexpr List<Pipe, PosixMessages> byte_queues;
#else
inline constexpr List<Pipe> byte_queues;
#endif

}  // namespace bench
