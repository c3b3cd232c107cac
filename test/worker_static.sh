#!/bin/bash
# worker_static.sh - gg-worker needs nothing of the machine that it runs on
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root, for chroot"
program=$BUILD/gg-worker
[ -x "$program" ] || skip "needs $program: make worker"
command -v readelf >/dev/null || skip "needs readelf"

check 'it is under 12 MB' test "$(stat -c %s "$program")" -lt $((12 << 20))
check 'it names no loader' sh -c '! readelf -lW "$1" | grep INTERP' sh "$program"
check 'and no library' sh -c '! readelf -dW "$1" | grep NEEDED' sh "$program"

# A root with nothing in it but the program, /proc and /tmp.
empty=$work/root
mkdir -p "$empty/proc" "$empty/tmp" "$empty/etc"
cp "$program" "$empty/gg-worker"
in_empty()
{
	unshare -m sh -c 'mount -t proc proc "$0/proc" && cd / && exec chroot "$0" "$@"' \
		"$empty" "$@"
}
unshare -m true || skip "needs mount namespaces"
check 'it starts where there is nothing else' in_empty /gg-worker --version
plan
