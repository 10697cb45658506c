// SPDX-License-Identifier: BSL-1.0
//
// Everything that the installed packages allow: between processes with Boost, on Linux; items of any type between them with
// cereal. A program that uses one primitive includes that one's header.
#pragma once

#include <trine/array.hpp>
#include <trine/backend/coroutines.hpp>
#include <trine/backend/model.hpp>
#include <trine/barrier.hpp>
#include <trine/condition.hpp>
#include <trine/coroutine/gather.hpp>
#include <trine/coroutine/when_any.hpp>
#include <trine/event.hpp>
#include <trine/future.hpp>
#include <trine/latch.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/lock.hpp>
#include <trine/pipe.hpp>
#include <trine/pool.hpp>
#include <trine/priority_queue.hpp>
#include <trine/queue.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/select.hpp>
#include <trine/semaphore.hpp>
#include <trine/shared_lock.hpp>
#include <trine/task.hpp>
#include <trine/task_group.hpp>
#include <trine/value.hpp>

#if __has_include(<cereal/cereal.hpp>)
#include <trine/codec.hpp>
#endif
#if defined(__linux__) && __has_include(<boost/interprocess/creation_tags.hpp>)
#include <trine/backend/processes.hpp>
#include <trine/manager.hpp>
#include <trine/process.hpp>
#include <trine/segment_info.hpp>
#include <trine/shared_memory.hpp>
#endif
