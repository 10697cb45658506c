// SPDX-License-Identifier: BSL-1.0
//
// The shape of the public interface, as the compiler sees it: sizes, copies, exceptions, concepts, and the types of results.
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

namespace {

using namespace std::chrono_literals;
using trine::Until;

// The standard's requirements on locks, which it names but has no concepts for.
template <class L>
concept BasicLockable = requires(L& lock) {
  lock.lock();
  lock.unlock();
};
template <class L>
concept Lockable = BasicLockable<L> && requires(L& lock) {
  { lock.try_lock() } -> std::same_as<bool>;
};
template <class L>
concept TimedLockable = Lockable<L> && requires(L& lock) {
  { lock.try_lock_for(1ms) } -> std::same_as<bool>;
  { lock.try_lock_until(std::chrono::steady_clock::now()) } -> std::same_as<bool>;
  { lock.try_lock_until(std::chrono::system_clock::now()) } -> std::same_as<bool>;
};
template <class L>
concept SharedLockable = requires(L& lock) {
  lock.lock_shared();
  { lock.try_lock_shared() } -> std::same_as<bool>;
  lock.unlock_shared();
};
template <class L>
concept SharedTimedLockable = SharedLockable<L> && requires(L& lock) {
  { lock.try_lock_shared_for(1ms) } -> std::same_as<bool>;
  { lock.try_lock_shared_until(std::chrono::steady_clock::now()) } -> std::same_as<bool>;
  { lock.try_lock_shared_until(std::chrono::system_clock::now()) } -> std::same_as<bool>;
};

template <class T>
concept StaysWhereItIs = !std::is_copy_constructible_v<T> && !std::is_move_constructible_v<T> &&
                         !std::is_copy_assignable_v<T> && !std::is_move_assignable_v<T>;
template <class T>
concept MoveOnly = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                   std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                   std::is_nothrow_default_constructible_v<T>;

// O is an operation on B that comes to R, and can (or can't) be selected.
template <class O, class R, class B, bool selectable = true>
concept OperationTo = trine::Operation<O> && std::same_as<typename O::Result, R> &&
                      std::same_as<typename O::Backend, B> && trine::Selectable<O> == selectable;

template <class B>
consteval bool has_its_shape() {
  using trine::Barrier, trine::BoundedSemaphore, trine::Condition, trine::Event, trine::Guard, trine::Latch, trine::Lock;
  using trine::Permit, trine::RecursiveLock, trine::Semaphore, trine::SharedGuard, trine::SharedLock, trine::TaskGroup;
  static_assert(trine::Backend<B>);

  // Nothing that others wait on moves.
  static_assert(StaysWhereItIs<Event<B>> && StaysWhereItIs<Lock<B>> && StaysWhereItIs<RecursiveLock<B>> &&
                StaysWhereItIs<SharedLock<B>> && StaysWhereItIs<Condition<B>> && StaysWhereItIs<Semaphore<B>> &&
                StaysWhereItIs<BoundedSemaphore<B>> && StaysWhereItIs<Barrier<B>> && StaysWhereItIs<Latch<B>> &&
                StaysWhereItIs<trine::Queue<int, B>> && StaysWhereItIs<trine::LifoQueue<int, B>> &&
                StaysWhereItIs<trine::PriorityQueue<int, B>> && StaysWhereItIs<TaskGroup<B>>);

  // What holds something for a scope is handed on, not doubled.
  static_assert(MoveOnly<Guard<Lock<B>>> && MoveOnly<Guard<RecursiveLock<B>>> && MoveOnly<Guard<SharedLock<B>>> &&
                MoveOnly<SharedGuard<SharedLock<B>>> && MoveOnly<Permit<B>>);
  static_assert(!std::convertible_to<Guard<Lock<B>>, bool> && std::constructible_from<bool, Guard<Lock<B>>>);
  static_assert(!std::convertible_to<Permit<B>, bool> && std::constructible_from<bool, Permit<B>>);

  // A number is not an object.
  static_assert(!std::convertible_to<bool, Event<B>> && !std::convertible_to<int, Semaphore<B>> &&
                !std::convertible_to<int, BoundedSemaphore<B>> && !std::convertible_to<int, Barrier<B>> &&
                !std::convertible_to<int, Latch<B>> && !std::convertible_to<int, trine::Queue<int, B>> &&
                !std::convertible_to<int, trine::LifoQueue<int, B>> &&
                !std::convertible_to<int, trine::PriorityQueue<int, B>>);

  // The standard's templates take the locks.
  static_assert(TimedLockable<Lock<B>> && TimedLockable<RecursiveLock<B>>);
  static_assert(TimedLockable<SharedLock<B>> && SharedTimedLockable<SharedLock<B>>);
  static_assert(!SharedLockable<Lock<B>>);
  static_assert(requires(Lock<B>& lock, RecursiveLock<B>& recursive, SharedLock<B>& shared) {
    std::lock_guard(lock);
    std::unique_lock(lock, 1ms);
    std::scoped_lock(lock, recursive, shared);
    std::shared_lock(shared, 1ms);
    std::lock(lock, recursive);
    std::try_lock(lock, recursive);
  });

  // What a signal handler or a destructor calls does not throw.
  static_assert(requires(Event<B>& event, const Event<B>& view) {
    { view.is_set() } noexcept -> std::same_as<bool>;
    { event.set() } noexcept -> std::same_as<void>;
    { event.clear() } noexcept -> std::same_as<void>;
  });
  static_assert(requires(const Lock<B>& lock, const RecursiveLock<B>& recursive, Semaphore<B>& semaphore,
                         const Semaphore<B>& permits, const Barrier<B>& barrier, const Latch<B>& latch) {
    { lock.locked() } noexcept -> std::same_as<bool>;
    { recursive.locked() } noexcept -> std::same_as<bool>;
    { recursive.depth() } noexcept -> std::unsigned_integral;
    { semaphore.try_acquire() } -> std::same_as<bool>;
    { permits.value() } noexcept -> std::same_as<std::ptrdiff_t>;
    { barrier.parties() } noexcept -> std::same_as<std::ptrdiff_t>;
    { barrier.waiting() } noexcept -> std::same_as<std::ptrdiff_t>;
    { barrier.broken() } noexcept -> std::same_as<bool>;
    { latch.try_wait() } noexcept -> std::same_as<bool>;
  });

  // What waits returns its result, takes any limit, and has its operation.
  static_assert(requires(Event<B>& event, const Until& until) {
    { event.wait() } -> std::same_as<bool>;
    { event.wait(until) } -> std::same_as<bool>;
    { event.wait_op() } -> OperationTo<bool, B>;
  });
  static_assert(requires(Lock<B>& lock, const Until& until) {
    { lock.lock(until) } -> std::same_as<bool>;
    { lock.guard() } -> std::same_as<Guard<Lock<B>>>;
    { lock.guard(until) } -> std::same_as<Guard<Lock<B>>>;
    { lock.recover(until) } -> std::same_as<Guard<Lock<B>>>;
    { lock.lock_op() } -> OperationTo<bool, B>;
    { lock.guard_op() } -> OperationTo<Guard<Lock<B>>, B>;
    { lock.recover_op() } -> OperationTo<Guard<Lock<B>>, B>;
  });
  static_assert(requires(RecursiveLock<B>& lock, const Until& until) {
    { lock.lock(until) } -> std::same_as<bool>;
    { lock.guard(until) } -> std::same_as<Guard<RecursiveLock<B>>>;
    { lock.recover(until) } -> std::same_as<Guard<RecursiveLock<B>>>;
    { lock.lock_op() } -> OperationTo<bool, B>;
    { lock.guard_op() } -> OperationTo<Guard<RecursiveLock<B>>, B>;
    { lock.recover_op() } -> OperationTo<Guard<RecursiveLock<B>>, B>;
  });
  static_assert(requires(SharedLock<B>& lock, const Until& until) {
    { lock.lock(until) } -> std::same_as<bool>;
    { lock.lock_shared(until) } -> std::same_as<bool>;
    { lock.guard(until) } -> std::same_as<Guard<SharedLock<B>>>;
    { lock.shared_guard(until) } -> std::same_as<SharedGuard<SharedLock<B>>>;
    { lock.recover(until) } -> std::same_as<Guard<SharedLock<B>>>;
    { lock.lock_op() } -> OperationTo<bool, B>;
    { lock.lock_shared_op() } -> OperationTo<bool, B>;
    { lock.guard_op() } -> OperationTo<Guard<SharedLock<B>>, B>;
    { lock.shared_guard_op() } -> OperationTo<SharedGuard<SharedLock<B>>, B>;
    { lock.recover_op() } -> OperationTo<Guard<SharedLock<B>>, B>;
  });
  static_assert(requires(Condition<B>& condition, Guard<Lock<B>>& held, Guard<RecursiveLock<B>>& deep,
                         std::optional<int> (*predicate)(), const Until& until) {
    { condition.wait(held) } -> std::same_as<bool>;
    { condition.wait(deep, until) } -> std::same_as<bool>;
    { condition.wait(held, predicate) } -> std::same_as<std::optional<int>>;
    { condition.wait(deep, predicate, until) } -> std::same_as<std::optional<int>>;
    { condition.wait(held, [] { return true; }, 1ms) } -> std::same_as<bool>;
    { condition.wait_op(held) } -> OperationTo<bool, B, false>;
    { condition.wait_op(deep) } -> OperationTo<bool, B, false>;
    { condition.notify() } -> std::same_as<void>;
    { condition.notify(2) } -> std::same_as<void>;
    { condition.notify_all() } -> std::same_as<void>;
  });
  static_assert(requires(Semaphore<B>& semaphore, const Until& until) {
    { semaphore.acquire() } -> std::same_as<bool>;
    { semaphore.acquire(until) } -> std::same_as<bool>;
    { semaphore.permit(until) } -> std::same_as<Permit<B>>;
    { semaphore.acquire_op() } -> OperationTo<bool, B>;
    { semaphore.permit_op() } -> OperationTo<Permit<B>, B>;
    { semaphore.release() } -> std::same_as<void>;
    { semaphore.release(3) } -> std::same_as<void>;
  });
  static_assert(std::derived_from<BoundedSemaphore<B>, Semaphore<B>>);
  static_assert(requires(Barrier<B>& barrier, const Until& until) {
    { barrier.wait() } -> std::integral;
    { barrier.wait(until) } -> std::integral;
    { barrier.wait_op() } -> OperationTo<std::ptrdiff_t, B, false>;
    { barrier.abort() } -> std::same_as<void>;
    { barrier.reset() } -> std::same_as<void>;
  });
  static_assert(std::constructible_from<Barrier<B>, int, std::function<void()>, Until>);
  static_assert(std::constructible_from<Barrier<B>, int, void (*)(), std::chrono::milliseconds>);
  static_assert(requires(Latch<B>& latch, const Until& until) {
    { latch.count_down() } -> std::same_as<void>;
    { latch.count_down(2) } -> std::same_as<void>;
    { latch.wait() } -> std::same_as<bool>;
    { latch.wait(until) } -> std::same_as<bool>;
    { latch.arrive_and_wait(until) } -> std::same_as<bool>;
    { latch.wait_op() } -> OperationTo<bool, B>;
    { latch.arrive_and_wait_op() } -> OperationTo<bool, B, false>;
  });
  static_assert(requires(TaskGroup<B>& group, const Until& until) {
    { group.join() } -> std::same_as<bool>;
    { group.join(until) } -> std::same_as<bool>;
    { group.join_op() } -> OperationTo<bool, B>;
    group.spawn([] {});
    group.spawn([](int&, const std::string&) {}, std::ref(std::declval<int&>()), "text");
  });
  return true;
}

// T: what is in the queue; it may be one that can only be moved.
template <class Q, class T, class B>
consteval bool is_a_queue_of() {
  static_assert(std::same_as<typename Q::value_type, T>);
  static_assert(std::constructible_from<Q> && std::constructible_from<Q, std::size_t>);
  static_assert(requires(Q& queue, T&& item, std::vector<T>& range, const Until& until) {
    { queue.put(std::move(item)) } -> std::same_as<bool>;
    { queue.put(std::move(item), until) } -> std::same_as<bool>;
    { queue.try_put(std::move(item)) } -> std::same_as<bool>;
    { queue.put_op(std::move(item)) } -> OperationTo<bool, B>;
    { queue.get() } -> std::same_as<T>;
    { queue.get(until) } -> std::same_as<std::optional<T>>;
    { queue.get(1ms) } -> std::same_as<std::optional<T>>;
    { queue.try_get() } -> std::same_as<std::optional<T>>;
    { queue.get_op() } -> OperationTo<T, B>;
    { queue.put_many(range) } -> std::same_as<std::size_t>;
    { queue.put_many(range, until) } -> std::same_as<std::size_t>;
    { queue.put_many_op(range) } -> OperationTo<std::size_t, B, false>;
    { queue.get_many(3) } -> std::same_as<std::vector<T>>;
    { queue.get_many(3, until) } -> std::same_as<std::vector<T>>;
    { queue.get_many_op(3) } -> OperationTo<std::vector<T>, B>;
    { queue.join() } -> std::same_as<bool>;
    { queue.join(until) } -> std::same_as<bool>;
    { queue.join_op() } -> OperationTo<bool, B>;
    { queue.task_done() } -> std::same_as<void>;
    { queue.shutdown() } -> std::same_as<void>;
    { queue.shutdown(true) } -> std::same_as<void>;
  });
  static_assert(requires(const Q& queue) {
    { queue.size() } -> std::same_as<std::size_t>;
    { queue.capacity() } -> std::same_as<std::size_t>;
    { queue.empty() } -> std::same_as<bool>;
    { queue.full() } -> std::same_as<bool>;
  });
  static_assert(std::ranges::input_range<Q> && !std::ranges::forward_range<Q>);
  static_assert(std::input_iterator<std::ranges::iterator_t<Q>>);
  static_assert(std::sentinel_for<std::ranges::sentinel_t<Q>, std::ranges::iterator_t<Q>>);
  static_assert(std::constructible_from<T, std::ranges::range_reference_t<Q>>);
  return true;
}

template <class Q, class T, class B>
consteval bool takes_copies() {
  return requires(Q& queue, const T& item, const Until& until) {
    { queue.put(item, until) } -> std::same_as<bool>;
    { queue.try_put(item) } -> std::same_as<bool>;
    { queue.put_op(item) } -> OperationTo<bool, B>;
  };
}

struct Later {
  template <class T>
  bool operator()(const T& left, const T& right) const {
    return right < left;
  }
};

template <class B>
consteval bool queues_have_their_shape() {
  using Text = std::string;
  using Owned = std::unique_ptr<int>;
  static_assert(is_a_queue_of<trine::Queue<Text, B>, Text, B>() && takes_copies<trine::Queue<Text, B>, Text, B>());
  static_assert(is_a_queue_of<trine::LifoQueue<Text, B>, Text, B>());
  static_assert(takes_copies<trine::LifoQueue<Text, B>, Text, B>());
  static_assert(is_a_queue_of<trine::PriorityQueue<Text, B>, Text, B>());
  static_assert(takes_copies<trine::PriorityQueue<Text, B>, Text, B>());
  static_assert(is_a_queue_of<trine::PriorityQueue<Text, B, Later>, Text, B>());
  static_assert(is_a_queue_of<trine::Queue<Owned, B>, Owned, B>());
  static_assert(is_a_queue_of<trine::LifoQueue<Owned, B>, Owned, B>());
  static_assert(is_a_queue_of<trine::PriorityQueue<Owned, B>, Owned, B>());
  return true;
}

static_assert(has_its_shape<trine::threads>() && queues_have_their_shape<trine::threads>());
static_assert(has_its_shape<trine::portable_threads>() && queues_have_their_shape<trine::portable_threads>());

// `threads` is the default.
static_assert(std::same_as<trine::Event<>, trine::Event<trine::threads>>);
static_assert(std::same_as<trine::Lock<>, trine::Lock<trine::threads>>);
static_assert(std::same_as<trine::RecursiveLock<>, trine::RecursiveLock<trine::threads>>);
static_assert(std::same_as<trine::SharedLock<>, trine::SharedLock<trine::threads>>);
static_assert(std::same_as<trine::Condition<>, trine::Condition<trine::threads>>);
static_assert(std::same_as<trine::Semaphore<>, trine::Semaphore<trine::threads>>);
static_assert(std::same_as<trine::Barrier<>, trine::Barrier<trine::threads>>);
static_assert(std::same_as<trine::Latch<>, trine::Latch<trine::threads>>);
static_assert(std::same_as<trine::TaskGroup<>, trine::TaskGroup<trine::threads>>);
static_assert(std::same_as<trine::Queue<int>, trine::Queue<int, trine::threads>>);
static_assert(std::same_as<trine::LifoQueue<int>, trine::LifoQueue<int, trine::threads>>);
static_assert(std::same_as<trine::PriorityQueue<int>, trine::PriorityQueue<int, trine::threads, std::less<int>>>);

// What an object costs on threads.
static_assert(sizeof(trine::Event<>) == 4 && sizeof(trine::Lock<>) == 4);
static_assert(sizeof(trine::Semaphore<>) <= 8 && sizeof(trine::Condition<>) <= 8 && sizeof(trine::Latch<>) <= 8);
static_assert(sizeof(trine::RecursiveLock<>) <= 8 && sizeof(trine::SharedLock<>) <= 8);
static_assert(sizeof(trine::Barrier<>) <= 32 + sizeof(void*));

// A limit is made of anything that says when, and of several of them; never of a bare number.
static_assert(std::is_nothrow_default_constructible_v<Until> && std::copyable<Until>);
static_assert(std::convertible_to<std::chrono::nanoseconds, Until>);
static_assert(std::convertible_to<std::chrono::hours, Until>);
static_assert(std::convertible_to<std::chrono::duration<double>, Until>);
static_assert(std::convertible_to<std::chrono::steady_clock::time_point, Until>);
static_assert(std::convertible_to<std::chrono::system_clock::time_point, Until>);
static_assert(std::convertible_to<std::chrono::sys_seconds, Until>);
static_assert(std::convertible_to<std::stop_token, Until>);
static_assert(!std::convertible_to<int, Until> && !std::convertible_to<double, Until> && !std::convertible_to<bool, Until>);
static_assert(!std::convertible_to<std::nullptr_t, Until> && !std::convertible_to<std::stop_source, Until>);
static_assert(requires(trine::Event<>& go, std::stop_token stop, std::chrono::steady_clock::time_point at) {
  go.wait({200ms, stop});
  go.wait({at, stop});
  go.wait({200ms, at, stop});
  go.wait({200ms, std::chrono::system_clock::now()});
});

// select() says which and what, and takes any limit last.
static_assert(requires(trine::Event<>& go, trine::Queue<std::string>& jobs, trine::Semaphore<>& slots, Until until) {
  { trine::select(go.wait_op(), jobs.get_op()) } -> std::same_as<trine::Selected<bool, std::string>>;
  { trine::select(go.wait_op(), slots.permit_op(), 1s) } -> std::same_as<trine::Selected<bool, trine::Permit<trine::threads>>>;
  { trine::select(jobs.get_op(), until) } -> std::same_as<trine::Selected<std::string>>;
  { trine::select(jobs.get_op(), std::stop_token()) } -> std::same_as<trine::Selected<std::string>>;
});
static_assert(requires(trine::Selected<bool, std::unique_ptr<int>>& done) {
  { done.index() } noexcept -> std::same_as<std::size_t>;
  { done.get<0>() } -> std::same_as<bool&>;
  { std::move(done).template get<1>() } -> std::same_as<std::unique_ptr<int>&&>;
  { std::as_const(done).template get<0>() } -> std::same_as<const bool&>;
});
static_assert(trine::Selected<bool>::none > 1000);

// A queue may be a member of what it holds.
struct Node {
  int number = 0;
  trine::Queue<Node> children{4};
  trine::LifoQueue<Node> others;
};
static_assert(std::is_default_constructible_v<Node>);

// Errors can be caught as trine::Error and as std::runtime_error.
template <class... E>
constexpr bool are_errors = (std::derived_from<E, trine::Error> && ...) && (std::is_default_constructible_v<E> && ...);
static_assert(std::derived_from<trine::Error, std::runtime_error>);
static_assert(are_errors<trine::NotLocked, trine::NotOwner, trine::OwnerDied, trine::ReleasedTooManyTimes,
                         trine::BrokenBarrier, trine::QueueShutdown, trine::TaskDoneTooOften>);

}  // namespace
