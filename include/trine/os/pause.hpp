// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace trine::os {

/// Tells the processor that the caller spins, for a few dozen cycles.
inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield");
#endif
}

}  // namespace trine::os
