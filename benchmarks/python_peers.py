"""Python's own primitives on the shapes of the C++ programs: prints a JSON object for each row. Called by run.py."""
import asyncio
import json
import multiprocessing
import os
import queue
import sys
import threading
import time

SECONDS = 0.04 if "--quick" in sys.argv else 0.1
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def say(program, case, contender, ns):
    print(json.dumps({"program": program, "case": case, "contender": contender, "ns": ns}), flush=True)


def enough(work):
    """Nanoseconds for one of `count` that work(count) does; more and more until that takes long enough."""
    count = 50
    while True:
        began = time.perf_counter()
        work(count)
        spent = time.perf_counter() - began
        if spent >= SECONDS:
            return spent / count * 1e9
        count = int(count * min(20, max(2, 1.3 * SECONDS / max(spent, 1e-6))))


def repeat(step):
    def work(count):
        for _ in range(count):
            step()

    return work


def pin(placement, number):
    if placement != "unpinned":
        os.sched_setaffinity(0, {CORES[0 if placement == "one_core" else number % 2]})


def placements():
    return (["one_core"] if CORES else []) + (["two_cores"] if len(CORES) > 1 else []) + ["unpinned"]


def pair(start, placement, play):
    """What runs play(number, count) in two threads or processes."""

    def one(number, count, ready):
        pin(placement, number)
        ready.wait()
        play(number, count)

    def work(count):
        ready = multiprocessing.Barrier(2) if start is process else threading.Barrier(2)
        team = [start(target=one, args=(number, count, ready)) for number in range(2)]
        for each in team:
            each.start()
        for each in team:
            each.join()

    return enough(work)


process = multiprocessing.get_context("fork").Process if hasattr(os, "fork") else None


def event_game(events):
    def play(number, count):
        for _ in range(count):
            if number == 0:
                events[1].set()
            events[number].wait()
            events[number].clear()
            if number == 1:
                events[0].set()

    return play


def semaphore_game(semaphores):
    def play(number, count):
        for _ in range(count):
            if number == 0:
                semaphores[1].release()
            semaphores[number].acquire()
            if number == 1:
                semaphores[0].release()

    return play


def queue_game(queues):
    def play(number, count):
        for _ in range(count):
            if number == 0:
                queues[1].put(0)
            queues[number].get()
            if number == 1:
                queues[0].put(0)

    return play


def pipe_game(ends):
    def play(number, count):
        for _ in range(count):
            if number == 0:
                ends[0].send_bytes(b"12345678")
            ends[number].recv_bytes()
            if number == 1:
                ends[1].send_bytes(b"12345678")

    return play


def barrier_game(barrier):
    def play(_, count):
        for _ in range(count):
            barrier.wait()

    return play


def moving(items, between):
    def play(number, count):
        for _ in range(count):
            if number == 0:
                between.put(items)
            else:
                between.get()

    return play


def threads():
    lock, semaphore, event = threading.Lock(), threading.Semaphore(1), threading.Event()
    event.set()

    def lock_unlock():
        lock.acquire()
        lock.release()

    def acquire_release():
        semaphore.acquire()
        semaphore.release()

    say("uncontended", "lock_unlock", "python_threading", enough(repeat(lock_unlock)))
    say("uncontended", "acquire_release", "python_threading", enough(repeat(acquire_release)))
    say("uncontended", "wait_when_set", "python_threading", enough(repeat(event.wait)))
    for name, line in (("python_queue", queue.Queue(1024)), ("python_simple_queue", queue.SimpleQueue())):
        def put_get(line=line):
            line.put(b"12345678")
            line.get()

        kind = "bounded" if name == "python_queue" else "unbounded"
        say("uncontended", f"queue_8_{kind}", name, enough(repeat(put_get)))
        say("contended", "queue_8_1to1", name, pair(threading.Thread, "two_cores" if len(CORES) > 1 else "unpinned",
                                                    moving(b"12345678", type(line)(1024) if kind == "bounded" else type(line)())))
    for placement in placements():
        two = lambda kind, *arguments: [kind(*arguments), kind(*arguments)]
        for case, play in (("event_round_trip", event_game(two(threading.Event))),
                           ("semaphore_round_trip", semaphore_game(two(threading.Semaphore, 0))),
                           ("queue_round_trip", queue_game(two(queue.Queue, 1))),
                           ("barrier_of_two", barrier_game(threading.Barrier(2)))):
            say("pingpong", f"{case}/{placement}", "python_threading", pair(threading.Thread, placement, play))


def processes():
    lock, semaphore, event = multiprocessing.Lock(), multiprocessing.Semaphore(1), multiprocessing.Event()
    event.set()

    def lock_unlock():
        lock.acquire()
        lock.release()

    def acquire_release():
        semaphore.acquire()
        semaphore.release()

    say("processes", "lock_unlock", "python_multiprocessing", enough(repeat(lock_unlock)))
    say("processes", "acquire_release", "python_multiprocessing", enough(repeat(acquire_release)))
    say("processes", "wait_when_set", "python_multiprocessing", enough(repeat(event.wait)))
    spread = "two_cores" if len(CORES) > 1 else "unpinned"
    for size in (8, 256):
        say("processes", f"queue_{size}_1to1", "python_queue", pair(process, spread, moving(b"x" * size, multiprocessing.Queue(1024))))
    for placement in placements():
        for name, play in (("python_event", event_game([multiprocessing.Event(), multiprocessing.Event()])),
                           ("python_semaphore", semaphore_game([multiprocessing.Semaphore(0), multiprocessing.Semaphore(0)])),
                           ("python_pipe", pipe_game(multiprocessing.Pipe()))):
            say("processes", f"round_trip/{placement}", name, pair(process, placement, play))


def coroutines():
    def timed(case, work):
        say("coroutines", case, "python_asyncio", enough(lambda count: asyncio.run(work(count))))

    async def lock_unlock(count):
        lock = asyncio.Lock()
        for _ in range(count):
            await lock.acquire()
            lock.release()

    async def hop(count):
        for _ in range(count):
            await asyncio.sleep(0)

    async def semaphore_round_trip(count):
        there, back = asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def other():
            for _ in range(count):
                await there.acquire()
                back.release()

        task = asyncio.create_task(other())
        for _ in range(count):
            there.release()
            await back.acquire()
        await task

    async def between_two(count, room):
        line = asyncio.Queue(room)

        async def consumer():
            for _ in range(count):
                await line.get()

        task = asyncio.create_task(consumer())
        for _ in range(count):
            await line.put(1)
        await task

    async def spawn(count):
        async def nothing():
            pass

        for begin in range(0, count, 1000):
            await asyncio.gather(*(nothing() for _ in range(min(1000, count - begin))))

    timed("coroutine_lock_unlock", lock_unlock)
    timed("coroutine_hop", hop)
    timed("coroutine_semaphore_round_trip", semaphore_round_trip)
    timed("coroutine_queue_between_two_1024", lambda count: between_two(count, 1024))
    timed("coroutine_queue_between_two_1", lambda count: between_two(count, 1))
    timed("coroutine_spawn_1000_and_join", spawn)


if __name__ == "__main__":
    threads()
    if process is not None:
        processes()
    coroutines()
