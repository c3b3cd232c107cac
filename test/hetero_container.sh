#!/bin/bash
# hetero_container.sh - the example hetero with containers of a real podman: what
# has a closure runs there, the vote at home, and the bytes are the same
. "$(dirname "$0")/lib.sh"

for tool in podman runc curl; do
	command -v $tool >/dev/null || skip "needs $tool"
done
[ -d /usr/share/datasets/fashion-mnist ] || skip 'dataset-fashion-mnist is missing'
server=$here/test/servers/podman.sh
own_gg
[ -x "$BUILD/gg-worker" ] && cp "$BUILD/gg-worker" "$work/gg-worker"
trap '"$server" "$work/p" stop; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
"$server" "$work/p" || skip 'podman cannot serve here'
export CONTAINERS_CONF=$work/p/containers.conf XDG_CACHE_HOME=$work/cache
pod() { podman --root "$work/p/root" --runroot "$work/p/run" "$@"; }

cp -r "$here/examples/hetero" "$work/hetero" && cd "$work/hetero" || exit 1
PATH=$BUILD:$PATH
"$GG" init >/dev/null
run() # FORCED CACHED ENGINE...
{
	local forced=$1 cached=$2

	shift 2
	counts "$forced" "$cached" 0 "$GG" run "$@" ./run.sh 1
}
containers="container:workers=2,socket=$work/p/s"
# Too small for training, which wants 2G.
home=local:jobs=1,mem=1G
check 'containers alone cannot take the vote, which has no closure' \
	says 'it has no closure' 1 "$GG" run --engine "$containers" ./run.sh 1
check 'with home beside them' run 82 0 --engine "$containers" --engine $home
check 'where there is no room for training' eval '
	[ "$(sed -n "s/.*ran \([0-9]*\) on container.*/\1/p" "$work/.log")" -ge 8 ]'
check 'the vote has the bytes that it should' sha256sum -c expected.txt
check 'the same again forces nothing' run 0 82 --engine "$containers" --engine $home
printf '\1' | dd of=raw/labels-05 bs=1 seek=8 conv=notrunc 2>/dev/null
check 'one shard changed: it, its join, its member, the vote' \
	run 4 78 --engine "$containers" --engine $home
sum=$(sha256sum <ensemble.json)
chmod -R u+w . && rm -rf .gg shards data models ensemble.json && "$GG" init >/dev/null
check 'at home all of it' run 82 0 --engine local
check 'gives the same' test "$(sha256sum <ensemble.json)" = "$sum"
check 'no container is left' test -z "$(pod ps -aq)"
plan
