// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include <trine/backend.hpp>
#include <trine/sleep.hpp>
#include <trine/spin.hpp>
#include <trine/until.hpp>

namespace trine {

/// A lock for a few instructions, never held while its owner waits, over the words and the owners of a blocking backend B
/// that sleeps by Os. It must outlive the call of unlock(), which is why that can do without a locked instruction: a store,
/// and a look at the flag. And nothing here loads a word that a locked instruction has just written, which would cost nearly
/// as much as another one.
template <class B, class Os>
class ShortLockOver {
 public:
  /// false: it is the caller's all the same, but its last owner died with it and may have left a thing half done.
  [[gnu::always_inline]] bool lock() {
    std::uint32_t seen = 0;
    // Acquire: pairs with the release in unlock; what the last owner did is visible to this one.
    if (B::claim(owned_, seen, B::holder(), std::memory_order_acquire)) [[likely]] return true;
    bool clean = true;
    lock_slowly(Until::forever(), false, clean);
    return clean;
  }

  void unlock() {
    B::abandon(owned_);
    sleepers_.wake(1);
  }

  /// As lock(), for an operation. `clean`: what lock() says. `slept`: it has slept where sleep() said.
  [[gnu::always_inline]] bool lock_now(bool& clean, bool /*slept*/) {
    clean = lock();
    return true;
  }

  /// Whether its owner has died with it, and nobody has taken it since.
  static constexpr bool lost() noexcept { return false; }

  /// Where to sleep for it; needless: it is free by now.
  Sleep<typename B::Word> sleep() {
    B::look_after(owned_);
    const auto sleep = sleepers_.raise();
    if (owner_word::owner_of(owned_.word.load(std::memory_order_relaxed)) == 0) return {};
    return sleep;
  }

 protected:
  // false: the limit came first. `slept`: the caller has slept for it.
  [[gnu::noinline]] bool lock_slowly(const Until& until, bool slept, bool& clean) {
    typename Os::Limit limit(until);
    Spin<Os> spin;
    for (;;) {
      std::uint32_t seen = owned_.word.load(std::memory_order_relaxed);
      if (owner_word::owner_of(seen) == 0) {
        clean = (seen & owner_word::died) == 0;
        if (B::claim(owned_, seen, B::holder(), std::memory_order_acquire)) break;
      } else if (slept || !spin.again()) {
        if (limit.passed()) return false;
        const auto sleep = this->sleep();
        if (sleep.needless()) continue;
        Os::sleep({&sleep, 1}, limit);
        slept = true;
      }
    }
    // The wake that came to this one lowered the flag; there may be others.
    if (slept) sleepers_.keep_raised();
    return true;
  }

  typename B::Owned owned_;
  typename B::Flag sleepers_;
};

/// The same where an owner may be stopped for long, or a process that another knows nothing of: an operation does not wait for it
/// for ever, but sleeps for it as for anything else, and so keeps its own limit.
template <class B, class Os>
class ShortLockWithLimits : public ShortLockOver<B, Os> {
 public:
  /// false: somebody has it, and seems to keep it: it was not to be had for much longer than anyone holds it who runs.
  [[gnu::always_inline]] bool lock_now(bool& clean, bool slept) {
    std::uint32_t seen = 0;
    clean = true;
    if (!slept && B::claim(this->owned_, seen, B::holder(), std::memory_order_acquire)) [[likely]] return true;
    return this->lock_slowly(std::chrono::milliseconds(100), slept, clean);
  }

  // Relaxed: who hears that takes the lock before it looks at what was guarded.
  [[nodiscard]] bool lost() {
    B::look_after(this->owned_);
    return (this->owned_.word.load(std::memory_order_relaxed) & owner_word::died) != 0;
  }
};

}  // namespace trine
