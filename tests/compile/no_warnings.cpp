// SPDX-License-Identifier: BSL-1.0
//
// Every member of every class, instantiated on every backend: with the warnings of the tests none of them has one.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <trine/trine.hpp>

// A class template's members that nobody uses, one and all.
#define TRINE_INSTANTIATE(B)                                                                              \
  template class trine::Event<B>;                                                                         \
  template class trine::Lock<B>;                                                                          \
  template class trine::RecursiveLock<B>;                                                                 \
  template class trine::SharedLock<B>;                                                                    \
  template class trine::Guard<trine::Lock<B>>;                                                            \
  template class trine::Guard<trine::RecursiveLock<B>>;                                                   \
  template class trine::Guard<trine::SharedLock<B>>;                                                      \
  template class trine::Guard<trine::SharedLock<B>, trine::Hold::shared>;                                 \
  template class trine::Condition<B>;                                                                     \
  template class trine::Condition<B>::WaitOperation<trine::Lock<B>>;                                      \
  template class trine::Condition<B>::WaitOperation<trine::RecursiveLock<B>>;                             \
  template class trine::Semaphore<B>;                                                                     \
  template class trine::BoundedSemaphore<B>;                                                              \
  template class trine::Permit<B>;                                                                        \
  template class trine::Barrier<B>;                                                                       \
  template class trine::Latch<B>;                                                                         \
  template class trine::Queue<int, B>;                                                                    \
  template class trine::Queue<std::string, B>;                                                            \
  template class trine::LifoQueue<std::string, B>;                                                        \
  template class trine::PriorityQueue<std::string, B>;                                                    \
  template class trine::PriorityQueue<int, B, std::greater<>>;                                            \
  template class trine::TaskGroup<B>;                                                                     \
  template class trine::Task<void, B>;                                                                    \
  template class trine::Task<int, B>;

TRINE_INSTANTIATE(trine::threads)
TRINE_INSTANTIATE(trine::portable_threads)
template class trine::Selected<bool, std::string, std::unique_ptr<int>>;

namespace {

template <class B>
trine::Task<int, B> doubled(int n) {
  co_return 2 * n;
}

template <class B>
trine::Task<void, B> worker(trine::Event<B>& go, trine::Queue<int, B>& results) {
  co_await go.wait();
  co_await results.put(co_await doubled<B>(21));
}

}  // namespace

// The member templates, and the functions.
template <class B>
void use_templates(trine::Event<B>& go, trine::Queue<std::unique_ptr<int>, B>& owned, trine::Queue<int, B>& numbers,
                   trine::Lock<B>& lock, trine::Condition<B>& changed, trine::Semaphore<B>& slots,
                   trine::Latch<B>& latch) {
  std::vector<int> some{1, 2, 3};
  (void)numbers.put_many(some, std::chrono::milliseconds(1));
  (void)numbers.put_many(std::vector<short>{1, 2});
  for (const int each : numbers) (void)each;
  auto item = std::make_unique<int>(1);
  owned.put(std::move(item));
  auto held = lock.guard();
  (void)changed.wait(held);
  (void)changed.wait(held, [&] { return numbers.empty(); }, std::chrono::milliseconds(1));
  auto done = trine::select(go.wait_op(), numbers.get_op(), slots.permit_op(), latch.wait_op(), lock.guard_op(),
                            numbers.join_op(), numbers.get_many_op(3), std::chrono::seconds(1));
  (void)done.template get<1>();
  trine::TaskGroup<B> group;
  group.spawn(worker<B>, std::ref(go), std::ref(numbers));
  group.join();
  (void)trine::run(doubled<B>(1));
}

template void use_templates(trine::Event<trine::threads>&, trine::Queue<std::unique_ptr<int>, trine::threads>&,
                            trine::Queue<int, trine::threads>&, trine::Lock<trine::threads>&,
                            trine::Condition<trine::threads>&, trine::Semaphore<trine::threads>&,
                            trine::Latch<trine::threads>&);
template void use_templates(trine::Event<trine::portable_threads>&,
                            trine::Queue<std::unique_ptr<int>, trine::portable_threads>&,
                            trine::Queue<int, trine::portable_threads>&, trine::Lock<trine::portable_threads>&,
                            trine::Condition<trine::portable_threads>&, trine::Semaphore<trine::portable_threads>&,
                            trine::Latch<trine::portable_threads>&);
