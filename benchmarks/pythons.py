# Times Python's multiprocessing for benchmarks/multiprocessing.cpp: `python3 pythons.py WORKERS` prints lines
# `SHAPE NANOSECONDS`, of one operation as benchmarks/README.md says, the best of some rounds.
import multiprocessing
import sys
import time

forking = multiprocessing.get_context("fork")


def twice(number):
    return number * 2


def nothing():
    pass


def best(rounds, work, count):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) / count * 1e9)
    return min(times)


def start_and_join(count):
    for _ in range(count):
        process = forking.Process(target=nothing)
        process.start()
        process.join()


def set_all(dictionary, count):
    for n in range(count):
        dictionary[n % 100] = n


def get_all(dictionary, count):
    for n in range(count):
        dictionary[n % 100]


if __name__ == "__main__":
    items = range(1_000_000)
    calls = range(2_000)
    print("process_start_join", best(3, lambda: start_and_join(100), 100), flush=True)
    with forking.Pool(int(sys.argv[1])) as pool:
        pool.apply(twice, (1,))
        print("pool_map", best(3, lambda: pool.map(twice, items), len(items)), flush=True)
        print("pool_apply", best(3, lambda: [pool.apply(twice, (n,)) for n in calls], len(calls)), flush=True)
    with forking.Manager() as manager:
        dictionary = manager.dict()
        print("manager_dict_set", best(3, lambda: set_all(dictionary, 3_000), 3_000), flush=True)
        print("manager_dict_get", best(3, lambda: get_all(dictionary, 3_000), 3_000), flush=True)
