# all.sh - sourced: real servers for engines and values, each if it can be had
#
# servers_start NAME... starts some of radosgw, lambda, slurm, podman in $work, at
# the same time, with the gg that own_gg made; has NAME says whether it is there, and
# servers_end ends them with all that they started.  Afterwards the keys of
# radosgw are in the environment and with functions, $bucket is its address, and
# engine NAME WORDS prints an engine of it.  With far="NETNS OURS THEIRS" functions and
# the last node of the cluster are in that network name space, where OURS reaches this
# one, and THEIRS is there.

servers=$here/test/servers
read -r far_net far_ours far_theirs <<<"${far:-}"
mkdir -p "$work/faults" "$work/tmp" "$work/has"
: >"$work/faults/pids"
export XDG_CACHE_HOME=$work/cache
export CONTAINERS_CONF=$work/p/containers.conf SLURM_CONF=$work/slurm/slurm.conf
pod() { podman --root "$work/p/root" --runroot "$work/p/run" "$@"; }
has() { [ -e "$work/has/$1" ]; }

server_start() # NAME
{
	case $1 in
	radosgw) "$servers/radosgw.sh" "$work/s3" ;;
	lambda)
		echo '{}' >"$work/faults/faults.json"
		: >"$work/faults/log"
		TMPDIR=$work/tmp BUILD=$BUILD GG_LAMBDA_HOST=${far_theirs:-127.0.0.1} \
			${far_net:+nsenter --net=/run/netns/$far_net} "$servers/lambda.sh" "$work/server" \
			"$GG worker" "$work/faults"
		;;
	slurm) SLURM_FAR=${far:-} SLURMD_TIMEOUT=5 "$servers/slurm.sh" "$work/slurm" 2 2 ;;
	podman)
		for tool in podman runc curl; do
			command -v $tool >/dev/null || { echo "needs $tool"; return 77; }
		done
		"$servers/podman.sh" "$work/p"
		;;
	esac >"$work/start.$1" 2>&1 && : >"$work/has/$1"
}

# The keys of radosgw first: functions get them when they begin.
servers_start() # NAME...
{
	local name starting=

	for name; do
		[ "$name" = radosgw ] || continue
		server_start radosgw
		has radosgw || continue
		. "$work/s3/env"
		export GG_ROLE_KEY_ID=$AWS_ACCESS_KEY_ID GG_ROLE_SECRET=$AWS_SECRET_ACCESS_KEY
		bucket="s3://bucket/$$?endpoint=$S3_ENDPOINT"
	done
	for name; do
		[ "$name" = radosgw ] && continue
		server_start "$name" &
		starting="$starting $!"
	done
	wait $starting
	for name; do
		has "$name" || echo "# without $name: $(tail -1 "$work/start.$name")"
	done
}

engine() # NAME WORDS
{
	local at

	case $1 in
	lambda) at="endpoint=http://${far_theirs:-127.0.0.1}:$(cat "$work/server/port")" ;;
	podman) set -- container "$2"; at="socket=$work/p/s" ;;
	*) at= ;;
	esac
	echo "$1:$2${at:+,$at}"
}

# Neither containers nor jobs are left.
nothing_runs()
{
	{ ! has podman || [ -z "$(pod ps -aq)" ]; } &&
		{ ! has slurm || [ -z "$(timeout 60 squeue -h -t pending,running)" ]; }
}

end_all() # PID...
{
	local p i

	kill "$@" 2>/dev/null
	for p; do
		for ((i = 0; i < 50; i++)); do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$p" 2>/dev/null
	done
}

servers_end()
{
	has slurm && timeout 60 scancel --user=root 2>/dev/null
	has podman && "$servers/podman.sh" "$work/p" stop
	end_all $(cat "$work/slurm/pids" "$work/server/pid" "$work/s3/rgw.pid" "$work/s3/pids" \
		"$work/faults/pids" 2>/dev/null)
	end_steps "$work/slurm"
	rm -f "$work"/has/*
	wait 2>/dev/null
}
