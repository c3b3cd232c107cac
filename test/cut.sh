#!/bin/bash
# cut.sh - functions and a node of a cluster in a network of their own that is cut,
# and a container that stands still, while a force runs on them: their work runs again
# or goes elsewhere, nothing is lost, nothing is left
. "$(dirname "$0")/lib.sh"
net=gg-cut-$$ link=ggc$$ ours=10.214.$(($$ % 250)).1
theirs=${ours%1}2 far="$net $ours $theirs"
. "$here/test/servers/all.sh"

export HOME=$work AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_REGION=us-east-1
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL GG_ENGINE GG_REMOTE GG_KEY XDG_CONFIG_HOME
pids=
ended()
{
	end_all $pids
	servers_end
	ip netns pids $net 2>/dev/null | xargs -r kill -9
	ip netns del $net 2>/dev/null
	ip link del $link 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null
	rm -rf "$work"
}
trap ended EXIT
inside() { ip netns exec $net "$@"; }
net_start()
{
	ip netns add $net && ip link add $link type veth peer name far netns $net &&
		ip addr add $ours/30 dev $link && ip link set $link up && inside ip link set lo up &&
		inside ip addr add $theirs/30 dev far && inside ip link set far up
}
net_start 2>"$work/.net" || skip "no network name spaces here: $(tail -1 "$work/.net")"
own_gg
[ -x "$BUILD/gg-worker" ] && cp "$BUILD/gg-worker" "$work/gg-worker"
servers_start lambda slurm podman
[ -n "$(ls "$work/has")" ] || skip 'none of the servers can be had'
there=$(ls "$work/has" | sed s/podman/container/)
engines=()
has lambda && engines+=(--engine "$(engine lambda function=gg-small:512M,jobs=2,lease=3s)")
has slurm && engines+=(--engine "$(engine slurm max=2,cpus=2,keep=20s,lease=3s,listen=$ours)")
has podman && engines+=(--engine "$(engine podman workers=2,lease=3s)")

steps() # NAME N SECONDS
{
	local i

	project "$1"
	mkdir in out
	printf 'sh -c @ @in @out\n\tuses\t%s\n' \
		'dash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10' >gg.models
	for ((i = 1; i <= $2; i++)); do
		echo "input $i of $1" >in/$i
		echo "sh -c 'sleep $3; cat \"\$0\" >\"\$1\"' in/$i out/$i"
	done >cmds.sh
	"$GG" infer sh cmds.sh >"$work/.infer" 2>&1
}
ran() { cat .gg/runs/*.jsonl 2>/dev/null | grep '"event":"ran"' | grep "\"engine\":\"$1"; }
n_well() { ran "$1" | grep -c '"status":"ok"'; }
has_run_on() { [ "$(n_well "$1")" -ge "${2:-2}" ]; }
begin() # ENGINE...
{
	timeout 400 "$GG" force "$@" >"$work/${PWD##*/}.log" 2>&1 &
	force=$!
	pids="$pids $force"
}
ends_well() { wait $force || { tail -5 "$work/${PWD##*/}.log"; return 1; }; }
right()
{
	diff -r in out && store_is_right && nothing_temporary
}
# Is it at work, on what will be cut?
works_on() # ENGINE
{
	case $1 in
	slurm) timeout 60 squeue -h -w n1 -t running | grep -q . && has_run_on slurm 4 ;;
	*) has_run_on "$1" ;;
	esac
}
all_work() { for name in $there; do works_on $name || return; done; }
is_over() { ! kill -0 $force; }
lost_on() { ran "$1" | grep -E '"status":"(lost-worker|out-of-reach)"'; }

# Beside it one that has nowhere else to go.
alone=
if has lambda; then
	steps alone 50 0.4
	begin --engine "$(engine lambda function=gg-large:1769M,jobs=2,lease=3s)"
	alone=$force
	check 'functions alone work' until_true 60 has_run_on lambda
fi
steps together 100 0.4
begin "${engines[@]}"
# On a slow machine one may come when there is no more to do.
check 'functions, a cluster and containers work' until_true 90 eval 'all_work || is_over'
cut=
[ "$(ran "" | wc -l)" -gt 75 ] || for name in $there; do works_on $name && cut="$cut $name"; done
echo "# cut while they work:$cut"
is_alone_over=yes
[ -n "$alone" ] && kill -0 $alone && is_alone_over=
frozen=
has podman && frozen=$(pod ps -q | head -1)
[ -n "$frozen" ] && pod pause "$frozen" >/dev/null
ip link set $link down
sleep 6
ip link set $link up
[ -n "$frozen" ] && pod unpause "$frozen" >/dev/null 2>&1
check 'cut off for six seconds, for longer than their leases, all is done' ends_well
check 'with the right bytes, and the store right' right
for name in $cut; do
	check "$name had lost steps" lost_on $name
done
# Of workers that are lost one by one, and whose steps go elsewhere, no more is said.
[[ $cut != *lambda* ]] || check 'what went wrong is said' grep -qE 'nobody answers|says nothing more|failed .* in a row' "$work/together.log"
if [ -n "$alone" ]; then
	force=$alone
	cd "$work/alone"
	check 'functions alone: the same steps run again once they can be reached' ends_well
	check 'with the right bytes' right
	[ -n "$is_alone_over" ] || check 'of which some had been lost' lost_on lambda
fi
check 'nothing is left running' until_true 90 nothing_runs
cd / && end_all $pids
servers_end
check 'no process is left' none_left
check 'nor one in that network' until_true 60 eval '[ -z "$(ip netns pids $net)" ]'
plan
