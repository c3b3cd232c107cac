#!/bin/bash
# What a step on a warm Slurm worker costs beyond its own run time, one after the
# other: many steps and few on one worker, so that the job's start falls out, less
# the steps' own time as the worker observed it.  Beside it srun, which Slurm has for
# this, and what the same commands take in a shell.
. "$(dirname "$0")/lib.sh"
many=${STEPS:-1000}
few=$((many / 5))
slurm=$work/slurm.$$
ends()
{
	local p

	[ -e "$slurm/slurm.conf" ] && SLURM_CONF=$slurm/slurm.conf timeout 10 scancel --user=root
	for p in $(cat "$slurm/pids" 2>/dev/null); do
		kill "$p" 2>/dev/null
	done
	wait 2>/dev/null
	sleep 1
	rm -rf "$slurm"
	drop_new
}
trap ends EXIT
"$rows/../servers/slurm.sh" "$slurm" 1 4 >"$work/said" 2>&1
case $? in
0) ;;
77) tell slurm - - - - "not measured: $(tail -1 "$work/said")"; exit 0 ;;
*) tail -5 "$work/said" >&2; die 'Slurm does not start' ;;
esac
export SLURM_CONF=$slurm/slurm.conf

mean() { awk '{ s += $1 } END { print s / NR }'; }

forced() # N: its wall time in $seconds, the steps' own in $own
{
	new_cat "$1" slurm
	{ "$gg" init && "$gg" infer sh cmds.sh; } >"$work/said" 2>&1 || die 'cannot infer'
	timed "$gg" force -q --engine slurm:max=1,cpus=1,keep=20s
	[ "$(cat "out/$1")" = "input $1" ] || die "out/$1 is wrong"
	own=$(for i in $(seq 1 $(($1 / 50 + 1)) "$1"); do "$gg" show --json "out/$i"; done |
		sed -n 's/^ *"seconds": \([0-9.e-]*\),*/\1/p' | mean)
}
bare()
{
	new_cat "$1" bare
	timed sh cmds.sh
}
sruns()
{
	local i

	for ((i = 0; i < $1; i++)); do
		timeout 20 srun --quiet --overlap -n1 true || return 1
	done
}
in_job() # N: in one allocation, whose start is not counted
{
	timeout 120 salloc --quiet -n1 bash -c "$(declare -f sruns)
		sruns 1; from=\$EPOCHREALTIME; sruns $1; to=\$EPOCHREALTIME
		awk -v a=\$from -v b=\$to 'BEGIN { print b - a }'" 2>"$work/said" | tail -1
}

a= b= c= o=
for ((i = 0; i < ROUNDS; i++)); do
	forced "$few"; y=$seconds
	forced "$many"; x=$seconds
	o="$o$(awk -v x="$x" -v y="$y" -v n=$((many - few)) -v o="$own" \
		'BEGIN { print ((x - y) / n - o) * 1e3 }') "
	bare $((many - few)); z=$seconds
	a="$a$(awk -v x="$x" -v y="$y" -v n=$((many - few)) 'BEGIN { print (x - y) / n * 1e3 }') "
	b="$b$(awk -v z="$z" -v n=$((many - few)) 'BEGIN { print z / n * 1e3 }') "
	s=$(in_job 10)
	c="$c$(awk -v s="${s:-0}" 'BEGIN { print s / 10 * 1e3 }') "
done
a=$(tr ' ' '\n' <<<"${a% }" | median)
b=$(tr ' ' '\n' <<<"${b% }" | median)
c=$(tr ' ' '\n' <<<"${c% }" | median)
o=$(tr ' ' '\n' <<<"${o% }" | median)
tell slurm "$(printf '%.2f ms' "$o")" "$(printf '%.0f ms' "$c")" \
	"$(awk -v a="$o" -v b="$c" 'BEGIN { printf "%.3f", a / b }')" '<= 2 ms' \
	"a step on a warm worker beyond its own time; an srun for each.  $(awk -v a="$a" -v b="$b" \
	'BEGIN { printf "With it %.2f ms, in a shell %.2f ms", a, b }')"
