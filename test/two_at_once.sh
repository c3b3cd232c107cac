#!/bin/bash
# two_at_once.sh - several gg on one store: each thunk runs once between them
. "$(dirname "$0")/lib.sh"
own_gg

project two
cat >gg.models <<'END'
sh step.sh @in @out
sh held.sh @in @out
END
held=1000.$$
echo "sleep $held || cp \$1 \$2" >held.sh
cat >step.sh <<'END'
sleep 0.1
{ cat "$1"; echo "$2"; } >"$2"
END
for i in $(seq 8); do
	echo "$i" >"in$i"
	echo "sh step.sh in$i a$i; sh step.sh a$i b$i"
done >run.sh

# together N COMMAND...: N of it at once; their summaries are added up.
together()
{
	local n=$1 i pids=

	shift
	for i in $(seq "$n"); do
		"$@" >"$work/at.$i" 2>&1 &
		pids="$pids $!"
	done
	together_rc=0
	for i in $pids; do
		wait "$i" || together_rc=1
	done
	tail -qn 1 "$work"/at.? >"$work/at.all"
	sum=$(awk -F'[ ,]+' '{ n += $2 } END { print n }' "$work/at.all")
	rm -f "$work"/at.?
}

all_there()
{
	local i

	for i in $(seq 8); do
		[ "$(cat "b$i")" = "$(printf '%s\n' "$(cat "in$i")" "a$i" "b$i")" ] || return 1
	done
}

"$GG" infer sh run.sh >/dev/null
together 2 "$GG" force
check "two gg force: both end well" test "$together_rc" = 0
check "and 16 thunks run once between them" test "$sum" = 16
check "all outputs are right" all_there

for i in $(seq 8); do echo "new $i" >"in$i"; done
"$GG" infer sh run.sh >/dev/null
together 3 "$GG" force b1 b2 b3
check "three gg force of the same targets: all end well" test "$together_rc" = 0
check "and 6 thunks run once between them" test "$sum" = 6
"$GG" force >/dev/null 2>&1
check "all outputs are right" all_there

for i in $(seq 8); do echo "newer $i" >"in$i"; done
together 3 "$GG" run sh run.sh
check "three gg run of one script: all end well" test "$together_rc" = 0
check "and 16 thunks run once between them" test "$sum" = 16
check "all outputs are right" all_there

for i in $(seq 8); do echo "newest $i" >"in$i"; done
"$GG" infer sh run.sh >/dev/null
"$GG" force >"$work/first" 2>&1 &
first=$!
until_true 60 eval 'grep -q "\"start\"" .gg/runs/*-$first.jsonl'
"$GG" force >"$work/second" 2>&1 &
second=$!
until_true 60 eval 'test -s .gg/runs/*-$second.jsonl'
kill -9 $first
wait $first 2>/dev/null
check "one is killed: the other takes over what it had claimed" wait $second
check "all outputs are right" all_there

for i in $(seq 8); do echo "last $i" >"in$i"; done
"$GG" infer sh -c '. ./run.sh; sh held.sh in1 h' >/dev/null
"$GG" force >/dev/null 2>&1 &
first=$!
all_sleep $held
check "gg gc waits for nobody: it says that another gg is at work" \
	says "another gg is using" 3 "$GG" gc
wake $held
check "which is not disturbed" wait $first
check "all outputs are right" all_there
check "gg gc has the store for itself then" "$GG" gc
check "every object is right" store_is_right
check "nothing temporary is left" nothing_temporary
check "no process is left" none_left
plan
