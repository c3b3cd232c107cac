#!/bin/bash
# Resident memory of one force of 100,000 steps, and what each step adds.
. "$(dirname "$0")/lib.sh"

resident() # N: KiB
{
	fresh_cat "$1" "$work/memory"
	cd "$work/memory" || die "no $work/memory"
	"$gg" init >/dev/null && "$gg" infer -q sh cmds.sh >/dev/null 2>&1 || die 'gg infer failed'
	timed /usr/bin/time -f %M -o "$work/kib" "$gg" force -q -j2
	kib=$(cat "$work/kib")
}

resident 10000
small=$kib
resident 100000
tell memory "$((kib / 1024)) MiB" - - '< 200 MiB' '100,000 steps, resident at most'
tell memory "$(((kib - small) * 1024 / 90000)) B" - - '<= 2048 B' 'each step more'
cd "$work" && rm -rf memory
