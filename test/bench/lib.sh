# lib.sh - what the rows share: timing, medians, one line of the table
#
# A row alternates gg and its peer, so that both see the same machine, and
# gives the medians.  Its functions prepare what they like and time one
# command with `timed`.

set -u
rows=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$rows/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$top/$BUILD ;; esac
gg=$BUILD/gg
work=$BUILD/bench
ROUNDS=${ROUNDS:-5}
seconds=0
mkdir -p "$work"

die()
{
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# Run a command; its wall time is left in $seconds.
timed()
{
	local from=$EPOCHREALTIME to

	"$@" >"$work/said" 2>&1 || { tail -5 "$work/said" >&2; die "failed: $*"; }
	to=$EPOCHREALTIME
	seconds=$(awk -v a="$from" -v b="$to" 'BEGIN { printf "%.6f", b - a }')
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# One line of the table; run.sh lays the fields out.
tell() # ROW GG PEER RATIO TARGET NOTE
{
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@"
}

# Times in seconds, ratio gg / peer, beside the ratio that is the target.
compare() # ROW TARGET NOTE GG_FUNCTION PEER_FUNCTION
{
	local i a= b=

	for ((i = 0; i < ROUNDS; i++)); do
		"$4"
		a="$a$seconds "
		"$5"
		b="$b$seconds "
	done
	a=$(tr ' ' '\n' <<<"${a% }" | median)
	b=$(tr ' ' '\n' <<<"${b% }" | median)
	tell "$1" "$(printf '%.3f s' "$a")" "$(printf '%.3f s' "$b")" \
		"$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", a / b }')" "$2" "$3"
}

# A folder with N steps, under a new name each time: on some file systems (ext4
# without a journal) making files soon after removing many is slow, and that
# would be measured instead.  All of them go at the end of the row.
new_cat() # N NAME; stands in it
{
	round=$((${round:-0} + 1))
	"$rows/gen_cat.sh" "$1" "$work/$2.$$.$round" || die "cannot make $2"
	cd "$work/$2.$$.$round" || die "cannot enter $2"
}
drop_new() { cd "$work" && rm -rf -- *."$$".*; }

# A folder with N steps, fresh.
fresh_cat() # N DIR
{
	chmod -R u+w "$2" 2>/dev/null
	rm -rf "$2"
	"$rows/gen_cat.sh" "$1" "$2" || die "cannot make $2"
}

# The same with a store, where gg has inferred and forced all; kept for the
# rows that follow.
forced_cat() # N DIR
{
	[ -e "$2/.forced" ] && return
	fresh_cat "$1" "$2"
	(cd "$2" && "$gg" init && "$gg" infer sh cmds.sh && "$gg" force -q -j2 &&
		"$gg" run -q -j2 sh cmds.sh) >"$work/said" 2>&1 ||
		{ tail -5 "$work/said" >&2; die "cannot force $2"; }
	[ "$(cat "$2/out/$1")" = "input $1" ] || die "$2/out/$1 is wrong"
	touch "$2/.forced"
}

