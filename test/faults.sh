#!/bin/bash
# faults.sh - what goes wrong while one force runs on functions, a cluster and
# containers at once, with values in a radosgw: nothing is lost, nothing is wrong,
# nothing is left, and what is said says what to do
. "$(dirname "$0")/lib.sh"
. "$here/test/servers/all.sh"

export HOME=$work
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL GG_ENGINE GG_REMOTE GG_KEY XDG_CONFIG_HOME
own_gg
[ -x "$BUILD/gg-worker" ] && cp "$BUILD/gg-worker" "$work/gg-worker"
pids=
# Here, so that it is seen to be this test's; some are started in subshells.
cp "$here/test/servers/slow.py" "$work/"
: >"$work/slow.pids"
net=gg-test-$$
ended()
{
	end_all $pids $(cat "$work/slow.pids")
	servers_end
	ip netns del $net 2>/dev/null
	umount -l "$work/small" 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null
	rm -rf "$work"
}
trap ended EXIT
servers_start radosgw lambda slurm podman
[ -n "$(ls "$work/has")" ] || skip 'none of the servers can be had'
"$GG" key new >/dev/null 2>&1
engines=()
has lambda && engines+=(--engine "$(engine lambda function=gg-small:512M,jobs=2)")
has slurm && engines+=(--engine "$(engine slurm max=2,cpus=1,keep=20s)")
has podman && engines+=(--engine "$(engine podman workers=1)")
remote=(--remote "dir:$work/remote")
has radosgw && remote=(--remote "$bucket")

# steps NAME N SECONDS [BYTES]: N steps that take so long and read a value too large
# for a request, and one of them all; what they give by themselves is in $wanted.
steps()
{
	local i

	chmod -R u+w "${work:?}/$1" 2>/dev/null
	rm -rf "${work:?}/$1"
	project "$1"
	mkdir in out
	printf 'sh -c @ @in @in @out\n%s\nsh -c @ sum @out @in...\n%s\n' "$uses" "$uses" >gg.models
	head -c "${4:-7000000}" /dev/urandom >big
	for ((i = 1; i <= $2; i++)); do
		echo "input $i of $1" >in/$i
		echo "sh -c 'sleep $3; { cat \"\$0\"; tail -c 9 \"\$1\"; } >\"\$2\"' in/$i big out/$i"
	done >cmds.sh
	echo "sh -c 'o=\$1; shift; cat \"\$@\" >\$o' sum out/sum out/[0-9]*" >>cmds.sh
	cp -r . "$work/plain" && (cd "$work/plain" && sed 's/sleep [0-9.]*;//' cmds.sh | sh)
	wanted=$(root_hash "$work/plain/out")
	rm -rf "$work/plain"
	"$GG" infer sh cmds.sh >"$work/.infer" 2>&1
}
uses='	uses	dash coreutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10'
root_hash() { (cd "$1" && sha256sum -- * | sha256sum); }
# Steps that have ended well in this run.
n_ran() { cat .gg/runs/*.jsonl 2>/dev/null | grep -c '"event":"ran".*"status":"ok"'; }
have_run() { [ "$(n_ran)" -ge "$1" ]; }
right()
{
	[ "$(root_hash out)" = "$wanted" ] && store_is_right && nothing_temporary && return
	tail -5 "$work/.log"
	return 1
}
begin() # ARG...
{
	timeout 400 "$GG" force "${engines[@]}" "$@" >"$work/.log" 2>&1 &
	force=$!
	pids="$pids $force"
}
ends_well() { wait $force || { tail -5 "$work/.log"; return 1; }; }
said() { grep -qE -- "$1" "$work/.log" || { echo "not said: $1"; cat "$work/.log"; return 1; }; }
# while_running NAME COMMAND...: once steps have run, do it.
while_running()
{
	local name=$1

	shift
	steps "$name" 40 0.4
	begin "${remote[@]}"
	until_true 60 have_run 6 || { cat "$work/.log"; return 1; }
	"$@" >"$work/.did" 2>&1 || { echo "cannot: $*"; cat "$work/.did"; return 1; }
	ends_well
}
all_is_well()
{
	check 'the same root hash, the store right, nothing temporary' right
	check 'nothing is left running' until_true 90 nothing_runs
}

# twin OF NAME: the same project, with nothing made.
twin()
{
	chmod -R u+w "${work:?}/$2" 2>/dev/null
	rm -rf "${work:?}/$2"
	mkdir "$work/$2"
	cp -r "$work/$1"/{in,big,cmds.sh,gg.models} "$work/$2"
	cd "$work/$2" && mkdir out && "$GG" init >/dev/null && "$GG" infer sh cmds.sh >/dev/null 2>&1
}
nothing_made() # OF NAME
{
	twin "$1" "$2" && says 'forced 0, cached 41 (41 from remotes), failed 0,' 0 \
		"$GG" force --engine local: "${remote[@]}"
}

# ---- what is killed

kill_each()
{
	local p

	if has lambda; then kill -9 "$(tail -1 "$work/faults/pids")" || return 1; fi
	if has podman; then
		until_true 90 eval '[ -n "$(pod ps -q)" ]' && pod kill "$(pod ps -q | head -1)" || return 1
	fi
	if has slurm; then
		until_true 90 pgrep -f "^$work/gg worker --connect" || return 1
		p=$(pgrep -f "^$work/gg worker --connect" | head -1)
		kill -9 "$p"
		kill -9 "$(cat "$work/slurm/run/n0")"
	fi
}
check 'a worker of each engine and a slurmd killed at once' while_running killed kill_each
all_is_well
if has slurm; then
	SLURM_CONF=$work/slurm/slurm.conf slurmd -D -N n0 >"$work/slurm/n0.out" 2>&1 &
	echo $! >>"$work/slurm/pids"
	echo $! >"$work/slurm/run/n0"
fi

if has radosgw; then
	away()
	{
		kill -9 "$(cat "$work/s3/rgw.pid")"
		sleep 10
		"$servers/radosgw.sh" "$work/s3" again
	}
	check 'radosgw killed for ten seconds' while_running store away
	all_is_well
	check 'and all that was made rests there' nothing_made store store2
fi

kill_gg() { kill -9 $(pgrep -f "^$work/gg force"); }
while_running dispatcher kill_gg >/dev/null
check 'the dispatcher killed: another goes on where it was' eval '
	timeout 400 "$GG" force "${engines[@]}" "${remote[@]}" >"$work/.log" 2>&1'
check 'and makes nothing again that was made' eval '
	n=$(sed -n "s/^forced \([0-9]*\),.*/\1/p" "$work/.log"); [ "$n" -gt 0 ] && [ "$n" -le 35 ]'
all_is_well

# ---- the network: cut for less than a lease and for more, and slow

listen=10.213.$(($$ % 250)).1
far() { ip netns exec $net "$@"; }
net_start()
{
	ip netns add $net && ip link add ggt$$ type veth peer name far netns $net &&
		ip addr add $listen/30 dev ggt$$ && ip link set ggt$$ up &&
		far ip addr add ${listen%1}2/30 dev far && far ip link set far up
}
# over COMMAND... : while a worker beyond the network works, do it.
over() # NAME COMMAND...
{
	steps "$1" 40 0.3 1000000
	shift
	rm -f "$work/ticket"
	timeout 400 "$GG" force --engine \
		"connect:listen=$listen:0,ticket=$work/ticket,lease=4s" >"$work/.log" 2>&1 &
	force=$!
	pids="$pids $force"
	until_true 90 test -s "$work/ticket" || return 1
	"${worker[@]}" "$GG" worker --connect "${ticket:-$work/ticket}" -j 2 >"$work/far.log" 2>&1 &
	pids="$pids $!"
	until_true 90 have_run 4 || { cat "$work/.log" "$work/far.log"; return 1; }
	"$@" || return 1
	ends_well
}
cut_for() { ip link set ggt$$ down && sleep "$1" && ip link set ggt$$ up; }
worker=(far)
if net_start 2>"$work/.net"; then
	check 'the network cut for less than a lease' over short cut_for 2
	all_is_well
	check 'cut for longer: the worker comes again' over long cut_for 12
	all_is_well
	check 'meanwhile it is said that no worker is here, and how to start one' \
		said 'start some with gg worker --connect'
	if far tc qdisc add dev far root netem delay 100ms 30ms loss 1% 2>/dev/null; then
		check 'a slow network that loses packets' over slow true
		all_is_well
		far tc qdisc del dev far root
	else
		echo '# this kernel has no netem: slow.py delays instead'
	fi
else
	echo "# no network namespace here: $(tail -1 "$work/.net")"
	listen=127.0.0.1
fi
slow_to() # HOST PORT: $slow is its port
{
	rm -f "$work/slow.port"
	"$work/slow.py" "$1" "$2" 100 >"$work/slow.port" 2>"$work/slow.log" &
	slow_pid=$!
	echo $slow_pid >>"$work/slow.pids"
	until_true 90 test -s "$work/slow.port"
	slow=$(cat "$work/slow.port")
}
worker=(through_slow)
through_slow()
{
	local at=$(sed -n 's/^url .*:\([0-9]*\).*/\1/p' "$work/ticket")

	slow_to $listen "$at"
	(umask 077; sed "s/^url .*/url https:\/\/127.0.0.1:$slow/" "$work/ticket" >"$work/slow.ticket")
	exec "$1" worker --connect "$work/slow.ticket" "${@:5}"
}
check 'each byte late by 100 ms, both ways' over late true
all_is_well
if has radosgw; then
	slow_to 127.0.0.1 "${S3_ENDPOINT##*:}"
	direct=("${remote[@]}")
	remote=(--remote "s3://bucket/$$?endpoint=http://127.0.0.1:$slow")
	check 'so is radosgw, and then all connections to it are cut for five seconds' \
		while_running slow_store kill -USR1 $slow_pid
	all_is_well
	remote=("${direct[@]}")
	check 'all that was made rests there' nothing_made slow_store slow_store2
fi

# ---- the store's disk is full

mkdir -p "$work/small"
if mount -t tmpfs -o size=9m none "$work/small" 2>/dev/null; then
	steps full 12 0.2 300000
	cp -r "$work/full" "$work/small/"
	cd "$work/small/full" && rm -rf .gg out && mkdir out && "$GG" init >/dev/null &&
		"$GG" infer sh cmds.sh >/dev/null 2>&1
	dd if=/dev/zero of=../filler bs=4k 2>/dev/null
	check 'a full disk under the store: it is said that room is wanted' eval '
		timeout 400 "$GG" force "${engines[@]}" "${remote[@]}" >"$work/.log" 2>&1
		[ $? = 3 ] && said "No space left"'
	check 'nothing is left running' until_true 90 nothing_runs
	rm ../filler
	mount -o remount,size=200m "$work/small"
	check 'with room it goes on' timeout 400 "$GG" force "${engines[@]}" "${remote[@]}"
	all_is_well
	cd "$work" && umount -l "$work/small"
fi

has radosgw || plan

# ---- objects that are spoiled, clocks, keys

s3() { "$servers/s3_request.py" "$@"; }
spoil()
{
	local keys key

	keys=$(s3 GET "$S3_ENDPOINT/bucket?list-type=2&prefix=$$-spoiled/cas/" |
		grep -o '<Key>[^<]*' | cut -c6-)
	for key in $keys; do
		s3 PUT "$S3_ENDPOINT/bucket/$key" "not what its name says" >/dev/null || return 1
	done
	[ -n "$keys" ]
}
remote=(--remote "s3://bucket/$$-spoiled?endpoint=$S3_ENDPOINT")
steps whole 40 0
check 'a run whose values are to be spoiled' counts 41 0 0 "$GG" force --engine local: "${remote[@]}"
check 'every object of it is given other bytes' spoil
twin whole mended
check 'none is believed: all is made again' counts 41 0 0 \
	timeout 400 "$GG" force "${engines[@]}" --engine local: "${remote[@]}"
all_is_well
check 'it is said that they are damaged' said damaged
check 'and they are whole again there' nothing_made whole whole2


again() # OFFSET
{
	kill "$(cat "$work/s3/rgw.pid")" && until_true 60 eval '! kill -0 "$(cat "$work/s3/rgw.pid")"'
	"$servers/radosgw.sh" "$work/s3" again "$@"
}
SERVICE=sts s3 POST "$S3_ENDPOINT/" \
	'Action=GetSessionToken&DurationSeconds=900&Version=2011-06-15' >"$work/sts"
session=()
for name in AccessKeyId:AWS_ACCESS_KEY_ID SecretAccessKey:AWS_SECRET_ACCESS_KEY \
	SessionToken:AWS_SESSION_TOKEN; do
	session+=("${name#*:}=$(grep -o "<${name%:*}>[^<]*" "$work/sts" | cut -d'>' -f2)")
done
with_session() { env "${session[@]}" "$@"; }
expires_meanwhile()
{
	steps meanwhile 40 0.4
	begin "${remote[@]}" --engine local:
	until_true 60 have_run 6 && again +20m && ends_well
}
for name in "${session[@]}"; do export "${name?}"; done
check 'keys that expire while a force runs: what is left is done without the remote' expires_meanwhile
. "$work/s3/env"
unset AWS_SESSION_TOKEN
check 'it is said what to do' said 'get new keys'
all_is_well
check 'with new keys gg push sends the rest' "$GG" push "${remote[@]}"
check 'so that nothing is lost' nothing_made meanwhile meanwhile2
steps clock 40 0
check 'a clock that is 20 minutes off' counts 41 0 0 \
	timeout 400 "$GG" force "${engines[@]}" "${remote[@]}"
all_is_well
check 'all is in the remote' nothing_made clock clock2
check 'gg remote check says what to do about the clock' \
	says 'one of them is wrong (timedatectl' 0 "$GG" remote check "${remote[@]}"
steps expired 40 0
check 'keys that have expired: the work is done without the remote' \
	counts 41 0 0 with_session timeout 400 "$GG" force --engine local: "${remote[@]}"
check 'and it is said what to do' said 'gg remote check|get new keys'
all_is_well
check 'gg remote check says that new keys are wanted' \
	says 'get new keys' 3 with_session "$GG" remote check "${remote[@]}"
check 'with good keys gg push sends all of it' "$GG" push "${remote[@]}"
check 'so that nothing is lost' nothing_made expired expired2
check 'no secret is in what was said or kept' eval '
	! grep -rqF -e "$AWS_SECRET_ACCESS_KEY" -e "${session[1]#*=}" -e "${session[2]#*=}" \
		"$work"/*/.gg "$work/.log"'
cd / && end_all $pids $(cat "$work/slow.pids")
servers_end
check 'no process is left' none_left
plan
