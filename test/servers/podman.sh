#!/bin/bash
# podman.sh DIR - podman's REST API on the unix socket DIR/s, with images and
# containers of its own below DIR
#
# Writes DIR/pid of the service and DIR/containers.conf, which `podman` on the
# command line needs too: see podman_of.  What it left is ended by
# `podman.sh DIR stop`: containers, mounts, the service.
set -eu
dir=$(realpath -m "${1:?DIR}")
podman=(podman --root "$dir/root" --runroot "$dir/run" --storage-driver overlay)

stop()
{
	"${podman[@]}" rm -fa -t 0 >/dev/null 2>&1 || true
	[ -s "$dir/pid" ] && kill "$(cat "$dir/pid")" 2>/dev/null || true
	# Layers that a killed podman left mounted, innermost first.
	awk -v d="$dir/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | tac |
		while read -r at; do umount -l "$at"; done
	rm -rf "$dir"
}

# Lower limits than the defaults, for machines whose own are low, and runc,
# which needs no cgroup v2.
start()
{
	mkdir -p "$dir"
	cat >"$dir/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
		log_driver = "none"
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "file"
	END
	export CONTAINERS_CONF=$dir/containers.conf
	setsid "${podman[@]}" system service --time=0 "unix://$dir/s" >"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	for _ in $(seq 1200); do
		curl -sf --unix-socket "$dir/s" http://d/_ping >/dev/null && exit 0
		sleep 0.05
	done
	cat "$dir/log" >&2
	exit 1
}

export CONTAINERS_CONF=$dir/containers.conf
"${2:-start}"
