// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

#include <trine/backend.hpp>
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
    if (B::claim(owned_, seen, B::holder(), std::memory_order_acquire)) [[likely]]
      return true;
    return lock_slowly();
  }

  void unlock() {
    B::abandon(owned_);
    sleepers_.wake(1);
  }

 private:
  [[gnu::noinline]] bool lock_slowly() {
    Spin<Os> spin;
    bool slept = false;
    bool clean = true;
    for (;;) {
      std::uint32_t seen = owned_.word.load(std::memory_order_relaxed);
      if (owner_word::owner_of(seen) == 0) {
        clean = (seen & owner_word::died) == 0;
        if (B::claim(owned_, seen, B::holder(), std::memory_order_acquire)) break;
      } else if (slept || !spin.again()) {
        B::look_after(owned_);
        const auto sleep = sleepers_.raise();
        if (owner_word::owner_of(owned_.word.load(std::memory_order_relaxed)) == 0) continue;
        typename Os::Limit never{Until()};
        Os::sleep({&sleep, 1}, never);
        slept = true;
      }
    }
    // The wake that came to this one lowered the flag; there may be others.
    if (slept) sleepers_.keep_raised();
    return clean;
  }

  typename B::Owned owned_;
  typename B::Flag sleepers_;
};

}  // namespace trine
