#!/bin/sh
# test.sh PROGRAM
#
# Checks PROGRAM, which is map_reduce, against tr, sort and uniq on the project's own text, and what it does with what it can't
# read or does not understand.

. "$(dirname -- "$0")/../counting.sh"

seq 1 100000 | sed 's/.*/& line/' | tr '\n' ' ' >"$corpus/one line"
# As many different words as make a result of more than a megabyte.
seq 1 200000 | tr '0123456789' 'abcdefghij' >"$corpus/many words"

check_counts "threads portable_threads processes coroutines" "1 2 5"

printf 'b a b c\nA B c\n' >"$folder/text"
for backend in threads portable_threads processes coroutines; do
  run 0 --backend "$backend" --top 2 "$folder/text"
  printf '%10d b\n%10d a\n' 3 2 | cmp - "$folder/out" || fail "the top words on $backend"
  run 1 --backend "$backend" "$folder/missing" "$folder/text"
  says err "$folder/missing: No such file"
  run 0 --backend "$backend" "$corpus/empty"
  says_nothing out
done
run 0 --help
says out '^usage: '
check_wrong_options

[ "$failures" -eq 0 ]
