#!/bin/bash
# Inferring 10,000 modelled commands of one script, beside the same script with
# each command a program that exits at once.
. "$(dirname "$0")/lib.sh"
n=${N:-10000}
${CC:-gcc} -O2 -static -o "$work/exits" "$rows/exits.c" || die 'cannot compile exits.c'
export EXITS=$work/exits

infer()
{
	new_cat "$n" infer
	"$gg" init >/dev/null || die 'gg init failed'
	timed "$gg" infer -q sh cmds.sh
	grep -q '^gg-placeholder 1' "out/$n" || die "out/$n is no placeholder"
}

exits() { timed sh exits.sh; }

compare infer '<= 1.3' "$n commands, sh script, exits at once" infer exits
drop_new
