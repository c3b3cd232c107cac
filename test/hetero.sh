#!/bin/bash
# hetero.sh - the example hetero, by one command, on all that there is: shards on
# functions and on a cluster, training in containers, the vote at home, values in an
# object store; real servers, and the bytes of this machine alone
. "$(dirname "$0")/lib.sh"
. "$here/test/servers/all.sh"
images=${HETERO_IMAGES:-3200}

[ -d /usr/share/datasets/fashion-mnist ] || skip 'dataset-fashion-mnist is missing'
export HOME=$work
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL GG_ENGINE GG_REMOTE GG_KEY XDG_CONFIG_HOME
own_gg
[ -x "$BUILD/gg-worker" ] && cp "$BUILD/gg-worker" "$work/gg-worker"
ended()
{
	servers_end
	chmod -R u+w "$work" 2>/dev/null
	rm -rf "$work"
}
trap ended EXIT
PATH=$BUILD:$PATH
servers_start radosgw lambda slurm podman
[ -n "$(ls "$work/has")" ] || skip 'none of the servers can be had'
"$GG" key new >/dev/null 2>&1

fresh() # NAME
{
	cp -r "$here/examples/hetero" "$work/$1" && cd "$work/$1" && "$GG" init >/dev/null
}
# Shards want 256M, training 2G, the vote nothing in particular.  The first that has
# room takes a step: home has none for shards, and two functions may leave some for
# the cluster.
engines=()
home=mem=200M
has podman || home=mem=2G
has lambda || has slurm || home=mem=2G
engines+=(--engine "local:jobs=1,$home")
has lambda && engines+=(--engine "$(engine lambda function=gg-small:512M,jobs=2)")
has slurm && cluster=(--engine "$(engine slurm max=2,cpus=1,mem=300M)") &&
	engines+=("${cluster[@]}")
has podman && engines+=(--engine "$(engine podman workers=2,mem=2G)")
remote=(--remote "dir:$work/remote")
has radosgw && remote=(--remote "$bucket")
everywhere() # FORCED CACHED
{
	counts "$1" "$2" 0 timeout 600 "$GG" run "${engines[@]}" "${remote[@]}" ./run.sh 1 "$images"
}
# At least N steps ran there.
ran() # N WHERE
{
	local n=$(sed -n "s/.*[n,] \([0-9]*\) $2.*/\1/p" "$work/first.log")

	[ "${n:-0}" -ge "$1" ] || { cat "$work/first.log"; return 1; }
}
# Functions may have made all shards before it had begun: then the cluster alone.
on_cluster()
{
	ran 1 'on slurm' && return
	fresh cluster && "$GG" infer ./run.sh 1 "$images" || return
	counts 64 0 0 timeout 600 "$GG" force "${cluster[@]}" shards && diff -r shards "$work/away/shards"
}
hash_of() { sha256sum <ensemble.json; find shards data models -type f | sort | xargs sha256sum; }

fresh home
check 'this machine alone' counts 82 0 0 "$GG" run --engine local:jobs=2 ./run.sh 1 "$images"
alone=$(hash_of)
fresh away
begun=$SECONDS
check 'one command, on all there is' everywhere 82 0
echo "# $((SECONDS - begun)) s"
cp "$work/.log" "$work/first.log"
sed -n '/ran [0-9]* on/s/^/# /p' "$work/first.log"
has lambda && check 'shards ran on functions' ran 8 'on lambda'
has slurm && check 'and on the cluster' on_cluster && cd "$work/away"
has podman && check 'training ran in containers' ran 8 'on container'
check 'the vote ran at home' ran 1 here
check 'every value has the name that it has on this machine alone' [ "$(hash_of)" = "$alone" ]
check 'the store is right' store_is_right
check 'again there is nothing to do' everywhere 0 82
printf '\1' | dd of=raw/labels-05 bs=1 seek=8 conv=notrunc 2>/dev/null
check 'one shard changed: it, its join, its member, the vote' everywhere 4 78
changed=$(hash_of)
check 'that is another ensemble' [ "$changed" != "$alone" ]
cd "$work/home" && cp "$work/away/raw/labels-05" raw/
check 'the same four on this machine alone' \
	counts 4 78 0 "$GG" run --engine local:jobs=2 ./run.sh 1 "$images"
check 'give the same' [ "$(hash_of)" = "$changed" ]
fresh elsewhere
cp -r "$work/away/raw" .
nothing_made()
{
	says "forced 0, cached 82 (82 from remotes), failed 0," 0 timeout 600 \
		"$GG" run "${engines[@]}" "${remote[@]}" ./run.sh 1 "$images"
}
check 'who has the remote and the key makes nothing again, wherever the project is' nothing_made
check 'and has the same' [ "$(hash_of)" = "$changed" ]
has podman && check 'no container is left' test -z "$(pod ps -aq)"
no_jobs() { [ -z "$(timeout 60 squeue -h)" ]; }
has slurm && check 'no job is left in the queue' no_jobs
cd "$work/away" && check 'nothing temporary is left' nothing_temporary
servers_end
check 'no process is left' none_left
plan
