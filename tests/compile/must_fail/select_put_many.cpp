// expect: select\(\) takes operations whose giving up has no effect
// SPDX-License-Identifier: BSL-1.0
//
// put_many() may have put a part when it gives up.
#include <trine/event.hpp>
#include <trine/queue.hpp>
#include <trine/select.hpp>

#include <vector>

void use(trine::Event<>& go, trine::Queue<int>& jobs, std::vector<int>& items) {
#if defined(TRINE_CONTROL)
  (void)trine::select(go.wait_op(), jobs.put_op(items.front()));
#else
  (void)trine::select(go.wait_op(), jobs.put_many_op(items));
#endif
}
