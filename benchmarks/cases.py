"""What report.py knows of the cases: their names and order, the machine's limits, who promises less, and what trine aims at."""
import re

# Of the contenders that are not trine: what they do not promise, which trine does. (program, "": any; case, contender):
# expressions.
LESS = [
    ("", "", r"tbb_spin_mutex", "never sleeps"),
    ("", "", r"absl_notification", "is set once"),
    ("", "", r"folly_baton", "one waiter, set once between two clears"),
    ("uncontended|pingpong", r"^(set_clear|wait_when_set|event_round_trip|wake_eight)", r"std_condition|std_atomic|absl_condition|nsync_cv|folly_saturating_semaphore",
     "a waiter may miss a set that is soon cleared"),
    ("uncontended|alone|contended|pingpong", r"acquire_release|^semaphore_", r"moodycamel|folly_lifo_sem|std_.*semaphore", "no maximum that is kept"),
    ("", "", r"folly_distributed_mutex", "its unlock() wants what its lock() said"),
    ("", r"^queue_|^alone_queue", r"folly_umpmc", "no capacity"),
    ("", r"^queue_|^alone_queue", r"folly_dmpmc", "a capacity that may be exceeded"),
    ("", r"^queue_", r"folly_dspsc", "one producer, one consumer, a capacity that may be exceeded"),
    ("", r"^queue_|^alone_queue", r"moodycamel", "no capacity, no order among producers"),
    ("", r"^queue_", r"moodycamel_circular_buffer|boost_lockfree_spsc|rigtorp_spsc", "one producer, one consumer"),
    ("contended", "", r"boost_lockfree_.*|rigtorp_.*|atomic_queue", "can't block"),
    ("", r"^queue_", r"pipe", "holds 64 KiB, not a number of items"),
    ("", r"^queue_", r"posix_mq", "ten messages"),
    ("", r"^queue_", r"python_simple_queue", "no capacity"),
    ("processes", "", r"pthread_shared", "a death inside locks for ever"),
    ("processes", "", r"sem_t|interprocess_semaphore|python_semaphore", "a permit dies with its holder"),
    ("processes", "", r"pthread_cond|interprocess_condition|robust_mutex_2cv|message_queue|python_(queue|event|multiprocessing)", "not repaired after a death inside"),
    ("coroutines", r"round_trip|wakes_1000", r"cppcoro|libcoro", "runs the woken inside of the waker's call"),
    ("processes", r"^queue_", r"boost_lockfree_.*|rigtorp_.*|atomic_queue|.*spsc.*", "can't block"),
]
# Not peers: references, and trine's own that are shown for comparison.
ALIASES = {"coroutine_peers": "coroutines", "coroutine_threads": "coroutines"}  # programs whose rows belong to another one's
REFERENCES = re.compile(r"^(limit_.*|acquire_load|bare_futex|fork_waitpid|plain_futex|one_rmw|two_rmw)$")
OURS = re.compile(r"^trine")
ASIDE = re.compile(r"^trine_portable")  # in the plots and in results.csv alone

TWO_RMW = (("uncontended", "floor", "two_rmw"),)
ONE_RMW = (("uncontended", "floor", "one_rmw"),)
LOAD = (("uncontended", "floor", "acquire_load"),)
RESUME = ("uncontended", "floor", "coroutine_resume")
CREATE = (("uncontended", "floor", "coroutine_create"),)


def copies(size):
    return (("uncontended", "floor", f"copy_{size}"),) * 2


# (program, case) -> the rows whose sum is the limit. Besides, a row limit_* in the case itself is one; the least of all is taken.
LIMITS = [
    (r"uncontended|alone|processes", r"^(alone_)?(lock_unlock|acquire_release)$|^(recursive_outer|shared_\w+|lock_count_unlock|short_lock|permit)$",
     TWO_RMW),
    (r"uncontended|processes", r"^(wait_when_set|notify_nobody|queue_try_get_empty|recursive_inner)$", LOAD),
    (r"uncontended", r"^(set_clear|count_down_try_wait|barrier_of_one)$", ONE_RMW),
    (r"uncontended|processes|alone", r"^(alone_)?queue_8(_bounded|_unbounded)?$", TWO_RMW),
    (r"uncontended|processes", r"^queue_256(_bounded|_unbounded)?$", TWO_RMW + copies(256)),
    (r"uncontended|processes", r"^queue_4096(_bounded|_unbounded)?$", TWO_RMW + copies(4096)),
    (r"coroutines", r"^coroutine_(semaphore|event)_round_trip$", (RESUME, RESUME)),
    (r"coroutines", r"^coroutine_(hop|event_wakes_1000)$", (RESUME,)),
    (r"coroutines", r"^coroutine_(await_task|spawn_1000_and_join)$", CREATE),
]


def borrowed_limits(program, case):
    """Cases whose limit_* rows bound this one as well."""
    match = re.match(r"^(\w+_round_trip|round_trip)/(\w+)$", case)
    if match and program != "coroutines":
        yield "pingpong", f"event_round_trip/{match[2]}"
    match = re.match(r"^(semaphore|shared_read|lock_by)_(\d+)$", case)
    if match:
        yield "contended", f"lock_{match[2]}"
    match = re.match(r"^queue_(\d+)_(\d+)to(\d+)$", case)
    if match:
        yield "contended", f"queue_{match[1]}_1to1"


SECTIONS = [
    ("uncontended", "Nobody waits, one thread", r"^(uncontended|alone)$", r"^(?!floor)",
     "The fast path of each operation. `alone_` is a process that never had a second thread; in all others one sleeps."),
    ("contended", "Several threads want the same object", r"^contended$", r"^(?!queue)",
     "Threads on all cores by turns; one operation is a turn of one of them."),
    ("round_trips", "Threads wait for each other", r"^pingpong$", r"",
     "There and back (a barrier: one generation; `wake_eight`: all eight woken, and back). The limit is the better of sleeping at "
     "once and never sleeping, in that placement."),
    ("queues", "Queues between threads", r"^contended$", r"^queue",
     "One item of so many bytes, from so many producers to as many consumers. The limit is a bare ring from one thread to one."),
    ("processes", "Between processes", r"^processes$", r"",
     "trine's are crash-safe here: a process may be killed anywhere, and the others go on."),
    ("coroutines", "Coroutines", r"^coroutines$", r"", "On one thread, unless the case says otherwise."),
    ("multiprocessing", "Pools, processes, managers", r"^(pool|multiprocessing)$", r"", "A pool has two workers."),
    ("watch", "Waiting in event loops of others", r"^watch$", r"", ""),
]

NOT_BLOCKING = r"boost_lockfree_.*|rigtorp_.*|atomic_queue|tbb_spin_mutex"
ROUND_TRIPS = r"^(event|semaphore|condition|queue)_round_trip/"
# What is compared: title, program, cases, ours, whom with (or "limit"), at most.
GOALS = [
    ("lock and unlock, nobody waits; std::mutex", "uncontended", r"^lock_unlock$", r"trine", r"std_mutex", 0.92),
    ("the same in a process with one thread; std::mutex", "alone", r"^alone_lock_unlock$", r"trine", r"std_mutex", 1.0),
    ("the same between processes, crash-safe; pthread's robust mutex, Boost.Interprocess's", "processes", r"^lock_unlock$", r"trine_.*", r"pthread_robust|interprocess_mutex", 0.80),
    ("two threads want a lock; std::mutex, absl::Mutex, folly::SharedMutex", "contended", r"^lock_2$", r"trine", r"std_mutex|absl_mutex|folly_shared_mutex", 0.8),
    ("two processes want a lock; pthread's robust mutex", "processes", r"^lock_by_2$", r"trine_.*", r"pthread_robust", 1.0),
    ("round trips between threads, in each placement; the limit", "pingpong", ROUND_TRIPS, r"trine", "limit", 1.5),
    ("round trips between processes, in each placement; the limit", "processes", r"^round_trip/", r"trine_.*", "limit", 1.5),
    ("barrier of two; std::barrier", "pingpong", r"^barrier_of_two/(one_core|two_cores)$", r"trine", r"std_barrier", 0.8),
    ("queue of threads, one to one, 8 and 256 bytes; all that block a thread", "contended", r"^queue_(8|256)_1to1$", r"trine",
     rf"(?!{NOT_BLOCKING})(?!limit|trine|python|fiber).*", 0.8),
    ("queue of threads, two to two, 8 and 256 bytes; all that block a thread", "contended", r"^queue_(8|256)_2to2$", r"trine",
     rf"(?!{NOT_BLOCKING})(?!limit|trine|python|fiber).*", 1.0),
    ("queue between processes, one to one and two to two; all that block", "processes", r"^queue_(8|256)_(1to1|2to2)$", r"trine_.*",
     r"robust_mutex_2cv|message_queue|pipe|posix_mq", 0.25),
    ("coroutines; TooManyCooks, cppcoro, libcoro", "coroutines", r"", r"trine.*", r"(?i).*(toomanycooks|cppcoro|libcoro).*", 1.0),
    ("coroutines; Boost.Asio's channels", "coroutines", r"", r"trine.*", r"asio.*", 0.1),
    ("map of a pool of processes; Python's", "pool|multiprocessing", r"^pool_map$", r"trine_processes", r"python", 0.2),
]
