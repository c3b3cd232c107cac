#!/bin/bash
# What a step on a warm Slurm worker costs beyond its own run time, one after the
# other: many steps and few on one worker, so that the job's start falls out, less
# what the same commands take in a shell.  Beside it srun, which Slurm has for this.
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

forced() # N
{
	new_cat "$1" slurm
	{ "$gg" init && "$gg" infer sh cmds.sh; } >"$work/said" 2>&1 || die 'cannot infer'
	timed "$gg" force -q --engine slurm:max=1,cpus=1,keep=20s
	[ "$(cat "out/$1")" = "input $1" ] || die "out/$1 is wrong"
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

a= b= c=
for ((i = 0; i < ROUNDS; i++)); do
	forced "$many"; x=$seconds
	forced "$few"; y=$seconds
	bare $((many - few)); z=$seconds
	a="$a$(awk -v x="$x" -v y="$y" -v n=$((many - few)) 'BEGIN { print (x - y) / n * 1e3 }') "
	b="$b$(awk -v z="$z" -v n=$((many - few)) 'BEGIN { print z / n * 1e3 }') "
	s=$(in_job 10)
	c="$c$(awk -v s="${s:-0}" 'BEGIN { print s / 10 * 1e3 }') "
done
a=$(tr ' ' '\n' <<<"${a% }" | median)
b=$(tr ' ' '\n' <<<"${b% }" | median)
c=$(tr ' ' '\n' <<<"${c% }" | median)
tell slurm "$(printf '%.2f ms' "$a")" "$(printf '%.2f ms' "$b")" \
	"$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", (a - b) / 2 }')" '<= 1.00' \
	"a step on a warm worker and in a shell: $(awk -v a="$a" -v b="$b" \
	'BEGIN { printf "%.2f", a - b }') ms more, of 2 ms; an srun takes $(printf '%.0f' "$c") ms"
