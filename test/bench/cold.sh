#!/bin/bash
# 10,000 independent steps from a cold store, two at a time, beside ninja.
. "$(dirname "$0")/lib.sh"
n=${N:-10000}
fresh_cat "$n" "$work/cold"
cd "$work/cold" || die "no $work/cold"

gg_cold()
{
	no_store
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
	timed "$gg" force -q -j2
	[ "$(cat "out/$n")" = "input $n" ] || die "out/$n is wrong"
}

ninja_cold()
{
	rm -rf out .ninja_log .ninja_deps
	timed ninja -j2
}

compare cold '<= 1.25' "$n steps, force -j2, ninja -j2" gg_cold ninja_cold
rm -rf out
