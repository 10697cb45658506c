// SPDX-License-Identifier: BSL-1.0
//
// Primitives that several processes can use, with the interfaces of contenders.hpp.
#pragma once

#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <trine/backend/processes.hpp>
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/lock.hpp>
#include <trine/queue.hpp>
#include <trine/semaphore.hpp>

#include "contenders.hpp"

#if __has_include(<boost/interprocess/ipc/message_queue.hpp>)
#define TRINE_HAVE_INTERPROCESS
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#endif

namespace bench {

// Locks.

/// What glibc's attributes say: robust or not.
template <int Robustness>
class SharedMutex {
 public:
  static constexpr const char* name = Robustness == PTHREAD_MUTEX_ROBUST ? "pthread_robust" : "pthread_shared";

  SharedMutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, Robustness);
    pthread_mutex_init(&mutex_, &attributes);
    pthread_mutexattr_destroy(&attributes);
  }
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;
  ~SharedMutex() { pthread_mutex_destroy(&mutex_); }

  void lock() {
    if (pthread_mutex_lock(&mutex_) == EOWNERDEAD) pthread_mutex_consistent(&mutex_);
  }
  void unlock() { pthread_mutex_unlock(&mutex_); }
  pthread_mutex_t* native() { return &mutex_; }

 private:
  pthread_mutex_t mutex_;
};
using RobustMutex = SharedMutex<PTHREAD_MUTEX_ROBUST>;
using FragileMutex = SharedMutex<PTHREAD_MUTEX_STALLED>;

using TrineSharedLock = Named<"trine_shared_memory", trine::Lock<trine::shared_memory>>;
using TrineProcessesLock = Named<"trine_processes", trine::Lock<trine::processes>>;

/// The lock of the backend threads, which no other process can use: a futex that knows no owner.
using PlainFutexLock = Named<"plain_futex", trine::Lock<trine::threads>>;

/// Whether an event is set, and a semaphore of one permit, by words alone: sleeps at once, knows no owner, counts nothing.
class BareFutex {
 public:
  static constexpr const char* name = "bare_futex";

  void set() {
    word_.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  bool wait() {
    while (word_.load(std::memory_order_acquire) == 0) ::syscall(SYS_futex, &word_, FUTEX_WAIT, 0, nullptr, nullptr, 0);
    return true;
  }
  void clear() { word_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> word_{0};
};

// Semaphores.

struct SharedPosixSemaphore {
  static constexpr const char* name = "sem_t";

  explicit SharedPosixSemaphore(int permits) { sem_init(&semaphore, 1, static_cast<unsigned>(permits)); }
  SharedPosixSemaphore(const SharedPosixSemaphore&) = delete;
  SharedPosixSemaphore& operator=(const SharedPosixSemaphore&) = delete;
  ~SharedPosixSemaphore() { sem_destroy(&semaphore); }

  void acquire() { sem_wait(&semaphore); }
  void release() { sem_post(&semaphore); }

  sem_t semaphore;
};

using TrineSharedSemaphore = Named<"trine_shared_memory", trine::Semaphore<trine::shared_memory>>;
using TrineProcessesSemaphore = Named<"trine_processes", trine::Semaphore<trine::processes>>;

// Conditions: as in contenders.hpp.

template <class Mutex>
struct SharedCondition {
  static constexpr const char* name = "pthread_cond";

  SharedCondition() {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  SharedCondition(const SharedCondition&) = delete;
  SharedCondition& operator=(const SharedCondition&) = delete;
  ~SharedCondition() { pthread_cond_destroy(&changed); }

  void notify() { pthread_cond_signal(&changed); }
  template <class Ready>
  void wait(Mutex& mutex, Ready ready) {
    while (!ready()) pthread_cond_wait(&changed, mutex.native());
  }

  template <class Ready, class Act>
  void turn(Ready ready, Act act) {
    own.lock();
    wait(own, ready);
    act();
    own.unlock();
    notify();
  }

  pthread_cond_t changed;
  Mutex own;
};

template <>
inline constexpr const char* name_of<trine::processes> = "trine_processes";
template <>
inline constexpr const char* name_of<trine::shared_memory> = "trine_shared_memory";

// Queues.

constexpr std::size_t shared_capacity = 1024;

/// trine's, in memory of its own.
struct ProcessesQueue {
  static constexpr const char* name = "trine_processes";
  template <class T>
  using Of = TrineQueue<trine::processes>::Of<T>;
};

/// trine's, in memory that is shared anyway.
struct SharedMemoryQueue {
  static constexpr const char* name = "trine_shared_memory";

  template <class T, std::size_t N = shared_capacity>
  struct Of {
    explicit Of(std::size_t) {}

    void put(const T& item) { queue.put(item); }
    T get() { return queue.get(); }

    trine::Queue<T, trine::shared_memory, N> queue;
  };
};

/// A ring, a robust mutex and two condition variables.
struct RobustRing {
  static constexpr const char* name = "robust_mutex_2cv";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : room(capacity) {}

    void put(const T& item) {
      mutex.lock();
      left.wait(mutex, [this] { return count < room; });
      ring[put_at] = item;
      if (++put_at == room) put_at = 0;
      ++count;
      mutex.unlock();
      came.notify();
    }

    T get() {
      mutex.lock();
      came.wait(mutex, [this] { return count != 0; });
      T item = ring[get_at];
      if (++get_at == room) get_at = 0;
      --count;
      mutex.unlock();
      left.notify();
      return item;
    }

    RobustMutex mutex;
    SharedCondition<RobustMutex> came;
    SharedCondition<RobustMutex> left;
    std::size_t room;
    std::size_t count = 0;
    std::size_t put_at = 0;
    std::size_t get_at = 0;
    std::array<T, shared_capacity> ring{};
  };
};

#ifdef TRINE_HAVE_INTERPROCESS
namespace bip = boost::interprocess;

struct InterprocessSemaphore {
  static constexpr const char* name = "interprocess_semaphore";

  explicit InterprocessSemaphore(int permits) : semaphore(static_cast<unsigned>(permits)) {}

  void acquire() { semaphore.wait(); }
  void release() { semaphore.post(); }

  bip::interprocess_semaphore semaphore;
};

struct InterprocessCondition {
  static constexpr const char* name = "interprocess_condition";

  template <class Ready, class Act>
  void turn(Ready ready, Act act) {
    {
      bip::scoped_lock held(mutex);
      changed.wait(held, ready);
      act();
    }
    changed.notify_one();
  }

  bip::interprocess_mutex mutex;
  bip::interprocess_condition changed;
};

/// A queue of bytes, by a name that is taken away at once.
class MessageQueueOfBytes {
 public:
  MessageQueueOfBytes(std::size_t capacity, std::size_t most_bytes)
      : queue_(bip::create_only, own_name().c_str(), capacity, most_bytes) {
    bip::message_queue::remove(own_name().c_str());
  }

  void send(const void* data, std::size_t size) { queue_.send(data, size, 0); }
  std::size_t receive(void* data, std::size_t room) {
    bip::message_queue::size_type size = 0;
    unsigned priority = 0;
    queue_.receive(data, room, size, priority);
    return size;
  }

 private:
  static std::string own_name() { return "trine_bench_" + std::to_string(::getpid()); }

  bip::message_queue queue_;
};

struct MessageQueue {
  static constexpr const char* name = "message_queue";

  template <class T>
  struct Of {
    explicit Of(std::size_t capacity) : queue(capacity, sizeof(T)) {}

    void put(const T& item) { queue.send(&item, sizeof(T)); }
    T get() {
      T item;
      queue.receive(&item, sizeof(T));
      return item;
    }

    MessageQueueOfBytes queue;
  };
};

inline constexpr List<Named<"interprocess_mutex", bip::interprocess_mutex>> interprocess_locks;
inline constexpr List<InterprocessSemaphore> interprocess_semaphores;
inline constexpr List<InterprocessCondition> interprocess_conditions;
inline constexpr List<MessageQueue> message_queues;
#else
inline constexpr List<> interprocess_locks;
inline constexpr List<> interprocess_semaphores;
inline constexpr List<> interprocess_conditions;
inline constexpr List<> message_queues;
#endif

inline constexpr auto shared_process_locks =
    List<TrineProcessesLock, TrineSharedLock, RobustMutex, FragileMutex>() + interprocess_locks;
inline constexpr auto process_semaphores =
    List<TrineProcessesSemaphore, TrineSharedSemaphore, SharedPosixSemaphore>() + interprocess_semaphores;
inline constexpr auto process_conditions =
    List<TrineCondition<trine::shared_memory>, SharedCondition<RobustMutex>>() + interprocess_conditions;
inline constexpr auto process_queues = List<ProcessesQueue, SharedMemoryQueue, RobustRing>() + message_queues + byte_queues;

}  // namespace bench
