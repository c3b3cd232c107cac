#!/bin/bash
# slurm.sh DIR [NODES [CPUS]] - a real Slurm on this host: munged, slurmctld and
# NODES slurmd of CPUS each, all in DIR, on loopback and free ports
#
# Afterwards SLURM_CONF=DIR/slurm.conf is all a client needs, and the process ids
# are in DIR/pids.  Partitions: main; low, whose jobs go back into the queue when
# one of high wants their node; short, of one minute.  Two devices a node pass
# for GPUs.  SLURM_FAR="NETNS OURS THEIRS" puts the last node into a network name space
# that is reached at THEIRS and reaches this one at OURS.  While there is a DIR/ill.NODE
# no job can be started on that node.  Exit status 77: Slurm or munge is not installed.
set -eu
dir=${1:?DIR} nodes=${2:-2} cpus=${3:-4}
read -r far ours theirs <<<"${SLURM_FAR:-}"
host=$(hostname -s)
for tool in munged slurmctld slurmd squeue; do
	PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { echo "needs $tool" >&2; exit 77; }
done
PATH=$PATH:/usr/sbin
[ "$(id -u)" = 0 ] || { echo 'slurmd has to be started by root' >&2; exit 77; }

mkdir -p "$dir"/{state,spool,run,gres}
chmod 0755 "$dir"
: >"$dir/pids"

# In the background, its output in DIR/NAME.out, its id in DIR/pids.
serve() # NAME COMMAND...
{
	local name=$1

	shift
	"$@" >"$dir/$name.out" 2>&1 </dev/null &
	echo $! >>"$dir/pids"
	echo $! >"$dir/run/$name"
}

until_true() # SECONDS COMMAND...
{
	local i n=$(($1 * 10))

	shift
	for ((i = 0; i < n; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "waited in vain for: $*" >&2
	tail -5 "$dir"/*.out >&2
	return 1
}

ports=($(/usr/bin/python3 - $((nodes + 1)) <<'P'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
P
))

install -d -m 0700 "$dir/munge"
(umask 077; head -c 128 /dev/urandom >"$dir/munge/key")
serve munged munged --foreground --force --socket="$dir/run/munge" --num-threads=2 \
	--key-file="$dir/munge/key" --seed-file="$dir/munge/seed" \
	--pid-file="$dir/munge/pid" --log-file="$dir/munge/log"
until_true 60 test -S "$dir/run/munge"

for g in 0 1; do
	[ -e "$dir/gres/gpu$g" ] || mknod "$dir/gres/gpu$g" c 1 3
done
echo "Name=gpu File=$dir/gres/gpu[0-1]" >"$dir/gres.conf"
printf '#!/bin/sh\n[ ! -e "%s/ill.$SLURMD_NODENAME" ]\n' "$dir" >"$dir/prolog"
chmod 755 "$dir/prolog"
cat >"$dir/slurm.conf" <<C
ClusterName=gg-test
SlurmctldHost=$host(${ours:-127.0.0.1})
SlurmctldPort=${ports[nodes]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge,cred_expire=20
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=20000,sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
MpiDefault=none
GresTypes=gpu
ReturnToService=2
Prolog=$dir/prolog
SlurmdTimeout=${SLURMD_TIMEOUT:-300}
KillWait=2
MinJobAge=300
MaxArraySize=1001
SlurmdParameters=config_overrides
C
for ((i = 0; i < nodes; i++)); do
	at=127.0.0.1
	[ -z "$far" ] || [ $i != $((nodes - 1)) ] || at=$theirs
	echo "NodeName=n$i NodeHostname=$host NodeAddr=$at Port=${ports[i]} CPUs=$cpus" \
		"RealMemory=4000 TmpDisk=1000 Gres=gpu:2" >>"$dir/slurm.conf"
done
cat >>"$dir/slurm.conf" <<C
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=2
PartitionName=low Nodes=ALL MaxTime=INFINITE PriorityTier=1
PartitionName=high Nodes=ALL MaxTime=INFINITE PriorityTier=9
PartitionName=short Nodes=ALL MaxTime=1 PriorityTier=2
C

export SLURM_CONF=$dir/slurm.conf
serve slurmctld slurmctld -D
for ((i = 0; i < nodes; i++)); do
	inside=
	[ -z "$far" ] || [ $i != $((nodes - 1)) ] || inside="nsenter --net=/run/netns/$far"
	serve "n$i" $inside slurmd -D -N "n$i"
done
are_idle() { [ "$(timeout 60 sinfo -h -p main -t idle -o %D)" = "$nodes" ]; }
until_true 120 are_idle
