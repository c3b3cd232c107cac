#!/bin/bash
# The real scheduler on simulated workers: longest remaining path beside FIFO and
# the others, means of ten seeds; what a choice costs among few and many that are
# ready; and its own CPU for each thunk.
. "$(dirname "$0")/lib.sh"

clock() # GRAPH POLICY WORKERS: mean seconds over seeds
{
	local seed

	for seed in 1 2 3 4 5 6 7 8 9 10; do
		"$BUILD/test/bench/b_policy" "$1" "$2" "$3" "$seed" || die "b_policy $* failed"
	done | awk '{ s += $1 } END { printf "%.0f", s / NR }'
}

for graph in fleet random; do
	[ $graph = fleet ] && all='8 32 64' || all='4 16 32'
	for workers in $all; do
		longest=$(clock $graph longest $workers)
		for peer in fifo widest shortest; do
			[ $peer = fifo ] || [ $workers = "$(cut -d' ' -f2 <<<"$all")" ] || continue
			other=$(clock $graph $peer $workers)
			tell policy "$longest s" "$other s" "$(awk -v a="$longest" -v b="$other" \
				'BEGIN { printf "%.2f", a / b }')" '<= 1.0' \
				"$graph graphs, $workers workers: longest path, $peer (simulated)"
		done
	done
done
for policy in longest fifo widest shortest fleet; do
	for n in 1000 1000000; do
		for seed in 1 2 3; do
			"$BUILD/test/bench/b_policy" decide $policy $n $seed || die 'b_policy failed'
		done | median
	done | {
		read -r few
		read -r many
		tell policy "$many us" "$few us" "$(awk -v a="$many" -v b="$few" \
			'BEGIN { printf "%.0f", a / b }')" '< 100' \
			"$policy: to choose among 1,000,000 ready, among 1,000 (2 by comparisons, more by cache; 1,000 were linear)"
	}
done
n=${N:-100000}
read -r ran _ cpu _ < <("$BUILD/test/bench/b_sim" many "$n" 1000) || die 'b_sim failed'
tell policy "$(awk -v c="$cpu" -v n="$ran" 'BEGIN { printf "%.4f ms", 1000 * c / n }')" - - '< 0.1 ms' \
	"own CPU for each of $ran thunks, simulated workers: look up, choose, start, keep the result, no disk waited for"
read -r ran wall _ mib _ < <("$BUILD/test/bench/b_sim" many "${SIM:-1000000}" 10000) || die 'b_sim failed'
tell policy "$wall s, $mib MiB" - - '< 60 s, 2048 MiB' \
	"$ran thunks on 10,000 simulated workers in one process"
