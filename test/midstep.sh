#!/bin/bash
# midstep.sh - files of the project that change while a step that reads them runs
. "$(dirname "$0")/lib.sh"

project edit
cat >gg.models <<'END'
sh slow.sh @in @out
sh tree.sh @in/ @out
END
held=1000.$$
echo "sleep $held; "'cat "$1" >"$2"' >slow.sh
echo "sleep $held; "'cat "$1"/* >"$2"' >tree.sh
mkdir d

# while_running COMMAND... -- EDIT: the edit happens in the middle of the step.
while_running()
{
	local run=$1 edit=$2 pid rc

	"$GG" run --fresh sh -c "$run" >.log 2>&1 &
	pid=$!
	all_sleep $held
	sh -c "$edit"
	wake $held
	wait $pid
	rc=$?
	[ $rc = 0 ] || tail -3 .log
	return $rc
}

again() # COMMAND...
{
	local pid rc

	(all_sleep $held && wake $held) &
	pid=$!
	counts 1 0 0 "$@"
	rc=$?
	kill $pid 2>/dev/null
	wait $pid 2>/dev/null
	return $rc
}

for size in 1 40000; do
	what=$([ $size = 1 ] && echo small || echo large)
	# Other content each time, so that it is no step that ran before.
	old() { n=$((n + 1)); yes "old $n" | head -n $size | tee want >"$1"; }
	old a
	check "a $what input that is written anew meanwhile: the step goes on" \
		while_running 'sh slow.sh a b' "echo new $size >a.new; mv a.new a"
	check "with what was there when it was inferred" cmp b want
	old a
	rm -f b
	check "one that is changed in place" while_running 'sh slow.sh a b' "echo new $size >a"
	check "likewise" cmp b want
	check "the next run sees the change" again "$GG" run sh slow.sh a b
	check "and gives what is there now" test "$(cat b)" = "new $size"
	rm -f c
	old d/x
	check "a folder whose file goes meanwhile" while_running 'sh tree.sh d c' "rm d/x; echo more $size >d/y"
	check "is the folder of before" cmp c want
	check "the next run sees that too" again "$GG" run sh tree.sh d c
	check "and gives what is there now" test "$(cat c)" = "more $size"
	rm -f d/y b c
done
check "every object is what its name says" store_is_right
plan
