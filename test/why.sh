#!/bin/bash
# why.sh - gg why, both ways: why a step ran again, and why one does not run
. "$(dirname "$0")/lib.sh"
unset GG_ENGINE GG_REMOTE

project why
cat >gg.models <<'END'
sh step.sh @in @out
sh join.sh @out @in...
sh bad.sh @in @out
sh big.sh @in @out
	cpus	64
	gpus	2
END
echo 'cat $1 >$2; echo $1 >>$2' >step.sh
echo 'o=$1; shift; cat "$@" >$o' >join.sh
printf "echo; echo \"no such column: age\"; exit 3" >bad.sh
cp step.sh big.sh
echo 1 >data
cat >run.sh <<'END'
sh step.sh data a
sh step.sh a b
sh step.sh b c
sh join.sh all c
sh bad.sh a x
sh big.sh x y
sh join.sh both all y
for i in $(seq 40); do sh step.sh data many-$i; done
sh join.sh many many-*
END
"$GG" infer sh run.sh >/dev/null 2>&1
n_lines() { [ "$("$GG" why "$2" | wc -l)" = "$1" ]; }
still_a_placeholder() { "$GG" status | grep -q "^placeholder *$1\$"; }

check "of a chain only its end is told, and how much waits for it" \
	says "c: is not made yet: 3 steps would run; gg force c runs them" 0 "$GG" why c
check "which could start now" grep -qx "a: has all that it reads, and could start now (sh step.sh data a)" "$work/.log"
check "and what the path itself waits for" grep -qx "c: waits for b (sh step.sh b c)" "$work/.log"
check "and no more" n_lines 3 c
check "nothing of it ran" still_a_placeholder a
check "a step that needs more than there is says so" \
	says "y: fits nowhere: it needs 64 cpus, 2 gpus" 0 "$GG" why both
check "an engine that has room is found" \
	sh -c '! "$1" why --engine local:jobs=64,gpus=2 both | grep "fits nowhere"' - "$GG"
check "an engine whose workers are still to come is not asked" \
	sh -c '! "$1" why --engine local --engine connect:ticket=t both | grep "fits nowhere" && ! test -e t' - "$GG"
timeout 600 "$GG" force -q --engine "connect:unix=$work/pool,ticket=$work/t" c >/dev/null 2>&1 &
force=$!
until_true 60 eval 'grep -q "\"waits\"" .gg/runs/*.jsonl'
check "what a force that goes on waits for is told" \
	says "a: waits for room in the gg with the number " 0 "$GG" why c
check "in the words of its engine" grep -qF "no worker is here: start some with gg worker" "$work/.log"
kill -INT $force
kill -INT $force
wait $force 2>/dev/null
check "and no longer when it has ended" sh -c '! "$1" why c | grep "waits for room"' - "$GG"
check "an engine that cannot be used is the reason" says "there is no engine lokal" 0 \
	env GG_ENGINE=lokal "$GG" why both
"$GG" force x >/dev/null 2>&1
check "a step that failed is told of, with the last line that it printed" \
	says "x: failed the last time (exited 3): no such column: age (sh bad.sh a x)" 0 "$GG" why both
"$GG" run sh -c 'sh bad.sh a x2; true' >/dev/null 2>&1
check "one whose failure the script was told, and that has no placeholder, too" \
	says "x2: failed the last time (exited 3)" 0 "$GG" why x2
check "of many that could start a few are named" says "and 28 more like these" 0 "$GG" why many
check "and what waits for many names a few" grep -q "many: waits for many-1, many-10, many-11, many-12 and 36 more" "$work/.log"
check "--json says the same" \
	sh -c '"$1" why --json both | jq -e "[.[] | select(.waits) | .output] | contains([\"x\", \"y\"])"' - "$GG"

"$GG" force c >/dev/null 2>&1
"$GG" infer --fresh sh run.sh >/dev/null 2>&1
check "what was made has not changed" says "c: nothing has changed since it was first made" 0 "$GG" why c
echo 2 >>data
"$GG" infer sh run.sh >/dev/null 2>&1
"$GG" force c all >/dev/null 2>&1
check "a change three steps up is told once, at its source, with the step" \
	says "(sh step.sh data a, 2 steps before)" 0 "$GG" why c
check "as old and new name" grep -qE '^a: input data: [0-9a-f]{12} -> [0-9a-f]{12} ' "$work/.log"
check "and no more" n_lines 1 c
check "of a second path it is not said that nothing changed" \
	sh -c '"$1" why c c | tail -1 | grep "c: it follows from what is said above"' - "$GG"
sed -i 's/step.sh b c/step.sh data c/' run.sh
"$GG" run -k sh run.sh >/dev/null 2>&1
check "an input that is another path is told of as an argument and as inputs" \
	says 'c: arguments after step.sh: "b" -> "data"' 0 "$GG" why c
sed -i 's/^sh step.sh data a/echo own >a/' run.sh
"$GG" run -k sh run.sh >/dev/null 2>&1
check "an input that no step makes any more names the step that did" \
	says 'made by "sh step.sh data a" -> ' 0 "$GG" why b
check "a path that is no output is refused" says "data is no output that gg knows" 2 "$GG" why data
echo 'sleep 1000; echo >$1' >long.sh
echo 'sh long.sh @out' >>gg.models
"$GG" infer sh -c 'sh long.sh long; sh step.sh data y2' >/dev/null 2>&1
timeout 600 "$GG" force -q long >/dev/null 2>&1 &
force=$!
until_true 60 eval '"$GG" why long | grep "runs just now"'
check "a step that runs is told of, and where" \
	says "long: runs just now on local, for the gg with the number " 0 "$GG" why long
check "of one that has its turn to come, how many run before it" \
	says "y2: has all that it reads; 1 other runs just now, for the gg with the number " 0 "$GG" why y2
check "and gg history says that it runs still" says "runs still  force -q long" 0 "$GG" history
kill -INT $force
kill -INT $force
wait $force 2>/dev/null
plan
