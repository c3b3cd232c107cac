#!/bin/bash
# Simulated: 100 networks of the published distribution (test/fleet_sim.h says what
# is drawn; seed 2020) on 20 to 160 GPUs, by FLEET's flotillas and otherwise.  The
# peers are one GPU each, and all alike at the slowest's pace; published are 1.12 to
# 1.92 and 1.23 to 1.97 in its favour.
. "$(dirname "$0")/lib.sh"
seed=${SEED:-2020}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

while read -r gpus g l one longest same least share; do
	tell fleet "$g h" "$one h" "$(ratio "$g" "$one")" '0.52-0.89' \
		"FLEET-G, one GPU each, $gpus GPUs; -L $l h; checkpoints $share of it; no schedule below $least h"
	tell fleet "$g h" "$longest h" "$(ratio "$g" "$longest")" - \
		"FLEET-G, one GPU each and the longest first: by pace, not by length, it pays where GPUs are many"
	tell fleet "$g h" "$same h" "$(ratio "$g" "$same")" '0.51-0.81' "FLEET-G, homogeneous, $gpus GPUs"
done < <("$BUILD/test/bench/b_fleet" "$seed" 20 40 80 120 160 || die 'b_fleet failed')
read -r g l one < <("$BUILD/test/bench/b_fleet" small "$seed") || die 'b_fleet failed'
tell fleet "$g" "1.00" "$g" - "FLEET-G to the best of all groupings, 100 ensembles of 2 to 8; -L $l, one GPU each $one"

# The policy of that name in the real scheduler, where steps are not stopped (as -L),
# beside the usual one, which gives each the one GPU that it can do with.
mean() # POLICY GPUS
{
	local seed

	for seed in 1 2 3 4 5 6 7 8 9 10; do
		"$BUILD/test/bench/b_policy" trainers "$1" "$2" $seed || die 'b_policy failed'
	done | awk '{ s += $1 / 3600 } END { printf "%.2f", s / NR }'
}
for gpus in 8 16 32 64; do
	fleet=$(mean fleet $gpus)
	longest=$(mean longest $gpus)
	tell fleet "$fleet h" "$longest h" "$(ratio "$fleet" "$longest")" - \
		"--policy fleet, longest: 40 trainers of 1 to 8 GPUs, $gpus GPUs (simulated, means of ten)"
done
