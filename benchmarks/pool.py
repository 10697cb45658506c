# Times multiprocessing.Pool for benchmarks/pool.cpp: python3 pool.py WORKERS prints `map NS_PER_ITEM` and `apply NS`.
import multiprocessing
import sys
import time


def twice(number):
    return number * 2


def best(rounds, work, count):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) / count * 1e9)
    return min(times)


if __name__ == "__main__":
    items = range(1_000_000)
    calls = range(2_000)
    with multiprocessing.get_context("fork").Pool(int(sys.argv[1])) as pool:
        pool.apply(twice, (1,))
        print("map", best(3, lambda: pool.map(twice, items), len(items)))
        print("apply", best(3, lambda: [pool.apply(twice, (n,)) for n in calls], len(calls)))
