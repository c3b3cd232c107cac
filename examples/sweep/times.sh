#!/bin/sh
# times.sh - the sweep from nothing, as few processes and as a hundred: how long each
# takes, and that the files are the same
set -e
here=$(cd "$(dirname "$0")" && pwd)
ml=$(command -v gg-ml)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sweep() # NAME OPTION...
{
	name=$1
	shift
	mkdir -p "$work/$name/bin"
	cd "$work/$name"
	cp "$here/run.sh" .
	# A step sees no programs below /tmp but those of its project.
	cp "$ml" bin/
	PATH=$PWD/bin:$PATH
	gg init >/dev/null
	gg run "$@" ./run.sh >log 2>&1 || { cat log >&2; exit 1; }
	sha256sum models/* report.txt best.txt >sums
	printf '%-8s %s\n' "$name" "$(tail -1 log)"
	grep 'steps ran' log || true
}

sweep alone --no-fuse
sweep fused
cmp "$work/alone/sums" "$work/fused/sums" && echo 'the files are the same'
