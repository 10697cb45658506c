#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
#
# sh cmake/verification.sh BUILD_FOLDER
#
# Runs the model and litmus tests of a build and writes what they checked into docs/verification.md, between its two markers.

set -eu

build=${1:?usage: verification.sh BUILD_FOLDER}
source=$(cd "$(dirname "$0")/.." && pwd)
document=$source/docs/verification.md
begin='<!-- what was checked: begin -->'
end='<!-- what was checked: end -->'

rows=$(mktemp)
section=$(mktemp)
trap 'rm -f "$rows" "$section"' EXIT

for body in "$source"/tests/model/*.cpp "$source"/tests/litmus/*.cpp; do
  program=$(basename "$(dirname "$body")")_$(basename "$body" .cpp)
  [ -x "$build/tests/$program" ] || { echo "$build has no $program: nothing may be missing in the tables" >&2; exit 1; }
done

failed=0
for program in $(find "$build" -type f -perm -u+x \( -name 'model_*' -o -name 'litmus_*' \) | LC_ALL=C sort); do
  echo "$program"
  TRINE_MODEL_TABLE=$rows "$program" > /dev/null || { echo "$program fails" >&2; failed=1; }
done
[ "$failed" = 0 ] || exit 1
[ -s "$rows" ] || { echo "no test of $build has recorded anything" >&2; exit 1; }

# The rows whose verdict (the last column) the pattern $1 fits, under a heading, with a count.
table() {
  chosen=$(grep -E "$1" "$rows" || true)
  [ -n "$chosen" ] || return 0
  printf '### %s: %s\n\n' "$2" "$(printf '%s\n' "$chosen" | wc -l | tr -d ' ')"
  printf '| body | threads | preemptions | executions | states | seconds | verdict |\n'
  printf '| --- | --- | --- | --- | --- | --- | --- |\n'
  printf '%s\n\n' "$chosen"
}

{
  printf '%s\n\n## What was checked\n\n' "$begin"
  printf 'Written by `sh cmake/verification.sh BUILD_FOLDER`. Preemptions: how often a thread that could go on is interrupted, at most.\n\n'
  table '\| (proved|[^|]*not found|[^|]*complete)[^|]* \|$' 'Proofs'
  table '\| caught: [^|]* \|$' 'Mutants that were caught'
  table '\| equivalent: [^|]* \|$' 'Mutants that do no harm'
  table '\| (allowed|forbidden|as expected|ok)[^|]* \|$' 'Litmus tests'
  printf '%s\n' "$end"
} > "$section"

[ -f "$document" ] || printf '# What was verified, and how\n\n%s\n%s\n' "$begin" "$end" > "$document"
grep -qF "$begin" "$document" && grep -qF "$end" "$document" || { echo "$document has no markers" >&2; exit 1; }
awk -v begin="$begin" -v end="$end" -v section="$section" '
  $0 == begin { while ((getline line < section) > 0) print line; inside = 1 }
  !inside { print }
  $0 == end { inside = 0 }
' "$document" > "$rows" && cat "$rows" > "$document"
