// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <trine/pool/process_crew.hpp>
#include <trine/pool/thread_crew.hpp>
#include <trine/pool/waiting.hpp>

namespace trine {

/// The workers of a pool on backend B.
template <class B>
struct PoolCrew {
  static_assert(
      requires { typename B::Workplace; }, "there are no pools on this backend: use threads, processes or coroutines");
  using type = AwaitedCrew<ThreadCrew<B>>;
};
template <Blocks B>
  requires requires { typename B::Worker; }
struct PoolCrew<B> {
  using type = BlockingCrew<ThreadCrew<B>>;
};
template <Blocks B>
  requires requires { typename B::Nursery; }
struct PoolCrew<B> {
  using type = BlockingCrew<ProcessCrew<B>>;
};

}  // namespace trine
