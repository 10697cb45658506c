# shellcheck shell=sh
# Sourced by the tests of the programs that count words, with their arguments: makes a corpus in $corpus, which they add to, and
# has the checks that they share.

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

corpus=$folder/corpus
mkdir -p "$corpus/deep/er" "$corpus/empty"
for part in include docs examples README.md; do
  if [ -e "$project/$part" ]; then cp -R "$project/$part" "$corpus/"; fi
done
: >"$corpus/empty file"
printf 'no newline at the end' >"$corpus/deep/er/line"
ln -s .. "$corpus/deep/er/circle"

# check_counts BACKENDS WORKERS: the counts of the corpus, on each backend with each number of workers. What they must find: words
# end where files end.
check_counts() {
  find "$corpus" -type f -exec sh -c 'for file; do cat "$file"; echo; done' sh {} + |
    tr -cs '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | sed '/^$/d' | sort | uniq -c | sed 's/^ *//' >"$folder/expected"
  [ -s "$folder/expected" ] || fail "the expected counts are empty"
  for backend in $1; do
    for workers in $2; do
      "$program" --totals --backend "$backend" --workers "$workers" "$corpus" >"$folder/printed" || fail "exit code $?"
      cmp "$folder/expected" "$folder/printed" || fail "counts of $workers workers on $backend"
    done
  done
}

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

# What the program says to wrong options. $folder/text is there.
check_wrong_options() {
  run 2 --colour "$folder/text"
  says err "'--colour'"
  run 2 --totals=yes "$folder/text"
  says err "'--totals'"
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
}
says_nothing() {
  [ ! -s "$folder/$1" ] || fail "$1 is not empty"
}
