#!/bin/bash
# pool.sh - what a pool costs its dispatcher
#
# Workers are connections of another process that answer at once; what counts
# is the CPU that the dispatcher spends on each step, from pool_start() to the
# end of the job: two HTTP requests, the message out, the answer checked and in
# the store.  Steps a second of one core follow from it; the wall clock's are
# beside it in the note, where both processes share the machine with others.
. "$(dirname "$0")/lib.sh"
B=$BUILD/test/bench/b_pool

# best NAME WORKERS STEPS [TOGETHER]: of ROUNDS, the least CPU
measure()
{
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		timeout 300 "$B" "$@" || die "b_pool $* failed"
	done | sort -n -k2 | head -1
}

row() # NAME WORKERS WHAT STEPS [TOGETHER]
{
	local name=$1 workers=$2 what=$3 wall cpu idle after
	shift 3

	read -r wall cpu idle after < <(measure "$workers" "$@")
	tell "$name" "$(awk -v c="$cpu" 'BEGIN { printf "%.0f /s", 1e6 / c }')" - \
		"$(awk -v c="$cpu" 'BEGIN { printf "%.2f", 1e6 / c / 5000 }')" ">= 1.00" \
		"$what: $cpu us CPU each, $wall/s on the clock; against 5,000/s of one core"
	[ "$workers" -lt 10000 ] || tell pool-memory "$after MiB" - \
		"$(awk -v m="$after" 'BEGIN { printf "%.2f", m / 1024 }')" "<= 1.00" \
		"$workers workers at once ($idle MiB before any work), of 1 GiB"
}

# By TLS each connection costs GnuTLS's memory as well.
tls()
{
	local wall cpu idle after few

	read -r _ _ few _ < <(measure 1 10 tls)
	read -r wall cpu idle after < <(measure 500 3000 tls)
	tell pool-tls "$(awk -v c="$cpu" 'BEGIN { printf "%.0f /s", 1e6 / c }')" - \
		"$(awk -v c="$cpu" 'BEGIN { printf "%.2f", 1e6 / c / 5000 }')" ">= 1.00" \
		"by TLS, 500 workers: $cpu us CPU each, $wall/s on the clock; $(awk -v a="$idle" \
			-v b="$few" 'BEGIN { printf "%.0f", (a - b) / 499 * 1024 }') KiB a connection"
}

most=$(ulimit -Hn)
[ "$most" = unlimited ] || [ "$most" -gt 20000 ] && most=20000
row pool-steps 16 "trivial steps" 20000
row pool-short 16 "steps known to be short" 40000 together
row pool-10k $((most > 10500 ? 10000 : most - 500)) "with 10,000 workers at once" 20000
tls
