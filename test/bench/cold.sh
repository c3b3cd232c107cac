#!/bin/bash
# 10,000 independent steps from a cold store, two at a time, beside ninja.
. "$(dirname "$0")/lib.sh"
n=${N:-10000}

gg_cold()
{
	new_cat "$n" cold
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
	timed "$gg" force -q -j2
	[ "$(cat "out/$n")" = "input $n" ] || die "out/$n is wrong"
}

ninja_cold()
{
	new_cat "$n" cold
	timed ninja -j2
}

compare cold '<= 1.25' "$n steps, force -j2, ninja -j2" gg_cold ninja_cold
drop_new
