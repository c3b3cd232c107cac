#!/bin/bash
# Resident memory of one force of 100,000 steps ($BIG), and what each step adds.
. "$(dirname "$0")/lib.sh"
big=${BIG:-100000}

resident() # N: KiB
{
	cd "$work" && fresh_cat "$1" "$work/memory"
	cd "$work/memory" || die "no $work/memory"
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
	timed /usr/bin/time -f %M -o "$work/kib" "$gg" force -q -j2
	kib=$(cat "$work/kib")
}

resident $((big / 10))
small=$kib
resident "$big"
tell memory "$((kib / 1024)) MiB" - - '< 200 MiB' "force of $big steps, resident at most"
tell memory "$(((kib - small) * 1024 / (big - big / 10))) B" - - '<= 2048 B' 'each step more'
cd "$work" && rm -rf memory
