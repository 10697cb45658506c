// SPDX-License-Identifier: BSL-1.0
//
// How many bytes an object takes. The counter `bytes` says it; the times mean nothing.
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include <trine/trine.hpp>

#include "harness.hpp"

#if __has_include(<boost/interprocess/sync/interprocess_mutex.hpp>)
#define TRINE_HAVE_INTERPROCESS
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>

#include <trine/backend/processes.hpp>
#endif

namespace {

using namespace bench;

void enroll_size(const std::string& row, std::size_t bytes) {
  benchmark::RegisterBenchmark(("size_of_" + row).c_str(), [bytes](benchmark::State& state) {
    for (auto _ : state) benchmark::ClobberMemory();
    state.counters["bytes"] = static_cast<double>(bytes);
  })->Iterations(1);
}

template <class B>
void enroll_trine(const std::string& name) {
  enroll_size("event/" + name, sizeof(trine::Event<B>));
  enroll_size("lock/" + name, sizeof(trine::Lock<B>));
  enroll_size("recursive_lock/" + name, sizeof(trine::RecursiveLock<B>));
  enroll_size("shared_lock/" + name, sizeof(trine::SharedLock<B>));
  enroll_size("condition/" + name, sizeof(trine::Condition<B>));
  enroll_size("semaphore/" + name, sizeof(trine::Semaphore<B>));
  enroll_size("latch/" + name, sizeof(trine::Latch<B>));
  enroll_size("barrier/" + name, sizeof(trine::Barrier<B>));
}

void enroll_trine_queues() {
  enroll_size("queue/trine", sizeof(trine::Queue<std::uint64_t>));
  enroll_size("queue/trine_portable", sizeof(trine::Queue<std::uint64_t, trine::portable_threads>));
  enroll_size("queue/trine_coroutines", sizeof(trine::Queue<std::uint64_t, trine::coroutines>));
}

void enroll_standard() {
  enroll_size("lock/std_mutex", sizeof(std::mutex));
  enroll_size("recursive_lock/std_recursive_mutex", sizeof(std::recursive_mutex));
  enroll_size("shared_lock/std_shared_mutex", sizeof(std::shared_mutex));
  enroll_size("condition/std_condition", sizeof(std::condition_variable));
  enroll_size("event/std_condition", sizeof(ConditionEvent));
  enroll_size("event/std_atomic", sizeof(AtomicEvent));
  enroll_size("semaphore/std_counting_semaphore", sizeof(std::counting_semaphore<>));
  enroll_size("semaphore/sem_t", sizeof(sem_t));
  enroll_size("latch/std_latch", sizeof(std::latch));
  enroll_size("barrier/std_barrier", sizeof(std::barrier<>));
  enroll_size("barrier/pthread_barrier", sizeof(pthread_barrier_t));
  enroll_size("queue/std_mutex_2cv", sizeof(StdQueue::Of<std::uint64_t>));
}

void enroll_others() {
#ifdef TRINE_HAVE_ABSL
  enroll_size("lock/absl_mutex", sizeof(absl::Mutex));
  enroll_size("condition/absl_condition", sizeof(absl::CondVar));
  enroll_size("event/absl_notification", sizeof(absl::Notification));
#endif
#ifdef TRINE_HAVE_NSYNC
  enroll_size("lock/nsync_mu", sizeof(nsync::nsync_mu));
  enroll_size("condition/nsync_cv", sizeof(nsync::nsync_cv));
#endif
#ifdef TRINE_HAVE_TBB
  enroll_size("lock/tbb_mutex", sizeof(tbb::mutex));
  enroll_size("shared_lock/tbb_rw_mutex", sizeof(tbb::rw_mutex));
  enroll_size("queue/tbb_bounded_queue", sizeof(tbb::concurrent_bounded_queue<std::uint64_t>));
#endif
#ifdef TRINE_HAVE_MOODYCAMEL
  enroll_size("semaphore/moodycamel", sizeof(moodycamel::LightweightSemaphore));
  enroll_size("queue/moodycamel", sizeof(moodycamel::BlockingConcurrentQueue<std::uint64_t>));
#endif
#ifdef TRINE_HAVE_FOLLY
  enroll_size("lock/folly_shared_mutex", sizeof(folly::SharedMutex));
  enroll_size("shared_lock/folly_shared_mutex", sizeof(folly::SharedMutex));
  enroll_size("event/folly_baton", sizeof(folly::Baton<>));
  enroll_size("semaphore/folly_lifo_sem", sizeof(folly::LifoSem));
  enroll_size("queue/folly_mpmc", sizeof(folly::MPMCQueue<std::uint64_t>));
#endif
#ifdef TRINE_HAVE_INTERPROCESS
  enroll_size("lock/interprocess_mutex", sizeof(boost::interprocess::interprocess_mutex));
  enroll_size("shared_lock/interprocess_sharable_mutex", sizeof(boost::interprocess::interprocess_sharable_mutex));
  enroll_size("condition/interprocess_condition", sizeof(boost::interprocess::interprocess_condition));
  enroll_size("semaphore/interprocess_semaphore", sizeof(boost::interprocess::interprocess_semaphore));
#endif
}

}  // namespace

int main(int argc, char** argv) {
  enroll_trine<trine::threads>("trine");
  enroll_trine<trine::portable_threads>("trine_portable");
  enroll_trine<trine::coroutines>("trine_coroutines");
#ifdef TRINE_HAVE_INTERPROCESS
  enroll_trine<trine::processes>("trine_processes");
  enroll_trine<trine::shared_memory>("trine_shared_memory");
#endif
  enroll_trine_queues();
  enroll_standard();
  enroll_others();
  return bench::run(argc, argv);
}
