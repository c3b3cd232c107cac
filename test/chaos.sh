#!/bin/bash
# chaos.sh - a random graph, and everything that can befall a machine meanwhile
#
# ROUNDS=300 SEED=$RANDOM make it longer and another; DEEDS=power_cut
# does one thing only, DISK_KIND=xfs on that file system.
. "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-11}
seed=${SEED:-7}

[ "$(id -u)" = 0 ] || skip "mounting file systems needs root"
[ -e /dev/fuse ] || skip "needs /dev/fuse"
[ -e /usr/lib/python3/dist-packages/fusepy.py ] || skip "needs python3-fusepy"
faketime=$(echo /usr/lib/*/faketime/libfaketime.so.1)
[ -e "$faketime" ] || skip "needs libfaketime"
own_gg || exit
program=$work/disk
gcc -std=c17 -D_GNU_SOURCE -O2 -o "$program" "$here/test/chaos/disk.c" \
	$(pkg-config --cflags --libs fuse3 2>/dev/null) 2>/dev/null || program=
[ -e /dev/loop-control ] && losetup --find >/dev/null 2>&1 || program=
[ -n "$program" ] || echo "# the power is not cut: needs libfuse3-dev and loop devices"

# What a harness that was ended itself has left.
finish()
{
	local loop

	for loop in $(timeout 10 losetup -n -O NAME -j "$work/chaos/raw/disk" 2>/dev/null); do
		losetup -d "$loop"
	done
	chmod -R u+w "$work" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
mkdir "$work/chaos"
# What is mounted is so for the harness alone: a container that somebody else
# starts meanwhile would hold a file system of it, and go when it is ended.
FAKETIME_LIBRARY=$faketime DISK_PROGRAM=$program unshare -m --propagation private \
	/usr/bin/python3 -B "$here/test/chaos/chaos.py" \
	"$GG" "$BUILD/test/check_store" "$work/chaos" "$seed" "$rounds"
