#!/bin/sh
# test.sh PROGRAM
#
# Checks PROGRAM, which is map_reduce, against tr, sort and uniq on the project's own text, and what it does with what it can't
# read or does not understand.

set -u
program=$1
project=$(cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
LC_ALL=C
export LC_ALL
failures=0

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

corpus=$folder/corpus
mkdir -p "$corpus/deep/er" "$corpus/empty"
for part in include docs examples README.md; do
  if [ -e "$project/$part" ]; then cp -R "$project/$part" "$corpus/"; fi
done
: >"$corpus/empty file"
printf 'no newline at the end' >"$corpus/deep/er/line"
seq 1 100000 | sed 's/.*/& line/' | tr '\n' ' ' >"$corpus/one line"
# As many different words as make a result of more than a megabyte.
seq 1 200000 | tr '0123456789' 'abcdefghij' >"$corpus/many words"
ln -s .. "$corpus/deep/er/circle"

find "$corpus" -type f -exec sh -c 'for file; do cat "$file"; echo; done' sh {} + |
  tr -cs '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | sed '/^$/d' | sort | uniq -c | sed 's/^ *//' >"$folder/expected"
[ -s "$folder/expected" ] || fail "the expected counts are empty"

for backend in threads processes; do
  for workers in 1 2 5; do
    "$program" --totals --backend "$backend" --workers "$workers" "$corpus" >"$folder/printed" || fail "exit code $?"
    cmp "$folder/expected" "$folder/printed" || fail "counts of $workers workers on $backend"
  done
done

# run CODE ARGUMENTS...: the program must exit with that code; what it prints is in $folder/out and $folder/err.
run() {
  expected=$1
  shift
  "$program" "$@" >"$folder/out" 2>"$folder/err"
  code=$?
  [ "$code" -eq "$expected" ] || fail "$*: exit code $code instead of $expected"
}
says() {
  grep -q -e "$2" "$folder/$1" || fail "$1 does not say: $2"
}

printf 'b a b c\nA B c\n' >"$folder/text"
for backend in threads processes; do
  run 0 --backend "$backend" --top 2 "$folder/text"
  printf '%10d b\n%10d a\n' 3 2 | cmp - "$folder/out" || fail "the top words on $backend"
  run 1 --backend "$backend" "$folder/missing" "$folder/text"
  says err "$folder/missing: No such file"
  run 0 --backend "$backend" "$corpus/empty"
  [ ! -s "$folder/out" ] || fail "words in an empty folder on $backend"
done
run 0 --help
says out '^usage: '
run 2 --colour "$folder/text"
says err "'--colour'"
run 2 --backend boats "$folder/text"
says err "'boats'"
for bad in 0 -1 1025 many ''; do
  run 2 --workers "$bad" "$folder/text"
  says err "--workers: '$bad'"
done
run 2 "$folder/text" --top
says err '--top: '
run 2
says err 'no file or folder'

[ "$failures" -eq 0 ]
