#!/bin/sh
# Builds the example word_count and counts the words of this project's own text with it, on each backend.

set -eu
cd "$(dirname -- "$0")/.."
. cmake/packages.sh

need_packages g++ cmake ninja-build libboost1.81-dev libcereal-dev

cmake --preset release -B build/demo -DTRINE_TESTS=OFF -DTRINE_BENCHMARKS=OFF
cmake --build build/demo --target word_count
for backend in threads processes coroutines; do
  echo
  build/demo/word_count --backend "$backend" README.md docs include
done
