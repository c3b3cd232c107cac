#!/bin/bash
# worker.sh - real workers: alone in a root of their own, with a wrong ticket,
# without a dispatcher, asked to end, on a full disk
. "$(dirname "$0")/lib.sh"

own_gg
program=$BUILD/gg-worker
workers=
trap 'kill -9 $workers 2>/dev/null; wait 2>/dev/null
	umount "$work/small" 2>/dev/null; umount "$work/root/proc" 2>/dev/null
	chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/tmp"
export TMPDIR=$work/tmp
project p
cat >gg.models <<'END'
sh step.sh @ -o=@out
sh size.sh @in -o=@out
END
echo 'sleep ${1%-*}; echo "did $1" >$3; echo heard $1' >step.sh
echo 'wc -c <$1 >$3' >size.sh
engine=connect:unix=$work/socket,ticket=$work/ticket

# An output of its own for each step: NAME SECONDS.
infer() { "$GG" infer -q sh step.sh "$2-$1" -o "$1" >/dev/null 2>&1; }
force() { timeout 300 "$GG" force --engine "$engine" "$@"; }
# A worker once there is a ticket; its words are in $work/said.
start_worker() # PROGRAM [OPTION...]
{
	rm -f "$work/ticket"
	(until_true 60 test -s "$work/ticket" && exec "$@" --connect "$work/ticket") >"$work/said" 2>&1 &
	worker=$!
	workers="$workers $worker"
}
# The worker's own exit status.
ends() # STATUS
{
	local rc

	wait "$worker"
	rc=$?
	[ $rc = "$1" ] && return 0
	echo "it ended with $rc:"
	cat "$work/said"
	return 1
}
gives()
{
	force "$1" >"$work/.force" 2>&1 && grep -q "did ${2:-0}-$1" "$1" && return 0
	cat "$work/.force"
	return 1
}

# A step that runs now, for as many seconds: NAME SECONDS [OPTION...]
sets_going()
{
	infer "$1" "$2"
	start_worker "$GG" worker -j1 "${@:3}"
	"$GG" force --engine "$engine" "$1" >"$work/.force" 2>&1 &
	forcing=$!
	all_sleep "$2"
}

infer one 0
start_worker "$GG" worker -j2
check 'a worker does the steps of a dispatcher' gives one
check 'and ends when that has no more to do' ends 0
check 'what a step says comes along' says 'heard 0-one' 0 "$GG" log one
check 'no folder of the worker is left' sh -c '! ls -d "$TMPDIR"/gg-worker.* 2>/dev/null | grep .'

# ---- asked to end
sets_going slow "60.$$"
kill -TERM "$worker"
check 'asked to end it does not while a step runs' sh -c 'sleep 0.3; kill -0 $1' - "$worker"
wake "60.$$"
check 'and then ends well' ends 0
wait $forcing
check 'after the step, so that the dispatcher has it' grep -q "did 60.$$-slow" slow

# ---- what ends by SIGTERM, and who
cat >term.sh <<'END'
echo begun; kill -TERM $$; sleep 9
END
echo 'sh term.sh @ -o=@out' >>gg.models
"$GG" infer -q sh term.sh x -o term >/dev/null 2>&1
start_worker "$GG" worker -j1
check 'a program that ends by SIGTERM has failed' says SIGTERM 1 force --json term
check 'after one run' sh -c '[ "$(grep -c "\"event\":\"start\"" "$1")" = 1 ]' sh "$work/.log"
check 'and its worker ends well' ends 0
sets_going longest "61.$$"
from=$(date +%s)
kill -TERM "$worker"
sleep 0.3
kill -TERM "$worker"
check 'asked twice a worker ends at once' ends 0
check 'whatever runs' test $(($(date +%s) - from)) -lt 45
kill -TERM $forcing
wait $forcing

# ---- killed
sets_going longer "62.$$"
kill -9 "$worker"
wait "$worker" 2>/dev/null
kill -TERM $forcing
wait $forcing
check 'a killed worker leaves its folder' sh -c 'ls -d "$TMPDIR"/gg-worker.?????? | grep .'
ours=$(mktemp -d "$TMPDIR/gg-worker.XXXXXX")
exec 8<"$ours"
flock 8
infer after 0
start_worker "$GG" worker -j1
check 'another works all the same' gives after
check 'and ends' ends 0
check 'the dead one'"'"'s folder is gone, a living one'"'"'s is there' sh -c '[ "$(ls -d "$TMPDIR"/gg-worker.*)" = "$1" ]' sh "$ours"
exec 8<&-
rmdir "$ours"

# ---- tickets
cat >"$work/dead" <<END
gg-ticket 1
url unix:$work/nobody
token $(printf '%064d' 7)
pool connect
END
from=$(date +%s)
check 'a dispatcher that is not there is named, after a while' \
	says 'has been silent for 1 s' 3 "$GG" worker --patience 1s --connect "$work/dead"
check 'which is as long as was asked for' test $(($(date +%s) - from)) -lt 45
check 'what is no ticket is refused' says 'ticket' 3 "$GG" worker --connect step.sh
check 'as is a file that is not there' says 'no/such' 3 "$GG" worker --connect no/such
infer other 0
rm -f "$work/ticket"
force other >"$work/.force" 2>&1 &
forcing=$!
until_true 60 test -s "$work/ticket"
sed "s/^token .*/token $(printf '%064d' 9)/" "$work/ticket" >"$work/forged"
check 'a wrong token ends it at once' says 'token' 3 "$GG" worker --connect "$work/forged"
check 'and is said in one line' test "$(wc -l <"$work/.log")" = 1
check 'a ticket comes by standard input too' sh -c '"$1" worker --connect - <"$2"' sh "$GG" "$work/ticket"
wait $forcing
check 'and does the work' grep -q 'did 0-other' other

# ---- the dispatcher is killed
sets_going long "63.$$" --patience 2s
kill -9 $forcing
wait $forcing 2>/dev/null
check 'without its dispatcher it ends, and says why' ends 3
check 'in words' grep -q 'has been silent' "$work/said"
check 'nothing of it runs on' none_left

# ---- a full disk
mkdir "$work/small"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=24m none "$work/small" 2>/dev/null; then
	head -c 60000000 /dev/urandom >big
	"$GG" infer -q sh size.sh big -o size >/dev/null 2>&1
	infer little 0
	start_worker "$GG" worker -j1 --dir "$work/small/w"
	force -k size little >"$work/.force" 2>&1
	check 'on a full disk a step fails in words' grep -qi 'space\|full' "$work/.force"
	check 'and the worker goes on' grep -q 'did 0-little' little
	wait "$worker"
	umount "$work/small"
fi

# ---- a root with nothing in it but what the step uses
if [ -x "$program" ] && [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	root=$work/root
	infer alone 0
	host=$("$GG" show alone | grep -oE 'runtime host [0-9a-f]{64}' | cut -d' ' -f3)
	mkdir -p "$root/proc" "$root/tmp" "$root/dev" "$root$work" "$root/usr/bin"
	cp "$program" "$root/gg-worker"
	for file in $("$GG" cat "$host" | grep -E '^(file|program) ' | cut -d' ' -f3) \
		/usr/bin/sleep $(ldd /bin/sh /bin/sleep | grep -o '/[^ )]*' | grep -v ':$'); do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
	rm -f "$work/ticket"
	(until_true 60 test -s "$work/ticket"
	mkdir -p "$root$work"
	touch "$root$work/socket"
	unset TMPDIR            # there is only /tmp
	exec unshare -m sh -c 'mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" &&
		mount --bind "$2/socket" "$1$2/socket" &&
		exec chroot "$1" /gg-worker --connect - -j2 <"$2/ticket"' sh "$root" "$work") \
		>"$work/said" 2>&1 &
	worker=$!
	workers="$workers $worker"
	check 'gg-worker serves in a root that has no library for it' gives alone
	check 'and ends there as well' ends 0
fi
plan
