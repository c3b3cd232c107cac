#!/bin/bash
# The same 10,000 steps with nothing to do, and after one input was touched or
# edited, beside ninja; both look at everything.
. "$(dirname "$0")/lib.sh"
n=${N:-10000}
forced_cat "$n" "$work/gg-$n"
if ! [ -e "$work/ninja-$n/.ninja_log" ]; then
	fresh_cat "$n" "$work/ninja-$n"
	(cd "$work/ninja-$n" && ninja -j2 >/dev/null) || die 'ninja failed'
fi
turn=0

nothing() { :; }
touched() { touch "in/$((n / 2))"; }
edited() { turn=$((turn + 1)); echo "edit $turn of $$" >"in/$((n / 2))"; }

by_gg() { cd "$work/gg-$n" && $change && timed "$gg" $verb; }
by_ninja() { cd "$work/ninja-$n" && $change && timed ninja -j2; }

for change in nothing touched edited; do
	for verb in 'run -q -j2 sh cmds.sh' 'force -q -j2 out'; do
		# Forcing knows what inference said; an edited input is news for gg run.
		[ "$change $verb" = 'edited force -q -j2 out' ] && continue
		compare "noop, $change" '<= 1.0' "$n steps, gg ${verb%% *}" by_gg by_ninja
	done
done
[ "$(cat "$work/gg-$n/out/$((n / 2))")" = "$(cat "$work/gg-$n/in/$((n / 2))")" ] ||
	die 'an edit did not reach its output'
