#!/bin/bash
# updates.sh - steps that add to a file or change it in place
. "$(dirname "$0")/lib.sh"

project updates
cat >gg.models <<'M'
sh add.sh @ --log=@out
	updates {log}
sh fold.sh @
	updates d/
M
echo 'echo "$1" >>"$3"' >add.sh
echo 'mkdir -p d; echo "$1" >"d/$1"; ls d >d/list' >fold.sh
printf 'rm -f log\nfor i in 1 2 3; do sh add.sh $i --log log; done\n' >fresh.sh
printf 'for i in 1 2 3; do sh add.sh $i --log more; done\n' >more.sh

lines() { [ "$(tr '\n' ' ' <"$1")" = "$2" ]; }

check "three steps add to one file, one after another" counts 3 0 0 "$GG" run sh fresh.sh
check "and it has the three lines" lines log "1 2 3 "
check "a script that begins anew is remembered" counts 0 3 0 "$GG" run sh fresh.sh
check "and its file is as it was" lines log "1 2 3 "
check "what it was before is an input" bash -c "'$GG' show log | grep -q '^in thunk .* log$'"
check "a script that goes on from what is there" counts 3 0 0 "$GG" run sh more.sh
check "gives three lines" lines more "1 2 3 "
# Of the chain behind it only the last step is looked at: its result is known.
check "again: three more, as without gg" counts 3 1 0 "$GG" run sh more.sh
check "and they are there" lines more "1 2 3 1 2 3 "
printf 'mine\n' >mine
check "a file of the user's own is added to" counts 1 0 0 "$GG" run sh add.sh 4 --log mine
check "and keeps what it had" lines mine "mine 4 "
rm mine
check "absent: it begins with nothing" "$GG" run sh add.sh 4 --log mine
check "and has the one line" lines mine "4 "

check "a folder that is absent is made" counts 1 0 0 "$GG" run sh fold.sh a
check "and then added to" counts 1 1 0 "$GG" run sh fold.sh b
check "it holds all of it" lines d/list "a b list "
rm -r d && mkdir d && echo x >d/own
check "a folder of the user's own is not taken away" says "gg did not put there" 0 "$GG" run --explain sh fold.sh c
check "the command ran" lines d/list "c list own "
plan
