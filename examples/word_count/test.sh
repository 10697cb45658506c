#!/bin/sh
# test.sh PROGRAM
#
# Checks PROGRAM, which is word_count, against tr, sort and uniq on the project's own text, and what it does with what it
# can't read or does not understand.

set -u
program=$1
project=$(cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'chmod -R u+rwx "$folder"; rm -rf -- "$folder"' EXIT
LC_ALL=C
export LC_ALL
failures=0

fail() {
  echo "FAILED: $*" >&2
  failures=$((failures + 1))
}

# The letter $2, $1 times.
letters() {
  head -c "$1" /dev/zero | tr '\0' "$2"
}

corpus=$folder/corpus
mkdir -p "$corpus/deep/er" "$corpus/empty"
for part in include docs examples README.md; do
  if [ -e "$project/$part" ]; then cp -R "$project/$part" "$corpus/"; fi
done
cp "$program" "$corpus/binary"
: >"$corpus/empty file"
printf 'no newline at the end' >"$corpus/deep/er/line"
{ letters 3000000 x; printf ' '; letters 262144 y; } >"$corpus/huge words"
{ letters 262140 z; cat "$project/LICENSE"; letters 600000 ' '; printf 'Sch\303\266n'; } >"$corpus/borders"
seq 1 300000 | sed 's/.*/& line/' | tr '\n' ' ' >"$corpus/one line"
ln -s .. "$corpus/deep/er/circle"
ln -s "$corpus/borders" "$corpus/deep/link"

# What it must find: words end where files end.
find "$corpus" -type f -exec sh -c 'for file; do cat "$file"; echo; done' sh {} + |
  tr -cs '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | sed '/^$/d' | sort | uniq -c | sed 's/^ *//' >"$folder/expected"
[ -s "$folder/expected" ] || fail "the expected counts are empty"

for backend in threads portable_threads processes coroutines; do
  for workers in 1 2 7; do
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
says_nothing() {
  [ ! -s "$folder/$1" ] || fail "$1 is not empty"
}

printf 'b a b c\nA B c\n' >"$folder/text"

run 0 --quiet --top 2 "$folder/text"
printf '%10d b\n%10d a\n' 3 2 | cmp - "$folder/out" || fail "the top words"
run 0 --top=0 --workers=3 -- "$folder/text"
says out '^files  *1$'
says out '^words  *7$'
says out '^distinct  *3$'
says out '^throughput .* MB/s'
says out '^backend  *threads$'
says out '^workers  *3$'
says_nothing err
run 0 --help
says out '^usage: '

# What can't be read is named, and the rest is counted.
run 1 --totals "$folder/missing" "$folder/text"
says err "^word_count: $folder/missing: No such file"
says out '^3 b$'
ln -s itself "$folder/itself"
run 1 --totals "$folder/text" "$folder/itself"
says err "$folder/itself: "
says out '^3 b$'
printf 'secret' >"$folder/closed"
mkdir "$folder/closed folder"
chmod 0 "$folder/closed" "$folder/closed folder"
if [ ! -r "$folder/closed" ]; then
  run 1 --totals "$folder/closed" "$folder/closed folder" "$folder/text"
  says err "$folder/closed: Permission denied"
  says err "$folder/closed folder: Permission denied"
  says out '^3 b$'
fi
if [ -r /proc/self/mem ]; then
  run 1 /proc/self/mem "$folder/text"
  says err '/proc/self/mem: '
  says out '^failures  *1$'
fi

# Nothing to count.
run 0 --totals "$corpus/empty"
says_nothing out
says_nothing err
run 0 "$corpus/empty file"
says out '^words  *0$'

# Wrong options.
run 2 --colour "$folder/text"
says err "'--colour'"
run 2 --quiet=yes "$folder/text"
says err "'--quiet'"
run 2 --backend boats "$folder/text"
says err "--backend: .*'boats'"
for bad in 0 -1 1025 many 3x ''; do
  run 2 --workers "$bad" "$folder/text"
  says err "--workers: '$bad'"
done
run 2 "$folder/text" --top
says err '--top: '
run 2
says err 'no file or folder'
says_nothing out

[ "$failures" -eq 0 ]
