#!/bin/sh
# store.sh - putting and checking against sha256sum over the same bytes
#
# One file of 1 GiB, then 100,000 of 4 KiB, of bytes that do not compress.
# Each side runs on one core, with the files in the page cache; ours ends with
# all of it synced.  The median of RUNS, ours and the peer in turn.  Columns:
# row, gg, peer, ratio, target, what.
set -eu
BUILD=${BUILD:-build}
RUNS=${RUNS:-5}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/gg-bench-store-XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM

if [ ! -x "$BUILD/test/bench/b_store" ]; then
	echo "store.sh: $BUILD/test/bench/b_store is not built" >&2
	exit 77
fi
B="taskset -c 0 $(realpath "$BUILD")/test/bench/b_store"

# seconds CMD... - wall time of a command, its output thrown away
seconds()
{
	from=$(date +%s%N)
	"$@" > /dev/null
	to=$(date +%s%N)
	awk "BEGIN { printf \"%.3f\\n\", ($to - $from) / 1e9 }"
}

median()
{
	sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# row NAME OURS PEER WHAT
row()
{
	awk -v name="$1" -v ours="$2" -v peer="$3" -v what="$4" 'BEGIN {
		printf "%s\t%.2f s\t%.2f s\t%.2f\t<= 1.3\t%s\n", name, ours, peer,
			ours / peer, what " / sha256sum" }'
}

put() { $B put "$WORK/store" < "$WORK/list"; }
check() { $B check "$WORK/store"; }
peer() { taskset -c 0 xargs -a "$WORK/list" -n 200000 sha256sum; }

measure()
{
	rm -f "$WORK"/t_*
	peer > /dev/null
	i=0
	while [ $i -lt "$RUNS" ]; do
		rm -rf "$WORK/store"
		sync
		seconds put >> "$WORK/t_put"
		seconds check >> "$WORK/t_check"
		seconds peer >> "$WORK/t_peer"
		i=$((i + 1))
	done
	paste "$WORK/t_put" "$WORK/t_check" | awk '{ print $1 + $2 }' > "$WORK/t_both"
	sum=$(median "$WORK/t_peer")
	row "store-put-$1" "$(median "$WORK/t_put")" "$sum" "put and sync $2"
	row "store-check-$1" "$(median "$WORK/t_check")" "$sum" "check $2"
	row "store-both-$1" "$(median "$WORK/t_both")" "$sum" "put, sync and check $2"
}

head -c 1073741824 /dev/urandom > "$WORK/big"
echo "$WORK/big" > "$WORK/list"
measure 1g "one file of 1 GiB"
rm -rf "$WORK/big" "$WORK/store"
mkdir "$WORK/many"
head -c 409600000 /dev/urandom | (cd "$WORK/many" && split -a 5 -b 4096 -)
ls "$WORK/many" | sed "s|^|$WORK/many/|" > "$WORK/list"
measure 4k "100,000 files of 4 KiB"
