// SPDX-License-Identifier: BSL-1.0
//
// The shape of what is shared by processes: sizes that other programs rely on, and what an object is made from.
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

#include <trine/backend/processes.hpp>
#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/event.hpp>
#include <trine/latch.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/lock.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>

namespace {

using M = trine::shared_memory;
using P = trine::processes;
using namespace std::chrono_literals;

static_assert(trine::Backend<P> && trine::Backend<M>);

// An object in shared memory is its state, without anything of one process: it is not destroyed, but forgotten.
static_assert(sizeof(trine::Event<M>) == 4 && sizeof(trine::Latch<M>) == 4);
static_assert(sizeof(trine::Condition<M>) == 8);
static_assert(sizeof(trine::Lock<M>) == 40);  // a mutex of the C library, as the system knows it
static_assert(sizeof(trine::RecursiveLock<M>) == 48);
// A place for each of so many readers, parties and permits.
static_assert(sizeof(trine::SharedLock<M>) <= 128 * 48 + 64);
static_assert(sizeof(trine::Barrier<M>) <= 128 * 48 + 96);
static_assert(sizeof(trine::Semaphore<M>) <= 127 * 48 + 96);
static_assert(sizeof(trine::Queue<int, M, 8>) == 256 && sizeof(trine::LifoQueue<int, M, 8>) == 256);
static_assert(sizeof(trine::PriorityQueue<int, M, std::less<int>, 8>) == 320);

template <class... T>
constexpr bool are_their_state = ((std::is_trivially_destructible_v<T> && std::is_standard_layout_v<T>)&&...);
static_assert(are_their_state<trine::Event<M>, trine::Lock<M>, trine::RecursiveLock<M>, trine::SharedLock<M>,
                              trine::Condition<M>, trine::Semaphore<M>, trine::Latch<M>, trine::Queue<int, M, 8>,
                              trine::LifoQueue<int, M, 8>, trine::PriorityQueue<int, M, std::less<int>, 8>>);
static_assert(std::is_trivially_destructible_v<trine::Barrier<M>>);

// There is nothing to keep a function in, nor a token.
static_assert(std::constructible_from<trine::Barrier<M>, int, std::chrono::milliseconds>);
static_assert(!std::constructible_from<trine::Barrier<M>, int, void (*)()>);
static_assert(!std::constructible_from<trine::Barrier<M>, int, std::function<void()>, trine::Until>);
static_assert(std::constructible_from<trine::Barrier<P>, int, void (*)()>);
static_assert(std::constructible_from<trine::Barrier<P>, int, std::function<void()>, trine::Until>);
static_assert(requires(trine::Barrier<M> & barrier) {
  {
    barrier.wait([] {})
    } -> std::same_as<std::ptrdiff_t>;
  {
    barrier.wait([] {}, 200ms)
    } -> std::same_as<std::ptrdiff_t>;
});

// Nothing that others wait on moves, also where the object has its state elsewhere.
template <class T>
constexpr bool stays = !std::is_copy_constructible_v<T> && !std::is_move_constructible_v<T> &&
                       !std::is_copy_assignable_v<T> && !std::is_move_assignable_v<T>;
static_assert(stays<trine::Event<P>> && stays<trine::Lock<P>> && stays<trine::Semaphore<P>> && stays<trine::Barrier<P>> &&
              stays<trine::Queue<int, P>> && stays<trine::Event<M>> && stays<trine::Queue<int, M, 8>>);

// That a permit knows whose it is takes nothing from how many there can be.
static_assert(trine::Semaphore<P>::largest == trine::Semaphore<>::largest);
static_assert(trine::Semaphore<P>::largest == trine::Semaphore<M>::largest);

// They are waited for together, and with threads.
static_assert(requires(trine::Event<P>& one, trine::Latch<M>& two, trine::Semaphore<>& three) {
  trine::select(one.wait_op(), two.wait_op(), three.acquire_op(), 1ms);
});

}  // namespace
