#!/bin/sh
# Builds the example word_count and counts the words of this project's own text with it.

set -eu
cd "$(dirname -- "$0")/.."
. cmake/packages.sh

need_packages g++ cmake ninja-build

cmake --preset release -B build/demo -DTRINE_TESTS=OFF -DTRINE_BENCHMARKS=OFF
cmake --build build/demo --target word_count
echo
build/demo/word_count --backend threads README.md docs include
