#!/bin/sh
# bench.sh [--quick] [--peers DIR] [--rounds N] [--no-install] [--report]
#
# Builds the benchmarks in build/bench, runs trine and its peers on the same work, interleaved, and writes what came out into
# docs/performance.md and docs/performance/. It takes about a quarter of an hour on two cores, and needs the machine for itself.
#
# --quick       in about three minutes: fewer repetitions, and less of what takes long
# --peers DIR   a folder with a folder for each further peer, which are measured as well: see benchmarks/README.md
# --rounds N    how often each row is measured
# --no-install  measure what is installed
# --report      measure nothing: write the tables and plots of the last run again

set -eu
cd "$(dirname -- "$0")/.."
. cmake/packages.sh

usage() {
  sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

quick='' peers='' rounds='' install=yes measure=yes
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) quick=--quick ;;
    --peers)
      [ $# -gt 1 ] || usage
      peers=$(cd "$2" && pwd)
      shift
      ;;
    --rounds)
      [ $# -gt 1 ] || usage
      rounds=$2
      shift
      ;;
    --no-install) install=no ;;
    --report) measure=no ;;
    *) usage ;;
  esac
  shift
done

results=build/bench/results
if [ "$measure" = yes ]; then
  if [ "$install" = yes ]; then
    need_packages g++ cmake ninja-build python3 libbenchmark-dev libboost1.81-dev libboost-fiber1.81-dev libcereal-dev \
      libabsl-dev libtbb-dev libnsync-dev libconcurrentqueue-dev libreaderwriterqueue-dev
  fi
  cmake --preset release -B build/bench -DTRINE_TESTS=OFF -DTRINE_EXAMPLES=OFF -DTRINE_PEERS="$peers"
  cmake --build build/bench --target benchmarks
  rm -rf "$results"
  if [ -n "$quick" ]; then
    python3 benchmarks/run.py --out "$results" --rounds "${rounds:-2}" --min-time 0.01 --budget 120 --quick
  else
    python3 benchmarks/run.py --out "$results" --rounds "${rounds:-7}" --budget 660
  fi
fi
python3 benchmarks/report.py --results "$results" --cache build/bench/CMakeCache.txt
