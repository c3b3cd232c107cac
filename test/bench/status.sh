#!/bin/bash
# What being told costs, in gg's own processor time, which the machine's other work
# leaves alone: the status line of a terminal, and then all that can be asked for at
# once, beside a force that says nothing.
. "$(dirname "$0")/lib.sh"
n=${N:-10000}
own=$BUILD/test/bench/b_own
[ -x "$own" ] || die 'needs b_own'

# Force anew; gg's own time is left in $seconds.
forced() # plain|terminal [OPTION...]
{
	local wall

	new_cat "$n" status
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
	read -r wall seconds < <(TERM=xterm "$own" "$1" "$gg" force -j2 "${@:2}") || die 'gg force failed'
	[ "$(cat "out/$n")" = "input $n" ] || die "out/$n is wrong"
}
shown() { forced terminal; }
hidden() { forced terminal -q; }
watched() { forced plain --json --trace t.json --metrics 127.0.0.1:0; }
silent() { forced plain -q; }

compare status '<= 1.01' "own CPU for $n steps in a terminal, with its status line / with -q" shown hidden
compare all-on '<= 1.1' "own CPU for $n steps, --json --trace --metrics / -q" watched silent
silent
tell dispatch "$(awk -v s="$seconds" -v n="$n" 'BEGIN { printf "%.4f ms", 1000 * s / n }')" - - - \
	"own CPU for each of $n real steps, with -q, placing what they make in the project among it; without, see policy"
drop_new
