#!/bin/bash
# slurm.sh - workers that are jobs of a real Slurm: the same results, and what
# happens when nodes, jobs, people or gg itself go away
. "$(dirname "$0")/lib.sh"
own_gg
slurm=$work/slurm
pids=
stop_slurm()
{
	local p i

	for p in $(cat "$slurm/pids" 2>/dev/null); do
		kill "$p" 2>/dev/null
	done
	for p in $(cat "$slurm/pids" 2>/dev/null); do
		for ((i = 0; i < 50; i++)); do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$p" 2>/dev/null
	done
	end_steps "$slurm"
}
ends()
{
	[ -e "$slurm/slurm.conf" ] && timeout 60 scancel --user=root 2>/dev/null
	stop_slurm
	kill $pids 2>/dev/null
	wait 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null
	rm -rf "$work"
}
trap ends EXIT
SLURMD_TIMEOUT=10 "$here/test/servers/slurm.sh" "$slurm" 3 4 >"$work/.start" 2>&1
case $? in
0) ;;
77) skip "$(tail -1 "$work/.start")" ;;
*) cat "$work/.start"; exit 1 ;;
esac
export SLURM_CONF=$slurm/slurm.conf

# Every command of Slurm's has a time limit: a hung one shall not hang the test.
sq() { timeout 60 squeue --noheader "$@"; }
in_queue() { sq --states=pending,running,completing,suspended | grep -c .; }
queue_is_empty()
{
	until_true 60 eval '[ "$(in_queue)" = 0 ]' && return
	sq
	return 1
}

# steps NAME N SECONDS: a project of N steps that take so long each, and one that
# reads what they all made.
steps()
{
	project "$1"
	mkdir in out
	printf 'sh -c @ @in @out\nsh -c @ sum @out @in...\n' >gg.models
	local i

	for ((i = 1; i <= $2; i++)); do
		echo "input $i of $1" >in/$i
		echo "sh -c 'sleep $3; cat \"\$0\" >\"\$1\"' in/$i out/$i"
	done >cmds.sh
	echo "sh -c 'o=\$1; shift; cat \"\$@\" >\$o' sum out/sum out/[0-9]*" >>cmds.sh
	"$GG" infer sh cmds.sh >/dev/null 2>&1
}
right() # N
{
	"$GG" status >/dev/null
	[ "$(sort -u out/sum | wc -l)" = "$1" ]
}
# The names of all values, in one.
root_hash() { (cd out && sha256sum -- * | sha256sum); }
jobs_of_run() { sq --states=pending,running | grep -c gg-; }

# ---- the same names

steps here 24 0
check 'forced on this machine' "$GG" force -q --engine local:
wanted=$(root_hash)
steps here2 0 0
cd "$work/here" && rm -rf .gg out && mkdir out && "$GG" init >/dev/null &&
	"$GG" infer sh cmds.sh >/dev/null 2>&1
check 'the same on workers that Slurm starts' counts 25 0 0 \
	"$GG" force --engine slurm:max=3,cpus=2
check 'every output has the name that it has here' [ "$(root_hash)" = "$wanted" ]
check 'with nothing left to do nothing is started' counts 0 25 0 \
	"$GG" force --engine slurm:max=3
check 'nothing is left in the queue' queue_is_empty
check 'nor on the shared file system' [ -z "$(ls -A .gg/slurm)" ]

# ---- how many

steps many 40 0.3
"$GG" force -q --engine slurm:max=2,cpus=1 >"$work/many.log" 2>&1 &
force=$! most=0
while kill -0 $force 2>/dev/null; do
	n=$(jobs_of_run)
	[ "$n" -gt "$most" ] && most=$n
	sleep 0.2
done
wait $force
check 'forty steps were made' right 40
check 'by max workers and never more' [ "$most" = 2 ]

# What the workers are for is said to Slurm.
queue_is_empty
steps asks 3 1
saw_job()
{
	timeout 200 "$GG" force -q --engine \
		"slurm:max=1,gpus=1,mem=200M,disk=50M,cpus=2,time=90m,line=--nice=7,line=--comment=\"a b\"" \
		>"$work/asks.log" 2>&1 &
	local force=$! seen=

	until_true 60 eval '[ -n "$(sq -o %i)" ]' || return 1
	seen=$(timeout 60 scontrol show job "$(sq -o %A | head -1)")
	wait $force
	echo "$seen"
	for want in 'TimeLimit=01:30:00' 'MinMemoryNode=200M' 'MinTmpDiskNode=50M' \
		'gres:gpu:1' 'CPUs/Task=2' 'Nice=7' 'Requeue=1' 'Comment=a b'; do
		grep -q "$want" <<<"$seen" || { echo "no $want"; return 1; }
	done
}
check 'cpus, memory, disk, gpus, time and lines reach Slurm' saw_job
token_is_hidden()
{
	local t

	steps hidden 4 1
	timeout 200 "$GG" force -q --engine slurm:max=1 >/dev/null 2>&1 &
	pids="$pids $!"
	until_true 60 eval 'ls .gg/slurm/*/ticket' || return 1
	t=$(sed -n 's/^token //p' .gg/slurm/*/ticket)
	[ "$(stat -c %a .gg/slurm/*/ticket)" = 600 ] && [ ${#t} -ge 32 ] || return 1
	until_true 60 eval '[ "$(jobs_of_run)" -gt 0 ]'
	timeout 60 scontrol show job | grep -q "$t" && return 1
	grep -qs "$t" /proc/[0-9]*/cmdline && return 1
	[ -z "$(grep -l "$t" .gg/slurm/*/job)" ] || return 1
	wait $!
}
check 'the token is in a file for its owner, and in no command line' token_is_hidden

# ---- what goes away

# while_running NAME COMMAND...: once jobs of a force of 60 steps run, do it; all
# steps are made all the same.  Where all is done before that it is done again with
# steps that take longer.
while_running()
{
	local name=$1 seconds

	shift
	for seconds in 0.25 1 4; do
		steps "$name-$seconds" 60 $seconds
		doing "$name" "$@" || return 1
		[ -n "$is_over" ] || return 0
	done
}
doing() # NAME COMMAND...
{
	local name=$1 force

	shift
	is_over=
	timeout 300 "$GG" force --engine "slurm:max=3,cpus=1,keep=20s${words:+,$words}" \
		>"$work/$name.log" 2>&1 &
	force=$!
	until_true 60 eval '[ "$(sq --states=running | grep -c .)" -ge 2 ]' || return 1
	until_true 60 eval '[ "$(grep -h "\"event\":\"ran\"" .gg/runs/*.jsonl | wc -l)" -ge 4 ]' || return 1
	"$@" || { is_over=$(kill -0 $force 2>/dev/null || echo yes); [ -n "$is_over" ] || return 1; }
	if ! wait $force; then
		tail -5 "$work/$name.log"
		return 1
	fi
	right 60
}
scancel_some() { timeout 60 scancel "$(sq --states=running -o %i | head -1)"; }
check 'a job that somebody cancels costs its steps another start' while_running cancel scancel_some
# The jobs that squeue has just shown may be those of the run before.
a_worker() { pgrep -f "^$work/gg worker --connect"; }
kill_worker() { until_true 60 eval 'a_worker || is_over' && kill -9 "$(a_worker | head -1)"; }
is_over() { ! kill -0 $force; }
check 'so does a worker that is killed' while_running worker kill_worker
kill_node() { kill -9 "$(cat "$slurm/run/n0")"; }
check 'a slurmd that is killed' while_running slurmd kill_node
PATH=$PATH:/usr/sbin
slurmd -D -N n0 >"$slurm/n0.out" 2>&1 &
echo $! >"$slurm/run/n0"
echo $! >>"$slurm/pids"
restart_controller()
{
	kill -9 "$(cat "$slurm/run/slurmctld")"
	sleep 4
	slurmctld -D >"$slurm/slurmctld.out" 2>&1 &
	echo $! >"$slurm/run/slurmctld"
	echo $! >>"$slurm/pids"
}
check 'a controller that is away for a while is no failure of steps' \
	while_running controller restart_controller
check 'Slurm is as before' until_true 120 eval '[ "$(timeout 60 sinfo -h -p main -t idle,mix -o %D)" = 3 ]'

# A prolog that fails drains the node, and Slurm holds the job for ever.
ill()
{
	: >"$slurm/ill.n0"
	: >"$slurm/ill.n1"
	steps ill 6 0.2
	counts 7 0 0 timeout 200 "$GG" force --engine slurm:max=3,cpus=4
}
check 'jobs that nodes cannot start and Slurm holds give way to others' ill
# On a slow machine Slurm puts a job back later than gg waits for it; the next gg
# that uses Slurm here ends it then.
put_back() { sq --format=%r | grep -q BeginTime; }
check 'there were such' eval '
	timeout 60 scontrol show node n0,n1 | grep -i "Reason=" || put_back'
sweeps=0
swept()
{
	[ "$(in_queue)" = 0 ] && return
	echo "sh -c 'cat \"\$0\" >\"\$1\"' in/1 out/swept$((sweeps += 1))" >more.sh
	"$GG" infer sh more.sh
	timeout 100 "$GG" force --engine slurm:max=1,cpus=1 --engine local
	[ "$(in_queue)" = 0 ]
}
check 'none of them is left, put back by Slurm though they were' until_true 120 swept
rm -f "$slurm"/ill.*
for n in n0 n1; do timeout 60 scontrol update nodename=$n state=resume; done 2>/dev/null
check 'Slurm is as before' until_true 120 eval '[ "$(timeout 60 sinfo -h -p main -t idle,mix -o %D)" = 3 ]'

# Each worker has a node to itself, so that two of the three have to go.
preempt()
{
	timeout 60 sbatch --parsable --partition=high --exclusive --nodes=2 --job-name=urgent \
		--wrap='sleep 3' --output=/dev/null >/dev/null
	until_true 60 eval '[ "$(sq --name=urgent --format=%T)" != PENDING ]' || return 1
	timeout 60 squeue --format='%T %P %r'
	until_true 60 eval '[ -z "$(sq --name=urgent --states=pending,running)" ]'
}
words=partition=low,line=--exclusive
check 'jobs of higher priority take nodes; put back into the queue, workers come again' \
	while_running preempt preempt
words=
was_put_back()
{
	timeout 60 scontrol show job | grep -q 'Restarts=[1-9]'
}
check 'Slurm says that it had put them back' was_put_back

# ---- what cannot be

steps pending 2 0
pending_is_told()
{
	local force rc

	"$GG" force --engine slurm:max=1,partition=short,time=10m >"$work/pending.log" 2>&1 &
	force=$!
	until_true 60 grep -q 'its time= is more than the partition allows (PartitionTimeLimit)' \
		"$work/pending.log"
	rc=$?
	kill -TERM $force
	wait $force
	[ $rc = 0 ] || { cat "$work/pending.log"; return 1; }
}
check 'why a job waits is told in words' pending_is_told
check 'whoever gives up leaves nothing in the queue' queue_is_empty
check 'a partition that does not exist fails the steps, with what sbatch said' \
	says 'invalid partition specified: nowhere' 1 timeout 200 \
	"$GG" force --engine slurm:partition=nowhere
project wide
mkdir in out
printf 'sh -c @ @in @out\n\tcpus\t9\n' >gg.models
echo x >in/1
"$GG" infer sh -c "sh -c 'cat \"\$0\" >\"\$1\"' in/1 out/1" >/dev/null 2>&1
check 'a step that no worker could hold is refused at once' \
	says 'one of its workers has 1 cpus' 1 timeout 200 "$GG" force --engine slurm:
cd "$work/pending" || exit 1
check 'a worker that is not there is told with what the node said' \
	says 'not found' 1 timeout 200 "$GG" force --engine slurm:max=1,worker=/nowhere/gg
sed 's/^SlurmctldPort=.*/SlurmctldPort=1/' "$slurm/slurm.conf" >"$work/away.conf"
SLURM_CONF=$work/away.conf check 'a controller that does not answer is told at once' \
	says 'Unable to contact slurm controller' 3 timeout 200 "$GG" force --engine slurm:

# ---- gg is killed

steps killed 200 0.5
"$GG" force -q --engine slurm:max=20,cpus=1 >/dev/null 2>&1 &
force=$!
until_true 60 eval '[ "$(sq --states=running | grep -c .)" -ge 4 ]'
kill -9 $force
wait $force 2>/dev/null
cd "$work/killed" || exit 1
check 'jobs of a killed gg are there still' [ "$(in_queue)" -gt 0 ]
check 'the next gg cancels them' counts 0 25 0 sh -c "cd '$work/here' && '$GG' force \
	--engine slurm:dir=$work/killed/.gg/slurm"
check 'and nothing is left in the queue' queue_is_empty
check 'nor in the folder' [ -z "$(ls -A .gg/slurm)" ]

cd / || exit 1
stop_slurm
check 'no process is left' none_left
plan
