#!/usr/bin/env python3
"""Runs the benchmark programs of a build in rounds, and leaves what they say in a folder for report.py.

A round is each program once, in a random order, its rows in a random order too; so whatever disturbs the machine for a while is
spread over all rows, and the medians over the rounds are what report.py shows. Called again with the same folder, it adds rounds.
"""
import argparse
import json
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
FEW_ROUNDS = {"pool": 3, "multiprocessing": 3, "python": 3, "compile": 2, "sizes": 1}
NO_PEERS = {"model", "watch"}
LONGEST = 240  # seconds for a program's turn


def cpu_times():
    """Seconds of all processors since the start of the machine: busy, taken by the host."""
    try:
        fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    except OSError:
        return 0.0, 0.0
    tick = os.sysconf("SC_CLK_TCK")
    return (sum(fields[:3]) + sum(fields[5:7])) / tick, fields[7] / tick


def own_times():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    return children.ru_utime + children.ru_stime + own.ru_utime + own.ru_stime


class Load:
    """What share of the machine others had meanwhile, and the host took away."""

    def __enter__(self):
        self.began = time.monotonic(), cpu_times(), own_times()
        return self

    def __exit__(self, *_):
        began, (busy, stolen), own = self.began
        self.seconds = time.monotonic() - began
        room = max(self.seconds, 1e-9) * (os.cpu_count() or 1)
        now_busy, now_stolen = cpu_times()
        self.others = max(0.0, (now_busy - busy) - (own_times() - own)) / room
        self.stolen = max(0.0, now_stolen - stolen) / room


class Progress:
    """One line at the bottom of a terminal; without a terminal, a line for each step."""

    def __init__(self, steps):
        self.steps, self.done, self.began = steps, 0, time.monotonic()

    def show(self, text):
        spent = time.monotonic() - self.began
        left = spent / self.done * (self.steps - self.done) if self.done else None
        ahead = "" if left is None else f", about {minutes(left)} left"
        line = f"[{self.done + 1}/{self.steps}] {text} ({minutes(spent)}{ahead})"
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K" + line)
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def step(self):
        self.done += 1

    def end(self):
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")


def minutes(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def compile_times(options):
    """Rows of how long the compiler takes for a file that includes one header and nothing else."""
    root = HERE.parent
    parts = re.findall(r"#include <(trine/\w+\.hpp)>", (root / "include/trine/trine.hpp").read_text())
    headers = ["trine/trine.hpp", *parts, *(f"trine/{each}.hpp" for each in ("process", "manager", "shared_memory", "watch"))]
    headers = [each for each in dict.fromkeys(headers) if (root / "include" / each).exists()]
    if options.quick:
        headers = [each for each in headers if each in ("trine/trine.hpp", "trine/event.hpp", "trine/queue.hpp")]
    peers = ["mutex", "condition_variable", "semaphore", "barrier", "atomic", "thread", "future", "boost/asio.hpp",
             "boost/interprocess/ipc/message_queue.hpp", "absl/synchronization/mutex.h", "tbb/concurrent_queue.h",
             "concurrentqueue/moodycamel/blockingconcurrentqueue.h", "concurrentqueue/blockingconcurrentqueue.h"]
    rows = []
    # Code is generated as well: a header's inline variables and templates that it instantiates itself.
    command = [options.compiler, "-std=c++20", "-O2", "-I", str(root / "include"), "-x", "c++", "-", "-c", "-o", os.devnull]
    for contender, names in (("trine", headers), ("peer", peers)):
        for header in names:
            began = time.perf_counter()
            done = subprocess.run(command, input=f"#include <{header}>\n", text=True, capture_output=True)
            if done.returncode == 0:
                rows.append({"case": "compile/" + header, "contender": contender, "ns": (time.perf_counter() - began) * 1e9})
    return rows


def python_rows(options):
    command = [sys.executable, str(HERE / "python_peers.py")] + (["--quick"] if options.quick else [])
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
    return [json.loads(line) for line in done.stdout.splitlines()]


def google_rows(program, options):
    """The rows of a program of Google Benchmark, and what was left out, with the reason."""
    command = [str(program.resolve()), "--benchmark_format=json", f"--benchmark_min_time={options.min_time}",
               "--benchmark_enable_random_interleaving=true", f"--benchmark_filter={options.filter}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, cwd=options.build)
    text = done.stdout
    if not text.strip():
        if "Failed to match" in done.stderr:
            return [], []
        raise RuntimeError(done.stderr.strip().split("\n")[-1] or f"exit status {done.returncode}")
    rows, skipped = [], []
    for row in json.loads(text)["benchmarks"]:
        name = re.sub(r"/(manual_time|real_time|process_time|iterations:\d+|repeats:\d+|threads:1)", "", row["name"])
        case, _, contender = name.rpartition("/")
        if row.get("error_occurred"):
            skipped.append((name, row.get("error_message", "")))
            continue
        unit = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[row["time_unit"]]
        entry = {"case": case, "contender": contender, "ns": row["real_time"] * unit}
        for counter in ("bytes", "least"):
            if counter in row:
                entry[counter] = row[counter]
        rows.append(entry)
    return rows, skipped


def measure(program, options):
    if program == "compile":
        return compile_times(options), []
    if program == "python":
        return python_rows(options), []
    return google_rows(pathlib.Path(options.build) / "benchmarks" / f"bench_{program}", options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/bench", help="the folder that was built in")
    parser.add_argument("--out", default="build/bench/results")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--min-time", type=float, default=0.06, help="seconds for each row in each round")
    parser.add_argument("--budget", type=float, default=720, help="seconds; no program is begun after them")
    parser.add_argument("--programs", default="", help="a list with commas; all")
    parser.add_argument("--filter", default="all", help="rows whose name matches, as in Google Benchmark")
    parser.add_argument("--compiler", default=os.environ.get("CXX", "c++"))
    parser.add_argument("--quick", action="store_true", help="less of what takes long")
    options = parser.parse_args()

    built = sorted(each.name[len("bench_"):] for each in (pathlib.Path(options.build) / "benchmarks").glob("bench_*")
                   if os.access(each, os.X_OK) and each.is_file() and each.name[len("bench_"):] not in NO_PEERS)
    programs = options.programs.split(",") if options.programs else built + ["python", "compile"]
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    first = 1 + max((int(each.name.split("-")[0]) for each in out.glob("*-*.json")), default=-1)
    random.seed()
    plan = []
    for number in range(options.rounds):
        turn = [each for each in programs if number < FEW_ROUNDS.get(each, options.rounds)]
        random.shuffle(turn)
        plan += [(number, each) for each in turn]

    progress = Progress(len(plan))
    for index, (number, program) in enumerate(plan):
        if time.monotonic() - progress.began > options.budget:
            left = sorted({f"{each} ({sum(1 for _, other in plan[index:] if other == each)})" for _, each in plan[index:]})
            print("The time is over. Left out, with how many turns: " + ", ".join(left))
            break
        progress.show(f"round {number + 1}: {program}")
        rows, skipped = [], []
        with Load() as load:
            try:
                rows, skipped = measure(program, options)
            except subprocess.TimeoutExpired:
                skipped = [(program, f"took more than {LONGEST} s")]
            except (RuntimeError, ValueError, OSError) as error:
                skipped = [(program, str(error))]
        record = {"program": program, "when": time.strftime("%Y-%m-%d %H:%M"), "seconds": load.seconds,
                  "others": load.others, "stolen": load.stolen, "load": os.getloadavg()[0], "nice": os.nice(0), "rows": rows, "skipped": skipped}
        (out / f"{first + index:04}-{program}.json").write_text(json.dumps(record))
        progress.step()
    progress.end()


if __name__ == "__main__":
    main()
