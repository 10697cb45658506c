#!/bin/sh
# test.sh PROGRAM
#
# Checks PROGRAM, which is word_count, against tr, sort and uniq on the project's own text, and what it does with what it
# can't read or does not understand.

. "$(dirname -- "$0")/../counting.sh"

# The letter $2, $1 times.
letters() {
  head -c "$1" /dev/zero | tr '\0' "$2"
}

cp "$program" "$corpus/binary"
{ letters 3000000 x; printf ' '; letters 262144 y; } >"$corpus/huge words"
{ letters 262140 z; cat "$project/LICENSE"; letters 600000 ' '; printf 'Sch\303\266n'; } >"$corpus/borders"
seq 1 300000 | sed 's/.*/& line/' | tr '\n' ' ' >"$corpus/one line"
ln -s "$corpus/borders" "$corpus/deep/link"

check_counts "threads portable_threads processes coroutines" "1 2 7"

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

run 2 --quiet=yes "$folder/text"
says err "'--quiet'"
check_wrong_options

[ "$failures" -eq 0 ]
