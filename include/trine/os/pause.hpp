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

/// Has the cache line at the address brought here, to be read soon. A hint: the address may be any. Written out, for g++ leaves
/// out a call of a function that does nothing but that; and it knows no word for the second where not every processor has it (one
/// that has not takes it for an instruction that does nothing).
inline void fetch(const void* line) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line);
#endif
}

/// The same to be written soon: then no other core has it.
inline void fetch_to_write(const void* line) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

}  // namespace trine::os
