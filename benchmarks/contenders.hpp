// SPDX-License-Identifier: BSL-1.0
//
// Every measured primitive behind one small interface per kind, and one list of contenders per kind.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <shared_mutex>
#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lock.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>
#include <utility>
#include <vector>

#ifdef TRINE_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#endif

#ifdef TRINE_HAVE_MOODYCAMEL
#include <blockingconcurrentqueue.h>
#include <lightweightsemaphore.h>
#endif

namespace bench {

/// Types to measure one after the other.
template <class... Contenders> struct List {};

template <class... First, class... Second>
constexpr List<First..., Second...> operator+(List<First...>, List<Second...>) {
  return {};
}

/// A text as a template argument.
template <std::size_t Size> struct Text {
  consteval Text(const char (&from)[Size]) {
    for (std::size_t i = 0; i < Size; ++i) text[i] = from[i];
  }
  char text[Size];
};

/// A primitive whose members are called as its kind wants them: it needs a name alone.
template <Text Name, class Primitive> struct Named : Primitive {
  static constexpr const char* name = Name.text;
  using Primitive::Primitive;
};

template <class B> inline constexpr const char* name_of = nullptr;
template <> inline constexpr const char* name_of<trine::threads> = "trine";
template <> inline constexpr const char* name_of<trine::portable_threads> = "trine_portable";

// Locks: lock(), unlock(); recursive and shared ones: also lock_shared(), unlock_shared().

#ifdef TRINE_HAVE_ABSL
struct AbslMutex {
  static constexpr const char* name = "absl_mutex";

  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
  void lock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderLock(); }
  void unlock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.ReaderUnlock(); }

  absl::Mutex mutex;
};
inline constexpr List<AbslMutex> absl_locks;
#else
inline constexpr List<> absl_locks;
#endif

inline constexpr auto locks =
    List<Named<"trine", trine::Lock<>>, Named<"trine_portable", trine::Lock<trine::portable_threads>>,
         Named<"std_mutex", std::mutex>>() +
    absl_locks;
inline constexpr List<Named<"trine", trine::RecursiveLock<>>,
                      Named<"trine_portable", trine::RecursiveLock<trine::portable_threads>>,
                      Named<"std_recursive_mutex", std::recursive_mutex>>
    recursive_locks;
inline constexpr auto shared_locks = List<Named<"trine", trine::SharedLock<>>,
                                          Named<"trine_portable", trine::SharedLock<trine::portable_threads>>,
                                          Named<"std_shared_mutex", std::shared_mutex>>() +
                                     absl_locks;

// Events: wait() -> bool, set(), clear().

struct ConditionEvent {
  static constexpr const char* name = "std_condition";

  bool wait() {
    std::unique_lock held(mutex);
    changed.wait(held, [this] { return is_set; });
    return true;
  }
  void set() {
    const std::lock_guard held(mutex);
    is_set = true;
    changed.notify_all();
  }
  void clear() {
    const std::lock_guard held(mutex);
    is_set = false;
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool is_set = false;
};

struct AtomicEvent {
  static constexpr const char* name = "std_atomic";

  bool wait() {
    word.wait(0, std::memory_order_acquire);
    return true;
  }
  void set() {
    word.store(1, std::memory_order_release);
    word.notify_all();
  }
  void clear() { word.store(0, std::memory_order_relaxed); }

  std::atomic<int> word{0};
};

/// What a wait on a set event costs at the least.
struct AcquireLoad {
  static constexpr const char* name = "acquire_load";

  bool wait() const { return word.load(std::memory_order_acquire) != 0; }
  void set() { word.store(1, std::memory_order_release); }

  std::atomic<int> word{0};
};

#ifdef TRINE_HAVE_ABSL
struct AbslEvent {
  static constexpr const char* name = "absl_condition";

  bool wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    while (!is_set) changed.Wait(&mutex);
    mutex.Unlock();
    return true;
  }
  void set() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    is_set = true;
    mutex.Unlock();
    changed.SignalAll();
  }
  void clear() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    is_set = false;
    mutex.Unlock();
  }

  absl::Mutex mutex;
  absl::CondVar changed;
  bool is_set = false;
};

/// Can't be cleared.
struct AbslNotification {
  static constexpr const char* name = "absl_notification";

  bool wait() const {
    notification.WaitForNotification();
    return true;
  }
  void set() { notification.Notify(); }

  absl::Notification notification;
};
inline constexpr List<AbslEvent> absl_events;
inline constexpr List<AbslNotification> absl_notifications;
#else
inline constexpr List<> absl_events;
inline constexpr List<> absl_notifications;
#endif

inline constexpr auto events =
    List<Named<"trine", trine::Event<>>, Named<"trine_portable", trine::Event<trine::portable_threads>>,
         ConditionEvent, AtomicEvent>() +
    absl_events;
inline constexpr auto set_once_events = List<AcquireLoad>() + events + absl_notifications;

// Semaphores: constructed with a number of permits; acquire(), release().

struct PosixSemaphore {
  static constexpr const char* name = "sem_t";

  explicit PosixSemaphore(int permits) { sem_init(&semaphore, 0, static_cast<unsigned>(permits)); }
  PosixSemaphore(const PosixSemaphore&) = delete;
  PosixSemaphore& operator=(const PosixSemaphore&) = delete;
  ~PosixSemaphore() { sem_destroy(&semaphore); }

  void acquire() { sem_wait(&semaphore); }
  void release() { sem_post(&semaphore); }

  sem_t semaphore;
};

#ifdef TRINE_HAVE_MOODYCAMEL
struct MoodycamelSemaphore {
  static constexpr const char* name = "moodycamel";

  explicit MoodycamelSemaphore(int permits) : semaphore(permits) {}

  void acquire() { semaphore.wait(); }
  void release() { semaphore.signal(); }

  moodycamel::LightweightSemaphore semaphore;
};
inline constexpr List<MoodycamelSemaphore> moodycamel_semaphores;
#else
inline constexpr List<> moodycamel_semaphores;
#endif

inline constexpr auto semaphores =
    List<Named<"trine", trine::Semaphore<>>,
         Named<"trine_portable", trine::Semaphore<trine::portable_threads>>,
         Named<"std_counting_semaphore", std::counting_semaphore<>>,
         Named<"std_binary_semaphore", std::binary_semaphore>, PosixSemaphore>() +
    moodycamel_semaphores;

// Conditions: notify(); and with their lock, turn(ready, act), which waits until ready() is true, acts, and
// notifies one.

template <class B> struct TrineCondition {
  static constexpr const char* name = name_of<B>;

  void notify() { changed.notify(); }

  template <class Ready, class Act> void turn(Ready ready, Act act) {
    {
      auto held = lock.guard();
      changed.wait(held, ready);
      act();
    }
    changed.notify();
  }

  trine::Lock<B> lock;
  trine::Condition<B> changed;
};

struct StdCondition {
  static constexpr const char* name = "std_condition";

  void notify() { changed.notify_one(); }

  template <class Ready, class Act> void turn(Ready ready, Act act) {
    {
      std::unique_lock held(mutex);
      changed.wait(held, ready);
      act();
    }
    changed.notify_one();
  }

  std::mutex mutex;
  std::condition_variable changed;
};

struct PosixCondition {
  static constexpr const char* name = "pthread_cond";

  PosixCondition() = default;
  PosixCondition(const PosixCondition&) = delete;
  PosixCondition& operator=(const PosixCondition&) = delete;
  ~PosixCondition() {
    pthread_cond_destroy(&changed);
    pthread_mutex_destroy(&mutex);
  }

  void notify() { pthread_cond_signal(&changed); }

  template <class Ready, class Act> void turn(Ready ready, Act act) {
    pthread_mutex_lock(&mutex);
    while (!ready()) pthread_cond_wait(&changed, &mutex);
    act();
    pthread_mutex_unlock(&mutex);
    pthread_cond_signal(&changed);
  }

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
};

#ifdef TRINE_HAVE_ABSL
struct AbslCondition {
  static constexpr const char* name = "absl_condition";

  void notify() { changed.Signal(); }

  template <class Ready, class Act> void turn(Ready ready, Act act) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    while (!ready()) changed.Wait(&mutex);
    act();
    mutex.Unlock();
    changed.Signal();
  }

  absl::Mutex mutex;
  absl::CondVar changed;
};
inline constexpr List<AbslCondition> absl_conditions;
#else
inline constexpr List<> absl_conditions;
#endif

inline constexpr auto conditions =
    List<TrineCondition<trine::threads>, TrineCondition<trine::portable_threads>, StdCondition,
         PosixCondition>() +
    absl_conditions;

// Latches: constructed with a count; count_down(), try_wait() -> bool.

inline constexpr List<Named<"trine", trine::Latch<>>,
                      Named<"trine_portable", trine::Latch<trine::portable_threads>>,
                      Named<"std_latch", std::latch>>
    latches;

// Barriers: constructed with a number of parties; wait().

struct StdBarrier {
  static constexpr const char* name = "std_barrier";

  explicit StdBarrier(int parties) : barrier(parties) {}

  void wait() { barrier.arrive_and_wait(); }

  std::barrier<> barrier;
};

struct PosixBarrier {
  static constexpr const char* name = "pthread_barrier";

  explicit PosixBarrier(int parties) {
    pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(parties));
  }
  PosixBarrier(const PosixBarrier&) = delete;
  PosixBarrier& operator=(const PosixBarrier&) = delete;
  ~PosixBarrier() { pthread_barrier_destroy(&barrier); }

  void wait() { pthread_barrier_wait(&barrier); }

  pthread_barrier_t barrier;
};

inline constexpr List<Named<"trine", trine::Barrier<>>,
                      Named<"trine_portable", trine::Barrier<trine::portable_threads>>, StdBarrier,
                      PosixBarrier>
    barriers;

// Queues: `Of<T>` is constructed with a capacity (0: none); put(item), get() -> T, try_get() -> optional<T>.

template <class B> struct TrineQueue {
  static constexpr const char* name = name_of<B>;

  template <class T> struct Of {
    explicit Of(std::size_t capacity) : queue(capacity) {}

    void put(const T& item) { queue.put(item); }
    T get() { return queue.get(); }
    std::optional<T> try_get() { return queue.try_get(); }

    trine::Queue<T, B> queue;
  };
};

/// A ring, and a deque where there is no capacity, with one mutex and two condition variables.
struct StdQueue {
  static constexpr const char* name = "std_mutex_2cv";

  template <class T> struct Of {
    explicit Of(std::size_t capacity) : ring(capacity) {}

    void put(const T& item) {
      {
        std::unique_lock held(mutex);
        if (ring.empty()) {
          list.push_back(item);
        } else {
          left.wait(held, [this] { return count < ring.size(); });
          ring[put_at] = item;
          if (++put_at == ring.size()) put_at = 0;
        }
        ++count;
      }
      came.notify_one();
    }

    T get() {
      std::unique_lock held(mutex);
      came.wait(held, [this] { return count != 0; });
      T item = take();
      held.unlock();
      left.notify_one();
      return item;
    }

    std::optional<T> try_get() {
      std::unique_lock held(mutex);
      if (count == 0) return std::nullopt;
      std::optional<T> item = take();
      held.unlock();
      left.notify_one();
      return item;
    }

   private:
    T take() {
      --count;
      if (ring.empty()) {
        T item = std::move(list.front());
        list.pop_front();
        return item;
      }
      T item = std::move(ring[get_at]);
      if (++get_at == ring.size()) get_at = 0;
      return item;
    }

    std::mutex mutex;
    std::condition_variable came;
    std::condition_variable left;
    std::size_t count = 0;
    std::size_t put_at = 0;
    std::size_t get_at = 0;
    std::vector<T> ring;
    std::deque<T> list;
  };
};

#ifdef TRINE_HAVE_MOODYCAMEL
/// Without capacity, whatever is asked for; and in order for each producer alone.
struct MoodycamelQueue {
  static constexpr const char* name = "moodycamel";

  template <class T> struct Of {
    explicit Of(std::size_t) {}

    void put(const T& item) { queue.enqueue(item); }
    T get() {
      T item;
      queue.wait_dequeue(item);
      return item;
    }
    std::optional<T> try_get() {
      T item;
      if (!queue.try_dequeue(item)) return std::nullopt;
      return item;
    }

    moodycamel::BlockingConcurrentQueue<T> queue;
  };
};
inline constexpr List<MoodycamelQueue> moodycamel_queues;
#else
inline constexpr List<> moodycamel_queues;
#endif

inline constexpr List<TrineQueue<trine::threads>, TrineQueue<trine::portable_threads>, StdQueue>
    bounded_queues;
inline constexpr auto queues = bounded_queues + moodycamel_queues;

}  // namespace bench
