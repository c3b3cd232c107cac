#!/bin/bash
# One real worker of a pool, each step a process: what the way there and back costs.
#
# A step is one process, cp.  Beside it the same steps by cells of gg force itself.  Where fork and exec of
# the same program take 0.9 ms each (1,090 a second), others were seen to reach:
# Dask 416, TaskVine 248, Work Queue 232 a second.  Debian 12 has no package of
# TaskVine; those figures are the issue's and not measured here.
. "$(dirname "$0")/lib.sh"
n=${N:-3000}
worker=
cpu=

# In memory, so that no disk is measured; see new_cat.
if [ -d /dev/shm ]; then
	work=/dev/shm/gg-bench.$$
	mkdir -p "$work"
	export TMPDIR=$work
fi

prepare() # NAME
{
	new_cat "$n" "$1"
	printf 'cp @in @out\n' >gg.models
	seq "$n" | sed 's,.*,cp in/& out/&,' >cmds.sh
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
}

by_worker()
{
	local ticket=$work/ticket

	prepare worker
	rm -f "$ticket"
	(for ((i = 0; i < 200; i++)); do
		[ -s "$ticket" ] &&
			exec /usr/bin/time -f '%U %S' "$gg" worker -q --connect "$ticket" -j2
		sleep 0.02
	done) 2>"$work/cpu" &
	worker=$!
	timed "$gg" force -q --engine "connect:unix=$work/socket,ticket=$ticket"
	wait $worker
	[ "$(cat "out/$n")" = "input $n" ] || die "out/$n is wrong"
	rates="$rates$(awk -v n="$n" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }') "
	cpu=$(awk -v n="$n" 'END { printf "%.2f", 1000 * ($1 + $2) / n }' "$work/cpu")
}

by_itself()
{
	prepare itself
	timed "$gg" force -q -j2
	[ "$(cat "out/$n")" = "input $n" ] || die "out/$n is wrong"
}

rates=
compare worker '<= 2' "$n steps by a worker of a pool, by force -j2" by_worker by_itself
rate=$(tr ' ' '\n' <<<"${rates% }" | median)
tell worker-rate "$rate/s" - "$(awk -v r="$rate" 'BEGIN { printf "%.2f", r / 700 }')" '>= 1.00' \
	"the same, steps a second against 700; $cpu ms of CPU each, cells and programs included"
cd / && rm -rf "$work"
