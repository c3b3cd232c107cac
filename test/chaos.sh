#!/bin/bash
# chaos.sh - a random graph, and everything that can befall a machine meanwhile
#
# ROUNDS=300 SEED=7 make it longer, and repeat what a report names.  POWER=1 cuts
# the power too, where results have been seen that name objects which are gone.
. "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-14}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}

[ "$(id -u)" = 0 ] || skip "mounting file systems needs root"
[ -e /dev/fuse ] || skip "needs /dev/fuse"
[ -e /usr/lib/python3/dist-packages/fusepy.py ] || skip "needs python3-fusepy"
faketime=$(echo /usr/lib/*/faketime/libfaketime.so.1)
[ -e "$faketime" ] || skip "needs libfaketime"
own_gg
trap 'umount "$work/chaos/small" "$work/chaos/faulty" 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/chaos"
FAKETIME_LIBRARY=$faketime /usr/bin/python3 -B "$here/test/chaos/chaos.py" "$GG" \
	"$BUILD/test/check_store" "$work/chaos" "$seed" "$rounds"
