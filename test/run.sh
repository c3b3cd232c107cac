#!/bin/bash
# run.sh TEST... - run each test file, read its TAP, say what was not kept
#
# A test is a program (unit) or a .sh file (whole program).  It prints TAP;
# exit 77 means skipped, its last line says why.  A file that ends badly
# without naming a failed promise counts as one failure, and so does one whose
# plan and promises differ.  The last line is "N passed, N failed, N skipped".
#
# Two run at a time: one lane has those that start servers, which would fight for
# memory and cores, and then helps the other with the rest.  With AGAIN=1 a file that
# failed beside others runs once more, alone, and that run counts; what the first
# said stays, and the file is named as unsteady.

set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
GG=$BUILD/gg
TEST_SECONDS=${TEST_SECONDS:-600}
export BUILD GG
export LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM

# Count the promises of $out into $count, whose program ended with $2; print one line.
read_tap()
{
	local name=$1 rc=$2 secs=$3 ok bad skip plan why after

	skip=$(grep -cE '^ok .*# SKIP' "$out")
	ok=$(grep -cE '^ok ' "$out")
	ok=$((ok - skip))
	bad=$(grep -cE '^not ok ' "$out")
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$out" | tail -1)
	why=
	if [ "$rc" = 77 ]; then
		echo 0 0 1 >"$count"
		printf 'skip  %-28s %s\n' "$name" "$(grep -v '^1\.\.' "$out" | tail -1 | sed 's/^# *//')"
		return
	fi
	if [ "$rc" = 124 ] || [ "$rc" = 137 ]; then
		why="ran for more than $TEST_SECONDS s, or was killed"
	elif [ "$bad" = 0 ] && [ "$rc" != 0 ]; then
		why="ended with status $rc"
	elif [ -z "$plan" ]; then
		why='printed no plan (1..N)'
	elif [ "$plan" != $((ok + skip + bad)) ]; then
		why="planned $plan promises, told of $((ok + skip + bad))"
	fi
	[ -n "$why" ] && bad=$((bad + 1))
	echo "$ok $bad $skip" >"$count"
	if [ "$bad" = 0 ]; then
		printf 'ok    %-28s %d promises, %s s\n' "$name" "$ok" "$secs"
	else
		printf 'FAIL  %-28s %d of %d\n' "$name" "$bad" $((ok + skip + bad))
		[ -n "$why" ] && printf '      %s\n' "$why"
		# The notes on a failed promise stand before it (test.h) or after
		# it (lib.sh).
		case $name in *.sh) after=1 ;; *) after=0 ;; esac
		awk -v after="$after" '
			/^#/ && after { if (is_bad) print "        " $0; next }
			/^#/ { notes = notes "\n        " $0; next }
			/^(not )?ok/ { is_bad = /^not/; if (is_bad) print "      " $0 notes; notes = "" }
		' "$out"
		[ -n "$why" ] && tail -15 "$out" | sed 's/^/      | /'
	fi
	grep -E '^ok .*# SKIP' "$out" | sed 's/^ok [0-9]* *-* */skip  /'
}

# The next line of a list, for one lane alone.
next() # LIST
{
	(
		flock 9
		head -1 "$1"
		sed -i 1d "$1"
	) 9>"$work/list.lock"
}

# The tests of such lists, one after the other; what is said of one is said at once.
lane() # NAME LIST...
{
	local out=$work/$1.out count=$work/$1.count said=$work/$1.said list test start rc secs

	shift
	for list; do while test=$(next "$list") && [ -n "$test" ]; do
		start=$EPOCHREALTIME
		timeout -k 10 "$TEST_SECONDS" "$test" >"$out" 2>&1 </dev/null
		rc=$?
		secs=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
		read_tap "$(basename "$test")" "$rc" "$secs" >"$said"
		if grep -q '^FAIL' "$said" && [ "$list" != "$work/alone" ] && [ "${AGAIN:-0}" = 1 ]; then
			echo "$test" >>"$work/again"
		else
			cat "$count" >>"$work/counts"
		fi
		flock "$work/lock" cat "$said"
	done; done
}

for list in servers rest again counts; do : >"$work/$list"; done
for test; do
	case $test in *.sh) grep -q 'servers/' "$test" && list=servers || list=rest ;; *) list=rest ;; esac
	echo "$test" >>"$work/$list"
done
lane one "$work/servers" "$work/rest" &
lane two "$work/rest" &
wait
if [ -s "$work/again" ]; then
	sed 's/.*/unsteady? & runs again, alone/' "$work/again"
	mv "$work/again" "$work/alone"
	lane one "$work/alone"
fi

read -r passed failed skipped < <(awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }' \
	"$work/counts")
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
