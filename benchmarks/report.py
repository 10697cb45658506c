#!/usr/bin/env python3
"""Writes the tables and plots of docs/performance.md from what run.py left."""
import argparse
import csv
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
from collections import defaultdict

sys.dont_write_bytecode = True  # leave nothing among the sources

import cases  # noqa: E402
import plots  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Row:
    """What one contender needed in one case, in all rounds."""

    def __init__(self):
        self.times, self.least, self.bytes = [], [], None

    @property
    def median(self):
        return statistics.median(self.times)

    @property
    def quartiles(self):
        if len(self.times) < 3:
            return min(self.times), max(self.times)
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return low, high


class Results:
    """Rows by (program, case) and contender; and how it went."""

    def __init__(self, folder, quietest):
        self.rows = defaultdict(lambda: defaultdict(Row))
        self.skipped = {}
        turns = [json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.json"))]
        by_program = defaultdict(list)
        for turn in turns:
            by_program[turn["program"]].append(turn)
        self.turns = [turn for each in by_program.values()
                      for turn in sorted(each, key=lambda turn: turn["others"])[:quietest or len(each)]]
        self.busy = len(turns) - len(self.turns)
        for turn in self.turns:
            for name, why in turn["skipped"]:
                self.skipped[f"{turn['program']}: {name}"] = why
            for entry in turn["rows"]:
                program = entry.get("program", turn["program"])
                row = self.rows[(cases.ALIASES.get(program, program), entry["case"])][entry["contender"]]
                row.times.append(entry["ns"])
                if "least" in entry:
                    row.least.append(entry["least"])
                row.bytes = entry.get("bytes", row.bytes)

    def time(self, program, case, contender):
        row = self.rows.get((program, case), {}).get(contender)
        return row.median if row else None

    def limit(self, program, case):
        """The least that the machine allows, or None."""
        found = []
        for each in [(program, case), *cases.borrowed_limits(program, case)]:
            found += [row.median for name, row in self.rows.get(each, {}).items()
                      if name.startswith("limit_") or name in ("bare_futex", "fork_waitpid") or (name == "acquire_load" and each == (program, case))]
        for programs, pattern, parts in cases.LIMITS:
            if re.fullmatch(programs, program) and re.search(pattern, case):
                times = [self.time(*part) for part in parts]
                if None not in times:
                    found.append(sum(times))
        return min(found) if found else None


def less(program, case, contender):
    """What a contender does not promise that trine does; empty: nothing of note."""
    said = [what for where, which, who, what in cases.LESS
            if (not where or re.fullmatch(where, program)) and re.search(which, case) and re.fullmatch(who, contender)]
    return "; ".join(said)


def peers_of(program, case, rows):
    """(time, name, what it promises less), the fastest first."""
    return sorted((row.median, name, less(program, case, name)) for name, row in rows.items()
                  if not cases.OURS.match(name) and not cases.REFERENCES.match(name))


def number(value):
    if value is None:
        return "–"
    if value >= 1e5:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def ratio(value, other):
    if not other or value is None:
        return "–"
    part = value / other
    return f"{part:.1g}" if part < 0.01 else f"{part:.2f}" if part < 9.95 else f"{part:,.0f}"


def spread(row):
    if len(row.times) < 3:
        return "–"
    low, high = row.quartiles
    return f"±{(high - low) / 2 / row.median * 100:.0f}%"


def natural(text):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def section_cases(results, programs, pattern):
    """In the order in which programs enrol them, which is that of the first round's first appearance by name."""
    found = [key for key in results.rows if re.search(programs, key[0]) and re.search(pattern, key[1])
             and any(cases.OURS.match(name) for name in results.rows[key])]
    return sorted(found, key=lambda key: (key[0], natural(key[1])))


def case_lines(results, key):
    program, case = key
    rows = results.rows[key]
    limit = results.limit(program, case)
    peers = peers_of(program, case, rows)
    ours = sorted((name for name in rows if cases.OURS.match(name) and not cases.ASIDE.match(name)), key=natural)
    for name in ours:
        row = rows[name]
        label = f"`{case}`" + ("" if name == "trine" else f" {name}")
        best = peers[0] if peers else (None, "–", "")
        note = best[2]
        if note:
            equal = next((peer for peer in peers if not peer[2]), None)
            note = f"{best[1]}: {note}" + (f"; next {equal[1]} {number(equal[0])} ({ratio(row.median, equal[0])})" if equal else "")
        mine = number(row.median)
        if best[0] is not None and row.median <= best[0]:
            mine = f"**{mine}**"
        yield (f"| {label} | {mine} | {spread(row)} | {best[1]} | {number(best[0])} | {ratio(row.median, best[0])} "
               f"| {number(limit)} | {ratio(row.median, limit)} | {note} |")


def section_table(results, keys):
    yield "| case | trine, ns | spread | best peer | ns | trine / peer | limit, ns | trine / limit | what that peer lacks |"
    yield "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |"
    for key in keys:
        yield from case_lines(results, key)


def goal_lines(results):
    yield "| what; beside whom | at most | least and most measured | |"
    yield "| --- | ---: | ---: | --- |"
    for title, program, pattern, ours, others, most in cases.GOALS:
        ratios = []
        for (where, case), rows in results.rows.items():
            if not re.fullmatch(program, where) or not re.search(pattern, case):
                continue
            if others == "limit":
                against = results.limit(program, case)
            else:
                against = min((row.median for name, row in rows.items() if re.fullmatch(others, name)), default=None)
            mine = [(row.median, name) for name, row in rows.items() if re.fullmatch(ours, name) and not cases.ASIDE.match(name)]
            if against and mine:
                ratios += [(time / against, f"{case} {'' if name == 'trine' else name}".strip()) for time, name in mine]
        if not ratios:
            yield f"| {title} | {most} | not measured | |"
            continue
        missed = sorted((each for each in ratios if each[0] > most), reverse=True)
        said = "met" if not missed else f"missed in {len(missed)} of {len(ratios)}: " + ", ".join(f"`{n}` {r:.2f}" for r, n in missed[:4])
        said += ", …" if len(missed) > 4 else ""
        yield f"| {title} | {most} | {min(ratios)[0]:.2f} – {max(ratios)[0]:.2f} | {said} |"


def floor_lines(results):
    yield "| what | ns |"
    yield "| --- | ---: |"
    for name, row in sorted(results.rows.get(("uncontended", "floor"), {}).items(), key=lambda each: each[1].median):
        yield f"| `{name}` | {number(row.median)} |"
    for (program, case), rows in sorted(results.rows.items()):
        for name, row in rows.items():
            if name.startswith("limit_") and program in ("pingpong", "contended"):
                yield f"| `{case}` {name[len('limit_'):]} | {number(row.median)} |"


def size_lines(results):
    sized = {key[1][len("size_of_"):]: rows for key, rows in results.rows.items() if key[1].startswith("size_of_")}
    columns = ["trine", "trine_portable", "trine_shared_memory", "trine_processes", "trine_coroutines"]
    yield "| | threads | portable_threads | shared_memory | processes | coroutines | peers |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for kind, rows in sized.items():
        cells = [f"{rows[each].bytes:.0f}" if each in rows else "–" for each in columns]
        peers = ", ".join(f"{name} {row.bytes:.0f}" for name, row in sorted(rows.items(), key=lambda each: each[1].bytes)
                          if name not in columns)
        yield f"| {kind} | {' | '.join(cells)} | {peers} |"


def compile_lines(results):
    rows = [(key[1][len("compile/"):], name, row.median / 1e9) for key, found in results.rows.items()
            if key[1].startswith("compile/") for name, row in found.items()]
    yield "| header | seconds |"
    yield "| --- | ---: |"
    for header, name, seconds in sorted(rows, key=lambda each: (each[1] == "peer", -each[2])):
        yield f"| `<{header}>` | {seconds:.2f} |"


def cached(path, name):
    match = re.search(rf"^{name}:\w+=(.*)$", pathlib.Path(path).read_text(), re.M) if pathlib.Path(path).exists() else None
    return match[1] if match else ""


def machine():
    model = platform.processor()
    try:
        model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        pass
    virtual = ", virtual" if "hypervisor" in (pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else "") else ""
    return f"{model}, {os.cpu_count()} cores{virtual}; {platform.system()} {platform.release().split('-')[0]}; {' '.join(platform.libc_ver())}"


def head_lines(results, options):
    compiler = cached(options.cache, "CMAKE_CXX_COMPILER") or "c++"
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    version = re.sub(r"^[cg]\+\+|\s+\(.*?\)", lambda found: "g++" if found.start() == 0 else "", said) + " " + cached(options.cache, "CMAKE_CXX_FLAGS_RELEASE")
    rounds = max(sum(1 for turn in results.turns if turn["program"] == name) for name in {t["program"] for t in results.turns})
    long = [turn for turn in results.turns if turn["seconds"] > 0.5] or results.turns
    others = statistics.median(turn["others"] for turn in long)
    worst = max(turn["others"] for turn in long)
    stolen = statistics.median(turn["stolen"] for turn in results.turns)
    dates = sorted({turn["when"][:10] for turn in results.turns})
    minutes = sum(turn["seconds"] for turn in results.turns) / 60
    yield f"- Machine: {machine()}, Python {platform.python_version()}."
    yield f"- Compiler: {version.strip()}."
    yield (f"- {' to '.join(dict.fromkeys((dates[0], dates[-1])))}: up to {rounds} rounds in {minutes:.0f} minutes. Meanwhile other programs "
           f"used {others:.0%} of the machine in the median turn and {worst:.0%} in the worst one; the host took {stolen:.0%}.")
    if results.busy:
        yield (f"- Of more turns those are shown in which others used the machine least; {results.busy} were left out, "
               "whatever they said.")
    if any(turn.get("nice", 0) < 0 for turn in results.turns):
        yield "- Measured at a raised priority, since the machine was not free."
    if others > 0.1:
        yield "- **The machine was busy**: figures with several threads are worth little."


def left_out_lines(results):
    here = {name for rows in results.rows.values() for name in rows}
    for what, sign in [("Abseil", "absl"), ("TBB", "tbb"), ("nsync", "nsync"), ("moodycamel's queues", "moodycamel"),
                       ("Boost.Fiber", "fiber"), ("Boost.Lockfree", "boost_lockfree"), ("Boost.Interprocess", "interprocess|message_queue"),
                       ("Boost.Asio", "asio_"), ("rigtorp's queues (--peers)", "rigtorp"), ("atomic_queue (--peers)", "atomic_queue"),
                       ("TooManyCooks (--peers)", "toomanycooks"), ("cppcoro (--peers)", "cppcoro"),
                       ("libcoro (--peers)", "libcoro"), ("folly (--peers)", "folly"), ("Python", "python")]:
        if not any(re.search(sign, name) for name in here):
            yield f"- {what}: not found when this was built."
    for name, why in sorted(results.skipped.items()):
        yield f"- `{name}`: {why}"
    few = [f"`{case}/{name}`" for (program, case), rows in results.rows.items() for name, row in rows.items()
           if program not in ("sizes", "compile", "pool", "multiprocessing", "python") and len(row.times) < 3 and not name.startswith("python")]
    if few:
        yield f"- Fewer than three measurements: {len(few)} rows" + (": " + ", ".join(few[:8]) + (", …" if len(few) > 8 else "") + "." )


def draw(results, out):
    """The plots; returns which there are."""
    drawn = []
    for name, title, programs, pattern, _ in cases.SECTIONS:
        keys = section_cases(results, programs, pattern)
        if not keys:
            continue
        lines = []
        for program, case in keys:
            points = [(contender, "ours" if cases.OURS.match(contender) and not cases.ASIDE.match(contender) else
                       "aside" if cases.ASIDE.match(contender) else "less" if less(program, case, contender) else "peer", row.median)
                      for contender, row in results.rows[(program, case)].items()
                      if not cases.REFERENCES.match(contender)]
            limit = results.limit(program, case)
            lines.append((case, points + ([("the machine's limit", "limit", limit)] if limit else [])))
        (out / f"{name}.svg").write_text(plots.dots(title, lines))
        drawn.append(name)
    overview = []
    for name, title, programs, pattern, _ in cases.SECTIONS:
        for program, case in section_cases(results, programs, pattern):
            rows = results.rows[(program, case)]
            peers = peers_of(program, case, rows)
            ours = [row.median for contender, row in rows.items() if cases.OURS.match(contender) and not cases.ASIDE.match(contender)]
            if peers and ours:
                best = next((peer for peer in peers if not peer[2]), peers[0])
                lesser = (min(ours) / peers[0][0], peers[0][1]) if peers[0] is not best else None
                overview.append((title, case, min(ours) / best[0], best[1], lesser))
    (out / "overview.svg").write_text(plots.ratios("trine's time, as a multiple of that of the best peer which promises as much", overview))
    return drawn


def write_csv(results, path):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["program", "case", "contender", "median_ns", "lower_quartile_ns", "upper_quartile_ns", "rounds", "limit_ns", "least"])
        for (program, case), rows in sorted(results.rows.items()):
            if program == "sizes":
                continue
            limit = results.limit(program, case)
            for name, row in sorted(rows.items()):
                low, high = row.quartiles
                writer.writerow([program, case, name, f"{row.median:.4g}", f"{low:.4g}", f"{high:.4g}", len(row.times),
                                 f"{limit:.4g}" if limit else "", f"{statistics.median(row.least):.2f}" if row.least else ""])


def put_between(text, name, lines):
    """The text with what is between the markers of that name replaced."""
    begin, end = f"<!-- {name}: written by cmake/bench.sh -->", f"<!-- end of {name} -->"
    if begin not in text:
        raise SystemExit(f"docs/performance.md lacks the marker {begin}")
    head, rest = text.split(begin, 1)
    return head + begin + "\n\n" + "\n".join(lines).strip() + "\n\n" + end + rest.split(end, 1)[1]


def section_lines(results, drawn):
    for name, title, programs, pattern, words in cases.SECTIONS:
        keys = section_cases(results, programs, pattern)
        if not keys:
            continue
        yield from ("", f"### {title}", "")
        if words:
            yield from (words, "")
        if name in drawn:
            yield from (f"![{title}](performance/{name}.svg)", "")
        yield from section_table(results, keys)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default="build/bench/results")
    parser.add_argument("--cache", default="build/bench/CMakeCache.txt", help="of the build that was measured")
    parser.add_argument("--quietest", type=int, default=0,
                        help="of each program's turns, use so many in which others used the least of the machine; all")
    parser.add_argument("--page", default=str(ROOT / "docs/performance.md"))
    options = parser.parse_args()
    results = Results(options.results, options.quietest)
    if not results.turns:
        raise SystemExit(f"{options.results} has no results: run benchmarks/run.py, or sh cmake/bench.sh")
    page = pathlib.Path(options.page)
    out = page.parent / page.stem
    out.mkdir(exist_ok=True)
    drawn = draw(results, out)
    write_csv(results, out / "results.csv")
    text = page.read_text()
    for name, lines in [("run", head_lines(results, options)), ("goals", goal_lines(results)), ("tables", section_lines(results, drawn)),
                        ("limits", floor_lines(results)), ("sizes", size_lines(results)), ("compile", compile_lines(results)),
                        ("left out", left_out_lines(results))]:
        text = put_between(text, name, list(lines))
    page.write_text(text)
    print(f"{page} and {out} are written")


if __name__ == "__main__":
    main()
