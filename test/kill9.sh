#!/bin/bash
# kill9.sh - gg is killed 100 times; nothing is wrong, lost or left behind
. "$(dirname "$0")/lib.sh"
own_gg
kills=${KILLS:-100}

# 61 thunks: chains over small files, files of 100 KB, which rest outside the
# database, and directories; the last one reads all of these.
cat >"$work/gg.models" <<'END'
sh small.sh @in @out
sh large.sh @in @out
sh many.sh @in @out/
sh whole.sh @out @in/...
END
cat >"$work/small.sh" <<'END'
sleep 0.01
{ cat "$1"; echo "small $2"; } >"$2"
END
cat >"$work/large.sh" <<'END'
sleep 0.01
{ cat "$1"; yes "large $2" | head -c 100000; } >"$2"
END
cat >"$work/many.sh" <<'END'
for i in 1 2 3 4 5; do { echo "many $i"; cat "$1"; } >"$2/$i"; done
mkdir "$2/sub" && ln -s ../1 "$2/sub/one" && cp /bin/true "$2/sub/true"
END
cat >"$work/whole.sh" <<'END'
out=$1
shift
find "$@" -type f | sort | xargs sha256sum >"$out"
END
{
	echo 'set -e'
	for i in $(seq 20); do
		echo "sh small.sh seed a$i; sh large.sh a$i b$i; sh many.sh b$i c$i"
	done
	echo "sh whole.sh all $(seq -f c%g -s ' ' 20)"
} >"$work/run.sh"

# What the script gives by itself, in a folder of its own.
clean_run()
{
	mkdir "$work/clean" && cd "$work/clean" && cp "$work"/*.sh ../killed/seed . &&
		mkdir $(seq -f c%g 20) && sh run.sh
}

same_as_clean()
{
	local f

	for f in all $(seq -f a%g 20) $(seq -f b%g 20) $(seq -f c%g 20); do
		diff -r "$f" "$work/clean/$f" || return 1
	done
}

# Start a gg and kill it at some moment; "cell": one of its cells first.
kill_once()
{
	local pid victim what=$1

	shift
	setsid "$@" >"$work/.killed" 2>&1 &
	pid=$!
	sleep "0.$(printf %03d $((RANDOM % 400)))"
	if [ "$what" = cell ]; then
		victim=$(pgrep -P "$pid" | shuf -n 1)
		[ -n "$victim" ] && kill -9 "$victim" 2>/dev/null && sleep 0.02
	fi
	kill -9 "$pid" 2>/dev/null && n_kills=$((n_kills + 1))
	wait "$pid" 2>/dev/null
}

project killed
cp "$work"/*.sh "$work/gg.models" .
n_kills=0 round=0
while [ "$n_kills" -lt "$kills" ] && [ "$round" -lt $((kills * 10)) ]; do
	# New content now and then, or nothing would be left to do.
	[ $((round % 4)) = 0 ] && echo "seed $round" >seed
	case $((round % 4)) in
	0) kill_once gg "$GG" run sh run.sh ;;
	1) kill_once gg "$GG" force -j4 ;;
	2) kill_once cell "$GG" run -j3 sh run.sh ;;
	3) kill_once gg "$GG" force ;;
	esac
	round=$((round + 1))
done 2>/dev/null
check "gg was killed $kills times while it ran" test "$n_kills" -ge "$kills"
check "a killed gg leaves no process" none_left
check "nor a wrong object, or a result of what is not there" store_is_right
check "the next run ends well" "$GG" run sh run.sh
(clean_run)
check "every output is what a clean run gives" same_as_clean
check "nothing wrong is in the store" store_is_right
check "nothing temporary is left in the project, nor in .gg/work" nothing_temporary
check "no process is left" none_left
check "and it all is known now" counts 0 61 0 "$GG" run sh run.sh
plan
