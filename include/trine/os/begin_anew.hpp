// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>

namespace trine::os {

/// What a child made by fork() does before it runs a function of its own: it forgets what the thread that forked was doing. Set
/// by those who keep such a thing for each thread.
inline constinit std::atomic<void (*)()> forget_what_the_thread_did{nullptr};

}  // namespace trine::os
