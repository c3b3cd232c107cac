#!/bin/bash
# What being told costs: the status line of a terminal, and then all that can be
# asked for at once, beside a force that says nothing.
. "$(dirname "$0")/lib.sh"
n=${N:-10000}
command -v script >/dev/null || die 'needs script (bsdutils)'

inferred()
{
	new_cat "$n" status
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
}
in_terminal() { inferred; timed env TERM=xterm script -qec "stty cols 100; '$gg' force -j2 $*" /dev/null; }
shown() { in_terminal; }
hidden() { in_terminal -q; }
watched() { inferred; timed "$gg" force -j2 --json --trace t.json --metrics 127.0.0.1:0; }
silent() { inferred; timed "$gg" force -q -j2; }

compare status '<= 1.01' "$n steps in a terminal, with its status line / with -q" shown hidden
compare all-on '<= 1.1' "$n steps, --json --trace --metrics / -q" watched silent
drop_new
