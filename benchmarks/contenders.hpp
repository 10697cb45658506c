// SPDX-License-Identifier: BSL-1.0
//
// Every measured primitive behind one small interface per kind, and one list of contenders per kind. A new contender is an
// adaptor in the header of its kind, and an entry in that header's list.
#pragma once

#include "contenders/barriers.hpp"
#include "contenders/conditions.hpp"
#include "contenders/events.hpp"
#include "contenders/list.hpp"
#include "contenders/locks.hpp"
#include "contenders/queues.hpp"
#include "contenders/semaphores.hpp"
