// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace trine::os {

/// Whether the program is built to watch each piece of memory from its allocation to its end: then none is kept for later.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool memory_is_checked = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool memory_is_checked = true;
#else
inline constexpr bool memory_is_checked = false;
#endif
#else
inline constexpr bool memory_is_checked = false;
#endif

}  // namespace trine::os
