#!/bin/sh
# test.sh [release|asan|tsan|clang]
#
# Builds everything in build/test, or in build/PRESET, and runs the tests (with a sanitizer: those that run the library).

set -eu
cd "$(dirname -- "$0")/.."
. cmake/packages.sh

preset=${1:-test}
packages='g++ cmake ninja-build libgtest-dev libbenchmark-dev libboost1.81-dev libboost-fiber1.81-dev libcereal-dev
  pkg-config'
case "$preset" in
  test | release | asan | tsan) ;;
  clang) packages="$packages clang-19 libclang-rt-19-dev" ;;
  *)
    echo "usage: $0 [release|asan|tsan|clang]" >&2
    exit 2
    ;;
esac
# shellcheck disable=SC2086  # a list of words
need_packages $packages

processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
jobs=$((2 * (processors > 2 ? processors : 2)))  # a test that needs a whole processor says that it needs two

cmake --preset "$preset"
cmake --build --preset "$preset" --parallel "$processors"
ctest --preset "$preset" --parallel "$jobs"
