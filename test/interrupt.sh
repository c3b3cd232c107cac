#!/bin/bash
# interrupt.sh - Ctrl-C, once and twice, while workers make the steps and a remote keeps them
. "$(dirname "$0")/lib.sh"

ldconfig -p | grep -q libmicrohttpd.so.12 || skip "needs libmicrohttpd12"
ldconfig -p | grep -q libcurl.so.4 || skip "needs libcurl4"
own_gg || exit
export HOME=$work
unset XDG_CONFIG_HOME GG_KEY GG_REMOTE GG_ENGINE
"$GG" key new >/dev/null 2>&1
pids=
trap 'kill $pids 2>/dev/null; wait 2>/dev/null; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

# Those that nobody waits for sleep for so long.
forever=1000.$$
make_project() # NAME SECONDS-OF-SOON
{
	project "$1"
	printf 'sh step.sh @ @in @out\n' >gg.models
	printf 'sleep "$1"; (cat "$2"; head -c 100000 /dev/zero) >"$3"\n' >step.sh
	echo "$1" >in
	printf 'sh step.sh %s\n' "0 in quick" "$2 quick soon" "$forever in never" "0 never after" >script.sh
	"$GG" infer sh script.sh >"$work/.infer" 2>&1 || { cat "$work/.infer"; exit 1; }
}

comes() # COMMAND...: it becomes true
{
	until_true 120 "$@" && return
	tail -5 "$work/force.log"
	return 1
}
sleeps() { grep -qsxz -- "$1" /proc/[0-9]*/cmdline; }
both_sleep() { sleeps "$forever" && ! grep -q '^gg-placeholder' quick; }

# interrupt N: a force with two workers, and N times Ctrl-C when two steps are under way.
interrupt()
{
	local rc=0

	set -m
	"$GG" force --engine "connect:unix=$work/s,ticket=$work/ticket" --remote "dir:$work/remote" \
		>"$work/force.log" 2>&1 &
	forced=$!
	set +m
	pids="$pids $forced"
	comes test -s "$work/ticket" || return
	for name in ann bob; do
		"$GG" worker --connect "$work/ticket" --name $name --patience 5s \
			>"$work/$name.log" 2>&1 &
		pids="$pids $!"
	done
	comes both_sleep || return
	for ((i = 0; i < $1; i++)); do
		kill -INT -- "-$forced"
		sleep 0.1
	done
	wait "$forced" || rc=$?
	[ $rc = 1 ] && return
	echo "ended with $rc"
	tail -5 "$work/force.log"
	return 1
}
is_promised() { grep -q '^gg-placeholder' "$1"; }
all_quiet() { none_left && ! sleeps "$forever"; }
known_there() # NAME OUT: a fresh project gets it from the remote
{
	mkdir "$work/$1-there" && cd "$work/$1-there" && "$GG" init >/dev/null &&
		cp "$work/$1"/{gg.models,step.sh,in,script.sh} . &&
		"$GG" infer sh script.sh >/dev/null 2>&1 &&
		"$GG" force --remote "dir:$work/remote" "$2" 2>&1 | tee /dev/stderr |
		grep -q "^forced 0, cached 1 (1 from remotes), failed 0"
}

the_rest() # PROJECT KEPT
{
	check "the rest still is promised" is_promised never
	check "neither ticket nor socket is left" [ ! -e "$work/ticket" -a ! -e "$work/s" ]
	check "workers and their steps end" all_quiet
	check "nothing half done is left" nothing_temporary
	check "the store is right" store_is_right
	check "the remote has what was kept" known_there "$@"
}

make_project once 1
check "Ctrl-C ends a force that workers and a remote serve" interrupt 1
check "it says so, in one line" [ "$(grep -c 'stopping:' "$work/force.log")" = 1 ]
check "what had a moment left has ended, and is kept" [ "$(head -1 soon)" = once ]
the_rest once soon

make_project twice 2
check "Ctrl-C twice ends it at once" interrupt 2
check "without a moment for those that run" is_promised soon
check "what had finished is kept" [ "$(head -1 quick)" = twice ]
the_rest twice quick
plan
